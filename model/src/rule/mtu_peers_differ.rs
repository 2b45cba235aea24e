//! A node whose interface in a network has another MTU than those of its peers in the same network.
//!
//! The same network is the same prefix. Networks that are each node's own (the bridge of a container engine) have the
//! same address on several nodes, and are left out.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::peers::{self, Agreed};
use crate::cluster::FreshNode;
use crate::fact::link::{Address, Link};
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, NodeName};
use crate::report::{Facts as _, Family};

type Network = (IpAddr, u8);

struct Port<'a> {
    node: &'a NodeName,
    iface: &'a IfaceName,
    address: IpAddr,
    mtu: u32,
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut networks: BTreeMap<Network, Vec<Port<'_>>> = BTreeMap::new();
    for node in &nodes {
        for link in node
            .links()
            .into_iter()
            .flatten()
            .filter(|link| is_in_a_network(link))
        {
            for address in link.addresses.iter().flatten() {
                let Some((network, mtu)) = network(address).zip(link.mtu_bytes) else {
                    continue;
                };
                let ports = networks.entry(network).or_default();
                // Of two interfaces of a node in one network the first speaks for it.
                if ports.last().is_none_or(|last| last.node != node.name()) {
                    ports.push(Port {
                        node: node.name(),
                        iface: &link.name,
                        address: address.address,
                        mtu,
                    });
                }
            }
        }
    }
    // An interface is often in two networks, of IPv4 and IPv6, and is told once.
    let mut told = BTreeMap::new();
    for (network, ports) in networks.iter().filter(|(_, ports)| is_shared(ports)) {
        for found in differing(*network, ports) {
            told.entry(found.subject.clone()).or_insert(found);
        }
    }
    told.into_values().collect()
}

fn is_in_a_network(link: &Link) -> bool {
    let is_its_own = matches!(
        link.kind.as_deref(),
        Some("tun" | "veth" | "dummy" | "wireguard")
    );
    !is_its_own && link.link_type.as_deref() != Some("loopback") && link.carrier != Some(false)
}

fn network(address: &Address) -> Option<Network> {
    let length = address.prefix_len?;
    if address.scope.as_deref() != Some("global") || address.peer.is_some() {
        return None;
    }
    let network = match address.address {
        IpAddr::V4(own) if length < 32 => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(own.to_bits() & mask))
        }
        IpAddr::V6(own) if length < 128 => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(own.to_bits() & mask))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => return None,
    };
    Some((network, length))
}

fn is_shared(ports: &[Port<'_>]) -> bool {
    let mut seen = BTreeSet::new();
    ports.iter().all(|port| seen.insert(port.address))
}

fn differing((network, length): Network, ports: &[Port<'_>]) -> Vec<Finding> {
    let sizes: Vec<u32> = ports.iter().map(|port| port.mtu).collect();
    let odd = peers::odd(&sizes).into_iter();
    let odd = odd.filter_map(|(place, agreed)| Some((ports.get(place)?, agreed)));
    odd.map(|(port, agreed)| told(port, &agreed, &format!("{network}/{length}"), ports))
        .collect()
}

fn told(port: &Port<'_>, agreed: &Agreed<u32>, network: &str, ports: &[Port<'_>]) -> Finding {
    let (name, iface) = (port.node, port.iface);
    let sentence = format!(
        "{iface} of {name} has an MTU of {} in {network}, where {} of {} other nodes have {}: large packets between \
         them are lost",
        port.mtu, agreed.agree, agreed.of, agreed.value
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), iface.clone()), sentence)
        .remedy(format!(
            "Give {iface} and what it stands on `mtu {}` in /etc/network/interfaces of {name}; check with `ifreload -a \
             -s`, then `ping -M do -s {} ADDRESS` to a peer.",
            agreed.value,
            agreed.value.saturating_sub(28)
        ))
        .way_back(format!("Restore `mtu {}`.", port.mtu));
    let words = |found: Finding, port: &Port<'_>| {
        found.seen_in(
            port.node,
            Family::Links,
            format!("{}: mtu {}", port.iface, port.mtu),
        )
    };
    let found = words(found, port);
    ports
        .iter()
        .filter(|other| other.node != name)
        .fold(found, words)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "mtu-peers-differ";

    #[test]
    fn the_node_with_another_mtu_in_a_network_is_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit_all(|_, report| value(&mut report.links)[2].mtu_bytes = Some(9_000));
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            value(&mut report.links)[2].mtu_bytes = Some(1_500)
        });
        let expect = "warning pve-03/eno3: eno3 of pve-03 has an MTU of 1500 in 10.1.0.0/24, where 7 of 7 other nodes \
                      have 9000: large packets between them are lost";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn half_and_half_other_networks_and_networks_of_each_nodes_own_are_nothing() {
        let mut world = World::healthy();
        for node in ["pve-01", "pve-02", "pve-03", "pve-04"] {
            world.edit(node, |report| {
                value(&mut report.links)[2].mtu_bytes = Some(9_000)
            });
        }
        assert!(world.found(RULE).is_empty());
        let mut world = World::healthy();
        world.edit_all(|_, report| {
            let addresses = value(&mut report.links)[2].addresses.as_mut().unwrap();
            addresses[0].address = "172.17.0.1".parse().unwrap();
        });
        world.edit("pve-03", |report| {
            value(&mut report.links)[2].mtu_bytes = Some(1_400)
        });
        assert!(world.found(RULE).is_empty());
    }
}
