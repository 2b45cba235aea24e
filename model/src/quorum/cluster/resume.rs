//! A cluster that was not followed from its start: one partition of it, as its nodes say that it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Cluster, Voter};
use crate::name::NodeId;
use crate::quorum::config::QuorumConfig;
use crate::quorum::event::{Event, QdeviceState};
use crate::quorum::order::Order;

/// What the nodes of one partition say alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Every member with its votes.
    pub votes: BTreeMap<NodeId, u32>,
    pub expected: u32,
    /// The votes that are needed.
    pub needed: u32,
    pub quorate: bool,
    /// The members that the qdevice votes for.
    pub with_qdevice: BTreeSet<NodeId>,
}

impl Cluster {
    /// Only these members run; all others are lost.
    pub fn resume(config: QuorumConfig, seen: &Observed) -> Self {
        let config = Arc::new(config);
        let voter = |node: &NodeId| (*node, Voter::resume(*node, &config, seen));
        Self {
            voters: seen.votes.keys().map(voter).collect(),
            partitions: vec![seen.votes.keys().copied().collect()],
            qdevice: QdeviceState::VotesFor(seen.with_qdevice.clone()),
            order: Order::LIKELIEST,
            config,
        }
    }

    /// Whether what was seen is what would be decided anew with the same members. If not, a decision rests on something
    /// that does not show, and nothing can be said of what comes next.
    pub fn is_understood(&self) -> bool {
        let Some(node) = self.voters.keys().next() else {
            return false;
        };
        let again = self.step(&Event::Reform(*node));
        let decided = |cluster: &Self| {
            let partition = cluster.partitions().into_iter().next();
            partition.map(|it| (it.votes, it.expected, it.quorum, it.quorate))
        };
        again.is_ok_and(|again| decided(&again) == decided(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::corosync_conf::{ConfNode, CorosyncConf};
    use crate::quorum::verdict::Partition;

    fn config(nodes: u32, set: impl FnOnce(&mut CorosyncConf)) -> QuorumConfig {
        let mut conf = CorosyncConf::default();
        conf.quorum.provider = Some("corosync_votequorum".to_owned());
        conf.nodes = (1..=nodes)
            .map(|id| ConfNode {
                node_id: Some(id),
                votes: Some(1),
                ..ConfNode::default()
            })
            .collect();
        set(&mut conf);
        QuorumConfig::new(&conf).unwrap()
    }

    fn ids(ids: impl IntoIterator<Item = u32>) -> BTreeSet<NodeId> {
        ids.into_iter().map(|id| NodeId::new(id).unwrap()).collect()
    }

    fn observed(cluster: &Cluster, member: u32) -> Observed {
        let partitions = cluster.partitions();
        let id = NodeId::new(member).unwrap();
        let partition = partitions.iter().find(|it| it.nodes.contains(&id)).unwrap();
        let voter = cluster.voter(id).unwrap();
        let with = |node: &&NodeId| cluster.voter(**node).unwrap().has_qdevice_votes();
        Observed {
            votes: partition.nodes.iter().map(|node| (*node, 1)).collect(),
            expected: voter.expected_votes(),
            needed: voter.needed_votes(),
            quorate: partition.quorate,
            with_qdevice: partition.nodes.iter().filter(with).copied().collect(),
        }
    }

    /// All but the words: of two reasons that hold both, the one that is told depends on how often was counted.
    fn decisions(cluster: &Cluster) -> Vec<(Vec<NodeId>, u32, u32, u32, bool)> {
        let partitions = cluster.partitions().into_iter();
        let decided = |it: Partition| (it.nodes, it.votes, it.expected, it.quorum, it.quorate);
        partitions.map(decided).collect()
    }

    #[test]
    fn a_cluster_that_was_only_looked_at_goes_on_as_the_one_that_was_followed() {
        let options: [fn(&mut CorosyncConf); 4] = [
            |_| (),
            |conf| conf.quorum.wait_for_all = Some(true),
            |conf| conf.quorum.last_man_standing = Some(true),
            |conf| {
                let device = crate::fact::corosync_conf::Device {
                    model: Some("net".to_owned()),
                    votes: Some(1),
                    ..Default::default()
                };
                conf.quorum.device = Some(device);
            },
        ];
        for set in options {
            for nodes in 2..=5 {
                let config = config(nodes, set);
                let followed = Cluster::healthy(config.clone());
                let resumed = Cluster::resume(config, &observed(&followed, 1));
                assert_eq!(resumed.partitions(), followed.partitions());
                assert!(resumed.is_understood());
                for lost in 1..nodes {
                    let event = Event::Down(ids(lost + 1..=nodes));
                    let device = followed.config().qdevice.is_some();
                    let resumed = if device {
                        resumed.clone().with_qdevice(QdeviceState::Votes)
                    } else {
                        resumed.clone()
                    };
                    let (one, other) = (followed.step(&event), resumed.step(&event));
                    assert_eq!(decisions(&one.unwrap()), decisions(&other.unwrap()));
                }
            }
        }
    }

    #[test]
    fn a_decision_that_the_configuration_cannot_explain_is_not_understood() {
        let config = config(5, |_| ());
        let mut seen = observed(&Cluster::healthy(config.clone()), 1);
        seen.expected = 3;
        seen.needed = 2;
        let lowered = Cluster::resume(config.clone(), &seen);
        assert!(!lowered.is_understood());
        seen.votes = seen.votes.into_iter().take(3).collect();
        assert!(Cluster::resume(config, &seen).is_understood());
    }
}
