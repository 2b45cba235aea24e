//! What the keeper publishes: a picture of one cluster that nobody changes. Facts in it are shared, not copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::alert::Alerts;
use model::finding::Finding;
use model::fleet::{FleetFinding, Hearing};
use model::identity::ClusterId;
use model::incident::Incidents;
use model::lease::Leases;
use model::name::NodeName;
use model::report::Family;
use proto::fact::ReadFact;
use proto::v1;

use super::{Now, Own};
use crate::ledger::decision::Revision;

#[derive(Debug, Clone, PartialEq)]
pub struct ClusterView {
    pub cluster: ClusterId,
    /// As the node that spoke last calls it; before one spoke, as it was called when it joined.
    pub name: String,
    pub own: Own,
    /// Whether this collector decides for the cluster now.
    pub is_authority: bool,
    /// The collector that decides, as far as it is known and settled.
    pub authority: Option<v1::Authority>,
    pub nodes: BTreeMap<NodeName, Arc<NodeView>>,
    pub findings: Vec<FleetFinding>,
    /// What the rules find now.
    pub found: Arc<Vec<Finding>>,
    /// As they are on the disk.
    pub incidents: Arc<Incidents>,
    /// As they are on the disk; `None` where that is not known.
    pub leases: Option<Arc<Leases>>,
    /// What is owed to chats, and what they were told.
    pub alerts: Arc<Alerts>,
    /// What of it is on the disk: only what is settled there need not be remembered by who delivers.
    pub alerts_kept: Arc<Alerts>,
    /// False: the ledger cannot be written, and `alerts` is more than is on the disk.
    pub are_alerts_kept: bool,
    /// Since when nothing keeps the lease from its end, on the collector's monotonic clock.
    pub well_since_ms: Option<u64>,
    /// What was decided about incidents and is not on the disk yet.
    pub steps_waiting: usize,
    pub revision: Revision,
    /// The place of the last event that is kept.
    pub last_place: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NodeView {
    pub hearing: Hearing,
    /// On the collector's monotonic clock.
    pub heard_at_ms: Option<u64>,
    pub agent_version: String,
    pub skew_ms: Option<i64>,
    /// Of the kernel that runs; empty before the agent spoke.
    pub boot_id: String,
    pub facts: BTreeMap<Family, AgedFact>,
    pub events_kept: u64,
    pub dropped: Option<v1::Dropped>,
    pub findings: Vec<FleetFinding>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AgedFact {
    pub fact: Arc<ReadFact>,
    /// On the collector's monotonic clock; it was not read later.
    pub read_at_ms: i64,
}

impl AgedFact {
    pub fn age_ms(&self, now: Now) -> u64 {
        let age = now.mono_ms.cast_signed().saturating_sub(self.read_at_ms);
        u64::try_from(age).unwrap_or_default()
    }
}
