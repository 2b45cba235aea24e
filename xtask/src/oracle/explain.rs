//! Does the model lead to what corosync answered?
//!
//! The nodes of a forming membership hear each other in an order that nobody knows beforehand, and once in a while
//! it decides. So the likeliest order is tried first, for the whole story; only where it does not lead to the
//! answers, every order is. Answers that no order leads to are a disagreement.

use std::collections::BTreeMap;

use model::name::NodeId;
use model::quorum::cluster::Cluster;
use model::quorum::event::{Event, QdeviceState};

use super::vqsim::Answer;

/// How many clusters may be possible at once; beyond it the first ones are followed.
const MOST_CLUSTERS: usize = 200;

/// What was done, and what every node answered when all was settled.
pub(crate) struct Record {
    /// How many acts of the story had been played; 0 is the start.
    pub(crate) after: usize,
    /// How the qdevice answers from here on, where that changes without being an event.
    pub(crate) qdevice: Option<QdeviceState>,
    pub(crate) events: Vec<Event>,
    pub(crate) answers: BTreeMap<u32, Answer>,
}

/// How the model comes to corosync's answers.
pub(crate) enum Explanation {
    /// In the likeliest order.
    Plain,
    /// In another order: what a node hears first decides here.
    OtherOrder,
    /// In none. `after` so many acts, and what each side says.
    None { after: usize, what: String },
}

pub(crate) fn explain(start: &Cluster, records: &[Record]) -> Explanation {
    let likeliest = |cluster: &Cluster, event: &Event| cluster.step(event).map(|next| vec![next]);
    if follow(start, records, likeliest).is_ok() {
        return Explanation::Plain;
    }
    match follow(start, records, |cluster, event| {
        cluster.outcomes_without_barrier(event)
    }) {
        Ok(()) => Explanation::OtherOrder,
        Err((after, what)) => Explanation::None { after, what },
    }
}

/// Plays all records; after each, only the clusters that are as corosync says are followed further.
fn follow<E: std::fmt::Display>(
    start: &Cluster,
    records: &[Record],
    play: impl Fn(&Cluster, &Event) -> Result<Vec<Cluster>, E>,
) -> Result<(), (usize, String)> {
    let mut clusters = vec![start.clone()];
    for record in records {
        if let Some(state) = &record.qdevice {
            clusters = clusters
                .into_iter()
                .map(|one| one.with_qdevice(state.clone()))
                .collect();
        }
        for event in &record.events {
            clusters = each(&clusters, |cluster| play(cluster, event))
                .map_err(|error| (record.after, format!("{event}: {error}")))?;
        }
        if clusters.iter().any(Cluster::window_runs) {
            clusters = each(&clusters, |cluster| play(cluster, &Event::WindowPasses))
                .map_err(|error| (record.after, error.to_string()))?;
        }
        let as_answered = fitting(&clusters, &record.answers);
        if as_answered.is_empty() {
            return Err((record.after, describe(&clusters, &record.answers)));
        }
        clusters = as_answered;
    }
    Ok(())
}

fn each<E>(
    clusters: &[Cluster],
    play: impl Fn(&Cluster) -> Result<Vec<Cluster>, E>,
) -> Result<Vec<Cluster>, E> {
    let mut after = Vec::new();
    for cluster in clusters {
        for outcome in play(cluster)? {
            if after.len() < MOST_CLUSTERS && !after.contains(&outcome) {
                after.push(outcome);
            }
        }
    }
    Ok(after)
}

/// The clusters whose every node answers as corosync did. Partition by partition, because partitions do not hear
/// each other: each has an order of its own.
fn fitting(clusters: &[Cluster], answers: &BTreeMap<u32, Answer>) -> Vec<Cluster> {
    let Some(first) = clusters.first() else {
        return Vec::new();
    };
    let mut fitting = clusters.to_vec();
    for part in first.partitions() {
        let Some(node) = part.nodes.first() else {
            continue;
        };
        let right = clusters
            .iter()
            .filter(|cluster| agree(cluster, &part.nodes, answers));
        let right: Vec<&Cluster> = right.collect();
        fitting = fitting
            .into_iter()
            .flat_map(|cluster| {
                if agree(&cluster, &part.nodes, answers) {
                    return vec![cluster];
                }
                right
                    .iter()
                    .map(|other| cluster.clone().with_partition_of(other, *node))
                    .collect()
            })
            .take(MOST_CLUSTERS)
            .collect();
    }
    fitting
}

fn agree(cluster: &Cluster, nodes: &[NodeId], answers: &BTreeMap<u32, Answer>) -> bool {
    nodes.iter().all(|id| {
        let said = answers.get(&id.get()).map(|answer| answer.quorate);
        said.is_some() && said == cluster.voter(*id).map(|voter| voter.is_quorate())
    })
}

fn describe(clusters: &[Cluster], answers: &BTreeMap<u32, Answer>) -> String {
    let said: Vec<String> = answers
        .iter()
        .map(|(id, answer)| format!("{id}={}", u8::from(answer.quorate)))
        .collect();
    let one = |cluster: &Cluster| {
        let partitions = cluster.partitions();
        let partitions = partitions.iter().map(|part| {
            let says = |id: &NodeId| cluster.voter(*id).is_some_and(|voter| voter.is_quorate());
            let nodes = part
                .nodes
                .iter()
                .map(|id| format!("{id}={}", u8::from(says(id))));
            format!("{} ({})", nodes.collect::<Vec<_>>().join(" "), part.reason)
        });
        partitions.collect::<Vec<_>>().join("; ")
    };
    let ours: Vec<String> = clusters.iter().take(3).map(one).collect();
    format!(
        "corosync says {}; the model says {}",
        said.join(" "),
        ours.join(" or ")
    )
}
