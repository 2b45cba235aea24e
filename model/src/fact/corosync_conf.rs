//! What corosync.conf says: one file, and the two copies that a Proxmox VE node keeps of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::{LinkNumber, NodeName};

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

impl CorosyncConf {
    /// The names by which its nodes join a collector, in the order of the file.
    ///
    /// `None` if one has none: whoever is left out of the list could not join, or would be taken for removed.
    pub fn node_names(&self) -> Option<Vec<NodeName>> {
        self.nodes.iter().map(ConfNode::joins_as).collect()
    }
}

impl ConfNode {
    /// `name`, or where there is none the address of the first link, which can be a name.
    fn joins_as(&self) -> Option<NodeName> {
        let name = self.name.as_ref().or_else(|| self.addresses.get(&0))?;
        NodeName::new(name.as_str()).ok()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: Option<&str>, first_address: Option<&str>) -> ConfNode {
        let addresses = first_address.map(|address| (0, address.to_owned()));
        ConfNode {
            name: name.map(str::to_owned),
            addresses: addresses.into_iter().collect(),
            ..ConfNode::default()
        }
    }

    #[track_caller]
    fn check(nodes: Vec<ConfNode>, expect: Option<&[&str]>) {
        let conf = CorosyncConf {
            nodes,
            ..CorosyncConf::default()
        };
        let names = conf.node_names();
        let names = names.map(|names| names.iter().map(NodeName::to_string).collect::<Vec<_>>());
        let expect = expect.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(names, expect);
    }

    #[test]
    fn a_node_joins_by_its_name_or_else_by_the_first_address() {
        check(
            vec![
                node(Some("pve-02"), Some("192.0.2.2")),
                node(None, Some("pve-01")),
            ],
            Some(&["pve-02", "pve-01"]),
        );
        check(Vec::new(), Some(&[]));
    }

    #[test]
    fn with_a_node_that_has_no_name_no_list_is_known() {
        check(vec![node(Some("pve-01"), None), node(None, None)], None);
        check(vec![node(Some("two words"), Some("pve-01"))], None);
    }
}
