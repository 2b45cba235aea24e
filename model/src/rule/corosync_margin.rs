//! How many votes may still be lost: none, or one where there were more. What the cluster has at full strength is how
//! it was built, and only told where that is none.

use std::collections::BTreeSet;

use super::Scene;
use super::membership::{between, counted, has_member, is_quorate, names, nodelist};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

/// While nodes join, one after the other says how many votes are there.
const SETTLES_MS: u64 = 10_000;

/// What one quorate node says of the votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Votes {
    /// That may be lost.
    pub(super) margin: u32,
    total: u32,
    needed: u32,
    expected: u32,
}

impl Votes {
    pub(super) fn of(node: &FreshNode<'_>) -> Option<Self> {
        let corosync = node
            .corosync()
            .filter(|corosync| corosync.quorate == Some(true))?;
        let (total, needed) = (corosync.total_votes?, corosync.quorum?);
        Some(Self {
            margin: total.saturating_sub(needed),
            total,
            needed,
            expected: corosync.expected_votes?,
        })
    }

    /// Fewer votes are there than the cluster was built with.
    pub(super) fn is_short(&self) -> bool {
        self.total < self.expected
    }
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let told: Vec<(Votes, &FreshNode<'_>)> = nodes
        .iter()
        .filter_map(|node| Some((Votes::of(node)?, node)))
        .collect();
    let Some(votes) = told.iter().map(|(votes, _)| *votes).min() else {
        return Vec::new();
    };
    let is_full = votes.total >= votes.expected;
    let (total, needed) = (counted(votes.total, "vote"), votes.needed);
    let (severity, sentence) = match votes.margin {
        0 if is_full && votes.expected <= 1 => return Vec::new(),
        // How it was built is nobody's news; that it leaves nothing is worth knowing.
        0 if is_full => (
            Severity::Info,
            format!(
                "no vote may be lost even with all nodes there: {total}, and {needed} are needed"
            ),
        ),
        0 => (
            Severity::Critical,
            format!(
                "no vote may be lost any more: {total} of {} are there, and {needed} are needed",
                votes.expected
            ),
        ),
        1 if !is_full => (
            Severity::Warning,
            format!(
                "one vote may still be lost: {total} of {} are there, and {needed} are needed",
                votes.expected
            ),
        ),
        _ => return Vec::new(),
    };
    let found = Finding::new(severity, Thing::Cluster, sentence).remedy(
        "Bring the missing nodes back before anything else, and stop, reboot or update nothing meanwhile. `pvecm status` \
         shows who votes.",
    );
    let words = |found: Finding, (of, node): &(Votes, &FreshNode<'_>)| {
        let words = format!("Total votes: {}, Quorum: {}", of.total, of.needed);
        if *of == votes {
            found.seen_in(node.name(), Family::Corosync, words)
        } else {
            found
        }
    };
    let found = told.iter().fold(found, words).takes([Thing::Margin]);
    let found = found.settles_in(SETTLES_MS);
    vec![match lost_with(&nodes, &votes) {
        lost if lost.is_empty() => found,
        lost => found.is_loss_of(lost),
    }]
}

/// The ways to the nodes that no quorate node has among its members: what took those took their votes. What is told is
/// that, and what it means for the others goes with it.
fn lost_with(nodes: &[FreshNode<'_>], votes: &Votes) -> BTreeSet<Thing> {
    let Some((_, conf)) = nodelist(nodes) else {
        return BTreeSet::new();
    };
    let quorate = || nodes.iter().filter(|node| is_quorate(node));
    let is_missing = |id: u32| !quorate().any(|node| has_member(node, id) == Some(true));
    let missing: BTreeSet<NodeName> = names(conf)
        .filter(|(id, _)| is_missing(*id))
        .map(|(_, name)| name)
        .collect();
    let mut lost = between(conf, &missing);
    let short = votes.expected.saturating_sub(votes.total);
    if u32::try_from(missing.len()).is_ok_and(|count| count < short) {
        lost.insert(Thing::Qdevice);
    }
    lost
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-margin";

    fn votes(world: &mut World, total: u32) {
        world.edit_all(|_, report| value(&mut report.corosync).total_votes = Some(total));
    }

    #[test]
    fn the_last_votes_are_counted() {
        let mut world = World::healthy();
        for total in [8, 7] {
            votes(&mut world, total);
            assert!(world.found(RULE).is_empty(), "{total}");
        }
        votes(&mut world, 6);
        let expect = "warning the cluster: one vote may still be lost: 6 votes of 8 are there, and 5 are needed";
        assert_eq!(world.found(RULE), [expect]);
        votes(&mut world, 5);
        let expect = "critical the cluster: no vote may be lost any more: 5 votes of 8 are there, and 5 are needed";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_small_cluster_at_full_strength_is_as_it_was_built() {
        assert!(World::of(1).found(RULE).is_empty());
        assert!(World::of(3).found(RULE).is_empty());
        let expect = "info the cluster: no vote may be lost even with all nodes there: 2 votes, and 2 are needed";
        assert_eq!(World::of(2).found(RULE), [expect]);
    }
}
