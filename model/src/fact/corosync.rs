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
    pub flags: Option<Vec<String>>,
    pub quorum_provider: Option<String>,
    /// The tool's `Nodes:` line: how many are in the membership.
    pub node_count: Option<u32>,
    /// The tool's own clock, as printed.
    pub date: Option<String>,
    pub members: Option<Vec<Member>>,
    pub qdevice: Option<Qdevice>,
    pub transport: Option<String>,
    pub links: Option<Vec<LinkStatus>>,
}

/// A row of the membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub node_id: u32,
    pub votes: Option<u32>,
    /// A name or an address, whichever the tool was asked for.
    pub name: Option<String>,
    pub local: bool,
    /// As printed: `A,V,NMW` = alive, voting, not master-wins; `NR` = not registered; `NA` = not alive.
    pub qdevice_flags: Option<String>,
}

/// The row of node id 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qdevice {
    pub votes: Option<u32>,
    /// The flags that the tool printed in the device's own row, else those in the row of the local node.
    pub flags: Option<String>,
}

/// A knet link (corosync 3) or a ring (corosync 2) as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    pub link: LinkNumber,
    /// This node's address on it.
    pub address: Option<String>,
    /// The tool's words for the whole link: `OK`, `ring 1 active with no faults`, `Marking ringid 0 … FAULTY`.
    pub status: Option<String>,
    /// `Some(true)` where the tool says FAULTY, `Some(false)` where it says that all is well.
    pub faulty: Option<bool>,
    pub peers: Vec<LinkPeer>,
}

/// One peer on one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPeer {
    pub node_id: u32,
    /// `None` for this node itself (`localhost`) and where the tool does not say.
    pub connected: Option<bool>,
    pub enabled: Option<bool>,
    pub address: Option<String>,
    pub mtu_bytes: Option<u32>,
    /// The row is this node itself.
    pub local: bool,
}
