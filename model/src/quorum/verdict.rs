//! The answer for one partition, with its reason in one finished sentence: the same one in the terminal, on the
//! page and in the chat.

use std::fmt;

use crate::name::NodeId;

/// Why a partition is quorate or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    Enough {
        votes: u32,
        of: u32,
        needed: u32,
        with_qdevice: u32,
    },
    TooFew {
        votes: u32,
        of: u32,
        needed: u32,
    },
    TwoNode {
        votes: u32,
        of: u32,
    },
    /// The latch is closed; the votes may be too few without it, too.
    WaitsForAll {
        votes: u32,
        of: u32,
        needed: u32,
    },
    /// Exactly half of the votes.
    Tie {
        votes: u32,
        of: u32,
        goes_on: bool,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enough {
                votes,
                of,
                needed,
                with_qdevice: 0,
            } => {
                write!(f, "{votes} of {of} votes; {needed} {}", are_needed(*needed))
            }
            Self::Enough {
                votes,
                of,
                needed,
                with_qdevice,
            } => write!(
                f,
                "{votes} of {of} votes, {with_qdevice} of them the qdevice's; {needed} {}",
                are_needed(*needed)
            ),
            Self::TooFew { votes, of, needed } => {
                write!(f, "{votes} of {of} votes; {needed} {}", are_needed(*needed))
            }
            Self::TwoNode { votes, of } => {
                write!(
                    f,
                    "{votes} of {of} votes; two_node lets one be enough while at most two are there"
                )
            }
            Self::WaitsForAll { votes, of, needed } => {
                write!(f, "{votes} of {of} votes; ")?;
                if votes < needed {
                    write!(f, "{needed} {}, and ", are_needed(*needed))?;
                }
                write!(
                    f,
                    "wait_for_all holds it back until all {of} are there at once"
                )
            }
            Self::Tie {
                votes,
                of,
                goes_on: true,
            } => {
                write!(
                    f,
                    "{votes} of {of} votes; auto_tie_breaker lets this half go on"
                )
            }
            Self::Tie {
                votes,
                of,
                goes_on: false,
            } => {
                write!(
                    f,
                    "{votes} of {of} votes; auto_tie_breaker does not let this half go on"
                )
            }
        }
    }
}

fn are_needed(votes: u32) -> &'static str {
    if votes == 1 {
        "is needed"
    } else {
        "are needed"
    }
}

/// One partition after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// In order.
    pub nodes: Vec<NodeId>,
    /// The qdevice's votes included, where it votes for this partition.
    pub votes: u32,
    pub expected: u32,
    /// The needed votes.
    pub quorum: u32,
    /// True only if every node of it says so.
    pub quorate: bool,
    /// Nodes that decide otherwise than the first one of the partition does.
    pub dissenting: Vec<NodeId>,
    pub reason: Reason,
}
