//! Fewer votes are expected than the nodelist has: somebody said `pvecm expected`, and a part of the cluster counts as
//! all of it.

use super::Scene;
use super::membership::nodelist;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let Some((_, conf)) = nodelist(&nodes) else {
        return Vec::new();
    };
    let quorum = &conf.quorum;
    // With these corosync lowers it by itself, or the file does.
    if quorum.last_man_standing == Some(true)
        || quorum.allow_downscale == Some(true)
        || quorum.expected_votes.is_some()
    {
        return Vec::new();
    }
    let listed: u32 = conf
        .nodes
        .iter()
        .map(|entry| entry.votes.unwrap_or(1))
        .fold(0, u32::saturating_add);
    let said = nodes
        .iter()
        .filter_map(|node| Some((node.corosync()?.expected_votes?, node.name())));
    let Some((expected, node)) = said.min() else {
        return Vec::new();
    };
    if expected >= listed {
        return Vec::new();
    }
    let sentence = format!(
        "{node} expects {expected} votes, and the nodelist has {listed}: the expected votes were lowered by hand, and two \
         parts of the cluster could both be quorate"
    );
    let found = Finding::new(Severity::Critical, Thing::Cluster, sentence)
        .seen_in(
            node,
            Family::Corosync,
            format!("Expected votes: {expected}"),
        )
        .remedy(format!(
            "`pvecm expected {listed}` on a node, once the others are back or certainly stay off."
        ))
        .way_back(format!("`pvecm expected {expected}`"));
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-expected-lowered";

    #[test]
    fn fewer_votes_than_the_nodelist_has_are_by_hand() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-02", |report| {
            value(&mut report.corosync).expected_votes = Some(4)
        });
        let expect = "critical the cluster: pve-02 expects 4 votes, and the nodelist has 8: the expected votes were \
                      lowered by hand, and two parts of the cluster could both be quorate";
        assert_eq!(world.found(RULE), [expect]);
        world.edit_all(|_, report| {
            value(&mut report.corosync_conf)
                .local
                .as_mut()
                .unwrap()
                .quorum
                .last_man_standing = Some(true);
        });
        assert!(world.found(RULE).is_empty());
    }
}
