//! The votes, by the word of each partition: how many are there, how many are needed, how many may be lost.

use std::collections::BTreeMap;
use std::fmt;

use crate::cluster::{Cluster, FreshNode, Now};
use crate::name::NodeName;
use crate::report::Facts as _;

/// So many nodes are named; more are counted.
const MAX_NAMED: usize = 4;

/// What nodes of one partition say alike. Two halves of the same size are two words: their members differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    pub quorate: bool,
    pub votes: Option<u32>,
    pub needed: Option<u32>,
    pub expected: Option<u32>,
    members: Vec<u32>,
    /// Who says so.
    pub nodes: Vec<NodeName>,
}

impl Word {
    fn of(node: &FreshNode<'_>) -> Option<Self> {
        let corosync = node.corosync()?;
        let mut members: Vec<u32> = corosync
            .members
            .iter()
            .flatten()
            .map(|member| member.node_id)
            .collect();
        members.sort_unstable();
        Some(Self {
            quorate: corosync.quorate?,
            votes: corosync.total_votes,
            needed: corosync.quorum,
            expected: corosync.expected_votes,
            members,
            nodes: Vec::new(),
        })
    }

    /// Votes until quorum is lost; `None` without quorum, or if it is not known.
    pub fn may_be_lost(&self) -> Option<u32> {
        let left = self.votes?.checked_sub(self.needed?)?;
        self.quorate.then_some(left)
    }

    /// `all 8 nodes say so`, `pve-07, pve-08 say so`; `of` is how many nodes there are.
    pub fn whose(&self, of: usize) -> String {
        match self.nodes.as_slice() {
            [node] if of == 1 => format!("{node} says so"),
            nodes if nodes.len() >= of => format!("all {of} nodes say so"),
            [node] => format!("{node} says so"),
            nodes if nodes.len() <= MAX_NAMED => {
                let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
                format!("{} say so", names.join(", "))
            }
            nodes => format!("{} of {of} nodes say so", nodes.len()),
        }
    }
}

/// `8 of 8 votes, 5 needed, 3 may be lost`
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quorate = if self.quorate {
            "quorate"
        } else {
            "not quorate"
        };
        write!(f, "{quorate}: ")?;
        match (self.votes, self.expected) {
            (Some(votes), Some(expected)) => write!(f, "{votes} of {expected} votes")?,
            (Some(1), None) => f.write_str("1 vote")?,
            (Some(votes), None) => write!(f, "{votes} votes")?,
            (None, _) => f.write_str("unknown how many votes")?,
        }
        let Some(needed) = self.needed else {
            return f.write_str(", unknown how many are needed");
        };
        write!(f, ", {needed} needed")?;
        let Some(votes) = self.votes else {
            return Ok(());
        };
        match (self.quorate, votes.checked_sub(needed)) {
            (true, Some(0)) => f.write_str(", none may be lost"),
            (true, Some(left)) => write!(f, ", {left} may be lost"),
            (false, None) => write!(f, ", {} too few", needed - votes),
            // Either it waits for all nodes to come, or its numbers are older than its word.
            (false, Some(_)) => f.write_str(", enough, but corosync is not quorate all the same"),
            (true, None) => f.write_str(", fewer than that, but corosync says quorate"),
        }
    }
}

pub(super) fn words(cluster: &Cluster, now: Now) -> Vec<Word> {
    let mut words: BTreeMap<Word, Vec<NodeName>> = BTreeMap::new();
    for node in cluster.fresh(now) {
        if let Some(word) = Word::of(&node) {
            words.entry(word).or_default().push(node.name().clone());
        }
    }
    let said = words.into_iter().rev();
    said.map(|(word, nodes)| Word { nodes, ..word }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, value};
    use crate::fleet::Hearing;

    #[track_caller]
    fn check(world: &World, expect: &[&str]) {
        let of = world.cluster.nodes.len();
        let said: Vec<String> = words(&world.cluster, world.now)
            .iter()
            .map(|word| format!("{word} ({})", word.whose(of)))
            .collect();
        assert_eq!(said, expect);
    }

    /// These nodes see each other alone.
    fn part(world: &mut World, ids: std::ops::RangeInclusive<u32>, quorate: bool) {
        for id in ids.clone() {
            world.edit(&format!("pve-{id:02}"), |report| {
                let corosync = value(&mut report.corosync);
                corosync.quorate = Some(quorate);
                corosync.total_votes = Some(ids.clone().count().try_into().unwrap());
                let members = corosync.members.as_mut().unwrap();
                members.retain(|member| ids.contains(&member.node_id));
            });
        }
    }

    #[test]
    fn eight_healthy_nodes_say_how_many_votes_may_be_lost() {
        let mut world = World::healthy();
        check(
            &world,
            &["quorate: 8 of 8 votes, 5 needed, 3 may be lost (all 8 nodes say so)"],
        );
        world.hearing("pve-03", Hearing::Silent);
        check(
            &world,
            &["quorate: 8 of 8 votes, 5 needed, 3 may be lost (7 of 8 nodes say so)"],
        );
    }

    #[test]
    fn each_partition_has_its_own_word_and_the_quorate_one_speaks_first() {
        let mut world = World::healthy();
        part(&mut world, 1..=5, true);
        part(&mut world, 6..=8, false);
        check(
            &world,
            &[
                "quorate: 5 of 8 votes, 5 needed, none may be lost (5 of 8 nodes say so)",
                "not quorate: 3 of 8 votes, 5 needed, 2 too few (pve-06, pve-07, pve-08 say so)",
            ],
        );
    }

    #[test]
    fn two_halves_of_the_same_size_are_not_one() {
        let mut world = World::healthy();
        part(&mut world, 1..=4, false);
        part(&mut world, 5..=8, false);
        let said = words(&world.cluster, world.now);
        assert_eq!(said.len(), 2);
        assert!(said.iter().all(|word| word.may_be_lost().is_none()));
    }

    #[test]
    fn what_is_old_or_not_stated_is_not_counted_as_good() {
        let mut world = World::of(1);
        world.edit("pve-01", |report| {
            value(&mut report.corosync).total_votes = None;
        });
        check(
            &world,
            &["quorate: unknown how many votes, 1 needed (pve-01 says so)"],
        );
        world.now.mono_ms += COROSYNC_AGE_MS;
        check(&world, &[]);
    }

    const COROSYNC_AGE_MS: u64 = crate::cluster::limit_ms(crate::report::Family::Corosync) + 1;

    #[test]
    fn enough_votes_without_quorum_are_told_as_they_are() {
        let mut world = World::healthy();
        part(&mut world, 1..=8, false);
        check(
            &world,
            &[
                "not quorate: 8 of 8 votes, 5 needed, enough, but corosync is not quorate all the same (all 8 nodes say \
               so)",
            ],
        );
    }
}
