//! The cluster, or a part of it, has no quorum. Said once for each partition: by the members that its nodes name.

use std::collections::BTreeMap;

use super::Scene;
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

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let mut partitions: BTreeMap<Partition, Vec<&NodeName>> = BTreeMap::new();
    let mut is_somewhere = false;
    for node in scene.nodes() {
        let Some(quorate) = node.corosync().and_then(|corosync| corosync.quorate) else {
            continue;
        };
        is_somewhere |= quorate;
        if let Some(partition) = partition(&node).filter(|_| !quorate) {
            partitions.entry(partition).or_default().push(node.name());
        }
    }
    let lost = |(partition, nodes): (Partition, Vec<&NodeName>)| lost(&partition, &nodes, is_somewhere);
    partitions.into_iter().filter_map(lost).collect()
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

fn lost(partition: &Partition, nodes: &[&NodeName], is_somewhere: bool) -> Option<Finding> {
    let first = *nodes.first()?;
    let names: Vec<&str> = nodes.iter().map(|name| name.as_str()).collect();
    let votes = match (partition.votes, partition.needed) {
        (Some(votes), Some(needed)) => format!("{votes} votes of the {needed} that are needed"),
        _ => "too few votes, as corosync says".to_owned(),
    };
    let whose = if nodes.len() == 1 { "has" } else { "have" };
    let where_else = if is_somewhere {
        "; the other part of the cluster is quorate"
    } else {
        "; no node that is heard is quorate"
    };
    let sentence = format!("{} {whose} no quorum: {votes}{where_else}", names.join(", "));
    // One partition is one subject; the whole cluster is another one than a part of it.
    let subject = if is_somewhere {
        Thing::Node(first.clone())
    } else {
        Thing::Cluster
    };
    let found = Finding::new(Severity::Critical, subject, sentence).remedy(
        "Bring back nodes or the network between them: `corosync-cfgtool -s` on each shows which links are down. \
         `pvecm expected` lowers the votes that are needed and is the last resort: it can make two halves that both \
         write.",
    );
    let words = |found: Finding, node: &&NodeName| {
        found.seen_in(node, Family::Corosync, "Quorate: No".to_owned())
    };
    Some(nodes.iter().fold(found, words))
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
    fn a_cluster_that_none_of_its_nodes_calls_quorate_has_lost_it() {
        let mut world = World::of(2);
        without_quorum(&mut world, &[1]);
        without_quorum(&mut world, &[2]);
        let found = world.found(RULE);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("critical the cluster: pve-01 has no quorum: 1 votes of the 2"));
    }
}
