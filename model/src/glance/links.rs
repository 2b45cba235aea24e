//! Who has whom connected, over each corosync link: `from` says it of `to`, and both directions are kept apart.
//!
//! knet calls a link connected as long as the other side answers its pings, so both sides mostly say the same; where
//! they do not, one way of the network is gone, or one of them is about to notice.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cluster::{Cluster, FreshNode, Now};
use crate::fact::corosync_conf::CorosyncConf;
use crate::fleet::Hearing;
use crate::name::{LinkNumber, NodeName};
use crate::report::Facts as _;

/// What one node says of its link to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    Connected,
    Disconnected,
    /// It is not heard, it is too long ago, or it does not say.
    Unknown,
    /// One of the two has no address on this link.
    NotConfigured,
}

/// Every node against every other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkMatrix {
    /// All that are enrolled or in the nodelist, by name.
    pub nodes: Vec<NodeName>,
    pub links: Vec<LinkWays>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkWays {
    pub link: LinkNumber,
    /// A row for each node, in it what that node says of each other. Nodes have no way to themselves.
    pub rows: Vec<Vec<Option<Way>>>,
}

impl LinkMatrix {
    pub fn of(cluster: &Cluster, now: Now) -> Self {
        let fresh: Vec<FreshNode<'_>> = cluster.fresh(now).collect();
        let known = Known::of(cluster, &fresh);
        let link = |link: &LinkNumber| LinkWays {
            link: *link,
            rows: known
                .nodes
                .iter()
                .map(|from| known.row(*link, from))
                .collect(),
        };
        Self {
            nodes: known.nodes.iter().cloned().collect(),
            links: known.links.iter().map(link).collect(),
        }
    }
}

impl LinkWays {
    /// `None`: there is no such node, or it is the same one.
    pub fn way(&self, from: usize, to: usize) -> Option<Way> {
        *self.rows.get(from)?.get(to)?
    }
}

/// All that is needed to fill the matrix.
struct Known<'a> {
    nodes: BTreeSet<NodeName>,
    links: BTreeSet<LinkNumber>,
    /// Who has an address on which links, where the nodelist says so.
    configured: BTreeMap<NodeName, BTreeSet<LinkNumber>>,
    said: BTreeMap<(LinkNumber, &'a NodeName, NodeName), bool>,
}

impl<'a> Known<'a> {
    fn of(cluster: &Cluster, fresh: &[FreshNode<'a>]) -> Self {
        let enrolled = cluster.nodes.values();
        let enrolled = enrolled.filter(|node| node.seen.hearing != Hearing::Revoked);
        let mut known = Self {
            nodes: enrolled.map(|node| node.name.clone()).collect(),
            links: BTreeSet::new(),
            configured: BTreeMap::new(),
            said: BTreeMap::new(),
        };
        let mut names = BTreeMap::new();
        if let Some(conf) = nodelist(fresh) {
            for entry in &conf.nodes {
                let name = entry.name.as_deref().map(NodeName::new);
                let (Some(Ok(name)), Some(id)) = (name, entry.node_id) else {
                    continue;
                };
                let links: BTreeSet<LinkNumber> = entry.addresses.keys().copied().collect();
                known.links.extend(&links);
                known.configured.insert(name.clone(), links);
                known.nodes.insert(name.clone());
                names.insert(id, name);
            }
        }
        for node in fresh {
            if let Some(id) = node.corosync().and_then(|corosync| corosync.node_id) {
                names.insert(id, node.name().clone());
            }
        }
        for node in fresh {
            known.hear(node, &names);
        }
        known
    }

    fn hear(&mut self, node: &FreshNode<'a>, names: &BTreeMap<u32, NodeName>) {
        let links = node.corosync().and_then(|corosync| corosync.links.as_ref());
        for link in links.into_iter().flatten() {
            self.links.insert(link.link);
            for peer in link.peers.iter().flatten() {
                if let (Some(connected), Some(to)) = (peer.connected, names.get(&peer.node_id)) {
                    let key = (link.link, node.name(), to.clone());
                    self.said.insert(key, connected);
                }
            }
        }
    }

    fn row(&self, link: LinkNumber, from: &NodeName) -> Vec<Option<Way>> {
        let to = |to: &NodeName| (to != from).then(|| self.way(link, from, to));
        self.nodes.iter().map(to).collect()
    }

    fn way(&self, link: LinkNumber, from: &NodeName, to: &NodeName) -> Way {
        let has_none = |node: &NodeName| {
            let links = self.configured.get(node);
            links.is_some_and(|links| !links.contains(&link))
        };
        match self.said.get(&(link, from, to.clone())) {
            Some(true) => Way::Connected,
            Some(false) => Way::Disconnected,
            None if has_none(from) || has_none(to) => Way::NotConfigured,
            None => Way::Unknown,
        }
    }
}

/// The newest version that a node which is heard has.
fn nodelist<'a>(fresh: &'a [FreshNode<'_>]) -> Option<&'a CorosyncConf> {
    let copies = fresh
        .iter()
        .filter_map(|node| node.corosync_conf()?.local.as_ref());
    copies
        .filter(|conf| !conf.nodes.is_empty())
        .max_by_key(|conf| conf.totem.config_version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, value};

    /// One letter a way: `+` connected, `-` not, `?` unknown, ` ` not configured, `.` itself.
    #[track_caller]
    fn check(world: &World, link: LinkNumber, expect: &[&str]) {
        let matrix = LinkMatrix::of(&world.cluster, world.now);
        let ways = matrix.links.iter().find(|ways| ways.link == link).unwrap();
        let letter = |way: &Option<Way>| match way {
            None => '.',
            Some(Way::Connected) => '+',
            Some(Way::Disconnected) => '-',
            Some(Way::Unknown) => '?',
            Some(Way::NotConfigured) => ' ',
        };
        let rows: Vec<String> = ways
            .rows
            .iter()
            .map(|row| row.iter().map(letter).collect())
            .collect();
        assert_eq!(rows, expect);
    }

    fn peer(world: &mut World, from: &str, to: u32, connected: Option<bool>) {
        world.edit(from, |report| {
            let links = value(&mut report.corosync).links.as_mut().unwrap();
            let peers = links[1].peers.as_mut().unwrap();
            let peer = peers.iter_mut().find(|peer| peer.node_id == to).unwrap();
            peer.connected = connected;
        });
    }

    #[test]
    fn a_one_way_link_is_seen_in_one_direction_alone() {
        let mut world = World::of(3);
        peer(&mut world, "pve-03", 1, Some(false));
        check(&world, 0, &[".++", "+.+", "++."]);
        check(&world, 1, &[".++", "+.+", "-+."]);
    }

    #[test]
    fn what_is_not_said_and_what_a_silent_node_said_is_unknown() {
        let mut world = World::of(3);
        peer(&mut world, "pve-01", 2, None);
        world.hearing("pve-03", Hearing::Silent);
        check(&world, 1, &[".?+", "+.+", "??."]);
    }

    #[test]
    fn an_old_reading_is_unknown() {
        let mut world = World::of(2);
        world.now.mono_ms += crate::cluster::limit_ms(crate::report::Family::Corosync) + 1;
        // The agents speak all the same.
        for node in world.cluster.nodes.values_mut() {
            node.seen.heard_at_ms = Some(world.now.mono_ms);
        }
        check(&world, 0, &[".?", "?."]);
    }

    #[test]
    fn a_node_of_the_nodelist_that_never_joined_the_collector_has_an_unknown_row() {
        let mut world = World::of(3);
        world.cluster.forget(&NodeName::new("pve-02").unwrap());
        check(&world, 0, &[".++", "?.?", "++."]);
    }

    #[test]
    fn a_link_that_a_node_has_no_address_on_is_not_down() {
        let mut world = World::of(3);
        world.edit_all(|name, report| {
            let conf = value(&mut report.corosync_conf).local.as_mut().unwrap();
            conf.nodes[1].addresses.remove(&1);
            let links = value(&mut report.corosync).links.as_mut().unwrap();
            if name.as_str() == "pve-02" {
                links.remove(1);
            } else {
                let peers = links[1].peers.as_mut().unwrap();
                peers.retain(|peer| peer.node_id != 2);
            }
        });
        check(&world, 1, &[". +", " . ", "+ ."]);
    }
}
