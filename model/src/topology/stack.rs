//! From an address down to the ports.

use core::net::IpAddr;

use super::{Failover, Gathered, Gathering, NoStack, Stack};
use crate::cluster::FreshNode;
use crate::fact::bond::{Bond, BondMode, LacpRate};
use crate::fact::link::Link;
use crate::fact::ovs::{OvsBond, OvsBondMode, OvsBridge, OvsInterfaceKind, OvsLacpStatus, OvsPort};
use crate::name::{IfaceName, LinkNumber, VlanId};
use crate::report::Facts as _;

/// Interfaces that may stand on each other; the kernel itself allows eight.
const MAX_DEPTH: usize = 16;
/// Addresses of one node that are followed.
const MAX_ADDRESSES: usize = 64;

pub(super) fn of_address(
    fresh: &FreshNode<'_>,
    link: LinkNumber,
    address: &str,
) -> Result<Stack, NoStack> {
    let wanted: Option<IpAddr> = address.parse().ok();
    let has = |candidate: &&Link| {
        let addresses = candidate.addresses.iter().flatten();
        addresses.into_iter().any(|one| Some(one.address) == wanted)
    };
    let top = fresh.links().and_then(|links| links.iter().find(has));
    let top = top.ok_or_else(|| NoStack::NoInterface {
        node: fresh.name().clone(),
        link,
        address: address.to_owned(),
    })?;
    below(fresh, address, top).ok_or_else(|| NoStack::NoPort {
        node: fresh.name().clone(),
        link,
        iface: top.name.clone(),
    })
}

/// The stacks of all addresses by which others may be reached.
pub(super) fn of_all_addresses(fresh: &FreshNode<'_>) -> Vec<Stack> {
    let links = fresh.links().into_iter().flatten();
    let reaching = links.filter_map(|link| {
        let mut addresses = link.addresses.iter().flatten();
        let global = addresses.find(|one| one.scope.as_deref() == Some("global"))?;
        below(fresh, &global.address.to_string(), link)
    });
    reaching.take(MAX_ADDRESSES).collect()
}

/// Nothing that is known to stand on something else, and nothing of a guest or of the kernel alone.
pub(super) fn is_port(link: &Link) -> bool {
    let is_ether = link
        .link_type
        .as_deref()
        .is_none_or(|is| is == "ether" || is == "infiniband");
    let is_made = matches!(
        link.kind.as_deref(),
        Some(
            "bond"
                | "bridge"
                | "vlan"
                | "tun"
                | "openvswitch"
                | "dummy"
                | "vxlan"
                | "macvlan"
                | "wireguard"
        )
    );
    is_ether && !is_made && link.vlan.is_none() && link.name.as_str() != "lo"
}

/// One end of a pair: to a container, or what stands for a NIC where the node itself is one.
pub(super) fn is_veth(link: &Link) -> bool {
    link.kind.as_deref() == Some("veth")
}

#[derive(Default)]
struct Found {
    through: Vec<IfaceName>,
    vlans: Vec<VlanId>,
    ports: Vec<IfaceName>,
    bonds: Vec<Gathering>,
    /// Something has several things below it that are no bond.
    forks: bool,
}

/// `None` if it leads to no port.
fn below(fresh: &FreshNode<'_>, address: &str, top: &Link) -> Option<Stack> {
    let mut found = Found::default();
    descend(fresh, top, &mut found, 0);
    if found.ports.is_empty() {
        return None;
    }
    let gathered = match (found.bonds.pop(), found.forks, found.ports.len()) {
        (Some(bond), false, _) if found.bonds.is_empty() => Gathered::Bond(bond),
        (None, false, 1) => Gathered::Single,
        _ => Gathered::Several,
    };
    Some(Stack {
        address: address.to_owned(),
        through: found.through,
        vlans: found.vlans,
        ports: found.ports,
        gathered,
    })
}

fn descend(fresh: &FreshNode<'_>, link: &Link, found: &mut Found, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    let links = || fresh.links().into_iter().flatten();
    let named = |name: &IfaceName| links().find(|link| link.name == *name);
    if let Some((bridge, port)) = ovs_port(fresh, &link.name) {
        found.through.push(link.name.clone());
        found
            .vlans
            .extend(port.tag.and_then(|tag| VlanId::new(tag.into()).ok()));
        ovs_uplinks(fresh, bridge, found);
        return;
    }
    match link.kind.as_deref() {
        Some("bridge") => {
            found.through.push(link.name.clone());
            let ports = links().filter(|port| port.master.as_ref() == Some(&link.name));
            let mut leading: Vec<&Link> =
                ports.filter(|port| leads_out(fresh, port, depth)).collect();
            // Beside a NIC or a bond, the ends of veth pairs belong to containers.
            if leading.iter().any(|port| !is_veth(port)) {
                leading.retain(|port| !is_veth(port));
            }
            found.forks |= leading.len() > 1;
            for port in leading {
                descend(fresh, port, found, depth + 1);
            }
        }
        Some("bond") => {
            found.through.push(link.name.clone());
            let bond = fresh
                .bonds()
                .into_iter()
                .flatten()
                .find(|bond| bond.name == link.name);
            let ports: Vec<IfaceName> = match bond {
                Some(bond) => bond.slaves.iter().map(|port| port.name.clone()).collect(),
                None => links()
                    .filter(|port| port.master.as_ref() == Some(&link.name))
                    .map(|port| port.name.clone())
                    .collect(),
            };
            found.ports.extend(ports);
            // Of a bond that tells nothing of itself it is not known with how few ports it goes on.
            if bond.is_some() || link.bond.is_some() {
                found.bonds.push(gathering(&link.name, bond, link));
            } else {
                found.forks = true;
            }
        }
        Some("vlan") => {
            found.through.push(link.name.clone());
            found
                .vlans
                .extend(link.vlan.as_ref().and_then(|vlan| vlan.id));
            if let Some(lower) = link.link.as_ref().and_then(named) {
                descend(fresh, lower, found, depth + 1);
            }
        }
        _ if is_port(link) => found.ports.push(link.name.clone()),
        _ => {}
    }
}

/// A bridge's port that is a way out of the node, and not to a guest.
fn leads_out(fresh: &FreshNode<'_>, port: &Link, depth: usize) -> bool {
    // The other end of a veth pair in this namespace is something of the node itself.
    let is_inner = is_veth(port) && port.link.is_some();
    if is_inner {
        return false;
    }
    let mut below = Found::default();
    descend(fresh, port, &mut below, depth + 1);
    !below.ports.is_empty()
}

fn gathering(name: &IfaceName, bond: Option<&Bond>, link: &Link) -> Gathering {
    let details = link.bond.as_ref();
    let mode = bond
        .and_then(|bond| bond.mode.clone())
        .or_else(|| details.and_then(|details| details.mode.clone()));
    let lacp = bond.and_then(|bond| bond.lacp.as_ref());
    let rate = lacp
        .and_then(|lacp| lacp.rate.clone())
        .or_else(|| details.and_then(|details| details.lacp_rate.clone()));
    let at_least = lacp
        .and_then(|lacp| lacp.min_links)
        .or_else(|| details.and_then(|details| details.min_links))
        .filter(|_| mode == Some(BondMode::Ieee8023ad));
    let failover = match (mode, rate) {
        (Some(BondMode::Ieee8023ad), Some(LacpRate::Fast)) => Failover::LacpFast,
        (Some(BondMode::Ieee8023ad), _) => Failover::LacpSlow,
        (Some(BondMode::ActiveBackup), _) => {
            Failover::ActivePort(bond.and_then(|bond| bond.active_slave.clone()))
        }
        _ => Failover::Blind,
    };
    Gathering {
        bond: name.clone(),
        failover,
        at_least: at_least.unwrap_or(1).max(1),
    }
}

/// The bridge and the port of Open vSwitch that this interface of the node is.
fn ovs_port<'a>(
    fresh: &'a FreshNode<'_>,
    name: &IfaceName,
) -> Option<(&'a OvsBridge, &'a OvsPort)> {
    let bridges = fresh.ovs()?.bridges.iter();
    let mut ports = bridges.flat_map(|bridge| bridge.ports.iter().map(move |port| (bridge, port)));
    ports.find(|(_, port)| {
        let is_inner = |kind: &Option<OvsInterfaceKind>| *kind == Some(OvsInterfaceKind::Internal);
        port.name.as_deref() == Some(name.as_str())
            && port
                .interfaces
                .iter()
                .any(|interface| is_inner(&interface.kind))
    })
}

fn ovs_uplinks(fresh: &FreshNode<'_>, bridge: &OvsBridge, found: &mut Found) {
    let mut ways = 0;
    for port in &bridge.ports {
        let is_nic = |name: &IfaceName| {
            let mut links = fresh.links().into_iter().flatten();
            links.any(|link| link.name == *name && is_port(link))
        };
        let nics: Vec<IfaceName> = port
            .interfaces
            .iter()
            .filter_map(|interface| IfaceName::new(interface.name.clone()?).ok())
            .filter(is_nic)
            .collect();
        if nics.is_empty() {
            continue;
        }
        ways += 1;
        let name = port
            .name
            .as_ref()
            .and_then(|name| IfaceName::new(name.clone()).ok());
        if let Some(name) = name.filter(|_| nics.len() > 1) {
            let bonds = fresh
                .ovs()
                .and_then(|ovs| ovs.bonds.as_ref())
                .into_iter()
                .flatten();
            let bond = bonds.into_iter().find(|bond| bond.name == name.as_str());
            found.bonds.push(ovs_gathering(&name, bond));
            found.through.push(name);
        }
        found.ports.extend(nics);
    }
    found.forks |= ways > 1;
}

fn ovs_gathering(name: &IfaceName, bond: Option<&OvsBond>) -> Gathering {
    let mode = bond.and_then(|bond| bond.mode.as_ref());
    let speaks_lacp =
        bond.and_then(|bond| bond.lacp_status.as_ref()) == Some(&OvsLacpStatus::Negotiated);
    let failover = match mode {
        // The database does not say how fast, and slow is what it does by itself.
        _ if speaks_lacp => Failover::LacpSlow,
        Some(OvsBondMode::ActiveBackup) => {
            let active = bond.and_then(|bond| bond.active_member.clone());
            Failover::ActivePort(active.and_then(|name| IfaceName::new(name).ok()))
        }
        _ => Failover::Blind,
    };
    Gathering {
        bond: name.clone(),
        failover,
        at_least: 1,
    }
}
