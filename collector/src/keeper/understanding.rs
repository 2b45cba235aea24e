//! What the collector makes of what it hears: the rules look at the cluster, and incidents come of what they find.
//!
//! They look soon after something changed, and otherwise twice a second, because time alone can make a reading too old or end
//! an incident.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::cluster::{Cluster, Held, Seen};
use model::finding::Finding;
use model::fleet::FleetFinding;
use model::glance;
use model::incident::{Incidents, Transition, Watch};
use model::lease::{self, Leases};
use model::name::NodeName;
use model::report::Family;
use model::rule::{self, Scene};

use crate::declared::Declared;

use super::view::{AgedFact, ClusterView, NodeView};
use super::{LOOK_AGAIN_MS, LOOK_EVERY_MS, NODES_A_MS, Now};

/// Findings that are said without an incident, while nothing can be written.
const MAX_NOT_WRITTEN: usize = 50;

/// What is to be written down.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) incidents: Vec<Transition>,
    pub(super) leases: Vec<lease::Transition>,
}

#[derive(Debug)]
pub(super) struct Understanding {
    cluster: Cluster,
    declared: Declared,
    watch: Watch,
    lease_watch: lease::Watch,
    found: Arc<Vec<Finding>>,
    looked_ms: u64,
    has_news: bool,
    /// What open incidents were compared with is known again.
    has_recalled: bool,
}

impl Understanding {
    pub(super) fn new(declared: Declared) -> Self {
        Self {
            cluster: Cluster::default(),
            watch: Watch::waiting(declared.window_ms),
            declared,
            lease_watch: lease::Watch::default(),
            found: Arc::default(),
            looked_ms: 0,
            has_news: true,
            has_recalled: false,
        }
    }

    pub(super) fn saw(&mut self, node: &NodeName, view: &NodeView, now: Now) {
        let seen = seen(view);
        let before = self.cluster.nodes.get(node);
        let is_known = before.is_some();
        self.has_news |= before.is_some_and(|before| is_news(&before.seen, &seen));
        self.cluster.apply(node, seen, now);
        // One beyond those that are kept is none, however often it speaks.
        self.has_news |= !is_known && self.cluster.nodes.contains_key(node);
    }

    pub(super) fn forget(&mut self, node: &NodeName) {
        self.cluster.forget(node);
        self.has_news = true;
    }

    /// When [`Self::look`] is to be called at the latest.
    pub(super) fn deadline_ms(&self) -> u64 {
        let nodes = self.cluster.nodes.len();
        let soon_ms = u64::try_from(nodes / NODES_A_MS).unwrap_or(u64::MAX);
        let soon_ms = self.looked_ms + soon_ms.saturating_add(1).min(LOOK_EVERY_MS);
        if self.has_news {
            return soon_ms;
        }
        let again_ms = self.looked_ms.saturating_add(LOOK_AGAIN_MS);
        let settled_ms = self.watch.settled_ms().unwrap_or(again_ms);
        settled_ms.clamp(soon_ms, again_ms)
    }

    /// What the rules find now, and what is to be written down because of it. Without `incidents` (they could not be
    /// read, or no more can be written) the rules look all the same.
    pub(super) fn look(
        &mut self,
        incidents: Option<&Incidents>,
        leases: Option<&Leases>,
        now: Now,
    ) -> Decided {
        self.looked_ms = now.mono_ms;
        self.has_news = false;
        if let Some(incidents) = incidents.filter(|_| !self.has_recalled) {
            self.has_recalled = true;
            self.cluster.recall(incidents.recalls());
        }
        let scene = self.declared.scene(&self.cluster, now).with_leases(leases);
        let found = rule::findings(&scene);
        let steps = incidents.map(|incidents| self.watch.look(incidents, &found, &scene));
        let lease_steps = leases.map(|leases| self.lease_watch.look(leases, &found, &scene));
        self.found = Arc::new(found);
        Decided {
            incidents: steps.unwrap_or_default(),
            leases: lease_steps.unwrap_or_default(),
        }
    }

    /// What the nodes say of their votes now.
    pub(super) fn quorum_line(&self, now: Now) -> String {
        glance::quorum_line(&self.cluster, now)
    }

    pub(super) fn declared(&self) -> &Declared {
        &self.declared
    }

    /// The cluster as it is seen now.
    pub(super) fn scene<'a>(&'a self, leases: &'a Leases, now: Now) -> Scene<'a> {
        self.declared
            .scene(&self.cluster, now)
            .with_leases(Some(leases))
    }

    /// For how long nothing has kept the lease from its end.
    pub(super) fn well_for_ms(&self, now: Now) -> Option<u64> {
        self.lease_watch.well_for_ms(now.mono_ms)
    }

    /// What the rules found last and no incident tells of; of a cause and what it hides, the cause.
    pub(super) fn not_written(&self, kept: &Incidents) -> Vec<FleetFinding> {
        let is_told = |found: &&Finding| {
            let mut open = kept.open();
            open.any(|open| open.rule == found.rule && open.subject == found.subject)
        };
        let is_hidden = |found: &&Finding| self.found.iter().any(|other| other.explains(found));
        let not = self
            .found
            .iter()
            .filter(|found| !is_told(found) && !is_hidden(found));
        let not = not.map(|found| FleetFinding::NotWritten {
            sentence: found.sentence.clone(),
        });
        not.take(MAX_NOT_WRITTEN).collect()
    }

    /// What the rules found last.
    pub(super) fn found(&self) -> Arc<Vec<Finding>> {
        Arc::clone(&self.found)
    }
}

/// The cluster as a view shows it, with nothing of its past but what is written down.
pub(crate) fn cluster_of(view: &ClusterView, now: Now) -> Cluster {
    let mut cluster = Cluster {
        name: view.name.clone(),
        ..Cluster::default()
    };
    // Before the nodes: what they say themselves comes first.
    cluster.recall(view.incidents.recalls());
    for (name, node) in &view.nodes {
        cluster.apply(name, seen(node), now);
    }
    cluster
}

/// What the nodes of a view say of their votes. Nothing else of them is looked at: it is asked of every cluster at once.
pub(crate) fn votes_of(view: &ClusterView, now: Now) -> Vec<glance::Word> {
    let mut cluster = Cluster::default();
    for (name, node) in &view.nodes {
        cluster.apply(
            name,
            seen_of(node, |family| family == Family::Corosync),
            now,
        );
    }
    glance::votes(&cluster, now)
}

/// Not a heartbeat, which only makes young again what is known: thousands of agents send one every two seconds.
fn is_news(before: &Seen, now: &Seen) -> bool {
    let is_same = |((family, held), (other, other_held)): ((&_, &Held), (&_, &Held))| {
        family == other && Arc::ptr_eq(&held.fact, &other_held.fact)
    };
    let facts = before.facts.iter().zip(&now.facts);
    before.hearing != now.hearing
        || before.boot_id != now.boot_id
        || before.facts.len() != now.facts.len()
        || !facts.into_iter().all(is_same)
}

fn seen(view: &NodeView) -> Seen {
    seen_of(view, |_| true)
}

fn seen_of(view: &NodeView, is_wanted: impl Fn(Family) -> bool) -> Seen {
    let held = |(family, aged): (&_, &AgedFact)| {
        let held = Held {
            fact: Arc::clone(&aged.fact.fact),
            read_at_ms: aged.read_at_ms,
        };
        (*family, held)
    };
    let facts = view.facts.iter().filter(|(family, _)| is_wanted(**family));
    Seen {
        hearing: view.hearing,
        heard_at_ms: view.heard_at_ms,
        boot_id: view.boot_id.clone(),
        skew_ms: view.skew_ms,
        facts: facts.map(held).collect::<BTreeMap<_, _>>(),
    }
}
