//! A hears B over a link, and B does not hear A. knet sends over a link only while it is up on its own side, so such a
//! pair can be in one membership and still lose its token.

use std::collections::BTreeSet;

use super::Scene;
use super::membership::{Group, Pair, counted, groups, is_any_down, listed};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{LinkNumber, NodeName};
use crate::report::{Facts as _, Family};

/// The two ends of a link find out at different moments that it is down, or up again.
const SETTLES_MS: u64 = 12_000;

/// `from` does not hear `to` over this link, and `to` hears `from`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct OneWay {
    from: NodeName,
    to: NodeName,
    link: LinkNumber,
}

impl OneWay {
    fn pair(&self) -> Pair {
        Pair::new(self.link, self.from.clone(), self.to.clone())
    }

    fn thing(&self) -> Thing {
        Thing::Knet {
            from: self.from.clone(),
            to: self.to.clone(),
            link: self.link,
        }
    }
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    if !is_any_down(&nodes) {
        return Vec::new();
    }
    let (mut ways, mut known) = (BTreeSet::new(), BTreeSet::new());
    for from in &nodes {
        for to in nodes.iter().filter(|to| to.name() != from.name()) {
            let links = from
                .corosync()
                .and_then(|corosync| corosync.links.as_deref());
            for link in links.unwrap_or_default() {
                let way = OneWay {
                    from: from.name().clone(),
                    to: to.name().clone(),
                    link: link.link,
                };
                let there = connected(from, to, link.link);
                let back = connected(to, from, link.link);
                if there.is_some() && back.is_some() {
                    known.insert(way.pair());
                }
                if there == Some(false) && back == Some(true) {
                    ways.insert(way);
                }
            }
        }
    }
    let bad: BTreeSet<Pair> = ways.iter().map(OneWay::pair).collect();
    groups(&bad, &known)
        .into_iter()
        .map(|group| told(&group, &ways))
        .collect()
}

/// Whether `from` says that this link to `to` is connected.
fn connected(from: &FreshNode<'_>, to: &FreshNode<'_>, link: LinkNumber) -> Option<bool> {
    let id = to.corosync()?.node_id?;
    let links = from.corosync()?.links.as_ref()?;
    let link = links.iter().find(|status| status.link == link)?;
    let peer = link
        .peers
        .as_ref()?
        .iter()
        .find(|peer| peer.node_id == id)?;
    peer.connected
}

#[allow(clippy::too_many_lines, reason = "a sentence for each kind of group")]
fn told(group: &Group, ways: &BTreeSet<OneWay>) -> Finding {
    let is_of_it = |way: &&OneWay| match group {
        Group::Network(link) => way.link == *link,
        Group::Part(_, pairs) => pairs.contains(&way.pair()),
        Group::Node(node, links) => {
            (way.from == *node || way.to == *node) && links.contains_key(&way.link)
        }
        Group::Pair(pair) => way.pair() == *pair,
    };
    let ways: Vec<&OneWay> = ways.iter().filter(is_of_it).collect();
    let (subject, sentence) = match (group, ways.as_slice()) {
        (Group::Node(node, links), _) => {
            let deaf = ways.iter().filter(|way| way.from == *node).count() as u64;
            let dumb = ways.len() as u64 - deaf;
            let parts = [
                (deaf, "it does not hear", "that hears it"),
                (dumb, "it hears", "that does not hear it"),
            ];
            let part = |(count, what, who): &(u64, &str, &str)| {
                let who = if *count == 1 {
                    (*who).to_owned()
                } else {
                    who.replace("hears it", "hear it")
                        .replace("does not", "do not")
                };
                format!("{what} {} {who}", counted(*count, "peer"))
            };
            let parts: Vec<String> = parts
                .iter()
                .filter(|(count, ..)| *count > 0)
                .map(part)
                .collect();
            let sentence = format!(
                "corosync link {} of {node} is one-way: {}",
                listed(links.keys()),
                parts.join(", and ")
            );
            (Thing::Node(node.clone()), sentence)
        }
        (Group::Network(link) | Group::Part(link, _), _) => {
            let sentence = format!(
                "corosync network {link} is one-way between {} pairs of nodes",
                ways.len()
            );
            (Thing::Network(*link), sentence)
        }
        (Group::Pair(pair), [way, ..]) => {
            let OneWay { from, to, link } = way;
            let sentence = format!(
                "corosync link {link} is one-way: {to} hears {from}, and {from} does not hear {to}"
            );
            (
                Thing::Knet {
                    from: pair.one.clone(),
                    to: pair.other.clone(),
                    link: *link,
                },
                sentence,
            )
        }
        (Group::Pair(pair), []) => (pair.thing(), "a corosync link is one-way".to_owned()),
    };
    let found = Finding::new(Severity::Warning, subject, sentence)
        .settles_in(SETTLES_MS)
        .is_loss_of(ways.iter().map(|way| way.thing()))
        .remedy(
            "Look at the path from the node that is not heard to the one that does not hear it: a firewall, a wrong VLAN, \
             swapped or bad cables let only one direction through.",
        );
    let words = |found: Finding, way: &&OneWay| {
        let OneWay { from, to, link } = way;
        found
            .seen_in(
                from,
                Family::Corosync,
                format!("link {link} to {to}: disconnected"),
            )
            .seen_in(
                to,
                Family::Corosync,
                format!("link {link} to {from}: connected"),
            )
    };
    ways.iter().fold(found, words)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-one-way-link";

    fn cut(world: &mut World, from: &str, to: u32) {
        world.edit(from, |report| {
            let links = value(&mut report.corosync).links.as_mut().unwrap();
            let peers = links[1].peers.as_mut().unwrap();
            let peer = peers.iter_mut().find(|peer| peer.node_id == to).unwrap();
            peer.connected = Some(false);
        });
    }

    #[test]
    fn a_link_that_one_side_has_and_the_other_has_not_is_one_way() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        cut(&mut world, "pve-01", 2);
        let expect = "warning pve-01 to pve-02 over link 1: corosync link 1 is one-way: pve-02 hears pve-01, and pve-01 \
                      does not hear pve-02";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_link_that_is_down_on_both_sides_is_not_one_way() {
        let mut world = World::healthy();
        cut(&mut world, "pve-01", 2);
        cut(&mut world, "pve-02", 1);
        assert!(world.found(RULE).is_empty());
    }
}
