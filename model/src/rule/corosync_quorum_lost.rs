//! The cluster, or a part of it, has no quorum. Said once for each part that another one goes on without, and once for
//! all of them where none is quorate.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::corosync_node_left::REJOINS_MS;
use super::membership::{between, counted, listed, name_of, names, nodelist};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

/// What the nodes of one partition say alike.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Partition {
    members: Vec<u32>,
    votes: Option<u32>,
    needed: Option<u32>,
}

type Partitions<'a> = BTreeMap<Partition, Vec<&'a NodeName>>;

/// What is known of the nodes that are heard and do not say that they have no quorum.
enum Elsewhere<'a> {
    Quorate,
    /// Corosync does not answer there, and they have votes enough.
    Unknown(Vec<&'a NodeName>),
    Nobody,
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut partitions: Partitions<'_> = BTreeMap::new();
    for node in nodes.iter().filter(|node| quorate(node) == Some(false)) {
        if let Some(partition) = partition(node) {
            partitions.entry(partition).or_default().push(node.name());
        }
    }
    let rest = match elsewhere(&nodes, &partitions) {
        _ if partitions.is_empty() => return Vec::new(),
        Elsewhere::Nobody => return vec![of_all(&nodes, &partitions)],
        Elsewhere::Quorate => "the other part of the cluster is quorate".to_owned(),
        Elsewhere::Unknown(names) => format!(
            "whether another part of the cluster is quorate is not known: corosync does not answer on {}",
            listed(names)
        ),
    };
    let part = |(partition, heard): (Partition, Vec<&NodeName>)| {
        let first = (*heard.first()?).clone();
        let sentence = format!("{}; {rest}", has_none(&partition, &heard));
        // A corosync that is restarted is alone at first; and a part that has just fallen silent said last that it
        // is quorate.
        let found = lost(Thing::Node(first), sentence, &heard).settles_in(REJOINS_MS);
        let links = taken(&nodes, [&partition]);
        Some(
            because_of(found, &links)
                .takes(links)
                .takes(silent(&nodes, &partition)),
        )
    };
    partitions.into_iter().filter_map(part).collect()
}

fn of_all(nodes: &[FreshNode<'_>], partitions: &Partitions<'_>) -> Finding {
    let parts: Vec<String> = partitions
        .iter()
        .map(|(partition, heard)| has_none(partition, heard))
        .collect();
    let sentence = format!("{}; no node that is heard is quorate", parts.join("; "));
    let heard: Vec<&NodeName> = partitions.values().flatten().copied().collect();
    let links = taken(nodes, partitions.keys());
    let found = because_of(lost(Thing::Cluster, sentence, &heard), &links);
    found.takes(links).takes(outside(nodes))
}

fn elsewhere<'a>(nodes: &'a [FreshNode<'_>], partitions: &Partitions<'_>) -> Elsewhere<'a> {
    if nodes.iter().any(|node| quorate(node) == Some(true)) {
        return Elsewhere::Quorate;
    }
    let names = || nodes.iter().filter(|node| quorate(node).is_none());
    let votes: u64 = names().map(|node| votes_of(nodes, node.name())).sum();
    let needed = partitions.keys().filter_map(|partition| partition.needed);
    match needed.min() {
        Some(needed) if votes < needed.into() => Elsewhere::Nobody,
        _ if votes == 0 => Elsewhere::Nobody,
        _ => Elsewhere::Unknown(names().map(FreshNode::name).collect()),
    }
}

fn quorate(node: &FreshNode<'_>) -> Option<bool> {
    node.corosync()?.quorate
}

/// As the nodelist gives them; without it, the one that every node has unless it is told otherwise.
fn votes_of(nodes: &[FreshNode<'_>], name: &NodeName) -> u64 {
    let entry = nodelist(nodes).and_then(|(_, conf)| {
        let mut entries = conf.nodes.iter();
        entries.find(|entry| entry.name.as_deref() == Some(name.as_str()))
    });
    entry
        .and_then(|entry| entry.votes)
        .unwrap_or(1)
        .into()
}

/// What takes all links between the parts takes the quorum.
fn because_of(found: Finding, links: &BTreeSet<Thing>) -> Finding {
    if links.is_empty() {
        found
    } else {
        found.is_loss_of(links.iter().cloned())
    }
}

fn partition(node: &FreshNode<'_>) -> Option<Partition> {
    let corosync = node.corosync()?;
    let members = corosync.members.iter().flatten();
    Some(Partition {
        members: members.map(|member| member.node_id).collect(),
        votes: corosync.total_votes,
        needed: corosync.quorum,
    })
}

/// The links between these parts and all others.
fn taken<'a>(
    nodes: &[FreshNode<'_>],
    partitions: impl IntoIterator<Item = &'a Partition>,
) -> BTreeSet<Thing> {
    let Some((_, conf)) = nodelist(nodes) else {
        return BTreeSet::new();
    };
    let inside = |partition: &Partition| -> BTreeSet<NodeName> {
        partition
            .members
            .iter()
            .filter_map(|id| name_of(conf, *id))
            .collect()
    };
    partitions
        .into_iter()
        .flat_map(|partition| between(conf, &inside(partition)))
        .collect()
}

/// The members of a part that are not heard: the loss of the quorum is theirs too.
fn silent(nodes: &[FreshNode<'_>], partition: &Partition) -> Vec<Thing> {
    let Some((_, conf)) = nodelist(nodes) else {
        return Vec::new();
    };
    let members = partition.members.iter().filter_map(|id| name_of(conf, *id));
    members
        .filter(|name| !is_heard(nodes, name))
        .map(Thing::Node)
        .collect()
}

/// The nodes that are not heard: that they are not there is why the others have no quorum.
fn outside(nodes: &[FreshNode<'_>]) -> Vec<Thing> {
    let Some((_, conf)) = nodelist(nodes) else {
        return Vec::new();
    };
    let all = names(conf).map(|(_, name)| name);
    all.filter(|name| !is_heard(nodes, name))
        .map(Thing::Node)
        .collect()
}

fn is_heard(nodes: &[FreshNode<'_>], name: &NodeName) -> bool {
    nodes.iter().any(|node| node.name() == name)
}

fn has_none(partition: &Partition, nodes: &[&NodeName]) -> String {
    let names: Vec<&str> = nodes.iter().map(|name| name.as_str()).collect();
    let votes = match (partition.votes, partition.needed) {
        (Some(votes), Some(needed)) => {
            format!("{} of the {needed} that are needed", counted(votes, "vote"))
        }
        _ => "too few votes, as corosync says".to_owned(),
    };
    let whose = if nodes.len() == 1 { "has" } else { "have" };
    format!("{} {whose} no quorum: {votes}", names.join(", "))
}

fn lost(subject: Thing, sentence: String, nodes: &[&NodeName]) -> Finding {
    let found = Finding::new(Severity::Critical, subject, sentence).remedy(
        "Bring back nodes or the network between them: `corosync-cfgtool -s` on each shows which links are down. \
         `pvecm expected` lowers the votes that are needed and is the last resort: it can make two halves that both \
         write.",
    );
    let words = |found: Finding, node: &&NodeName| {
        found.seen_in(node, Family::Corosync, "Quorate: No".to_owned())
    };
    nodes.iter().fold(found, words)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-quorum-lost";

    fn without_quorum(world: &mut World, nodes: &[u32]) {
        for id in nodes {
            world.edit(&format!("pve-{id:02}"), |report| {
                let corosync = value(&mut report.corosync);
                corosync.quorate = Some(false);
                corosync.total_votes = Some(u32::try_from(nodes.len()).unwrap());
                let members = corosync.members.as_mut().unwrap();
                members.retain(|member| nodes.contains(&member.node_id));
            });
        }
    }

    #[test]
    fn the_part_without_quorum_is_named_once() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        without_quorum(&mut world, &[7, 8]);
        let expect = "critical pve-07: pve-07, pve-08 have no quorum: 2 votes of the 5 that are needed; the other part \
                      of the cluster is quorate";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn of_nodes_whose_corosync_does_not_answer_nothing_is_claimed() {
        let mut world = World::of(4);
        without_quorum(&mut world, &[3]);
        for node in ["pve-01", "pve-02", "pve-04"] {
            world.edit(node, |report| value(&mut report.corosync).quorate = None);
        }
        let expect = "critical pve-03: pve-03 has no quorum: 1 vote of the 3 that are needed; whether another part of the \
                      cluster is quorate is not known: corosync does not answer on pve-01, pve-02, pve-04";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_cluster_that_none_of_its_nodes_calls_quorate_has_lost_it_once() {
        let mut world = World::of(2);
        without_quorum(&mut world, &[1]);
        without_quorum(&mut world, &[2]);
        let expect = "critical the cluster: pve-01 has no quorum: 1 vote of the 2 that are needed; pve-02 has no \
                      quorum: 1 vote of the 2 that are needed; no node that is heard is quorate";
        assert_eq!(world.found(RULE), [expect]);
    }
}
