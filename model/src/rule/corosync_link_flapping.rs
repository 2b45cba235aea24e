//! A link of corosync that goes down and comes back again and again. Told once, as long as it does.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::membership::{Group, Pair, groups, listed, name_of, nodelist};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let (flapping, known) = flapping(scene, &nodes);
    let bad: BTreeSet<Pair> = flapping.keys().cloned().collect();
    let found = groups(&bad, &known).into_iter().map(|group| {
        let about: BTreeSet<&Pair> = match &group {
            Group::Network(link) => bad.iter().filter(|pair| pair.link == *link).collect(),
            Group::Part(_, pairs) => bad.iter().filter(|pair| pairs.contains(pair)).collect(),
            Group::Node(node, links) => {
                let of = |pair: &&Pair| (pair.one == *node || pair.other == *node) && links.contains_key(&pair.link);
                bad.iter().filter(of).collect()
            }
            Group::Pair(own) => bad.iter().filter(|pair| *pair == own).collect(),
        };
        let (subject, what) = match group {
            Group::Network(link) | Group::Part(link, _) => (
                Thing::Network(link),
                format!("corosync network {link} flaps between {} pairs of nodes", about.len()),
            ),
            Group::Node(node, links) => {
                let what = format!("link {} of {node} flaps to all its peers", listed(links.keys()));
                (Thing::Node(node), what)
            }
            Group::Pair(pair) => {
                let what = format!("corosync link {} between {} and {} flaps", pair.link, pair.one, pair.other);
                (pair.thing(), what)
            }
        };
        let most = about.iter().filter_map(|pair| flapping.get(*pair)).max().copied().unwrap_or_default();
        let window = scene.thresholds.flap_window_s / 60;
        let sentence = format!("{what}: it changed {most} times within {window} min");
        let found = Finding::new(Severity::Warning, subject, sentence)
            .is_loss_of(about.iter().map(|pair| pair.thing()))
            .remedy(
                "Look at the ports under it (`ethtool -S`, carrier changes), at the switch's log, and for two machines with \
                 one address. Do not restart corosync for it.",
            );
        let is_part = |node: &&FreshNode<'_>| {
            node.cmap().is_some() && about.iter().any(|pair| pair.one == *node.name() || pair.other == *node.name())
        };
        let words = |found: Finding, node: &FreshNode<'_>| found.seen_in(node.name(), Family::Cmap, "connected of its links");
        nodes.iter().filter(is_part).fold(found, words)
    });
    found.collect()
}

/// The pairs that flap with the number of changes, and all pairs that are told of.
fn flapping(scene: &Scene<'_>, nodes: &[FreshNode<'_>]) -> (BTreeMap<Pair, usize>, BTreeSet<Pair>) {
    let (mut flapping, mut known) = (BTreeMap::new(), BTreeSet::new());
    let Some((_, conf)) = nodelist(nodes) else {
        return (flapping, known);
    };
    for node in nodes {
        let Some(cmap) = node.cmap() else {
            continue;
        };
        let tuned = scene.tuned(node.name());
        let window_ms = u64::from(tuned.flap_window_s()) * 1_000;
        for (key, _) in cmap.below("stats.knet.node") {
            let Some(link) = key.strip_suffix(".connected") else {
                continue;
            };
            let ids = link.split_once(".link").and_then(|(id, link)| {
                Some((name_of(conf, id.parse().ok()?)?, link.parse().ok()?))
            });
            let Some((name, number)) = ids.filter(|(name, _)| name != node.name()) else {
                continue;
            };
            let pair = Pair::new(number, node.name().clone(), name);
            let past = node.node.past.knet.get(&format!("stats.knet.node{link}"));
            let changes = past.map_or(0, |past| past.within(window_ms, scene.now));
            if changes >= usize::try_from(tuned.flaps()).unwrap_or(usize::MAX) {
                let most = flapping.entry(pair.clone()).or_insert(changes);
                *most = changes.max(*most);
            }
            known.insert(pair);
        }
    }
    (flapping, known)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::cmap::{Cmap, CmapValue};

    const RULE: &str = "corosync-link-flapping";

    fn connected(world: &mut World, to: u32, bit: u8) {
        let keys = [1, 2, 3, 4].map(|id| {
            let bit = if id == to { bit } else { 1 };
            (
                format!("stats.knet.node{id}.link1.connected"),
                CmapValue::U8(bit),
            )
        });
        world.edit("pve-01", |report| {
            report.cmap = known(Cmap { keys: keys.into() })
        });
        world.advance_s(10);
    }

    #[test]
    fn a_link_that_comes_and_goes_is_told_once_and_ends_with_the_calm() {
        let mut world = World::of(4);
        for _ in 0..3 {
            assert!(world.found(RULE).is_empty());
            connected(&mut world, 2, 1);
            connected(&mut world, 2, 0);
        }
        connected(&mut world, 2, 1);
        let expect = "warning pve-01 to pve-02 over link 1: corosync link 1 between pve-01 and pve-02 flaps: it changed 6 \
                      times within 10 min";
        assert_eq!(world.found(RULE), [expect]);
        world.advance_s(700);
        assert!(world.found(RULE).is_empty());
    }
}
