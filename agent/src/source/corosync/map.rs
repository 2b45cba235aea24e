//! What corosync's map says of the cluster (man cmap_keys(8)): `totem.*` and `nodelist.*` as configured,
//! `runtime.*` and `stats.knet.*` as it runs.

use std::collections::{BTreeMap, HashMap};

use model::fact::cmap::Cmap;
use model::fact::corosync::{Corosync, LinkPeer, LinkStatus, Member};
use model::name::LinkNumber;

/// How many addresses of one node are kept; corosync has eight links (INTERFACE_MAX).
const MAX_RINGS: usize = 16;

/// A node of the nodelist.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) id: u32,
    name: Option<String>,
    addresses: BTreeMap<LinkNumber, String>,
}

impl Node {
    pub(crate) fn links(&self) -> impl Iterator<Item = LinkNumber> {
        self.addresses.keys().copied()
    }
}

/// `node_id` is what other tools said of this node's own id; the map's own word comes first.
pub(crate) fn corosync(map: &Cmap, node_id: Option<u32>) -> Corosync {
    let text = |key| map.text(key).map(str::to_owned);
    let nodes = nodelist(map);
    let own_id = id(map, "runtime.votequorum.this_node_id")
        .or_else(|| {
            let place = map.count("nodelist.local_node_pos")?;
            id(map, &format!("nodelist.node.{place}.nodeid"))
        })
        .or(node_id);
    let (members, not_members) = members(map, &nodes, own_id);
    Corosync {
        cluster_name: text("totem.cluster_name"),
        config_version: map.count("totem.config_version"),
        node_id: own_id,
        quorum_provider: text("quorum.provider"),
        transport: text("totem.transport"),
        secure_auth: text("totem.secauth"),
        members,
        not_members,
        links: links(map, &nodes, own_id),
        ..Corosync::default()
    }
}

fn id(map: &Cmap, key: &str) -> Option<u32> {
    u32::try_from(map.count(key)?).ok().filter(|id| *id != 0)
}

/// The nodes that have an id: `nodelist.node.0.{nodeid,name,ring0_addr}`.
pub(crate) fn nodelist(map: &Cmap) -> Vec<Node> {
    let mut nodes = BTreeMap::<u32, Node>::new();
    for (key, value) in map.below("nodelist.node.") {
        let Some((place, field)) = key.split_once('.') else {
            continue;
        };
        let Ok(place) = place.parse() else { continue };
        let text = map.text(&format!("nodelist.node.{key}"));
        let node = nodes.entry(place).or_default();
        match (field, text) {
            ("nodeid", _) => {
                let id = value.as_count().and_then(|id| u32::try_from(id).ok());
                node.id = id.unwrap_or_default();
            }
            ("name", Some(name)) => node.name = Some(name.to_owned()),
            (_, Some(address)) => {
                if let Some(link) = ring_number(field) {
                    node.addresses.insert(link, address.to_owned());
                }
            }
            (_, None) => {}
        }
    }
    nodes.into_values().filter(|node| node.id != 0).collect()
}

/// `ring0_addr` is link 0.
fn ring_number(field: &str) -> Option<LinkNumber> {
    let number = field.strip_prefix("ring")?.strip_suffix("_addr")?;
    number.parse().ok()
}

/// Totem's members: those that are there, and those that were once. Their votes are votequorum's, not in the map.
fn members(
    map: &Cmap,
    nodes: &[Node],
    own_id: Option<u32>,
) -> (Option<Vec<Member>>, Option<Vec<Member>>) {
    let mut members = BTreeMap::<u32, Member>::new();
    // The longer prefix is that of corosync 2.
    for prefix in ["runtime.members.", "runtime.totem.pg.mrp.srp.members."] {
        for (key, value) in map.below(prefix) {
            let Some((node_id, field)) = key.split_once('.') else {
                continue;
            };
            let Ok(node_id) = node_id.parse() else {
                continue;
            };
            let text = map.text(&format!("{prefix}{key}"));
            let member = members.entry(node_id).or_default();
            match field {
                "status" => member.state = text.map(str::to_owned),
                "ip" => member.addresses = text.and_then(ring_addresses),
                "config_version" => member.config_version = value.as_count(),
                _ => {}
            }
        }
    }
    let mut names: HashMap<u32, String> = nodes
        .iter()
        .filter_map(|node| Some((node.id, node.name.clone()?)))
        .collect();
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    for (node_id, mut member) in members {
        member.node_id = node_id;
        member.local = own_id.map(|own| own == node_id);
        member.name = names.remove(&node_id);
        match member.state.as_deref() {
            Some("joined") => there.push(member),
            Some(_) => gone.push(member),
            None => {}
        }
    }
    let or_silent = |rows: Vec<Member>| (!rows.is_empty()).then_some(rows);
    (or_silent(there), or_silent(gone))
}

/// `r(0) ip(10.20.0.11) r(1) ip(10.21.0.11) `
fn ring_addresses(text: &str) -> Option<Vec<String>> {
    let addresses: Vec<String> = text
        .split("ip(")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(address, _)| address.to_owned())
        .take(MAX_RINGS)
        .collect();
    (!addresses.is_empty()).then_some(addresses)
}

fn links(map: &Cmap, nodes: &[Node], own_id: Option<u32>) -> Option<Vec<LinkStatus>> {
    let mut links = BTreeMap::<LinkNumber, (Option<String>, BTreeMap<u32, LinkPeer>)>::new();
    let new_peer = |node_id: u32| LinkPeer {
        node_id,
        local: own_id.map(|own| own == node_id),
        ..LinkPeer::default()
    };
    for node in nodes {
        for (&link, address) in &node.addresses {
            let (own_address, peers) = links.entry(link).or_default();
            if own_id == Some(node.id) {
                *own_address = Some(address.clone());
            }
            let peer = peers.entry(node.id).or_insert_with(|| new_peer(node.id));
            peer.address = Some(address.clone());
        }
    }
    for (key, value) in map.below("stats.knet.node") {
        let Some((node_id, link, field)) = knet_key(key) else {
            continue;
        };
        // Of itself a node has a loopback on link 0, which says nothing of the network.
        if own_id == Some(node_id) {
            continue;
        }
        let (_, peers) = links.entry(link).or_default();
        let peer = peers.entry(node_id).or_insert_with(|| new_peer(node_id));
        match field {
            "connected" => peer.connected = value.as_count().map(|bit| bit != 0),
            "enabled" => peer.enabled = value.as_count().map(|bit| bit != 0),
            "mtu" => peer.mtu_bytes = value.as_count().and_then(|mtu| u32::try_from(mtu).ok()),
            _ => {}
        }
    }
    let links: Vec<LinkStatus> = links
        .into_iter()
        .map(|(link, (address, peers))| LinkStatus {
            link,
            address,
            peers: Some(peers.into_values().collect()),
            ..LinkStatus::default()
        })
        .collect();
    (!links.is_empty()).then_some(links)
}

/// `2.link1.connected`
fn knet_key(key: &str) -> Option<(u32, LinkNumber, &str)> {
    let (node_id, rest) = key.split_once(".link")?;
    let (link, field) = rest.split_once('.')?;
    Some((node_id.parse().ok()?, link.parse().ok()?, field))
}
