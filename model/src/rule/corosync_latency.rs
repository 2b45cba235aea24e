//! A link of corosync whose packets take too long. Those that share a node or a network are one finding.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::membership::{Group, Pair, groups, listed, name_of, nodelist};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

/// It is sampled twice a minute, and a node that is busy for a moment is no slow network.
const SETTLES_MS: u64 = 90_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let told = latencies(&nodes);
    let limit = scene.thresholds.latency_warning_us;
    let slow = |pair: &&Pair| told.get(*pair).is_some_and(|us| *us >= u64::from(limit));
    let known: BTreeSet<Pair> = told.keys().cloned().collect();
    let bad: BTreeSet<Pair> = known.iter().filter(slow).cloned().collect();
    let found = groups(&bad, &known).into_iter().map(|group| {
        let (subject, what, pairs): (Thing, String, Vec<&Pair>) = match group {
            Group::Network(link) => (
                Thing::Network(link),
                format!("corosync network {link} is slow between all nodes"),
                bad.iter().filter(|pair| pair.link == link).collect(),
            ),
            Group::Part(link, pairs) => (
                Thing::Network(link),
                format!("corosync network {link} is slow between {} pairs of nodes", pairs.len()),
                bad.iter().filter(|pair| pairs.contains(pair)).collect(),
            ),
            Group::Node(node, links) => {
                let what = format!("link {} of {node} is slow to all its peers", listed(links.keys()));
                let of = |pair: &&Pair| (pair.one == node || pair.other == node) && links.contains_key(&pair.link);
                let pairs = bad.iter().filter(of).collect();
                (Thing::Node(node), what, pairs)
            }
            Group::Pair(pair) => {
                let what = format!("corosync link {} between {} and {} is slow", pair.link, pair.one, pair.other);
                let own = bad.iter().filter(|other| **other == pair).collect();
                (pair.thing(), what, own)
            }
        };
        let worst = pairs.iter().filter_map(|pair| told.get(*pair)).max().copied().unwrap_or_default();
        let is_critical = worst >= u64::from(scene.thresholds.latency_critical_us);
        let severity = if is_critical { Severity::Critical } else { Severity::Warning };
        let sentence = format!("{what}: {}.{} ms on average", worst / 1_000, worst % 1_000 / 100);
        let found = Finding::new(severity, subject, sentence)
            .settles_in(SETTLES_MS)
            .is_loss_of(pairs.iter().map(|pair| pair.thing()))
            .remedy(
                "Look for load on that network (backup, storage, migration), for a slow or full uplink between switches, \
                 and at `ping -I OWN PEER`. Corosync wants less than 2 ms.",
            );
        let is_part = |node: &&FreshNode<'_>| {
            node.cmap().is_some() && pairs.iter().any(|pair| pair.one == *node.name() || pair.other == *node.name())
        };
        let words = |found: Finding, node: &FreshNode<'_>| found.seen_in(node.name(), Family::Cmap, "latency_ave of its links");
        nodes.iter().filter(is_part).fold(found, words)
    });
    found.collect()
}

/// The higher of what both sides measure.
fn latencies(nodes: &[FreshNode<'_>]) -> BTreeMap<Pair, u64> {
    let mut told = BTreeMap::new();
    let Some((_, conf)) = nodelist(nodes) else {
        return told;
    };
    for node in nodes {
        let Some(cmap) = node.cmap() else {
            continue;
        };
        for (key, value) in cmap.below("stats.knet.node") {
            let Some((id, link)) = key
                .strip_suffix(".latency_ave")
                .and_then(|key| key.split_once(".link"))
            else {
                continue;
            };
            let is_connected =
                cmap.count(&format!("stats.knet.node{id}.link{link}.connected")) != Some(0);
            let ids = id
                .parse()
                .ok()
                .and_then(|id| name_of(conf, id))
                .zip(link.parse().ok());
            let (Some((name, link)), Some(us), true) = (ids, value.as_count(), is_connected) else {
                continue;
            };
            if name != *node.name() {
                let most = told
                    .entry(Pair::new(link, node.name().clone(), name))
                    .or_insert(us);
                *most = us.max(*most);
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::cmap::{Cmap, CmapValue};

    const RULE: &str = "corosync-latency";

    fn takes(us: impl Fn(u32, u32) -> u32) -> World {
        let mut world = World::of(4);
        for from in 1..=4 {
            let to = (1..=4).filter(|to| *to != from);
            let keys = to.map(|to| {
                (
                    format!("stats.knet.node{to}.link1.latency_ave"),
                    CmapValue::U32(us(from, to)),
                )
            });
            let cmap = Cmap {
                keys: keys.collect(),
            };
            world.edit(&format!("pve-{from:02}"), |report| {
                report.cmap = known(cmap)
            });
        }
        world
    }

    #[test]
    fn what_is_slow_together_is_one_finding() {
        assert!(takes(|_, _| 300).found(RULE).is_empty());
        let expect = "warning corosync network 1: corosync network 1 is slow between all nodes: 2.5 ms on average";
        assert_eq!(takes(|_, _| 2_500).found(RULE), [expect]);
        let expect =
            "critical pve-03: link 1 of pve-03 is slow to all its peers: 6.0 ms on average";
        assert_eq!(
            takes(|from, to| if from == 3 || to == 3 { 6_000 } else { 300 }).found(RULE),
            [expect]
        );
    }
}
