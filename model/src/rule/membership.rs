//! What several rules ask of corosync's nodelist, of the members and of the links that each node names.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::FreshNode;
use crate::fact::corosync_conf::CorosyncConf;
use crate::finding::Thing;
use crate::name::{LinkNumber, NodeName};
use crate::report::Facts as _;

/// The nodelist that corosync reads on a node that is heard: the newest version of it.
pub(crate) fn nodelist<'a>(nodes: &'a [FreshNode<'_>]) -> Option<(&'a NodeName, &'a CorosyncConf)> {
    let copies = nodes.iter().filter_map(|node| {
        let conf = node.corosync_conf()?.local.as_ref()?;
        (!conf.nodes.is_empty()).then_some((node.name(), conf))
    });
    copies.max_by_key(|(_, conf)| conf.totem.config_version)
}

pub(crate) fn id_of(conf: &CorosyncConf, name: &NodeName) -> Option<u32> {
    let entry = conf
        .nodes
        .iter()
        .find(|entry| entry.name.as_deref() == Some(name.as_str()))?;
    entry.node_id
}

pub(crate) fn name_of(conf: &CorosyncConf, id: u32) -> Option<NodeName> {
    let entry = conf.nodes.iter().find(|entry| entry.node_id == Some(id))?;
    NodeName::new(entry.name.clone()?).ok()
}

/// The names of the nodelist, in its order.
pub(crate) fn names(conf: &CorosyncConf) -> impl Iterator<Item = (u32, NodeName)> {
    conf.nodes
        .iter()
        .filter_map(|entry| Some((entry.node_id?, NodeName::new(entry.name.clone()?).ok()?)))
}

/// Whether `node` says that this id is a member with it.
pub(crate) fn has_member(node: &FreshNode<'_>, id: u32) -> Option<bool> {
    let members = node.corosync()?.members.as_ref()?;
    Some(members.iter().any(|member| member.node_id == id))
}

/// Of all these nodes that are quorate, whether they have this one among their members; `None` if they do not agree, or
/// nobody says.
pub(crate) fn all_have(nodes: &[FreshNode<'_>], id: u32) -> Option<bool> {
    let quorate = nodes.iter().filter(|node| is_quorate(node));
    let told: Vec<bool> = quorate.filter_map(|node| has_member(node, id)).collect();
    let first = *told.first()?;
    told.iter().all(|has| *has == first).then_some(first)
}

pub(crate) fn is_quorate(node: &FreshNode<'_>) -> bool {
    node.corosync().and_then(|corosync| corosync.quorate) == Some(true)
}

/// `pve-01, pve-02`
pub(super) fn listed<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = things.into_iter().map(|thing| thing.to_string()).collect();
    words.join(", ")
}

/// `1 vote`, `2 votes`
pub(super) fn counted(count: impl Into<u64>, what: &str) -> String {
    match count.into() {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// One link of corosync between two nodes, whoever of them speaks of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) link: LinkNumber,
    /// The first by name.
    pub(super) one: NodeName,
    pub(super) other: NodeName,
}

impl Pair {
    pub(super) fn new(link: LinkNumber, one: NodeName, other: NodeName) -> Self {
        if one < other {
            Self { link, one, other }
        } else {
            Self {
                link,
                one: other,
                other: one,
            }
        }
    }

    pub(super) fn thing(&self) -> Thing {
        Thing::Knet {
            from: self.one.clone(),
            to: self.other.clone(),
            link: self.link,
        }
    }

    fn back(&self) -> Thing {
        Thing::Knet {
            from: self.other.clone(),
            to: self.one.clone(),
            link: self.link,
        }
    }

    fn has(&self, node: &NodeName) -> bool {
        self.one == *node || self.other == *node
    }

    fn without(&self, node: &NodeName) -> NodeName {
        if self.one == *node {
            self.other.clone()
        } else {
            self.one.clone()
        }
    }
}

/// Both directions of every link between a node of `inside` and another of the nodelist.
pub(super) fn between(conf: &CorosyncConf, inside: &BTreeSet<NodeName>) -> BTreeSet<Thing> {
    let links: BTreeSet<LinkNumber> = conf
        .nodes
        .iter()
        .flat_map(|entry| entry.addresses.keys().copied())
        .collect();
    let (here, there): (Vec<NodeName>, Vec<NodeName>) = names(conf)
        .map(|(_, name)| name)
        .partition(|name| inside.contains(name));
    let mut things = BTreeSet::new();
    for link in links {
        for one in &here {
            for other in &there {
                let pair = Pair::new(link, one.clone(), other.clone());
                things.extend([pair.thing(), pair.back()]);
            }
        }
    }
    things
}

/// Every link between two nodes that one of them tells of, and whether it is down: no side has it connected.
pub(super) fn pairs(nodes: &[FreshNode<'_>]) -> BTreeMap<Pair, bool> {
    let mut pairs = BTreeMap::new();
    let Some((_, conf)) = nodelist(nodes) else {
        return pairs;
    };
    for node in nodes {
        let Some(corosync) = node.corosync() else {
            continue;
        };
        for link in corosync.links.iter().flatten() {
            for peer in link.peers.iter().flatten() {
                let (Some(connected), Some(name)) = (peer.connected, name_of(conf, peer.node_id))
                else {
                    continue;
                };
                if name != *node.name() {
                    let pair = Pair::new(link.link, node.name().clone(), name);
                    *pairs.entry(pair).or_insert(true) &= !connected;
                }
            }
        }
    }
    pairs
}

/// Whether anybody tells of a link that is down: where nobody does, there is nothing to put together.
pub(super) fn is_any_down(nodes: &[FreshNode<'_>]) -> bool {
    let links = nodes
        .iter()
        .filter_map(|node| node.corosync()?.links.as_ref());
    let mut peers = links.flatten().flat_map(|link| link.peers.iter().flatten());
    peers.any(|peer| peer.connected == Some(false))
}

/// How long the membership takes at most to follow what was lost: token and consensus, as corosync runs with them.
pub(super) fn reforming_ms(nodes: &[FreshNode<'_>]) -> u64 {
    let times = nodes.iter().filter_map(|node| {
        let count = |key| node.cmap()?.count(key);
        Some(
            count("runtime.config.totem.token")?
                .saturating_add(count("runtime.config.totem.consensus")?),
        )
    });
    times.max().unwrap_or(0)
}

/// What links between two nodes that share a fault have in common.
#[derive(Debug)]
pub(super) enum Group {
    /// All pairs of the network, of at least three nodes.
    Network(LinkNumber),
    /// All links of one node to its peers, on these networks.
    Node(NodeName, BTreeMap<LinkNumber, BTreeSet<NodeName>>),
    /// Many pairs of the network, without one node that is in all of them.
    Part(LinkNumber, Vec<Pair>),
    Pair(Pair),
}

/// So many pairs of one network are told in one sentence.
const MANY: usize = 4;

pub(super) fn groups(bad: &BTreeSet<Pair>, known: &BTreeSet<Pair>) -> Vec<Group> {
    let links: BTreeSet<LinkNumber> = bad.iter().map(|pair| pair.link).collect();
    let mut groups = Vec::new();
    let mut of_nodes: BTreeMap<NodeName, BTreeMap<LinkNumber, BTreeSet<NodeName>>> =
        BTreeMap::new();
    for link in links {
        let on = |pairs: &BTreeSet<Pair>| -> BTreeSet<Pair> {
            pairs
                .iter()
                .filter(|pair| pair.link == link)
                .cloned()
                .collect()
        };
        let (known, mut rest) = (on(known), on(bad));
        // What one node alone tells of is the node's, as far as anybody knows.
        let has_centre = known.first().is_some_and(|first| {
            let is_in_all = |node: &NodeName| known.iter().all(|pair| pair.has(node));
            is_in_all(&first.one) || is_in_all(&first.other)
        });
        if known.len() >= 3 && !has_centre && rest == known {
            groups.push(Group::Network(link));
            continue;
        }
        let nodes: BTreeSet<NodeName> = rest
            .iter()
            .flat_map(|pair| [pair.one.clone(), pair.other.clone()])
            .collect();
        for node in nodes {
            let of = |pairs: &BTreeSet<Pair>| pairs.iter().filter(|pair| pair.has(&node)).count();
            // Only by all that is known of the node: a pair counts for the node that has nothing else.
            let all_bad = known
                .iter()
                .filter(|pair| pair.has(&node))
                .all(|pair| bad.contains(pair));
            if all_bad && of(&rest) >= 2 {
                let peers = rest
                    .iter()
                    .filter(|pair| pair.has(&node))
                    .map(|pair| pair.without(&node));
                of_nodes
                    .entry(node.clone())
                    .or_default()
                    .insert(link, peers.collect());
                rest.retain(|pair| !pair.has(&node));
            }
        }
        if rest.len() >= MANY {
            groups.push(Group::Part(link, rest.into_iter().collect()));
        } else {
            groups.extend(rest.into_iter().map(Group::Pair));
        }
    }
    groups.extend(
        of_nodes
            .into_iter()
            .map(|(node, links)| Group::Node(node, links)),
    );
    groups
}

/// Both directions of the links of one node.
pub(super) fn things_of(
    node: &NodeName,
    links: &BTreeMap<LinkNumber, BTreeSet<NodeName>>,
) -> BTreeSet<Thing> {
    let of_link = |(link, peers): (&LinkNumber, &BTreeSet<NodeName>)| -> Vec<Thing> {
        let pair = |peer: &NodeName| Pair::new(*link, node.clone(), peer.clone()).thing();
        peers.iter().map(pair).collect()
    };
    links.iter().flat_map(of_link).collect()
}
