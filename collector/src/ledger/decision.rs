//! What stands in a ledger, and what it adds up to. Pure: every store and every reader folds the same way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::alert::{self, Alerts};
use model::finding::Thing;
use model::incident::{Incidents, Said, Step, Transition};
use model::lease::{self, Leases};
use model::name::NodeName;

/// How many decisions a ledger has, and the number of the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Made by the writer; by it he knows his own decision again when he was not told what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId {
    /// Random, of one run of a writer.
    pub writer: u64,
    /// Counts up within it.
    pub number: u64,
}

/// A spool's own id, random when it was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpoolId(pub [u8; 16]);

impl fmt::Display for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One event, or a row of numbers that no event is left of. Its key is node, spool and number, within the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenEvent {
    pub node: NodeName,
    pub spool: SpoolId,
    pub number: u64,
    /// `number <= last`; more than `number` only of a row of missing ones.
    pub last: u64,
    /// The collector's wall clock, for people and for how long it is kept.
    pub kept_unix_ms: i64,
    /// `quorate.v1.Event`, encoded.
    pub body: Vec<u8>,
}

/// All that must become true at once, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub id: DecisionId,
    pub events: Vec<TakenEvent>,
    pub transitions: Vec<Transition>,
    pub leases: Vec<lease::Transition>,
    /// What is owed because of them, in the same breath.
    pub alerts: Vec<alert::Transition>,
}

/// A decision in its place. The events' bodies are not repeated here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub revision: Revision,
    pub epoch: u64,
    pub id: DecisionId,
}

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvent {
    /// `1 <= place`; counts up by one within the cluster.
    pub place: u64,
    pub event: TakenEvent,
}

/// A step of an incident in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptStep {
    /// `1 <= place`; counts up within the cluster, apart from the places of events.
    pub place: u64,
    pub step: Transition,
    /// The first step of the same incident.
    pub opening: Transition,
}

impl KeptStep {
    /// What was said when it opened.
    pub fn opening_said(&self) -> Option<&Said> {
        match &self.opening.step {
            Step::Opened { said, .. } => Some(said),
            Step::Changed { .. }
            | Step::CameBack { .. }
            | Step::Under { .. }
            | Step::Closed { .. }
            | Step::Told { .. } => None,
        }
    }

    /// Whether the incident is about this node, or rests on what it said.
    pub fn is_about(&self, node: &NodeName) -> bool {
        let Step::Opened { subject, said, .. } = &self.opening.step else {
            return false;
        };
        Thing::Node(node.clone()).holds(subject) || said.rests_on.iter().any(|(of, _)| of == node)
    }
}

/// What is kept of one spool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolRow {
    /// All events up to this number are kept, or were told to be missing.
    pub up_to: u64,
    /// How many of them are events, and not rows of missing ones.
    pub events: u64,
}

/// What all decisions of a cluster add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    pub spools: BTreeMap<(NodeName, SpoolId), SpoolRow>,
    /// The place of the last event.
    pub last_place: u64,
    /// Shared with those who look at them.
    pub incidents: Arc<Incidents>,
    pub leases: Arc<Leases>,
    pub alerts: Arc<Alerts>,
}

impl Kept {
    pub fn spool(&self, node: &NodeName, spool: SpoolId) -> SpoolRow {
        self.spools
            .get(&(node.clone(), spool))
            .copied()
            .unwrap_or_default()
    }

    /// Takes what was decided about incidents, leases and alerts in.
    pub fn fold(&mut self, decision: &Decision) {
        if !decision.transitions.is_empty() {
            let incidents = Arc::make_mut(&mut self.incidents);
            let steps = decision.transitions.iter();
            steps.for_each(|step| incidents.fold(step));
        }
        if !decision.leases.is_empty() {
            let leases = Arc::make_mut(&mut self.leases);
            decision.leases.iter().for_each(|step| leases.fold(step));
        }
        if !decision.alerts.is_empty() {
            let alerts = Arc::make_mut(&mut self.alerts);
            decision.alerts.iter().for_each(|step| alerts.fold(step));
        }
    }

    /// Takes an event in and says its place; `None` for one that is here already.
    pub fn take(&mut self, event: &TakenEvent) -> Option<u64> {
        let row = self
            .spools
            .entry((event.node.clone(), event.spool))
            .or_default();
        row.take(event).then(|| {
            self.last_place = self.last_place.saturating_add(1);
            self.last_place
        })
    }
}

impl SpoolRow {
    /// Whether the event is new.
    pub fn take(&mut self, event: &TakenEvent) -> bool {
        let is_new = event.last > self.up_to;
        if is_new {
            self.up_to = event.last;
            self.events = self.events.saturating_add(event.count());
        }
        is_new
    }
}

impl TakenEvent {
    /// How many events it is: none for a row of missing ones.
    pub fn count(&self) -> u64 {
        use prost::Message as _;
        use proto::v1::event::Event as Kind;

        let event = proto::v1::Event::decode(self.body.as_slice()).unwrap_or_default();
        match event.event {
            Some(Kind::Missing(_) | Kind::Passed(_)) => 0,
            Some(Kind::JournalJson(_) | Kind::ChangeJson(_) | Kind::JournalGapJson(_)) | None => 1,
        }
    }
}
