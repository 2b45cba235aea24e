//! All of corosync's links of a node stand on one thing: they are several in the nodelist and one where it counts.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::membership::listed;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::Family;
use crate::topology::{Site, Stack, stacks_of_links, switch_label};

/// What all links of a node have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Common {
    Ports,
    Switch(String),
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let mut of: BTreeMap<Common, Vec<NodeName>> = BTreeMap::new();
    for node in scene.nodes() {
        if let Some(common) = common(&node, scene.site) {
            of.entry(common).or_default().push(node.name().clone());
        }
    }
    of.into_iter()
        .map(|(common, nodes)| finding(&common, &nodes))
        .collect()
}

/// `None` if the links have nothing in common, or if that is not known of one of them.
fn common(node: &FreshNode<'_>, site: &Site) -> Option<Common> {
    let stacks = stacks_of_links(node)?;
    let [first, others @ ..] = stacks.as_slice() else {
        return None;
    };
    if others.is_empty() {
        return None;
    }
    let ports = |stack: &Stack| stack.ports.iter().cloned().collect::<BTreeSet<_>>();
    if others.iter().all(|other| ports(other) == ports(first)) {
        return Some(Common::Ports);
    }
    let mut switches = BTreeSet::new();
    for port in stacks.iter().flat_map(|stack| &stack.ports) {
        switches.insert(switch_label(node, site, port)?);
    }
    let mut switches = switches.into_iter();
    switches
        .next()
        .filter(|_| switches.next().is_none())
        .map(Common::Switch)
}

fn finding(common: &Common, nodes: &[NodeName]) -> Finding {
    let (what, subject) = match common {
        Common::Ports => ("the same ports".to_owned(), Thing::Cluster),
        Common::Switch(name) => (format!("switch {name}"), Thing::Switch(name.clone())),
    };
    let sentence = format!(
        "all corosync links of {} go over {what}: whatever takes that takes every link at once",
        listed(nodes)
    );
    let found = Finding::new(Severity::Warning, subject, sentence).remedy(
        "Give one corosync link a network of its own: a port that is no part of the others' bond, in another switch. \
         Change its ringN_addr in /etc/pve/corosync.conf and raise config_version.",
    );
    let seen = |found: Finding, node: &NodeName| {
        found.seen_in(
            node,
            Family::Corosync,
            format!("every link goes over {what}"),
        )
    };
    nodes
        .iter()
        .fold(found, seen)
        .way_back("Put the former ringN_addr back and raise config_version.")
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, iface, value};

    const RULE: &str = "corosync-links-together";

    #[test]
    fn links_on_two_switches_have_nothing_in_common() {
        assert!(World::healthy().found(RULE).is_empty());
    }

    #[test]
    fn links_over_ports_of_one_switch_are_told_as_one() {
        let mut world = World::of(3);
        world.edit_all(|_, report| {
            let seen = value(&mut report.lldp);
            let chassis = seen[0].chassis.clone();
            seen.iter_mut()
                .for_each(|seen| seen.chassis = chassis.clone());
        });
        let expect = "warning switch sw-a: all corosync links of pve-01, pve-02, pve-03 go over switch sw-a: whatever takes \
                      that takes every link at once";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn two_networks_on_one_bond_are_told_and_a_port_whose_switch_is_unknown_is_not() {
        let mut world = World::of(3);
        world.edit("pve-02", |report| {
            let links = value(&mut report.links);
            let address = links[2].addresses.as_mut().unwrap().pop().unwrap();
            links[4].addresses.as_mut().unwrap().push(address);
        });
        let expect = "warning the cluster: all corosync links of pve-02 go over the same ports: whatever takes that takes \
                      every link at once";
        assert_eq!(world.found(RULE), [expect]);
        let mut world = World::of(3);
        world.edit_all(|_, report| {
            value(&mut report.lldp).retain(|seen| seen.interface == Some(iface("eno3")));
        });
        assert!(world.found(RULE).is_empty());
    }
}
