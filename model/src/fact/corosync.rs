//! Corosync as it runs: membership, votes, links. One fact, gathered from several tools, because that is how
//! everybody thinks of it; what none of them stated is `None`.

use serde::{Deserialize, Serialize};

use crate::name::LinkNumber;

/// What corosync on one node says now (`corosync-quorumtool`, `corosync-cfgtool`, `corosync-cmapctl`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corosync {
    pub cluster_name: Option<String>,
    pub config_version: Option<u64>,
    pub quorate: Option<bool>,
    pub node_id: Option<u32>,
    /// As printed: `1.19` (node id and sequence in hex), `1/8272` before corosync 3, a plain number before 2.4.
    pub ring_id: Option<String>,
    pub expected_votes: Option<u32>,
    pub highest_expected: Option<u32>,
    pub total_votes: Option<u32>,
    /// The votes that are needed.
    pub quorum: Option<u32>,
    /// Printed behind the needed votes: `Activity blocked`.
    pub activity_blocked: Option<bool>,
    /// Empty where the tool printed the line with nothing on it, as it does without quorum.
    pub flags: Option<Vec<String>>,
    pub quorum_provider: Option<String>,
    /// The tool's `Nodes:` line: how many are in the membership.
    pub node_count: Option<u32>,
    /// The tool's own clock, as printed.
    pub date: Option<String>,
    pub members: Option<Vec<Member>>,
    /// Nodes that a text names only to say that they are not in the membership: `X` in the table of old `pvecm
    /// nodes`, `left` in corosync's map.
    pub not_members: Option<Vec<Member>>,
    pub qdevice: Option<Qdevice>,
    pub transport: Option<String>,
    /// As printed by `pvecm status`: `on`, `off`.
    pub secure_auth: Option<String>,
    pub links: Option<Vec<LinkStatus>>,
    /// Only of `corosync-cfgtool -n`, which leaves out the nodes that cannot be reached.
    pub reachable: Option<Vec<ReachableNode>>,
}

/// A row of the membership.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub node_id: u32,
    pub votes: Option<u32>,
    /// A name or an address, whichever the tool was asked for.
    pub name: Option<String>,
    /// The addresses that some text gave for the node.
    pub addresses: Option<Vec<String>>,
    /// `None` where the text marks no row as the local one: old `pvecm nodes`, corosync's map.
    pub local: Option<bool>,
    /// As printed: `A,V,NMW` = alive, voting, not master-wins; `NR` = not registered; `NA` = not alive.
    pub qdevice_flags: Option<String>,
    /// As printed: `M`, `X` or `d` by old `pvecm nodes`, `joined` or `left` by corosync's map.
    pub state: Option<String>,
    /// When it joined, as printed by old `pvecm nodes`.
    pub joined: Option<String>,
    /// The version of corosync.conf that this member runs with (corosync's map).
    pub config_version: Option<u64>,
}

/// The row of node id 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qdevice {
    /// The votes that it casts for this node now: 0 while it casts none.
    pub votes: Option<u32>,
    /// What it would cast, printed only while it does not: `(votes 1)`.
    pub votes_if_cast: Option<u32>,
    pub name: Option<String>,
    /// The flags that the tool printed in the device's own row, else those in the row of the local node.
    pub flags: Option<String>,
}

/// A knet link (corosync 3) or a ring (corosync 2) as this node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    pub link: LinkNumber,
    /// How knet carries it: `udp`, `sctp`.
    pub transport: Option<String>,
    /// This node's address on it.
    pub address: Option<String>,
    /// The tool's words for the whole link: `OK`, `ring 1 active with no faults`, `Marking ringid 0 … FAULTY`, `n33`.
    pub status: Option<String>,
    /// `Some(true)` where the tool says FAULTY, `Some(false)` where it says that all is well.
    pub faulty: Option<bool>,
    /// `None` where the text says nothing of the single nodes: the rings of corosync 2.
    pub peers: Option<Vec<LinkPeer>>,
    /// The nodes as a text gave them that counts them instead of naming them: `status = n33`.
    pub positions: Option<Vec<LinkPosition>>,
}

/// One peer on one link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPeer {
    pub node_id: u32,
    /// `None` for this node itself (`localhost`) and where the tool does not say.
    pub connected: Option<bool>,
    pub enabled: Option<bool>,
    pub address: Option<String>,
    /// What knet found to pass, less its own overhead: not the MTU of the interface.
    pub mtu_bytes: Option<u32>,
    /// The row is this node itself.
    pub local: Option<bool>,
    /// As printed: `localhost`, `connected`, `disconnected`, `link enabled:1 link connected:1`.
    pub status: Option<String>,
}

/// A node on a link, known only by its place among all nodes of the nodelist ordered by node id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPosition {
    /// Counted from 0.
    pub position: u32,
    /// As printed: `n`, `3`, `?`, `link enabled:1 link connected:1`.
    pub status: String,
    pub connected: Option<bool>,
    pub enabled: Option<bool>,
    pub local: Option<bool>,
}

/// A node that `corosync-cfgtool -n` calls reachable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachableNode {
    pub node_id: u32,
    /// As printed behind the node id: `reachable`, `remote`, `external`.
    pub words: Vec<String>,
    pub onwire_min: Option<u32>,
    pub onwire_max: Option<u32>,
    /// The knet protocol version spoken with it now.
    pub onwire: Option<u32>,
}
