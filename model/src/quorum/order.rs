//! In which order the nodes of a forming membership hear each other.
//!
//! Totem promises one order for all, but not which one: each node tells of itself when the token comes by, so who
//! speaks late may have heard the others already. An outcome is certain if it is the same in every order.

use std::collections::BTreeSet;

use crate::name::NodeId;

/// How many nodes are tried as the first to speak; of more, these are picked evenly, and nothing is certain then.
pub(crate) const MOST_FIRST_SPEAKERS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// Who begins, or the next one after it; `None` is the lowest.
    first: Option<NodeId>,
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
    /// Also when the qdevice has left it, before it hears its own word of that: corosync-vqsim too, whose qdevice
    /// leaves in the middle of a forming membership.
    WithoutQdevice,
}

impl Order {
    pub(crate) const LIKELIEST: Self = Self {
        first: None,
        descending: false,
        words: Words::InTurn,
        counted: Counted::AtTheEnd,
    };

    /// Every order in which one of `first_speakers` begins; the first of them is the likeliest, if the first speaker is the
    /// lowest of all.
    pub(crate) fn all(first_speakers: &[NodeId], counted: Counted) -> Vec<Self> {
        let tried = first_speakers.len().min(MOST_FIRST_SPEAKERS);
        let spread = |index: usize| first_speakers.get(index * first_speakers.len() / tried);
        let mut orders = Vec::new();
        for first in (0..tried).filter_map(spread) {
            for words in [Words::InTurn, Words::Together] {
                for descending in [false, true] {
                    // With one voice, who begins and which way round makes no difference.
                    if !descending || tried > 1 {
                        orders.push(Self {
                            first: Some(*first),
                            descending,
                            words,
                            counted,
                        });
                    }
                }
            }
        }
        orders
    }

    /// The members in the order in which they speak.
    pub(crate) fn of(self, members: &BTreeSet<NodeId>) -> Vec<NodeId> {
        let mut speakers: Vec<NodeId> = members.iter().copied().collect();
        if self.descending {
            speakers.reverse();
        }
        let begins = |node: &NodeId| match self.first {
            None => true,
            Some(first) if self.descending => *node <= first,
            Some(first) => *node >= first,
        };
        let begin = speakers.iter().position(begins).unwrap_or(0);
        speakers.rotate_left(begin);
        speakers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u32]) -> Vec<NodeId> {
        ids.iter().map(|id| NodeId::new(*id).unwrap()).collect()
    }

    #[test]
    fn members_speak_in_a_circle_that_begins_with_the_first_or_the_next_one_after_it() {
        let members = ids(&[1, 3, 5]).into_iter().collect();
        let orders = Order::all(&ids(&[2, 9]), Counted::AtTheEnd);
        let spoken: Vec<_> = orders.iter().map(|order| order.of(&members)).collect();
        assert_eq!(spoken[0], ids(&[3, 5, 1]));
        assert_eq!(spoken[1], ids(&[1, 5, 3]));
        assert_eq!(spoken[4], ids(&[1, 3, 5]));
        assert_eq!(spoken[5], ids(&[5, 3, 1]));
        assert_eq!(Order::LIKELIEST.of(&members), ids(&[1, 3, 5]));
        let from_the_lowest = Order::all(&ids(&[1, 5]), Counted::AtTheEnd)[0];
        assert_eq!(from_the_lowest.of(&members), ids(&[1, 3, 5]));
        assert_eq!(from_the_lowest.words, Order::LIKELIEST.words);
    }

    #[test]
    fn one_voice_needs_no_second_beginning() {
        assert_eq!(Order::all(&ids(&[4]), Counted::AtTheEnd).len(), 2);
        assert_eq!(Order::all(&[], Counted::AtTheEnd).len(), 0);
        let many: Vec<u32> = (1..=32).collect();
        assert_eq!(
            Order::all(&ids(&many), Counted::AtTheEnd).len(),
            4 * MOST_FIRST_SPEAKERS
        );
    }
}
