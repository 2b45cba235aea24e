//! What a cluster will be after some events, and what of it is certain.

use std::fmt;

use crate::name::NodeId;
use crate::quorum::cluster::Cluster;
use crate::quorum::config::QuorumConfig;
use crate::quorum::event::{Event, Impossible};
use crate::quorum::verdict::Partition;

/// How many clusters are followed at once. Beyond it nothing is certain any more.
const MOST_CLUSTERS: usize = 64;

/// Every cluster that there may be after the events so far.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// The likeliest first; never empty.
    likeliest: Cluster,
    others: Vec<Cluster>,
    overflowed: bool,
}

/// One partition, and how sure that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    pub partition: Partition,
    /// `quorate` is the same in every order that was tried, and enough were; all nodes of the partition agree on it.
    /// The other numbers are those of the likeliest order. `partition.quorate` is never true without.
    pub certain: bool,
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.partition.reason.fmt(f)?;
        if !self.partition.dissenting.is_empty() {
            let nodes: Vec<String> = self
                .partition
                .dissenting
                .iter()
                .map(NodeId::to_string)
                .collect();
            write!(
                f,
                "; but its nodes do not agree: {} decides otherwise",
                nodes.join(", ")
            )?;
        } else if !self.certain {
            f.write_str(
                "; not certain: it depends on the order in which its nodes hear each other",
            )?;
        }
        Ok(())
    }
}

impl Forecast {
    pub fn healthy(config: QuorumConfig) -> Self {
        Self::of(Cluster::healthy(config))
    }

    /// From this cluster on.
    pub fn of(cluster: Cluster) -> Self {
        Self {
            likeliest: cluster,
            others: Vec::new(),
            overflowed: false,
        }
    }

    pub fn step(&self, event: &Event) -> Result<Self, Impossible> {
        let (likeliest, mut others) = self.likeliest.branches(event)?;
        let mut overflowed = self.overflowed || !self.likeliest.tries_every_beginning(event);
        for cluster in &self.others {
            overflowed |= !cluster.tries_every_beginning(event);
            let Ok(outcomes) = cluster.outcomes(event) else {
                // It can be done in the likeliest cluster, but not in every one that there may be.
                overflowed = true;
                continue;
            };
            for outcome in outcomes {
                if outcome == likeliest || others.contains(&outcome) {
                    continue;
                }
                if others.len() < MOST_CLUSTERS {
                    others.push(outcome);
                } else {
                    overflowed = true;
                }
            }
        }
        Ok(Self {
            likeliest,
            others,
            overflowed,
        })
    }

    /// The last man standing window passes, if one is running.
    pub fn let_window_pass(&self) -> Result<Self, Impossible> {
        if self.all().any(Cluster::window_runs) {
            self.step(&Event::WindowPasses)
        } else {
            Ok(self.clone())
        }
    }

    /// The partitions, ordered by their lowest node. Who sees whom is certain; what they decide may not be.
    pub fn partitions(&self) -> Vec<Outlook> {
        let others: Vec<Vec<Partition>> = self.others.iter().map(Cluster::partitions).collect();
        let outlook = |(index, mut partition): (usize, Partition)| {
            let same = |other: &Vec<Partition>| {
                other
                    .get(index)
                    .is_some_and(|other| other.quorate == partition.quorate)
            };
            let agreed = partition.dissenting.is_empty();
            let certain = !self.overflowed && agreed && others.iter().all(same);
            partition.quorate &= certain;
            Outlook { partition, certain }
        };
        self.likeliest
            .partitions()
            .into_iter()
            .enumerate()
            .map(outlook)
            .collect()
    }

    fn all(&self) -> impl Iterator<Item = &Cluster> {
        std::iter::once(&self.likeliest).chain(&self.others)
    }
}
