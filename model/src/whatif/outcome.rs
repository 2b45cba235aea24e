//! The outcome of a hypothesis, in names and finished sentences.

use std::fmt;

use serde::Serialize;

use super::mask::Mask;
use super::play::Played;
use super::{Answer, FENCES_AFTER_S, WATCHDOG_MS, WhatIf};
use crate::fact::ha::Armed;
use crate::name::{LinkNumber, NodeName};

/// How bad it is, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    Nothing,
    RedundancyLost,
    /// Quorum is kept, and the next vote that goes costs it.
    NoMargin,
    QuorumLostForSome,
    Fencing,
    QuorumLostEverywhere,
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::RedundancyLost => "redundancy lost",
            Self::NoMargin => "no margin",
            Self::QuorumLostForSome => "quorum lost for some",
            Self::Fencing => "fencing",
            Self::QuorumLostEverywhere => "quorum lost everywhere",
        })
    }
}

/// Nodes that are in one membership afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Camp {
    pub nodes: Vec<NodeName>,
    /// The qdevice's included.
    pub votes: u32,
    pub expected: u32,
    pub needed: u32,
    pub quorate: Answer,
    /// `7 of 8 votes; 5 are needed`; or why it is not known.
    pub reason: String,
}

/// A node that would reset itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fencing {
    pub node: NodeName,
    pub armed: Armed,
    /// The soonest, after corosync reports the loss.
    pub after_s: u32,
    /// It is sure to lose its quorum. If not, it may, or forming anew may take too long.
    pub is_certain: bool,
}

/// A corosync network that nodes lose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkLoss {
    pub link: LinkNumber,
    pub nodes: Vec<NodeName>,
    /// Of these it is not known.
    pub perhaps: Vec<NodeName>,
}

/// Forming anew after a node is lost without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reforming {
    /// Token and consensus: nobody can write to `/etc/pve` for so long.
    pub ms: u64,
    /// So long that armed nodes may reset themselves although quorum is kept.
    pub is_dangerous: bool,
    /// Two losses in a row take longer than the watchdog waits.
    pub twice_outlasts_the_watchdog: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// In one sentence.
    pub sentence: String,
    /// As far as it is certain.
    pub rank: Rank,
    /// If all that is unknown turns out badly.
    pub worst: Rank,
    pub camps: Vec<Camp>,
    /// Nodes that do not run any more.
    pub gone: Vec<NodeName>,
    pub networks: Vec<NetworkLoss>,
    pub fencing: Vec<Fencing>,
    /// `None`: no membership changes, or nobody told how long it takes.
    pub reforming: Option<Reforming>,
    /// Why, in finished sentences.
    pub trace: Vec<String>,
    /// What is not known and would have to be, each with what to do about it.
    pub unknown: Vec<String>,
}

impl Outcome {
    /// Whether some part of the cluster is quorate.
    pub fn is_quorum_kept(&self) -> Answer {
        let answers = self.camps.iter().map(|camp| camp.quorate);
        answers.max().unwrap_or(Answer::No)
    }
}

impl WhatIf {
    pub(super) fn outcome(&self, played: &Played) -> Outcome {
        let mut outcome = Outcome {
            sentence: String::new(),
            rank: played.rank,
            worst: played.worst,
            camps: self.camps(played),
            gone: self.names(&played.removed),
            networks: self.networks(played),
            fencing: self.fencing(played),
            reforming: self.reforming(played),
            trace: Vec::new(),
            unknown: self.unknowns(played),
        };
        outcome.sentence = self.sentence(played);
        outcome.trace = self.trace(played, &outcome);
        outcome
    }

    fn camps(&self, played: &Played) -> Vec<Camp> {
        let camp = |raw: &super::play::RawCamp| Camp {
            nodes: self.names(&raw.nodes),
            votes: raw.vote.votes,
            expected: raw.vote.expected,
            needed: raw.vote.needed,
            quorate: raw.vote.quorate,
            reason: self.reason(raw),
        };
        played.camps.iter().map(camp).collect()
    }

    pub(super) fn networks(&self, played: &Played) -> Vec<NetworkLoss> {
        let lost = |(index, link): (usize, LinkNumber)| {
            let nodes = self.names(&self.losing(played, index, false));
            let perhaps = self.names(&self.losing(played, index, true));
            let is_any = !nodes.is_empty() || !perhaps.is_empty();
            is_any.then_some(NetworkLoss {
                link,
                nodes,
                perhaps,
            })
        };
        let links = self.present.links.iter().enumerate();
        links
            .filter_map(|(index, hears)| lost((index, hears.link)))
            .collect()
    }

    /// The nodes that run and lose the link at this place, or may lose it.
    pub(super) fn losing(&self, played: &Played, index: usize, perhaps: bool) -> Mask {
        let struck = &played.struck;
        let masks = if perhaps {
            &struck.unknown
        } else {
            &struck.down
        };
        let had = |node: &usize| {
            let hears = self.present.links.get(index);
            hears
                .and_then(|hears| hears.up.get(*node))
                .is_some_and(|up| !up.is_empty())
        };
        let nodes = masks.get(index).copied().unwrap_or_default();
        Mask::of(nodes.minus(&played.removed).iter().filter(had))
    }

    fn fencing(&self, played: &Played) -> Vec<Fencing> {
        let slow = self.reforming(played).is_some_and(|it| it.is_dangerous);
        let mut fencing = Vec::new();
        for camp in &played.camps {
            let loses = camp.had_quorum != Some(false) && camp.vote.quorate != Answer::Yes;
            if !camp.is_changed || !(loses || slow) {
                continue;
            }
            for place in camp.nodes.iter() {
                let armed = self
                    .present
                    .armed
                    .get(place)
                    .copied()
                    .unwrap_or(Armed::Unknown);
                if let Some(node) = self.name(place).filter(|_| armed != Armed::No) {
                    fencing.push(Fencing {
                        node: node.clone(),
                        armed,
                        after_s: self.fences_after_s(),
                        is_certain: camp.vote.quorate == Answer::No && armed == Armed::Yes,
                    });
                }
            }
        }
        fencing
    }

    /// The watchdog runs out a minute after the network died, which corosync reports only when it has formed anew.
    pub(super) fn fences_after_s(&self) -> u32 {
        let reported_ms = self.present.reforming_ms.unwrap_or_default();
        let left_s = WATCHDOG_MS.saturating_sub(reported_ms) / 1_000;
        u32::try_from(left_s).map_or(FENCES_AFTER_S, |left_s| left_s.min(FENCES_AFTER_S))
    }

    /// Only if somebody is lost from a membership that goes on.
    pub(super) fn reforming(&self, played: &Played) -> Option<Reforming> {
        let loses_members = played.camps.iter().any(|camp| {
            let before = self.present.memberships.get(camp.membership);
            before.is_some_and(|before| before.members != camp.nodes)
        });
        let ms = self.present.reforming_ms.filter(|_| loses_members)?;
        Some(Reforming {
            ms,
            is_dangerous: ms > self.reforming_warning_ms,
            twice_outlasts_the_watchdog: ms.saturating_mul(2) > WATCHDOG_MS,
        })
    }
}
