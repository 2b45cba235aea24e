//! The cluster as pmxcfs sees it: `/etc/pve/.members`.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::name::{NodeId, NodeName};

/// What pmxcfs on this node holds of the cluster. It is answered from memory, so it is as fresh as the reading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The node that answers.
    pub node_name: Option<NodeName>,
    /// Counts the changes of this list since pmxcfs started.
    pub version: Option<u64>,
    /// `None` on a node that is in no cluster, and before pmxcfs has heard of corosync.
    pub cluster: Option<MembersCluster>,
    /// In the order of their ids.
    pub nodes: Vec<MemberNode>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersCluster {
    pub name: Option<String>,
    /// The version of corosync.conf that pmxcfs holds.
    pub config_version: Option<i64>,
    /// How many nodes are configured, not how many are online.
    pub nodes: Option<u32>,
    pub quorate: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberNode {
    pub name: NodeName,
    pub id: Option<NodeId>,
    /// Member of the pmxcfs process group, as seen from here.
    pub online: Option<bool>,
    /// `None` where the name of the node does not resolve, or where it has never been online.
    pub ip: Option<IpAddr>,
}
