//! The cluster, or a part of it, has no quorum. Said once for each part that another one goes on without, and once for
//! all of them where none is quorate.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::corosync_node_left::REJOINS_MS;
use super::membership::{between, counted, name_of, names, nodelist};
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

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut partitions: Partitions<'_> = BTreeMap::new();
    let mut is_somewhere = false;
    for node in &nodes {
        let Some(quorate) = node.corosync().and_then(|corosync| corosync.quorate) else {
            continue;
        };
        is_somewhere |= quorate;
        if let Some(partition) = partition(node).filter(|_| !quorate) {
            partitions.entry(partition).or_default().push(node.name());
        }
    }
    if partitions.is_empty() {
        return Vec::new();
    }
    if is_somewhere {
        let part = |(partition, heard): (Partition, Vec<&NodeName>)| {
            let first = (*heard.first()?).clone();
            let sentence = format!(
                "{}; the other part of the cluster is quorate",
                has_none(&partition, &heard)
            );
            let found = lost(Thing::Node(first), sentence, &heard);
            let found = if partition.members.len() == 1 {
                found.settles_in(REJOINS_MS)
            } else {
                found
            };
            let links = taken(&nodes, [&partition]);
            Some(
                because_of(found, &links)
                    .takes(links)
                    .takes(silent(&nodes, &partition)),
            )
        };
        return partitions.into_iter().filter_map(part).collect();
    }
    let parts: Vec<String> = partitions
        .iter()
        .map(|(partition, heard)| has_none(partition, heard))
        .collect();
    let sentence = format!("{}; no node that is heard is quorate", parts.join("; "));
    let heard: Vec<&NodeName> = partitions.values().flatten().copied().collect();
    let links = taken(&nodes, partitions.keys());
    let found = because_of(lost(Thing::Cluster, sentence, &heard), &links);
    vec![found.takes(links).takes(outside(&nodes))]
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
    fn a_cluster_that_none_of_its_nodes_calls_quorate_has_lost_it_once() {
        let mut world = World::of(2);
        without_quorum(&mut world, &[1]);
        without_quorum(&mut world, &[2]);
        let expect = "critical the cluster: pve-01 has no quorum: 1 vote of the 2 that are needed; pve-02 has no \
                      quorum: 1 vote of the 2 that are needed; no node that is heard is quorate";
        assert_eq!(world.found(RULE), [expect]);
    }
}
