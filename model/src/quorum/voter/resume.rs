//! A voter as a running node was seen: its memory as far as it shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Known, Presence, Voter};
use crate::name::NodeId;
use crate::quorum::cluster::Observed;
use crate::quorum::config::QuorumConfig;
use crate::quorum::message::Flags;
use crate::quorum::verdict::Reason;

impl Voter {
    /// What does not show is taken as it must have come about: `wait_for_all` is latched exactly while the node is not
    /// quorate, and no last man standing window runs.
    pub(crate) fn resume(id: NodeId, config: &Arc<QuorumConfig>, seen: &Observed) -> Self {
        let waits_for_all = config.wait_for_all && !seen.quorate;
        let known = |node: &NodeId, votes: u32| Known {
            presence: Presence::Member,
            votes,
            expected_votes: seen.expected,
            flags: Flags {
                quorate: seen.quorate,
                leaving: false,
                waits_for_all,
                first: false,
                qdevice_votes: seen.with_qdevice.contains(node),
            },
        };
        let members: BTreeSet<NodeId> = seen.votes.keys().copied().collect();
        let mut voter = Self {
            id,
            config: Arc::clone(config),
            known: seen
                .votes
                .iter()
                .map(|(node, votes)| (*node, known(node, *votes)))
                .collect(),
            // votequorum has eight bits for it.
            quorum: u8::try_from(seen.needed).unwrap_or(u8::MAX),
            quorate: seen.quorate,
            waits_for_all,
            last_man_standing: config.last_man_standing
                && seen.votes.values().all(|votes| *votes <= 1),
            window_runs: false,
            lowest: members.first().copied().filter(|_| seen.quorate),
            highest: members.last().copied().filter(|_| seen.quorate),
            previous_members: members.clone(),
            members,
            expected_barrier: seen.expected,
            tracked_expected: seen.expected,
            reason: Reason::TooFew {
                votes: 0,
                of: seen.expected,
                needed: seen.needed,
            },
        };
        voter.reason = voter.reason_as_seen();
        voter
    }

    fn reason_as_seen(&self) -> Reason {
        let (votes, of, needed) = (
            self.total_votes(),
            self.expected_votes(),
            self.needed_votes(),
        );
        let enough = votes >= needed;
        if self.quorate && !enough {
            Reason::Tie {
                votes,
                of,
                goes_on: true,
            }
        } else if self.waits_for_all && enough {
            Reason::WaitsForAll { votes, of, needed }
        } else if !enough {
            Reason::TooFew { votes, of, needed }
        } else if self.config.two_node && needed == 1 {
            Reason::TwoNode { votes, of }
        } else {
            Reason::Enough {
                votes,
                of,
                needed,
                with_qdevice: self.qdevice_votes_cast(),
            }
        }
    }
}
