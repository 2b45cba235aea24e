//! In which order the nodes of a forming membership hear each other.
//!
//! Totem promises one order for all, but not which one: each node tells of itself when the token comes by, so who
//! speaks late may have heard the others already. An outcome is certain if it is the same in every order.

use std::collections::BTreeSet;

use crate::name::NodeId;

/// How many nodes are tried as the first to speak; with more nodes, these are spread evenly.
const MOST_FIRST_SPEAKERS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// Who begins, in hundredths of the way through the members.
    first: usize,
    descending: bool,
    pub(crate) words: Words,
    pub(crate) counted: Counted,
}

/// What a node says of itself when its turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// What it was before it heard anybody.
    Together,
    /// What it is after it heard those before it.
    InTurn,
}

/// When a node counts for the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// When a barrier says that all have heard all: corosync.
    AtTheEnd,
    /// When it has spoken, whatever it has heard by then: corosync-vqsim, which has no such barrier.
    AtOnce,
}

impl Order {
    pub(crate) const LIKELIEST: Self = Self {
        first: 0,
        descending: false,
        words: Words::InTurn,
        counted: Counted::AtTheEnd,
    };

    /// Every order that is tried for so many nodes.
    pub(crate) fn all(nodes: usize, counted: Counted) -> impl Iterator<Item = Self> {
        let speakers = nodes.clamp(1, MOST_FIRST_SPEAKERS);
        (0..speakers).flat_map(move |speaker| {
            let first = speaker * 100 / speakers;
            [
                (false, Words::InTurn),
                (false, Words::Together),
                (true, Words::InTurn),
                (true, Words::Together),
            ]
            .map(|(descending, words)| Self {
                first,
                descending,
                words,
                counted,
            })
        })
    }

    /// The members in the order in which they speak.
    pub(crate) fn of(self, members: &BTreeSet<NodeId>) -> Vec<NodeId> {
        let mut speakers: Vec<NodeId> = members.iter().copied().collect();
        if self.descending {
            speakers.reverse();
        }
        let first = speakers.len() * self.first / 100;
        speakers.rotate_left(first); // first < len, because it is a part of it
        speakers
    }
}
