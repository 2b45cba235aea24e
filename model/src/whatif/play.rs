//! One hypothesis, played: in places and masks, before anything is put into words.

use std::collections::BTreeSet;

use super::ballot::Vote;
use super::graph::{ItemId, Struck};
use super::mask::Mask;
use super::outcome::Rank;
use super::part::{Manner, Part};
use super::reach::{self, Group};
use super::{Answer, WhatIf};
use crate::fact::ha::Armed;
use crate::name::NodeId;
use crate::quorum::qnetd;
use crate::topology::Place;

/// Nodes that end together, and what they decide.
#[derive(Debug, Clone)]
pub(crate) struct RawCamp {
    pub(crate) membership: usize,
    pub(crate) nodes: Mask,
    pub(crate) vote: Vote,
    /// Something of the membership is gone, or the qdevice may be.
    pub(crate) is_changed: bool,
    /// It has quorum now.
    pub(crate) had_quorum: Option<bool>,
    /// Why its answer is unknown, if it is not the quorum machine that says so.
    pub(crate) doubt: Option<Doubt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    NoClique,
    WhoReachesWhom,
    Qdevice,
}

#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) failed: Vec<(ItemId, Manner)>,
    pub(crate) removed: Mask,
    pub(crate) struck: Struck,
    pub(crate) camps: Vec<RawCamp>,
    /// As far as it is certain.
    pub(crate) rank: Rank,
    /// If all that is unknown turns out badly.
    pub(crate) worst: Rank,
}

/// Does the qdevice vote for a group?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    Votes,
    DoesNot,
    Perhaps,
}

impl WhatIf {
    pub(crate) fn played(&mut self, failed: &[(ItemId, Manner)]) -> Played {
        let mut removed = Mask::default();
        for (id, _) in failed {
            // Who is in no membership is not lost once more.
            let is_in = |place: &usize| {
                let mut memberships = self.present.memberships.iter();
                memberships.any(|it| it.members.has(*place))
            };
            let place = self.graph.items.get(*id).and_then(|item| item.place);
            if let Some(place) = place.filter(is_in) {
                removed.set(place);
            }
        }
        let struck = self.graph.strike(failed);
        let mut groups: Vec<(usize, Group)> = Vec::new();
        for (index, together) in self.present.memberships.iter().enumerate() {
            let of_it = reach::groups(together, &removed, &self.present.links, &struck);
            groups.extend(of_it.into_iter().map(|group| (index, group)));
        }
        let mut camps = Vec::new();
        for (membership, group) in &groups {
            let mask = group.nodes();
            let device = self.device(*membership, &mask, &groups, failed, &removed, &struck);
            self.camps_of(*membership, group, device, &mut camps);
        }
        let mut played = Played {
            failed: failed.to_vec(),
            removed,
            struck,
            camps,
            rank: Rank::Nothing,
            worst: Rank::Nothing,
        };
        (played.rank, played.worst) = self.rank(&played);
        played
    }

    fn camps_of(
        &mut self,
        membership: usize,
        group: &Group,
        device: Device,
        camps: &mut Vec<RawCamp>,
    ) {
        let Some(together) = self.present.memberships.get(membership) else {
            return;
        };
        let (members, had_quorum) = (together.members, together.quorate);
        let device_now = !together.with_qdevice.is_empty();
        // Of fewer nodes then never more is said than of all of them.
        let counts_votes_alone = self.present.config.auto_tie_breaker.is_none();
        let mut camp = |nodes: Mask, vote: Vote, doubt: Option<Doubt>| {
            let device_changes = device
                != if device_now {
                    Device::Votes
                } else {
                    Device::DoesNot
                };
            camps.push(RawCamp {
                membership,
                nodes,
                vote,
                is_changed: nodes != members || device_changes || doubt.is_some(),
                had_quorum,
                doubt,
            });
        };
        match group {
            Group::Whole(nodes) => {
                let (vote, doubt) = self.vote(membership, nodes, device);
                camp(*nodes, vote, doubt);
            }
            Group::Around { core, perhaps } => {
                let (vote, doubt) = self.vote(membership, core, device);
                let (with_all, _) = self.vote(membership, &core.or(perhaps), device);
                if vote.quorate == with_all.quorate {
                    camp(*core, vote, doubt);
                } else {
                    camp(*core, unknown(vote), Some(Doubt::WhoReachesWhom));
                }
                if with_all.quorate == Answer::No && counts_votes_alone {
                    camp(*perhaps, with_all, None);
                } else {
                    camp(*perhaps, unknown(with_all), Some(Doubt::WhoReachesWhom));
                }
            }
            Group::Broken(nodes) | Group::Unknown(nodes) => {
                let doubt = match group {
                    Group::Broken(_) => Doubt::NoClique,
                    _ => Doubt::WhoReachesWhom,
                };
                // More votes than all of them have together nobody of them can have.
                let at_best = if device == Device::DoesNot {
                    device
                } else {
                    Device::Votes
                };
                let (vote, _) = self.vote(membership, nodes, at_best);
                if vote.quorate == Answer::No && counts_votes_alone {
                    camp(*nodes, vote, None);
                } else {
                    camp(*nodes, unknown(vote), Some(doubt));
                }
            }
        }
    }

    fn vote(&mut self, membership: usize, nodes: &Mask, device: Device) -> (Vote, Option<Doubt>) {
        let mut ask = |with| self.ballot.ask(&self.present, membership, nodes, with);
        match device {
            Device::Votes => (ask(true), None),
            Device::DoesNot => (ask(false), None),
            Device::Perhaps => {
                let (with, without) = (ask(true), ask(false));
                if with.quorate == without.quorate {
                    (without, None)
                } else {
                    (unknown(without), Some(Doubt::Qdevice))
                }
            }
        }
    }

    fn device(
        &self,
        membership: usize,
        nodes: &Mask,
        groups: &[(usize, Group)],
        failed: &[(ItemId, Manner)],
        removed: &Mask,
        struck: &Struck,
    ) -> Device {
        let Some(together) = self.present.memberships.get(membership) else {
            return Device::DoesNot;
        };
        let Some(config) = self.present.config.qdevice.as_ref() else {
            return Device::DoesNot;
        };
        // What does not vote now does not begin to.
        if together.with_qdevice.is_empty() {
            return Device::DoesNot;
        }
        if failed.is_empty() {
            return Device::Votes;
        }
        let is_it = |(id, _): &(ItemId, Manner)| {
            self.graph.items.get(*id).map(|item| &item.part) == Some(&Part::Qdevice)
        };
        let host = match &self.qdevice {
            Some(Place::Node(node)) => Some(self.present.place(node)),
            _ => None,
        };
        if failed.iter().any(is_it) || host.flatten().is_some_and(|host| removed.has(host)) {
            return Device::DoesNot;
        }
        if groups
            .iter()
            .all(|(_, group)| matches!(group, Group::Whole(_)))
        {
            let ids = |mask: &Mask| -> BTreeSet<NodeId> {
                let ids = mask.iter().filter_map(|place| self.present.ids.get(place));
                ids.copied().collect()
            };
            let partitions: Vec<_> = groups
                .iter()
                .map(|(_, group)| ids(&group.nodes()))
                .collect();
            let votes = qnetd::votes_for(
                config.algorithm,
                config.tie_breaker,
                &ids(nodes),
                &partitions,
                &self.present.ids.iter().copied().collect(),
                &ids(&together.with_qdevice),
            );
            if !votes {
                return Device::DoesNot;
            }
        } else {
            return Device::Perhaps;
        }
        let doubtful = struck.ways_down.or(&struck.ways_unknown);
        let host_is_there = match (&self.qdevice, host) {
            (Some(Place::External), _) => true,
            (_, Some(Some(host))) => nodes.has(host) && !doubtful.has(host),
            _ => false,
        };
        let is_whole = together.with_qdevice.holds(nodes);
        if host_is_there && is_whole && nodes.and(&doubtful).is_empty() {
            Device::Votes
        } else {
            Device::Perhaps
        }
    }

    /// How bad it is for certain, and how bad it may be.
    fn rank(&self, played: &Played) -> (Rank, Rank) {
        let mut rank = Rank::Nothing;
        let had = self
            .present
            .memberships
            .iter()
            .any(|it| it.quorate == Some(true));
        let keeps = |answer: fn(Answer) -> bool| {
            let mut camps = played.camps.iter();
            camps.any(|camp| answer(camp.vote.quorate))
        };
        if !played.removed.is_empty() || self.loses_redundancy(played) {
            rank = Rank::RedundancyLost;
        }
        let mut worst = rank;
        for camp in &played.camps {
            let armed = || self.may_fence(&camp.nodes);
            if camp.is_changed && camp.had_quorum != Some(false) {
                let lost = if armed() {
                    Rank::Fencing
                } else {
                    Rank::QuorumLostForSome
                };
                match camp.vote.quorate {
                    Answer::No if camp.had_quorum == Some(true) => rank = rank.max(lost),
                    Answer::No | Answer::Unknown => worst = worst.max(lost),
                    Answer::Yes => {
                        if camp.vote.votes <= camp.vote.needed {
                            rank = rank.max(Rank::NoMargin);
                        }
                    }
                }
                let is_slow = self.reforming(played).is_some_and(|it| it.is_dangerous);
                if is_slow && camp.vote.quorate == Answer::Yes && armed() {
                    worst = worst.max(Rank::Fencing);
                }
            }
        }
        if had && !keeps(|it| it == Answer::Yes) {
            if keeps(|it| it == Answer::Unknown) {
                worst = Rank::QuorumLostEverywhere;
            } else {
                rank = Rank::QuorumLostEverywhere;
            }
        }
        (rank, worst.max(rank))
    }

    fn loses_redundancy(&self, played: &Played) -> bool {
        let struck = &played.struck;
        let masks = struck.down.iter().chain(&struck.unknown);
        let alive = |mask: &Mask| !mask.minus(&played.removed).is_empty();
        let qdevice_goes = played.camps.iter().any(|camp| {
            let now = self.present.memberships.get(camp.membership);
            let had = now.is_some_and(|now| !now.with_qdevice.is_empty());
            had && camp.is_changed
        });
        masks.into_iter().any(alive) || alive(&struck.thinner) || qdevice_goes
    }

    pub(super) fn may_fence(&self, nodes: &Mask) -> bool {
        nodes
            .iter()
            .any(|node| self.present.armed.get(node) != Some(&Armed::No))
    }
}

fn unknown(vote: Vote) -> Vote {
    let quorate = Answer::Unknown;
    Vote { quorate, ..vote }
}

impl Group {
    pub(super) fn nodes(&self) -> Mask {
        match self {
            Self::Whole(nodes) | Self::Broken(nodes) | Self::Unknown(nodes) => *nodes,
            Self::Around { core, perhaps } => core.or(perhaps),
        }
    }
}
