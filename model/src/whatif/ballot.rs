//! What the quorum machine says of some members of a membership, asked once for each question.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Answer;
use super::mask::Mask;
use super::present::{Present, Together};
use crate::name::NodeId;
use crate::quorum::event::{Event, QdeviceState};
use crate::quorum::forecast::Forecast;

/// Answers that are kept; beyond it each question is played anew.
const MAX_KEPT: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vote {
    pub(crate) votes: u32,
    pub(crate) expected: u32,
    pub(crate) needed: u32,
    pub(crate) quorate: Answer,
    /// `7 of 8 votes; 5 are needed`, without a full stop.
    pub(crate) reason: Arc<str>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Ballot {
    kept: HashMap<(usize, Mask, bool), Vote>,
}

impl Ballot {
    /// Of the membership at this place, these members are left, with or without the qdevice's votes.
    pub(crate) fn ask(
        &mut self,
        present: &Present,
        membership: usize,
        members: &Mask,
        with_qdevice: bool,
    ) -> Vote {
        let Some(together) = present.memberships.get(membership) else {
            return unknown("there is no such membership");
        };
        let asked = if together.is_uniform {
            together.members.lowest(members.len())
        } else {
            *members
        };
        let key = (membership, asked, with_qdevice);
        if let Some(kept) = self.kept.get(&key) {
            return kept.clone();
        }
        let is_as_now =
            *members == together.members && with_qdevice != together.with_qdevice.is_empty();
        let vote = if is_as_now {
            as_it_is(together)
        } else {
            play(present, together, &asked, with_qdevice)
        };
        if self.kept.len() < MAX_KEPT {
            self.kept.insert(key, vote.clone());
        }
        vote
    }
}

fn unknown(why: &str) -> Vote {
    Vote {
        votes: 0,
        expected: 0,
        needed: 0,
        quorate: Answer::Unknown,
        reason: why.into(),
    }
}

fn as_it_is(together: &Together) -> Vote {
    let Together {
        votes,
        expected,
        needed,
        quorate,
        ..
    } = *together;
    let said = together.voters.as_ref().ok().and_then(|voters| {
        let partition = voters.partitions().into_iter().next()?;
        Some(partition.reason.to_string())
    });
    Vote {
        votes,
        expected,
        needed,
        quorate: match quorate {
            Some(true) => Answer::Yes,
            Some(false) => Answer::No,
            None => Answer::Unknown,
        },
        reason: match (said, &together.voters) {
            (Some(said), _) => said.into(),
            (None, Err(why)) if quorate.is_none() => why.as_str().into(),
            (None, _) => format!("{votes} of {expected} votes; {needed} are needed").into(),
        },
    }
}

fn play(present: &Present, together: &Together, members: &Mask, with_qdevice: bool) -> Vote {
    let voters = match &together.voters {
        Ok(voters) => voters.clone(),
        Err(why) => return unknown(why),
    };
    let ids = |mask: &Mask| -> BTreeSet<NodeId> {
        let ids = mask.iter().filter_map(|place| present.ids.get(place));
        ids.copied().collect()
    };
    let device = if with_qdevice {
        QdeviceState::VotesFor(ids(members))
    } else {
        QdeviceState::Away
    };
    let event = if *members == together.members {
        Event::Qdevice(device.clone())
    } else {
        Event::Down(ids(&together.members.minus(members)))
    };
    let after = Forecast::of(voters.with_qdevice(device)).step(&event);
    let outlook = after
        .ok()
        .and_then(|after| after.partitions().into_iter().next());
    let Some(outlook) = outlook else {
        return unknown("the quorum machine does not take it");
    };
    let partition = &outlook.partition;
    Vote {
        votes: partition.votes,
        expected: partition.expected,
        needed: partition.quorum,
        quorate: match (outlook.certain, partition.quorate) {
            (false, _) => Answer::Unknown,
            (true, true) => Answer::Yes,
            (true, false) => Answer::No,
        },
        reason: outlook.to_string().into(),
    }
}
