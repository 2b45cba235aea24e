//! A node whose clock is not that of the others. Where all nodes agree, and the collector does not, it is the
//! collector's.

use super::Scene;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::Family;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut told: Vec<(i64, &FreshNode<'_>)> = nodes
        .iter()
        .filter_map(|node| Some((node.node.seen.skew_ms?, node)))
        .collect();
    told.sort_by_key(|(skew, _)| *skew);
    // Three and more know better than the collector what time it is.
    let middle = told.get(told.len() / 2).map_or(0, |(skew, _)| *skew);
    let truth = if told.len() >= 3 { middle } else { 0 };
    let mut found: Vec<Finding> = told
        .iter()
        .filter(|(skew, node)| {
            (skew - truth).unsigned_abs() > u64::from(scene.tuned(node.name()).clock_skew_ms())
        })
        .map(|(skew, node)| of_node(node, skew - truth, told.len() >= 3))
        .collect();
    if truth.unsigned_abs() > u64::from(scene.thresholds.clock_skew_ms)
        && let Some((_, node)) = told.get(told.len() / 2)
    {
        let sentence = format!(
            "the collector's clock is {} s {} the clocks of its {} nodes, which agree among themselves",
            seconds(truth),
            if truth > 0 { "behind" } else { "ahead of" },
            told.len(),
        );
        let skewed = Finding::new(Severity::Warning, Thing::Cluster, sentence)
            .seen_in(node.name(), Family::Agent, format!("skew {truth} ms"))
            .remedy("Look at the collector's own clock: `timedatectl`, `chronyc tracking`.");
        found.push(skewed);
    }
    found
}

fn of_node(node: &FreshNode<'_>, skew: i64, by_peers: bool) -> Finding {
    let name = node.name();
    let sentence = format!(
        "the clock of {name} is {} s {} {}",
        seconds(skew),
        if skew > 0 { "ahead of" } else { "behind" },
        if by_peers {
            "those of the other nodes"
        } else {
            "the collector's"
        },
    );
    Finding::new(Severity::Warning, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Agent, format!("skew {skew} ms"))
        .remedy(format!(
            "`chronyc tracking` and `chronyc sources` on {name}. HA and Ceph judge by wall clocks: do not let it jump back \
             while guests are moved."
        ))
}

fn seconds(ms: i64) -> String {
    format!(
        "{}.{}",
        ms.unsigned_abs() / 1_000,
        ms.unsigned_abs() % 1_000 / 100
    )
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::World;

    const RULE: &str = "node-clock-skew";

    fn skewed(skews: &[i64]) -> World {
        let mut world = World::of(u32::try_from(skews.len()).unwrap());
        for (node, skew) in world.cluster.nodes.values_mut().zip(skews) {
            node.seen.skew_ms = Some(*skew);
        }
        world
    }

    #[test]
    fn the_one_that_differs_from_its_peers_is_named() {
        assert!(skewed(&[0, 900, -900]).found(RULE).is_empty());
        let expect = "warning pve-02: the clock of pve-02 is 5.2 s behind those of the other nodes";
        assert_eq!(skewed(&[0, -5_200, 10]).found(RULE), [expect]);
        let expect = "warning pve-02: the clock of pve-02 is 5.2 s ahead of the collector's";
        assert_eq!(skewed(&[0, 5_200]).found(RULE), [expect]);
    }

    #[test]
    fn where_all_nodes_agree_it_is_the_collector() {
        let expect = "warning the cluster: the collector's clock is 30.0 s behind the clocks of its 3 nodes, which agree \
                      among themselves";
        assert_eq!(skewed(&[30_000, 30_010, 29_990]).found(RULE), [expect]);
    }
}
