//! What nodes tell each other: their votes, what they expect, and their flags.

use crate::name::NodeId;

/// What a node says of itself (`NODE_FLAGS_*`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) quorate: bool,
    pub(crate) leaving: bool,
    pub(crate) waits_for_all: bool,
    /// It has been alone since it started.
    pub(crate) first: bool,
    pub(crate) qdevice_votes: bool,
}

/// A node's message about itself to everybody in its membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeInfo {
    pub(crate) sender: NodeId,
    pub(crate) votes: u32,
    pub(crate) expected_votes: u32,
    pub(crate) flags: Flags,
}

impl NodeInfo {
    /// Two nodes that say the same of themselves are one voice.
    pub(crate) fn without_sender(self) -> (u32, u32, Flags) {
        (self.votes, self.expected_votes, self.flags)
    }
}
