//! What is decided about incidents, leases and alerts, and is not on the disk yet.
//!
//! Each step builds on all before it: on what is kept, and on those that wait. Where another writer decided meanwhile
//! (one of a former run, whose append came late), the steps that wait are forgotten, for their numbers may be given; the
//! rules look again and decide anew.

use std::collections::VecDeque;
use std::sync::Arc;

use model::alert::{self, Alerts};
use model::incident::late::{self, Told};
use model::incident::{Incidents, Transition};
use model::lease::{self, Leases};

use super::{MAX_WAITING_STEPS, Now};
use crate::ledger::decision::Kept;

#[derive(Debug)]
pub(super) struct Steps {
    /// Not on their way yet.
    waiting: VecDeque<Transition>,
    /// What is kept, on its way and waiting adds up to.
    ahead: Incidents,
    waiting_leases: Vec<lease::Transition>,
    leases_ahead: Leases,
    waiting_alerts: Vec<alert::Transition>,
    alerts_ahead: Arc<Alerts>,
}

impl Steps {
    pub(super) fn behind(kept: &Kept) -> Self {
        Self {
            waiting: VecDeque::new(),
            ahead: Incidents::clone(&kept.incidents),
            waiting_leases: Vec::new(),
            leases_ahead: Leases::clone(&kept.leases),
            waiting_alerts: Vec::new(),
            alerts_ahead: Arc::clone(&kept.alerts),
        }
    }

    /// What the next step of a lease builds on.
    pub(super) fn leases_ahead(&self) -> &Leases {
        &self.leases_ahead
    }

    pub(super) fn decide_leases(&mut self, steps: Vec<lease::Transition>) {
        steps.iter().for_each(|step| self.leases_ahead.fold(step));
        self.waiting_leases.extend(steps);
    }

    /// Those of leases that go on their way now.
    pub(super) fn take_leases(&mut self) -> Vec<lease::Transition> {
        std::mem::take(&mut self.waiting_leases)
    }

    /// What the next step about alerts builds on.
    pub(super) fn alerts_ahead(&self) -> &Arc<Alerts> {
        &self.alerts_ahead
    }

    pub(super) fn decide_alerts(&mut self, steps: Vec<alert::Transition>) {
        let ahead = Arc::make_mut(&mut self.alerts_ahead);
        steps.iter().for_each(|step| ahead.fold(step));
        self.waiting_alerts.extend(steps);
    }

    /// Those about alerts that go on their way now.
    pub(super) fn take_alerts(&mut self) -> Vec<alert::Transition> {
        std::mem::take(&mut self.waiting_alerts)
    }

    /// What the next step builds on; `None` while too many wait.
    pub(super) fn ahead(&self) -> Option<&Incidents> {
        (self.waiting.len() < MAX_WAITING_STEPS).then_some(&self.ahead)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn decide(&mut self, steps: Vec<Transition>) {
        steps.iter().for_each(|step| self.ahead.fold(step));
        self.waiting.extend(steps);
    }

    /// Late history, however many steps wait: it comes once.
    pub(super) fn tell_late(&mut self, told: &[Told], now: Now) {
        let steps = late::steps(&self.ahead, told, now.unix_ms);
        self.decide(steps);
    }

    /// Those that go on their way now.
    pub(super) fn take(&mut self) -> Vec<Transition> {
        self.waiting.drain(..).collect()
    }
}
