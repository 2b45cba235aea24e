//! What would happen if these things failed now: who is left with whom, who has quorum, who resets itself.
//!
//! The topology is compiled once ([`graph`]); a [`Hypothesis`] then strikes addresses ([`graph::Graph::strike`]), falls apart
//! into groups ([`reach`]), and each group is put before the quorum machine ([`ballot`]), which goes on from the present.
//! An empty hypothesis is the present. What is down stays down; what is not known makes unknown what depends on it.
//!
//! Taken for granted: switches stay connected with each other, and whatever is named fails at once.

mod ballot;
mod graph;
mod mask;
mod outcome;
mod part;
mod play;
mod present;
mod rank;
mod reach;
mod sentence;
#[cfg(test)]
pub(crate) mod tests;

use serde::Serialize;

use crate::cluster::{Cluster, Now};
use crate::name::{LinkNumber, NodeName};
use crate::topology::{Place, Service, Site, Topology, place};

pub use outcome::{Camp, Fencing, NetworkLoss, Outcome, Rank, Reforming};
pub use part::{Failure, Hypothesis, Manner, NoSuchPart, Part};
pub use present::NotKnown;

use graph::{Graph, ItemId};
use present::Present;

/// An armed node resets itself no sooner than this after corosync reports the loss, unless that takes over 15 s.
pub const FENCES_AFTER_S: u32 = 45;
/// After so long without a renewal the watchdog is not served any more.
pub const WATCHDOG_MS: u64 = 60_000;
/// LACP with the fast rate misses its partner after three seconds.
const LACP_FAST_MS: u64 = 3_000;

/// The present, ready to be asked.
#[derive(Debug, Clone)]
pub struct WhatIf {
    present: Present,
    topology: Topology,
    graph: Graph,
    ballot: ballot::Ballot,
    qdevice: Option<Place>,
    collector: Option<Place>,
    reforming_warning_ms: u64,
}

/// Is it so?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    No,
    Unknown,
    Yes,
}

impl WhatIf {
    /// `reforming_warning_ms`: how long forming anew may take until it is told as a danger.
    pub fn new(
        cluster: &Cluster,
        now: Now,
        site: &Site,
        reforming_warning_ms: u32,
    ) -> Result<Self, NotKnown> {
        let mut present = Present::of(cluster, now)?;
        let topology = Topology::of(cluster, now, site);
        let mut graph = Graph::of(&present, &topology);
        for (node, link) in graph.dark() {
            present.doubt(node, link);
        }
        graph.fast_is_in_time = present.token_ms.is_some_and(|ms| ms > LACP_FAST_MS);
        Ok(Self {
            present,
            topology,
            graph,
            ballot: ballot::Ballot::default(),
            qdevice: place(cluster, now, site, Service::Qdevice),
            collector: place(cluster, now, site, Service::Collector),
            reforming_warning_ms: reforming_warning_ms.into(),
        })
    }

    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Every thing that can be asked about.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.graph.items.iter().map(|item| &item.part)
    }

    /// The outcome of a hypothesis; one about a thing that is not there is refused by its name.
    pub fn play(&mut self, hypothesis: &Hypothesis) -> Result<Outcome, NoSuchPart> {
        let failed = self.failed(hypothesis)?;
        let played = self.played(&failed);
        Ok(self.outcome(&played))
    }

    pub(crate) fn failed(
        &self,
        hypothesis: &Hypothesis,
    ) -> Result<Vec<(ItemId, Manner)>, NoSuchPart> {
        let mut failed = Vec::new();
        for failure in &hypothesis.failures {
            let found = self.graph.find(&failure.part);
            let id = found.ok_or_else(|| self.no_such(&failure.part))?;
            if !failed.contains(&(id, failure.manner)) {
                failed.push((id, failure.manner));
            }
        }
        Ok(failed)
    }

    fn no_such(&self, asked: &Part) -> NoSuchPart {
        let kind = std::mem::discriminant(asked);
        let of_kind = |item: &&graph::Item| std::mem::discriminant(&item.part) == kind;
        let named = |item: &graph::Item| match &item.part {
            Part::Switch(_) => format!("switch {}", item.label),
            part => part.to_string(),
        };
        let known: Vec<String> = self.graph.items.iter().filter(of_kind).map(named).collect();
        part::no_such(asked, &known)
    }

    fn name(&self, place: usize) -> Option<&NodeName> {
        self.present.names.get(place)
    }

    fn names(&self, of: &mask::Mask) -> Vec<NodeName> {
        of.iter()
            .filter_map(|place| self.name(place).cloned())
            .collect()
    }

    fn link(&self, index: usize) -> Option<LinkNumber> {
        self.present.links.get(index).map(|hears| hears.link)
    }
}
