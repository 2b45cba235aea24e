//! Which partition the qdevice votes for: the decision of corosync-qnetd (man corosync-qnetd(8), its
//! qnetd-algo-ffsplit.c and qnetd-algo-lms.c), when every node reaches it and no heuristics are set.

use std::collections::BTreeSet;
use std::fmt;

use crate::name::NodeId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// One vote, for at most one partition of at least half of the configured nodes.
    Ffsplit,
    /// The largest partition, however small.
    Lms,
    /// Everybody who asks; meant for qnetd's own tests, and switched off unless corosync-qdevice is told otherwise.
    Test,
    /// A word with which corosync-qdevice does not start, so that nobody is voted for.
    Unknown,
}

/// Which of two equal partitions is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TieBreaker {
    Lowest,
    Highest,
    Node(u32),
}

impl Algorithm {
    pub fn from_conf(word: Option<&str>) -> Self {
        match word {
            // corosync-qdevice's own default (its man page, and QDEVICE_NET_DEFAULT_ALGORITHM in qnet-config.h).
            Some("ffsplit") | None => Self::Ffsplit,
            // 2nodelms is an old name of the same decision for two nodes.
            Some("lms" | "2nodelms") => Self::Lms,
            Some("test") => Self::Test,
            Some(_) => Self::Unknown,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ffsplit => "ffsplit",
            Self::Lms => "lms",
            Self::Test => "test",
            Self::Unknown => "an algorithm that corosync-qdevice does not know",
        })
    }
}

impl TieBreaker {
    pub fn from_conf(word: Option<&str>) -> Self {
        match word {
            Some("highest") => Self::Highest,
            Some(word) => word.parse().map_or(Self::Lowest, Self::Node),
            None => Self::Lowest,
        }
    }

    /// Is the preferred one of `all` in `part`?
    fn prefers(self, part: &BTreeSet<NodeId>, all: &BTreeSet<NodeId>) -> bool {
        match self {
            Self::Lowest => all.first().is_some_and(|node| part.contains(node)),
            Self::Highest => all.last().is_some_and(|node| part.contains(node)),
            Self::Node(id) => part.iter().any(|node| node.get() == id),
        }
    }
}

/// Does the qdevice vote for `part`? `partitions` are all that run (with `part` among them), `configured` is
/// every node of the cluster, `active` those that it votes for until now.
pub fn votes_for(
    algorithm: Algorithm,
    tie_breaker: TieBreaker,
    part: &BTreeSet<NodeId>,
    partitions: &[BTreeSet<NodeId>],
    configured: &BTreeSet<NodeId>,
    active: &BTreeSet<NodeId>,
) -> bool {
    let others = || partitions.iter().filter(|other| *other != part);
    match algorithm {
        Algorithm::Test => true,
        Algorithm::Unknown => false,
        Algorithm::Ffsplit => match (part.len() * 2).cmp(&configured.len()) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                match others().find(|other| other.len() == part.len()) {
                    None => true,
                    // Its vote does not go over from a half that has it to one that has not
                    // (keep_active_partition_tie_breaker, which is on unless switched off).
                    Some(other) => match (part.is_disjoint(active), other.is_disjoint(active)) {
                        (false, true) => true,
                        (true, false) => false,
                        _ => tie_breaker.prefers(part, configured),
                    },
                }
            }
        },
        Algorithm::Lms => {
            let largest_other = others().map(BTreeSet::len).max().unwrap_or(0);
            match part.len().cmp(&largest_other) {
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal => {
                    // Unlike ffsplit, lms looks for the tie-breaker among those who are connected.
                    let running = partitions.iter().flatten().copied().collect();
                    tie_breaker.prefers(part, &running)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[u32]) -> BTreeSet<NodeId> {
        ids.iter().map(|id| NodeId::new(*id).unwrap()).collect()
    }

    #[track_caller]
    fn check(
        algorithm: Algorithm,
        tie: TieBreaker,
        parts: &[&[u32]],
        configured: u32,
        winner: &[u32],
    ) {
        check_after(&[], algorithm, tie, parts, configured, winner);
    }

    #[track_caller]
    fn check_after(
        active: &[u32],
        algorithm: Algorithm,
        tie: TieBreaker,
        parts: &[&[u32]],
        configured: u32,
        winner: &[u32],
    ) {
        let parts: Vec<_> = parts.iter().map(|ids| set(ids)).collect();
        let configured = set(&(1..=configured).collect::<Vec<_>>());
        let winners: Vec<_> = parts
            .iter()
            .filter(|part| votes_for(algorithm, tie, part, &parts, &configured, &set(active)))
            .flatten()
            .copied()
            .collect();
        assert_eq!(winners, set(winner).into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn ffsplit_votes_for_one_half_and_never_for_less() {
        use TieBreaker::{Highest, Lowest, Node};
        check(Algorithm::Ffsplit, Lowest, &[&[1, 2], &[3, 4]], 4, &[1, 2]);
        check(Algorithm::Ffsplit, Highest, &[&[1, 2], &[3, 4]], 4, &[3, 4]);
        check(Algorithm::Ffsplit, Node(3), &[&[1, 2], &[3, 4]], 4, &[3, 4]);
        check(Algorithm::Ffsplit, Lowest, &[&[3, 4]], 4, &[3, 4]);
        check(
            Algorithm::Ffsplit,
            Lowest,
            &[&[1], &[2], &[3, 4]],
            4,
            &[3, 4],
        );
        check(Algorithm::Ffsplit, Lowest, &[&[1], &[2, 3]], 4, &[2, 3]);
        check(Algorithm::Ffsplit, Lowest, &[&[1]], 4, &[]);
        check(
            Algorithm::Ffsplit,
            Lowest,
            &[&[1, 2], &[3, 4, 5]],
            5,
            &[3, 4, 5],
        );
    }

    #[test]
    fn ffsplit_does_not_take_its_vote_from_a_half_that_has_it() {
        let (ffsplit, tie) = (Algorithm::Ffsplit, TieBreaker::Lowest);
        let halves: [&[u32]; 2] = [&[1, 2], &[3, 4]];
        check_after(&[3, 4], ffsplit, tie, &halves, 4, &[3, 4]);
        check_after(&[2, 3, 4], ffsplit, tie, &halves, 4, &[1, 2]);
        check_after(&[1, 2, 3, 4], ffsplit, tie, &halves, 4, &[1, 2]);
        check_after(&[3, 4], ffsplit, tie, &[&[1, 2, 3], &[4]], 4, &[1, 2, 3]);
    }

    #[test]
    fn without_a_word_it_is_ffsplit_and_an_unknown_word_votes_for_nobody() {
        assert_eq!(Algorithm::from_conf(None), Algorithm::Ffsplit);
        let word = Algorithm::from_conf(Some("majority"));
        check(word, TieBreaker::Lowest, &[&[1, 2, 3]], 3, &[]);
    }

    #[test]
    fn lms_votes_for_the_largest_however_small() {
        use TieBreaker::{Highest, Lowest, Node};
        check(Algorithm::Lms, Lowest, &[&[4]], 4, &[4]);
        check(Algorithm::Lms, Lowest, &[&[1], &[2, 3]], 5, &[2, 3]);
        check(Algorithm::Lms, Lowest, &[&[2], &[3]], 5, &[2]);
        check(Algorithm::Lms, Highest, &[&[2], &[3]], 5, &[3]);
        check(Algorithm::Lms, Node(3), &[&[2], &[3]], 5, &[3]);
    }
}
