//! What happens to a cluster, and what cannot happen.

use std::collections::BTreeSet;

use crate::name::NodeId;

/// Something that happens to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// These nodes are lost together, without a word: power, kernel, fence.
    Down(BTreeSet<NodeId>),
    /// These nodes stop corosync cleanly, one after the other.
    Leave(BTreeSet<NodeId>),
    /// These nodes start, one after the other, and join the partition of the lowest running node.
    Up(BTreeSet<NodeId>),
    /// The network falls into these groups. Running nodes that stand in none stay together as they are.
    Split(Vec<BTreeSet<NodeId>>),
    /// The network is whole again.
    Join,
    /// The membership of this node forms anew with the same members: a token was lost, nobody left.
    Reform(NodeId),
    Qdevice(QdeviceState),
    /// `pvecm expected VOTES` on this node; it reaches its whole partition.
    Expected {
        node: NodeId,
        votes: u32,
    },
    /// `wait_for_all` is cancelled by hand on this node; it reaches its whole partition.
    CancelWaitForAll {
        node: NodeId,
    },
    /// The last man standing window passes without another loss.
    WindowPasses,
}

/// What the qdevice does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QdeviceState {
    /// Not there, or not reached by anybody.
    Away,
    /// It votes as its algorithm says.
    Votes,
    /// There, and votes for exactly these nodes: what a node was seen to have, or a device of another make.
    VotesFor(BTreeSet<NodeId>),
}

/// An event that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    #[error("there is no node {id} in the nodelist; it has {}", list(known))]
    UnknownNode { id: NodeId, known: Vec<NodeId> },
    #[error("node {id} stands in two groups of the split")]
    InTwoGroups { id: NodeId },
    #[error("there is no qdevice in the configuration")]
    NoQdevice,
    #[error(
        "node {node} refuses to expect {votes} votes: corosync takes nothing below the {total} votes that are \
         there, and nothing that would cost a quorate partition its quorum"
    )]
    ExpectedRefused {
        node: NodeId,
        votes: u32,
        total: u32,
    },
    #[error("node {node} is not running")]
    NotRunning { node: NodeId },
}

fn list(ids: &[NodeId]) -> String {
    ids.iter()
        .map(NodeId::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
