//! No agent at all is heard: the collector, or its network, is the likelier cause than eight nodes at once.

use super::Scene;
use super::node_silent::{SETTLES_MS, is_silent};
use crate::cluster::Node;
use crate::finding::{Finding, Severity, Thing};
use crate::fleet::Hearing;
use crate::report::Family;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes = scene.cluster.nodes.values();
    let expected: Vec<&Node> = nodes
        .filter(|node| node.seen.hearing != Hearing::Revoked)
        .collect();
    let is_alone = expected.len() < 2;
    if is_alone || !expected.iter().all(|node| is_silent(scene, node)) {
        return Vec::new();
    }
    let has_heard = expected.iter().any(|node| node.seen.heard_at_ms.is_some());
    let since = if has_heard {
        "any more"
    } else {
        "since it started"
    };
    let sentence = format!(
        "the collector has lost sight of the cluster: none of its {} agents is heard {since}",
        expected.len()
    );
    let found = Finding::new(Severity::Critical, Thing::Cluster, sentence)
        .takes(expected.iter().map(|node| Thing::Node(node.name.clone())))
        .remedy(
            "Look at the collector's own network first: does it reach any node? Then `pvecm status` on a node, which \
             does not need the collector.",
        );
    let evidence = |found: Finding, node: &&Node| {
        found.seen_in(&node.name, Family::Agent, "nothing is heard of its agent")
    };
    // Any of them that speaks again ends it.
    let found = found.settles_in(SETTLES_MS).is_over_by_any();
    vec![expected.iter().fold(found, evidence)]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::World;
    use crate::fleet::Hearing;

    const RULE: &str = "cluster-out-of-sight";

    #[test]
    fn all_agents_silent_are_one_finding_that_takes_their_silence() {
        let mut world = World::of(3);
        for node in ["pve-01", "pve-02", "pve-03"] {
            assert!(world.found(RULE).is_empty());
            world.hearing(node, Hearing::Silent);
        }
        world.advance_s(40);
        let expect = "critical the cluster: the collector has lost sight of the cluster: none of its 3 agents is heard \
                      any more";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_single_node_is_no_cluster_to_lose_sight_of() {
        let mut world = World::of(1);
        world.hearing("pve-01", Hearing::Silent);
        assert!(world.found(RULE).is_empty());
    }
}
