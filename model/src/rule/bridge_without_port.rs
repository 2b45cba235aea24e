//! A bridge that lacks the port which its configuration names, or any port while it has one on the other nodes: mostly a
//! NIC that is called otherwise since a new kernel or a new card.

use std::collections::BTreeMap;

use super::{Scene, configured, peers, stack, vlans};
use crate::cluster::FreshNode;
use crate::fact::bridge::Bridge;
use crate::fact::interfaces::ConfBridge;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, NodeName};
use crate::report::{Facts as _, Family};

/// Spare ports that a remedy names.
const MAX_SPARE: usize = 6;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut found = Vec::new();
    let mut unsaid: BTreeMap<&IfaceName, (Vec<&NodeName>, Vec<&FreshNode<'_>>)> = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.links().is_some()) {
        for bridge in node.bridges().into_iter().flatten() {
            let Some(name) = &bridge.name else {
                continue;
            };
            let has_way_out = !vlans::uplinks(node, bridge).is_empty();
            if let Some(conf) = conf_of(node, name) {
                found.extend(missing(node, name, bridge, conf, has_way_out));
            }
            let (have, lack) = unsaid.entry(name).or_default();
            if has_way_out {
                have.push(node.name());
            } else if conf_of(node, name).is_none() {
                lack.push(node);
            }
        }
    }
    for (bridge, (have, lack)) in unsaid {
        if peers::is_missing(have.len(), lack.len()) {
            found.extend(lack.into_iter().map(|node| alone(node, bridge, &have)));
        }
    }
    found
}

/// `None`: nothing says what ports it shall have.
fn conf_of<'a>(node: &'a FreshNode<'_>, bridge: &IfaceName) -> Option<&'a ConfBridge> {
    let mut interfaces = configured::interfaces(node).iter();
    interfaces
        .find(|interface| interface.name == bridge.as_str())?
        .bridge
        .as_ref()
}

fn missing(
    node: &FreshNode<'_>,
    name: &IfaceName,
    bridge: &Bridge,
    conf: &ConfBridge,
    has_way_out: bool,
) -> Option<Finding> {
    let links = node.links()?;
    let has = |named: &&String| {
        let iface = configured::called(links, named).map(|link| &link.name);
        bridge
            .ports
            .iter()
            .any(|port| port.name.as_str() == *named || Some(&port.name) == iface)
    };
    let missing: Vec<&str> = conf
        .ports
        .iter()
        .filter(|named| !has(named))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let owner = node.name();
    let is_there = |named: &&str| configured::called(links, named).is_some();
    let why = if missing.iter().any(is_there) {
        "not in it"
    } else {
        "not there"
    };
    let result = if has_way_out {
        ""
    } else {
        ": nothing leads out of it"
    };
    let sentence = format!(
        "{name} of {owner} has not the port that its configuration names, {} is {why}{result}",
        missing.join(", ")
    );
    let found = told(node, name, sentence, has_way_out).seen_in(
        owner,
        Family::Interfaces,
        format!("{name}: bridge-ports {}", conf.ports.join(" ")),
    );
    Some(found)
}

fn alone(node: &FreshNode<'_>, bridge: &IfaceName, have: &[&NodeName]) -> Finding {
    let sentence = format!(
        "{bridge} of {} has no port that leads out of it, as it has on {} other nodes",
        node.name(),
        have.len()
    );
    let found = told(node, bridge, sentence, false);
    have.iter().fold(found, |found, peer| {
        found.seen_in(peer, Family::Bridges, format!("{bridge} has a way out"))
    })
}

fn told(node: &FreshNode<'_>, bridge: &IfaceName, sentence: String, has_way_out: bool) -> Finding {
    let name = node.name();
    let severity = if has_way_out {
        Severity::Warning
    } else {
        Severity::Critical
    };
    let state = if has_way_out {
        "a port is missing"
    } else {
        "no port leads out"
    };
    let spare = spare(node);
    let spare = if spare.is_empty() {
        String::new()
    } else {
        format!(" {spare} on {name} belongs to nothing: is it the port under a new name?")
    };
    let found = Finding::new(severity, Thing::Iface(name.clone(), bridge.clone()), sentence)
        .seen_in(name, Family::Bridges, format!("{bridge}: {state}"))
        .seen_in(name, Family::Links, "the interfaces that are there")
        .remedy(format!(
            "`ip -br link` and `dmesg | grep renamed` on {name}.{spare} Correct `bridge-ports` in \
             /etc/network/interfaces, or pin the name with `pve-network-interface-pinning`; check with `ifreload -a -s`."
        ))
        .way_back("Restore the old `bridge-ports` line.");
    if has_way_out {
        found
    } else {
        found.takes(stack::taken_with(node, bridge))
    }
}

/// NICs that are in nothing and have no address.
fn spare(node: &FreshNode<'_>) -> String {
    let links = node.links().into_iter().flatten();
    let is_spare = |link: &&crate::fact::link::Link| {
        let is_bare = link.addresses.as_ref().is_some_and(Vec::is_empty);
        stack::is_nic(link) && link.master.is_none() && is_bare
    };
    let names = links
        .filter(is_spare)
        .take(MAX_SPARE)
        .map(|link| link.name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, iface, known, value};
    use crate::fact::interfaces::{Configuration, Interface, Interfaces};
    use crate::report::NodeReport;

    const RULE: &str = "bridge-without-port";

    fn configure(report: &mut NodeReport, ports: &[&str]) {
        let bridge = Interface {
            name: "vmbr0".to_owned(),
            auto: true,
            bridge: Some(ConfBridge {
                ports: ports.iter().map(|port| (*port).to_owned()).collect(),
                no_ports: ports.is_empty(),
                ..ConfBridge::default()
            }),
            ..Interface::default()
        };
        report.interfaces = known(Interfaces {
            current: Some(Configuration {
                interfaces: vec![bridge],
                ..Configuration::default()
            }),
            pending: None,
            not_sourced: None,
        });
    }

    /// As after a boot in which eno3 came up as enp3s0.
    fn rename(report: &mut NodeReport) {
        configure(report, &["eno3"]);
        value(&mut report.bridges)[0].ports.clear();
        let links = value(&mut report.links);
        links[2].name = iface("enp3s0");
        links[2].addresses = Some(Vec::new());
        links[3].master = None;
    }

    #[test]
    fn a_bridge_whose_nic_was_renamed_is_told_with_the_nic_that_is_left() {
        let mut world = World::healthy();
        world.edit_all(|_, report| configure(report, &["bond0"]));
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", rename);
        let expect = "critical pve-03/vmbr0: vmbr0 of pve-03 has not the port that its configuration names, eno3 is not \
                      there: nothing leads out of it";
        assert_eq!(world.found(RULE), [expect]);
        let found = crate::rule::named(RULE).unwrap().look(&world.scene());
        assert!(
            found[0]
                .remedy
                .contains("enp3s0 on pve-03 belongs to nothing"),
            "{}",
            found[0].remedy
        );
        assert!(
            found[0]
                .takes
                .iter()
                .any(|thing| matches!(thing, Thing::Knet { .. }))
        );
    }

    #[test]
    fn without_a_configuration_the_peers_are_asked() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            value(&mut report.bridges)[0].ports.clear()
        });
        let expect = "critical pve-03/vmbr0: vmbr0 of pve-03 has no port that leads out of it, as it has on 7 other nodes";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn an_internal_bridge_is_meant_to_have_no_port() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            configure(report, &[]);
            value(&mut report.bridges)[0].ports.clear();
        });
        assert!(world.found(RULE).is_empty());
        let mut world = World::healthy();
        world.edit_all(|_, report| value(&mut report.bridges)[0].ports.clear());
        assert!(world.found(RULE).is_empty());
    }
}
