//! A network of corosync that is down between all nodes: a switch, a VLAN or an address range, not eight cables.

use std::collections::BTreeSet;

use super::Scene;
use super::corosync_link_down::SETTLES_MS;
use super::membership::{Group, Pair, groups, is_any_down, pairs};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::LinkNumber;
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    if !is_any_down(&nodes) {
        return Vec::new();
    }
    let pairs = pairs(&nodes);
    let known: BTreeSet<Pair> = pairs.keys().cloned().collect();
    let down: BTreeSet<Pair> = pairs
        .iter()
        .filter(|(_, is_down)| **is_down)
        .map(|(pair, _)| pair.clone())
        .collect();
    let links: BTreeSet<LinkNumber> = known.iter().map(|pair| pair.link).collect();
    let lost: Vec<LinkNumber> = groups(&down, &known)
        .into_iter()
        .filter_map(|group| match group {
            Group::Network(link) => Some(link),
            Group::Node(..) | Group::Part(..) | Group::Pair(_) => None,
        })
        .collect();
    let left = links.len() - lost.len();
    let network = |link: &LinkNumber| {
        let pairs = known.iter().filter(|pair| pair.link == *link).count();
        let rest = match left {
            0 => "no network is left".to_owned(),
            1 => "one network is left, and the next failure on it parts the nodes".to_owned(),
            left => format!("{left} networks are left"),
        };
        let sentence =
            format!("corosync network {link} is down between all {pairs} pairs of nodes; {rest}");
        let severity = if left > 1 {
            Severity::Warning
        } else {
            Severity::Critical
        };
        let found = Finding::new(severity, Thing::Network(*link), sentence)
            .settles_in(SETTLES_MS)
            .is_loss_of(known.iter().filter(|pair| pair.link == *link).map(Pair::thing))
            .takes([Thing::Network(*link)])
            .remedy(format!(
                "Look at what all nodes share on network {link}: its switch, its VLAN on the switch's ports, a firewall \
                 rule for UDP 5405 and up. `corosync-cfgtool -s` on any node shows when it is back."
            ));
        let words = |found: Finding, node: &FreshNode<'_>| {
            found.seen_in(
                node.name(),
                Family::Corosync,
                format!("link {link}: all peers disconnected"),
            )
        };
        nodes.iter().filter(|node| speaks(node)).fold(found, words)
    };
    lost.iter().map(network).collect()
}

fn speaks(node: &FreshNode<'_>) -> bool {
    node.corosync()
        .is_some_and(|corosync| corosync.links.is_some())
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-network-down";

    #[test]
    fn a_network_that_no_pair_has_is_one_finding() {
        let mut world = World::of(4);
        assert!(world.found(RULE).is_empty());
        world.edit_all(|_, report| {
            for peer in value(&mut report.corosync).links.as_mut().unwrap()[1]
                .peers
                .as_mut()
                .unwrap()
            {
                peer.connected = Some(false);
            }
        });
        let expect = "critical corosync network 1: corosync network 1 is down between all 6 pairs of nodes; one network \
                      is left, and the next failure on it parts the nodes";
        assert_eq!(world.found(RULE), [expect]);
        assert!(world.found("corosync-link-down").is_empty());
    }

    #[test]
    fn one_pair_that_has_it_is_enough_for_the_network_to_be_there() {
        let mut world = World::of(4);
        world.edit_all(|name, report| {
            if name.as_str() != "pve-01" {
                for peer in value(&mut report.corosync).links.as_mut().unwrap()[1]
                    .peers
                    .as_mut()
                    .unwrap()
                {
                    peer.connected = Some(false);
                }
            }
        });
        assert!(world.found(RULE).is_empty());
    }
}
