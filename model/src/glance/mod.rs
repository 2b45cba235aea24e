//! The cluster at a glance, for terminal and page: votes, links between all nodes, bonds. What is not fresh is unknown
//! here, however good it was.
//!
//! It says how things stand and judges nothing: what is wrong is for the rules.

mod bonds;
mod links;
mod votes;

use std::collections::BTreeMap;

pub use bonds::{BondState, Bonds};
pub use links::{LinkMatrix, LinkWays, Way};
pub use votes::Word;

use crate::cluster::{Cluster, Now};
use crate::finding::Finding;
use crate::fleet::Hearing;
use crate::name::NodeName;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The quorate part first. Empty: no node tells.
    pub votes: Vec<Word>,
    /// How many nodes could tell: all that are enrolled.
    pub nodes: usize,
    pub links: LinkMatrix,
    pub bonds: BTreeMap<NodeName, Bonds>,
}

/// What the nodes say of their votes, the quorate part first. Empty: no node tells.
pub fn votes(cluster: &Cluster, now: Now) -> Vec<Word> {
    votes::words(cluster, now)
}

/// What the nodes say of their votes, in one line, one part of the cluster after the other; empty where none says anything.
pub fn quorum_line(cluster: &Cluster, now: Now) -> String {
    let words = votes::words(cluster, now);
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    words.join("; ")
}

impl Glance {
    /// `found` is what the rules find now.
    pub fn of(cluster: &Cluster, found: &[Finding], now: Now) -> Self {
        let enrolled = cluster
            .nodes
            .values()
            .filter(|node| node.seen.hearing != Hearing::Revoked);
        let bonds = cluster
            .nodes
            .values()
            .map(|node| (node.name.clone(), Bonds::of(node, found, now)));
        Self {
            votes: votes::words(cluster, now),
            nodes: enrolled.count(),
            links: LinkMatrix::of(cluster, now),
            bonds: bonds.collect(),
        }
    }
}
