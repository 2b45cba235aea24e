//! One node's votequorum: what it knows of the others, and what it decides.
//!
//! A transcription of the decisions (not of the text) of exec/votequorum.c. Nodes tell each other their votes and
//! flags in messages; every message is a reason to count again, and what is counted stays: the needed votes do not
//! fall by themselves, `wait_for_all` latches, the tie-breaker looks at who was there before.

mod resume;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::name::NodeId;
use crate::quorum::config::{AutoTieBreaker, QuorumConfig};
use crate::quorum::message::{Flags, NodeInfo};
use crate::quorum::verdict::Reason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Member,
    Leaving,
}

/// What one node knows of another, or of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    presence: Presence,
    votes: u32,
    expected_votes: u32,
    flags: Flags,
}

/// May the needed votes fall at this count? (`allow_decrease`)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    MayFall,
    NeverFall,
}

/// What is expected at this count. (`by_current_nodes`)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    AsBefore,
    /// As many votes as there are members now.
    Members,
}

/// One node's votequorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    id: NodeId,
    config: Arc<QuorumConfig>,
    /// Everybody in the membership that this node has heard, itself included.
    known: BTreeMap<NodeId, Known>,
    /// The needed votes. votequorum keeps them in eight bits.
    quorum: u8,
    quorate: bool,
    /// `wait_for_all_status`: not before everybody was seen.
    waits_for_all: bool,
    /// Switched off at run time by a node with more than one vote.
    last_man_standing: bool,
    /// The last man standing window is running.
    window_runs: bool,
    /// The lowest and highest member when quorum was last reached by votes.
    lowest: Option<NodeId>,
    highest: Option<NodeId>,
    members: BTreeSet<NodeId>,
    previous_members: BTreeSet<NodeId>,
    /// Downscaling never goes below this.
    expected_barrier: u32,
    tracked_expected: u32,
    reason: Reason,
}

impl Voter {
    /// A node that has just started and sees nobody but itself.
    pub(crate) fn start(id: NodeId, config: &Arc<QuorumConfig>) -> Self {
        let us = Known {
            presence: Presence::Member,
            votes: config.votes.get(&id).copied().unwrap_or(1),
            expected_votes: config.expected_votes,
            flags: Flags {
                first: true,
                waits_for_all: config.wait_for_all,
                ..Flags::default()
            },
        };
        let mut voter = Self {
            id,
            config: Arc::clone(config),
            known: BTreeMap::from([(id, us)]),
            quorum: 0,
            quorate: false,
            waits_for_all: config.wait_for_all,
            last_man_standing: config.last_man_standing,
            window_runs: false,
            lowest: None,
            highest: None,
            members: BTreeSet::new(),
            previous_members: BTreeSet::new(),
            expected_barrier: config.expected_votes,
            tracked_expected: 0,
            reason: Reason::TooFew {
                votes: 0,
                of: config.expected_votes,
                needed: 0,
            },
        };
        voter.count(Needed::NeverFall, Expect::AsBefore);
        voter
    }

    pub fn is_quorate(&self) -> bool {
        self.quorate
    }

    pub fn needed_votes(&self) -> u32 {
        u32::from(self.quorum)
    }

    pub fn expected_votes(&self) -> u32 {
        self.us().expected_votes
    }

    /// The votes of all members, and the qdevice's if it votes for this node.
    pub fn total_votes(&self) -> u32 {
        let members = self
            .present()
            .fold(0u32, |sum, known| sum.saturating_add(known.votes));
        members.saturating_add(self.qdevice_votes_cast())
    }

    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    pub(crate) fn window_runs(&self) -> bool {
        self.window_runs
    }

    /// A new membership has formed (`votequorum_sync_init`).
    pub(crate) fn sync_init(&mut self, members: &BTreeSet<NodeId>) {
        if members.len() > 1 {
            self.us_mut().flags.first = false;
        }
        let mut somebody_left = false;
        for gone in self.members.difference(members) {
            somebody_left = true;
            // votequorum keeps it as dead. It never looks at the dead again, and one that comes back is news
            // either way.
            self.known.remove(gone);
        }
        let quorum = usize::from(self.quorum);
        if self.last_man_standing
            && ((members.len() >= quorum && somebody_left)
                || (members.len() <= quorum
                    && self.config.auto_tie_breaker.is_some()
                    && self.is_member(self.lowest)))
        {
            self.window_runs = true;
        }
        self.previous_members = std::mem::replace(&mut self.members, members.clone());
    }

    /// What this node tells the others when a membership forms.
    pub(crate) fn node_info(&self) -> NodeInfo {
        let Known {
            votes,
            expected_votes,
            flags,
            ..
        } = *self.us();
        NodeInfo {
            sender: self.id,
            votes,
            expected_votes,
            flags,
        }
    }

    /// The membership is complete (`votequorum_sync_activate`).
    pub(crate) fn sync_activate(&mut self) {
        self.count(Needed::NeverFall, Expect::AsBefore);
    }

    /// A node, maybe this one, tells of itself (`message_handler_req_exec_votequorum_nodeinfo`).
    pub(crate) fn hear(&mut self, info: NodeInfo) {
        let old = self.known.get(&info.sender).copied();
        let mut needed = Needed::NeverFall;
        let mut expect = Expect::AsBefore;
        let mut presence = Presence::Member;
        if info.flags.leaving {
            presence = Presence::Leaving;
            needed = Needed::MayFall;
            expect = Expect::Members;
        }
        // Who is not quorate believes one who is.
        if !self.quorate && info.flags.quorate {
            needed = Needed::MayFall;
            self.us_mut().expected_votes = info.expected_votes;
        }
        let believed = info.flags.quorate || self.config.expected_votes_tracking;
        let expected_votes = if believed {
            info.expected_votes
        } else {
            self.us().expected_votes
        };
        let new = Known {
            presence,
            votes: info.votes,
            expected_votes,
            flags: info.flags,
        };
        self.known.insert(info.sender, new);
        if self.last_man_standing && info.votes > 1 {
            self.last_man_standing = false;
            self.window_runs = false;
        }
        if old != Some(new) || info.sender == self.id || info.flags.first {
            self.count(needed, expect);
        }
        // What it holds of the sender now, not what the message said: its own word may be older than what it has
        // just decided.
        let held = self
            .known
            .get(&info.sender)
            .map_or(info.flags, |known| known.flags);
        if self.config.wait_for_all && !held.waits_for_all && held.quorate {
            self.set_waits_for_all(false);
        }
    }

    /// The window after a loss has passed (`votequorum_last_man_standing_timer_fn`).
    pub(crate) fn window_passes(&mut self) {
        if std::mem::take(&mut self.window_runs) && self.quorate {
            self.count(Needed::MayFall, Expect::Members);
        }
    }

    /// Would this node take `pvecm expected VOTES`? (`message_handler_req_lib_votequorum_setexpected`)
    pub(crate) fn takes_expected(&self, votes: u32) -> bool {
        let total = self.total_votes();
        votes >= total && !(self.quorate && self.needed(votes, total, None) > total)
    }

    /// Somebody in the membership set the expected votes.
    pub(crate) fn set_expected(&mut self, votes: u32) {
        self.expect_everywhere(votes);
        self.expected_barrier = votes;
        if self.config.expected_votes_tracking {
            let tracked = self.tracked_expected;
            let us = self.us_mut();
            us.expected_votes = us.expected_votes.max(tracked);
        }
        self.count(Needed::MayFall, Expect::AsBefore);
    }

    /// Somebody in the membership cancelled wait_for_all (`corosync-cfgtool`, `quorum.cancel_wait_for_all`).
    pub(crate) fn cancel_wait_for_all(&mut self) {
        self.set_waits_for_all(false);
        self.count(Needed::NeverFall, Expect::AsBefore);
    }

    /// The qdevice tells this node whether it votes for it. True if that is a change the others must hear of.
    pub(crate) fn poll_qdevice(&mut self, votes: bool) -> bool {
        let changed = self.us().flags.qdevice_votes != votes;
        self.us_mut().flags.qdevice_votes = votes;
        changed
    }

    pub(crate) fn set_leaving(&mut self) {
        self.us_mut().flags.leaving = true;
    }

    fn us(&self) -> &Known {
        const NOBODY: Known = Known {
            presence: Presence::Member,
            votes: 0,
            expected_votes: 0,
            flags: Flags {
                quorate: false,
                leaving: false,
                waits_for_all: false,
                first: false,
                qdevice_votes: false,
            },
        };
        // A node knows itself from its start; the fallback has no votes, so it could only lose quorum.
        self.known.get(&self.id).unwrap_or(&NOBODY)
    }

    fn us_mut(&mut self) -> &mut Known {
        let nobody = *self.us();
        self.known.entry(self.id).or_insert(nobody)
    }

    fn present(&self) -> impl Iterator<Item = &Known> {
        self.known
            .values()
            .filter(|known| known.presence == Presence::Member)
    }

    fn is_member(&self, id: Option<NodeId>) -> bool {
        id.and_then(|id| self.known.get(&id))
            .is_some_and(|known| known.presence == Presence::Member)
    }

    fn qdevice_votes(&self) -> u32 {
        self.config
            .qdevice
            .as_ref()
            .map_or(0, |device| device.votes)
    }

    pub(crate) fn has_qdevice_votes(&self) -> bool {
        self.us().flags.qdevice_votes
    }

    fn qdevice_votes_cast(&self) -> u32 {
        if self.has_qdevice_votes() {
            self.qdevice_votes()
        } else {
            0
        }
    }

    fn set_waits_for_all(&mut self, waits: bool) {
        self.waits_for_all = waits;
        self.us_mut().flags.waits_for_all = waits;
    }

    fn expect_everywhere(&mut self, votes: u32) {
        if votes > 0 {
            for known in self.known.values_mut() {
                if known.presence == Presence::Member {
                    known.expected_votes = votes;
                }
            }
        }
    }

    /// Counts the votes and decides (`recalculate_quorum`).
    fn count(&mut self, needed: Needed, expect: Expect) {
        let device = self.qdevice_votes();
        let possible = self
            .present()
            .fold(device, |sum, known| sum.saturating_add(known.votes));
        if possible > self.us().expected_votes {
            self.us_mut().expected_votes = possible;
        }
        if self.config.expected_votes_tracking {
            self.tracked_expected = self.tracked_expected.max(self.us().expected_votes);
        }
        let members = u32::try_from(self.present().count()).unwrap_or(u32::MAX);
        let by_members = match expect {
            Expect::AsBefore => 0,
            Expect::Members => members.saturating_add(u32::from(device > 0)),
        };
        let total = self.total_votes();
        let floor = match needed {
            Needed::NeverFall => Some(self.quorum),
            Needed::MayFall => None,
        };
        let downscale = self.config.allow_downscale && floor.is_none() && by_members > 0;
        let target = if downscale {
            by_members.max(self.expected_barrier)
        } else {
            by_members
        };
        // Eight bits, as votequorum has it: of 256 needed votes none are left (config.rs has a note on that).
        #[expect(clippy::cast_possible_truncation)]
        let eight_bits = self.needed(target, total, floor) as u8;
        self.quorum = eight_bits;
        self.expect_everywhere(by_members);
        self.decide(total);
    }

    /// The needed votes (`calculate_quorum`): a majority of what is expected and of what is there, never below
    /// `floor`; one if two_node is set and at most two are there. `expected` 0 takes the highest expectation.
    fn needed(&self, expected: u32, total: u32, floor: Option<u8>) -> u32 {
        let present = self.present().count() + usize::from(self.us().flags.qdevice_votes);
        if self.config.two_node && present <= 2 {
            return 1;
        }
        let highest = self
            .present()
            .map(|known| known.expected_votes)
            .max()
            .unwrap_or(0);
        let expected = if expected > 0 { expected } else { highest };
        let majority = |votes: u32| votes.saturating_add(2) / 2;
        majority(expected)
            .max(majority(total))
            .max(u32::from(floor.unwrap_or(0)))
    }

    /// Quorate or not (`are_we_quorate`).
    fn decide(&mut self, total: u32) {
        let expected = self.us().expected_votes;
        let needed = u32::from(self.quorum);
        if self.config.wait_for_all && self.waits_for_all {
            if total != expected {
                // It was not quorate when the latch closed, so it is not quorate now.
                self.quorate = false;
                self.reason = Reason::WaitsForAll {
                    votes: total,
                    of: expected,
                    needed,
                };
                return;
            }
            self.set_waits_for_all(false);
        }
        let enough = total >= needed;
        if enough {
            let present = |(id, known): (&NodeId, &Known)| {
                (known.presence == Presence::Member).then_some(*id)
            };
            self.lowest = self.known.iter().find_map(present);
            self.highest = self.known.iter().rev().find_map(present);
        }
        self.reason = if enough && self.config.two_node && needed == 1 {
            Reason::TwoNode {
                votes: total,
                of: expected,
            }
        } else if enough {
            Reason::Enough {
                votes: total,
                of: expected,
                needed,
                with_qdevice: self.qdevice_votes_cast(),
            }
        } else {
            Reason::TooFew {
                votes: total,
                of: expected,
                needed,
            }
        };
        let tie = self.is_a_tie(total, expected);
        let broken = tie && self.breaks_tie();
        if !enough && tie {
            self.reason = Reason::Tie {
                votes: total,
                of: expected,
                goes_on: broken,
            };
        }
        self.quorate = enough || broken;
        let quorate = self.quorate;
        self.us_mut().flags.quorate = quorate;
        if self.config.wait_for_all {
            self.set_waits_for_all(!quorate);
        }
    }

    /// Exactly half of the votes, and nobody else could have the other half with quorum.
    fn is_a_tie(&self, total: u32, expected: u32) -> bool {
        let gone = self.previous_members.len().checked_sub(self.members.len());
        self.config.auto_tie_breaker.is_some()
            && total == expected / 2
            && gone.is_none_or(|gone| gone < usize::from(self.quorum))
    }

    fn breaks_tie(&self) -> bool {
        match &self.config.auto_tie_breaker {
            None => false,
            Some(AutoTieBreaker::Lowest) => self.is_member(self.lowest),
            Some(AutoTieBreaker::Highest) => self.is_member(self.highest),
            Some(AutoTieBreaker::List(list)) => {
                let is_in =
                    |set: &BTreeSet<NodeId>, id: u32| set.iter().any(|node| node.get() == id);
                match list.iter().position(|id| is_in(&self.members, *id)) {
                    None => false,
                    Some(here) => !list
                        .iter()
                        .take(here)
                        .any(|id| is_in(&self.previous_members, *id)),
                }
            }
        }
    }
}
