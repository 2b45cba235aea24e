//! The links to the peers: which there are, and whether something about them changed.

use std::collections::{BTreeMap, BTreeSet};

use model::fact::cmap::{Cmap, CmapValue};
use rust_corosync::cfg::NodeStatus;

use super::keys::PeerLink;
use crate::source::corosync::map;

/// Every link to every peer of the nodelist, in order.
pub(super) fn to_peers(keys: &BTreeMap<String, CmapValue>, own_id: u32) -> Vec<PeerLink> {
    let nodes = map::nodelist(&Cmap { keys: keys.clone() });
    let links: BTreeSet<PeerLink> = nodes
        .iter()
        .filter(|node| node.id != own_id)
        .flat_map(|node| node.links().map(|link| (node.id, link)))
        .collect();
    links.into_iter().collect()
}

/// How the links to one peer were at one look: good for a comparison only. Which entry stands for which link is not
/// asked; how each link is, is read from the map when one of them changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    reachable: bool,
    links: Vec<(bool, bool, u32)>,
}

impl Seen {
    pub(super) fn of(status: &NodeStatus) -> Self {
        let links = status.link_status.iter();
        Self {
            reachable: status.reachable,
            links: links
                .map(|link| (link.enabled, link.connected, link.mtu))
                .collect(),
        }
    }
}
