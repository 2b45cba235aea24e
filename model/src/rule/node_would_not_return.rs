//! What would make a node another one after its next boot, or keep it from booting: a network that waits, a port that is
//! not there under its name, packages halfway, a disk that is full or read-only.

use super::Tuned;
use super::membership::listed;
use crate::cluster::FreshNode;
use crate::fact::interfaces::Interface;
use crate::finding::{Finding, Severity, Thing};
use crate::name::IfaceName;
use crate::report::{Facts as _, Family};

const FULL_PERCENT: u8 = 98;

type Reason = (Family, String);

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let missing = missing_ports(node);
    let reasons: Vec<Reason> = [network(node), ports(&missing), packages(node)]
        .into_iter()
        .flatten()
        .chain(file_systems(node))
        .collect();
    if reasons.is_empty() {
        return Vec::new();
    }
    let name = node.name();
    let is_ports_alone = reasons.len() == 1 && !missing.is_empty();
    let says: Vec<&str> = reasons.iter().map(|(_, says)| says.as_str()).collect();
    let sentence = format!(
        "{name} would not come back from a reboot as it is: {}",
        says.join("; ")
    );
    let found = Finding::new(Severity::Warning, Thing::Node(name.clone()), sentence).remedy(format!(
        "Settle it before {name} is rebooted: `ifquery -a -c` and `ifreload -a -s` judge the network's files, \
         `dpkg --configure -a` ends an upgrade, `df -h` shows what is full."
    ));
    let found = found.way_back(
        "`rm /etc/network/interfaces.new` drops a network that waits; keep a copy of /etc/network/interfaces.",
    );
    let words =
        |found: Finding, (family, says): &Reason| found.seen_in(name, *family, says.clone());
    let found = reasons.iter().fold(found, words);
    // Whoever says already that a bond lacks its ports says it all.
    let owners = missing
        .iter()
        .filter_map(|(owner, _)| IfaceName::new(owner.clone()).ok());
    let owners = owners.map(|owner| Thing::Iface(name.clone(), owner));
    vec![if is_ports_alone {
        found.is_loss_of(owners)
    } else {
        found
    }]
}

fn network(node: &FreshNode<'_>) -> Option<Reason> {
    let pending = node
        .interfaces()
        .and_then(|interfaces| interfaces.pending.as_ref())
        .is_some();
    let seen = node.boot().and_then(|boot| boot.network_pending) == Some(true);
    let says = "interfaces.new waits and would be applied";
    match (pending, seen) {
        (true, _) => Some((Family::Interfaces, says.to_owned())),
        (false, true) => Some((Family::Boot, says.to_owned())),
        (false, false) => None,
    }
}

fn ports(missing: &[(String, String)]) -> Option<Reason> {
    (!missing.is_empty()).then(|| {
        let names = listed(missing.iter().map(|(_, port)| port));
        let says = format!("its configuration names ports that do not exist ({names})");
        (Family::Interfaces, says)
    })
}

/// Bonds and bridges with ports that neither the node nor its configuration has.
fn missing_ports(node: &FreshNode<'_>) -> Vec<(String, String)> {
    let (Some(interfaces), Some(links)) = (node.interfaces(), node.links()) else {
        return Vec::new();
    };
    let Some(current) = &interfaces.current else {
        return Vec::new();
    };
    let exists = |port: &&String| {
        links
            .iter()
            .any(|link| link.name.as_str() == *port || link.altnames.contains(port))
            || current
                .interfaces
                .iter()
                .any(|own| own.name == **port && !own.stanzas.is_empty() && is_made(own))
    };
    let of_one = |own: &Interface| {
        let bond = own.bond.iter().flat_map(|bond| &bond.slaves);
        let bridge = own.bridge.iter().flat_map(|bridge| &bridge.ports);
        let missing = bond
            .chain(bridge)
            .filter(|port| port.as_str() != "none" && !exists(port));
        let missing: Vec<(String, String)> = missing
            .map(|port| (own.name.clone(), port.clone()))
            .collect();
        missing
    };
    current.interfaces.iter().flat_map(of_one).collect()
}

/// The configuration makes it, so that it need not be there before.
fn is_made(own: &Interface) -> bool {
    own.bond.is_some() || own.bridge.is_some() || own.vlan.is_some() || own.ovs.is_some()
}

fn packages(node: &FreshNode<'_>) -> Option<Reason> {
    let unsettled = node
        .packages()?
        .unsettled
        .as_ref()
        .filter(|all| !all.is_empty())?;
    let names = listed(unsettled.iter().take(3).map(|one| &one.package));
    Some((
        Family::Packages,
        format!(
            "{} packages are not fully installed ({names})",
            unsettled.len()
        ),
    ))
}

fn file_systems(node: &FreshNode<'_>) -> Vec<Reason> {
    let all = node
        .boot()
        .and_then(|boot| boot.file_systems.as_ref())
        .into_iter()
        .flatten();
    let reason = |file_system: &crate::fact::boot::FileSystem| {
        let at = &file_system.mount_point;
        let says = if file_system.read_only && at == "/" {
            "/ is read-only".to_owned()
        } else {
            let used = file_system
                .used_percent
                .filter(|used| *used >= FULL_PERCENT)?;
            format!("{at} is {used} % full")
        };
        Some((Family::Boot, says))
    };
    all.filter_map(reason).collect()
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::boot::{Boot, FileSystem};
    use crate::fact::interfaces::{ConfBridge, Configuration, Interface, Interfaces};

    const RULE: &str = "node-would-not-return";

    fn bridge_on(port: &str) -> Interfaces {
        let bridge = Interface {
            name: "vmbr0".to_owned(),
            bridge: Some(ConfBridge {
                ports: vec![port.to_owned()],
                ..ConfBridge::default()
            }),
            ..Interface::default()
        };
        let current = Configuration {
            interfaces: vec![bridge],
            ..Configuration::default()
        };
        Interfaces {
            current: Some(current),
            pending: None,
            not_sourced: None,
        }
    }

    #[test]
    fn a_renamed_port_and_a_full_disk_are_named() {
        let mut world = World::of(3);
        world.edit("pve-02", |report| {
            report.interfaces = known(bridge_on("bond0"))
        });
        assert!(world.found(RULE).is_empty());
        let root = FileSystem {
            mount_point: "/".to_owned(),
            used_percent: Some(99),
            ..FileSystem::default()
        };
        world.edit("pve-02", |report| {
            report.interfaces = known(bridge_on("enp3s0"));
            report.boot = known(Boot {
                file_systems: Some(vec![root]),
                ..Boot::default()
            });
        });
        let expect = "warning pve-02: pve-02 would not come back from a reboot as it is: its configuration names ports \
                      that do not exist (enp3s0); / is 99 % full";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_network_that_waits_is_told() {
        let mut world = World::of(3);
        world.edit("pve-02", |report| {
            report.boot = known(Boot {
                network_pending: Some(true),
                ..Boot::default()
            });
        });
        let expect = "warning pve-02: pve-02 would not come back from a reboot as it is: interfaces.new waits and would be \
                      applied";
        assert_eq!(world.found(RULE), [expect]);
    }
}
