//! Links of corosync that are down on both sides, but not all of their network. Those that share a node are one
//! finding.

use std::collections::BTreeSet;

use super::Scene;
use super::membership::{
    Group, Pair, counted, groups, is_any_down, listed, pairs, reforming_ms, things_of,
};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{LinkNumber, NodeName};
use crate::report::{Facts as _, Family};

/// Corosync's pings miss a link on one pair after the other: until then it is not known whether all of a node's links, or of
/// a network's, are down.
pub(super) const SETTLES_MS: u64 = 7_000;

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
    let waits_ms = SETTLES_MS.saturating_add(reforming_ms(&nodes));
    let found = groups(&down, &known).into_iter().filter_map(|group| {
        // A node without any link leaves the membership next, and that is then what is told.
        let is_cut_off =
            matches!(&group, Group::Node(node, links) if has_no_more(node, links.len(), &known));
        let (found, about) = found(group, &known)?;
        Some((
            if is_cut_off {
                found.settles_in(waits_ms)
            } else {
                found
            },
            about,
        ))
    });
    found
        .map(|(found, about)| with_evidence(found, &about, &nodes))
        .collect()
}

fn has_no_more(node: &NodeName, down: usize, known: &BTreeSet<Pair>) -> bool {
    let of_node = known
        .iter()
        .filter(|pair| pair.one == *node || pair.other == *node);
    let links: BTreeSet<LinkNumber> = of_node.map(|pair| pair.link).collect();
    links.len() == down
}

/// The finding, and the links that it is about.
fn found(group: Group, known: &BTreeSet<Pair>) -> Option<(Finding, BTreeSet<Thing>)> {
    let (subject, sentence, about) = match group {
        // It has a rule of its own.
        Group::Network(_) => return None,
        Group::Node(node, links) => {
            let part = |(link, peers): (_, &BTreeSet<_>)| {
                format!(
                    "link {link} of {node} is down to all {}",
                    counted(peers.len() as u64, "peer")
                )
            };
            let parts: Vec<String> = links.iter().map(part).collect();
            let about = things_of(&node, &links);
            (Thing::Node(node), parts.join("; "), about)
        }
        Group::Part(link, pairs) => {
            let all = known.iter().filter(|pair| pair.link == link).count();
            let sentence = format!(
                "corosync network {link} is down between {} of {all} pairs of nodes: {}",
                pairs.len(),
                listed(
                    pairs
                        .iter()
                        .take(3)
                        .map(|pair| format!("{} and {}", pair.one, pair.other))
                ),
            );
            let more = if pairs.len() > 3 {
                format!(" and {} more", pairs.len() - 3)
            } else {
                String::new()
            };
            let about = pairs.iter().map(Pair::thing).collect();
            (Thing::Network(link), sentence + &more, about)
        }
        Group::Pair(pair) => {
            let sentence = format!(
                "corosync link {} between {} and {} is down",
                pair.link, pair.one, pair.other
            );
            (pair.thing(), sentence, BTreeSet::from([pair.thing()]))
        }
    };
    let found = Finding::new(Severity::Warning, subject, sentence)
        .settles_in(SETTLES_MS)
        .is_loss_of(about.clone())
        .remedy(
            "`corosync-cfgtool -s` on both nodes names the addresses; ping the peer's address from the own one (`ping -I \
             OWN PEER`). A cable, a switch port, a VLAN or a firewall rule for UDP 5405 and up is the usual cause.",
        );
    Some((found, about))
}

fn with_evidence(mut found: Finding, about: &BTreeSet<Thing>, nodes: &[FreshNode<'_>]) -> Finding {
    for node in nodes {
        let is_part = |thing: &&Thing| match thing {
            Thing::Knet { from, to, .. } => from == node.name() || to == node.name(),
            _ => false,
        };
        let count = about.iter().filter(is_part).count();
        if count > 0
            && node
                .corosync()
                .is_some_and(|corosync| corosync.links.is_some())
        {
            let words = format!("{} disconnected", counted(count as u64, "link"));
            found = found.seen_in(node.name(), Family::Corosync, words);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-link-down";

    fn cut(world: &mut World, one: u32, other: u32) {
        for (from, to) in [(one, other), (other, one)] {
            world.edit(&format!("pve-{from:02}"), |report| {
                let links = value(&mut report.corosync).links.as_mut().unwrap();
                let peers = links[1].peers.as_mut().unwrap();
                peers
                    .iter_mut()
                    .find(|peer| peer.node_id == to)
                    .unwrap()
                    .connected = Some(false);
            });
        }
    }

    #[test]
    fn a_link_between_two_nodes_is_told_of_the_pair() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        cut(&mut world, 2, 5);
        let expect = "warning pve-02 to pve-05 over link 1: corosync link 1 between pve-02 and pve-05 is down";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_node_that_reaches_nobody_over_a_network_is_one_finding() {
        let mut world = World::healthy();
        for other in [1, 2, 4, 5, 6, 7, 8] {
            cut(&mut world, 3, other);
        }
        assert_eq!(
            world.found(RULE),
            ["warning pve-03: link 1 of pve-03 is down to all 7 peers"]
        );
    }

    #[test]
    fn a_network_that_fell_in_two_is_one_finding() {
        let mut world = World::of(4);
        for (one, other) in [(1, 3), (1, 4), (2, 3), (2, 4)] {
            cut(&mut world, one, other);
        }
        let expect = "warning corosync network 1: corosync network 1 is down between 4 of 6 pairs of nodes: pve-01 and \
                      pve-03, pve-01 and pve-04, pve-02 and pve-03 and 1 more";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_link_that_one_side_still_has_is_for_another_rule() {
        let mut world = World::healthy();
        world.edit("pve-01", |report| {
            value(&mut report.corosync).links.as_mut().unwrap()[1]
                .peers
                .as_mut()
                .unwrap()[0]
                .connected = Some(false);
        });
        assert!(world.found(RULE).is_empty());
    }
}
