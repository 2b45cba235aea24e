//! A lease as it is told: to the terminal, to pages and to programs.

use serde::Serialize;

use super::healthy::{Missing, Reboot, missing};
use super::{Lease, SETTLES_MS, State, clock};
use crate::gate::Action;
use crate::name::NodeName;
use crate::rule::Scene;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    pub number: u64,
    pub nodes: Vec<NodeName>,
    pub action: Action,
    pub owner: String,
    pub reason: String,
    pub began: String,
    pub began_unix_ms: i64,
    pub planned_s: u32,
    pub planned_until: String,
    pub state: State,
    pub is_overdue: bool,
    /// All of it as one finished sentence.
    pub sentence: String,
    /// Why it was withdrawn, ended or broken; empty otherwise.
    pub words: String,
    /// What stood against it when it was taken all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrode: Option<String>,
    /// What keeps it from its end; empty for one that is over.
    pub missing: Vec<Missing>,
    /// For how long nothing has.
    pub well_for_ms: Option<u64>,
    pub settles_ms: u64,
}

impl Told {
    /// `well_for_ms`: for how long nothing has kept it from its end.
    pub fn of(lease: &Lease, scene: &Scene<'_>, well_for_ms: Option<u64>) -> Self {
        let is_over = lease.state.is_over();
        let missing = if is_over {
            Vec::new()
        } else {
            missing(scene, lease, Reboot::AsPlanned)
        };
        Self {
            number: lease.number,
            nodes: lease.grant.nodes.iter().cloned().collect(),
            action: lease.grant.action,
            owner: lease.grant.owner.clone(),
            reason: lease.grant.reason.clone(),
            began: clock(lease.began_unix_ms),
            began_unix_ms: lease.began_unix_ms,
            planned_s: lease.grant.planned_s,
            planned_until: clock(lease.until_unix_ms()),
            state: lease.state,
            is_overdue: lease.is_overdue,
            sentence: lease.sentence(),
            words: lease.words.clone(),
            overrode: lease.grant.overrode.clone(),
            well_for_ms: well_for_ms.filter(|_| !is_over && missing.is_empty()),
            missing,
            settles_ms: SETTLES_MS,
        }
    }
}
