//! What corosync.conf says: one file, and the two copies that a Proxmox VE node keeps of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::LinkNumber;

/// The two copies on a Proxmox VE node: pmxcfs writes the second from the first when the cluster is quorate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorosyncConfFiles {
    /// `/etc/pve/corosync.conf`
    pub cluster: Option<CorosyncConf>,
    /// `/etc/corosync/corosync.conf`, the one that corosync reads.
    pub local: Option<CorosyncConf>,
}

/// One corosync.conf. `None` is "not in the file", so that corosync's default holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorosyncConf {
    pub totem: Totem,
    pub nodes: Vec<ConfNode>,
    pub quorum: QuorumSection,
    /// Every other setting of the file by its dotted path: `logging.to_syslog` -> `yes`. A path that stands in
    /// several sections (`logging.logger_subsys.debug`) holds every value in the order of the file.
    pub other: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totem {
    pub version: Option<u32>,
    pub cluster_name: Option<String>,
    pub config_version: Option<u64>,
    pub transport: Option<String>,
    pub ip_version: Option<String>,
    pub link_mode: Option<String>,
    pub secauth: Option<String>,
    pub token_ms: Option<u32>,
    pub token_coefficient_ms: Option<u32>,
    pub consensus_ms: Option<u32>,
    pub interfaces: Vec<TotemInterface>,
}

/// An `interface { }` of the totem section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotemInterface {
    /// `linknumber`, or `ringnumber` before corosync 3.
    pub link: Option<LinkNumber>,
    pub bind_address: Option<String>,
    pub priority: Option<u32>,
    pub knet_transport: Option<String>,
    pub other: BTreeMap<String, String>,
}

/// A `node { }` of the nodelist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfNode {
    pub name: Option<String>,
    pub node_id: Option<u32>,
    /// 1 where the file is silent.
    pub votes: Option<u32>,
    /// `ring0_addr` to `ring7_addr`.
    pub addresses: BTreeMap<LinkNumber, String>,
}

/// The `quorum { }` section, with its `device { }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumSection {
    pub provider: Option<String>,
    pub expected_votes: Option<u32>,
    /// Votes of this node where there is no nodelist.
    pub votes: Option<u32>,
    pub two_node: Option<bool>,
    pub wait_for_all: Option<bool>,
    pub last_man_standing: Option<bool>,
    pub last_man_standing_window_ms: Option<u32>,
    pub auto_tie_breaker: Option<bool>,
    /// `lowest`, `highest`, or a list of node ids.
    pub auto_tie_breaker_node: Option<String>,
    pub allow_downscale: Option<bool>,
    pub expected_votes_tracking: Option<bool>,
    pub device: Option<Device>,
}

/// `quorum { device { } }`: the qdevice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub model: Option<String>,
    pub votes: Option<u32>,
    pub timeout_ms: Option<u32>,
    pub sync_timeout_ms: Option<u32>,
    /// `net { host }`: where the qnetd runs.
    pub host: Option<String>,
    /// `net { algorithm }`: `ffsplit`, `lms`, `test`.
    pub algorithm: Option<String>,
    /// `net { tie_breaker }`: `lowest`, `highest`, or a node id.
    pub tie_breaker: Option<String>,
    pub other: BTreeMap<String, String>,
}
