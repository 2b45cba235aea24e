//! One cluster, as it is seen: what every node told, when it was read, and what is remembered of before.
//!
//! [`Cluster::apply`] and [`Cluster::forget`] are all that changes it. Rules and hypotheses look at it and at [`Now`]; nothing here
//! asks a clock. What is not fresh is not there for them: a reading that is too old, or of a node that is silent, is
//! neither good news nor bad.

mod freshness;
mod node;
mod past;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use freshness::limit_ms;
pub use node::{Held, Node, Seen};
pub use past::{BondPast, Chassis, GoingDown, Past, PortPast, Recall, Sample};

use crate::fleet::Hearing;
use crate::name::{NodeId, NodeName};
use crate::report::{Fact, Facts, Family, NodeReport};

/// Nodes that are kept; a cluster of corosync has far fewer.
pub const MAX_NODES: usize = 256;

/// A moment on the collector: `mono_ms` for ages and deadlines, `unix_ms` for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Monotonic, since the collector started.
    pub mono_ms: u64,
    /// Milliseconds since 1970.
    pub unix_ms: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cluster {
    /// As its nodes call it; empty before one spoke.
    pub name: String,
    pub nodes: BTreeMap<NodeName, Node>,
    /// Nodes that were said not to be part of the cluster any more. A node that is only not known yet is not gone.
    pub gone: BTreeSet<NodeName>,
    /// Nodes that were told of and not kept, because there were [`MAX_NODES`] already.
    pub nodes_not_kept: u64,
    /// What open incidents were compared with, for nodes that are not heard yet.
    pub recalled: BTreeMap<NodeName, BTreeSet<Recall>>,
}

impl Cluster {
    /// What one node alone says, to somebody on that node: ages are by its own clock, the only one at hand. Whatever claims
    /// to have been read later than now has no age, and is left out.
    pub fn of_one(name: &NodeName, report: &NodeReport, now: Now) -> Self {
        let held = |family: &Family| {
            let fact = report.fact(*family);
            let age_ms = match fact.standing().at {
                Some(at) => now.unix_ms.checked_sub(at.as_millisecond())?,
                None => 0,
            };
            let read_at_ms = now.mono_ms.cast_signed().checked_sub(age_ms)?;
            let fact = Arc::new(fact);
            (age_ms >= 0).then_some((*family, Held { fact, read_at_ms }))
        };
        let seen = Seen {
            hearing: Hearing::Connected,
            heard_at_ms: Some(now.mono_ms),
            facts: Family::ALL.iter().filter_map(held).collect(),
            ..Seen::never_heard()
        };
        let mut cluster = Self::default();
        cluster.apply(name, seen, now);
        cluster
    }

    /// What the collector has of one node now. What is remembered of before is brought up to it.
    pub fn apply(&mut self, node: &NodeName, seen: Seen, now: Now) {
        if self.nodes.len() >= MAX_NODES && !self.nodes.contains_key(node) {
            self.nodes_not_kept = self.nodes_not_kept.saturating_add(1);
            return;
        }
        self.gone.remove(node);
        let kept = self
            .nodes
            .entry(node.clone())
            .or_insert_with(|| Node::new(node.clone()));
        for recall in self.recalled.remove(node).unwrap_or_default() {
            kept.past.recall(&recall);
        }
        kept.apply(seen, now);
    }

    /// A collector that starts anew knows what its open incidents were compared with.
    pub fn recall<'a>(&mut self, recalls: impl IntoIterator<Item = &'a (NodeName, Recall)>) {
        for (node, recall) in recalls {
            match self.nodes.get_mut(node) {
                Some(node) => node.past.recall(recall),
                None => {
                    let later = self.recalled.entry(node.clone()).or_default();
                    later.insert(recall.clone());
                }
            }
        }
    }

    /// The node is not part of the cluster any more.
    pub fn forget(&mut self, node: &NodeName) {
        self.nodes.remove(node);
        if self.gone.len() < MAX_NODES {
            self.gone.insert(node.clone());
        }
    }

    /// The nodes whose reports are fresh enough to be looked at.
    pub fn fresh(&self, now: Now) -> impl Iterator<Item = FreshNode<'_>> {
        self.nodes
            .values()
            .filter(move |node| node.is_speaking(now))
            .map(move |node| FreshNode { node, now })
    }

    /// Who has this id: the nodelist of any node that is heard, the newest version of it.
    pub fn name_of(&self, id: NodeId, now: Now) -> Option<NodeName> {
        let named = |node: FreshNode<'_>| {
            let conf = node.corosync_conf()?.local.as_ref()?;
            let version = conf.totem.config_version?;
            let found = conf
                .nodes
                .iter()
                .find(|entry| entry.node_id == Some(id.get()))?;
            Some((version, NodeName::new(found.name.clone()?).ok()?))
        };
        let newest = self.fresh(now).filter_map(named);
        newest.max().map(|(_, name)| name)
    }
}

/// A node that is heard, at one moment: only its fresh facts are there.
#[derive(Debug, Clone, Copy)]
pub struct FreshNode<'a> {
    pub node: &'a Node,
    pub now: Now,
}

impl<'a> FreshNode<'a> {
    pub fn name(&self) -> &'a NodeName {
        &self.node.name
    }
}

impl Facts for FreshNode<'_> {
    fn fact(&self, family: Family) -> Option<&Fact> {
        let held = self.node.held(family)?;
        (held.age_ms(self.now) <= limit_ms(family)).then_some(&*held.fact)
    }
}
