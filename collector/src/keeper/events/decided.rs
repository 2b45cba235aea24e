//! What is decided about incidents, leases and alerts: what waits, what is on the disk, and what became of it.

use std::sync::Arc;

use model::alert::{self, Alerts};
use model::incident::{Incidents, Transition};
use model::lease::{self, Leases};

use super::Events;

/// What became of a step that somebody asked for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::keeper) enum News<S> {
    /// It is on the disk.
    Kept(S),
    /// It is not there, and will not come.
    Lost(S),
}

impl Events {
    /// What is decided about incidents so far, if more can be decided.
    pub(in crate::keeper) fn incidents(&self) -> Option<&Incidents> {
        self.steps.ahead().filter(|_| self.is_known_and_own())
    }

    /// What is on the disk of them.
    pub(in crate::keeper) fn incidents_kept(&self) -> Arc<Incidents> {
        Arc::clone(&self.kept.incidents)
    }

    pub(in crate::keeper) fn steps_waiting(&self) -> usize {
        let on = self.on_its_way.as_ref();
        let on = on.and_then(|on| on.decision.as_ref());
        self.steps.waiting() + on.map_or(0, |decision| decision.transitions.len())
    }

    pub(in crate::keeper) fn decide(&mut self, steps: Vec<Transition>) {
        self.steps.decide(steps);
    }

    /// What is decided about leases so far, if more can be decided.
    pub(in crate::keeper) fn leases(&self) -> Option<&Leases> {
        self.is_known_and_own().then(|| self.steps.leases_ahead())
    }

    /// What is on the disk of them; `None` where that is not known.
    pub(in crate::keeper) fn leases_kept(&self) -> Option<Arc<Leases>> {
        self.is_known_and_own()
            .then(|| Arc::clone(&self.kept.leases))
    }

    /// What is decided about alerts so far, if more can be decided.
    pub(in crate::keeper) fn alerts(&self) -> Option<&Arc<Alerts>> {
        self.is_known_and_own().then(|| self.steps.alerts_ahead())
    }

    /// What is on the disk of them.
    pub(in crate::keeper) fn alerts_kept(&self) -> Arc<Alerts> {
        Arc::clone(&self.kept.alerts)
    }

    pub(in crate::keeper) fn decide_alerts(&mut self, steps: Vec<alert::Transition>) {
        self.steps.decide_alerts(steps);
    }

    /// What the ledger holds was read, and nobody of a higher epoch writes there.
    fn is_known_and_own(&self) -> bool {
        !self.is_unread && self.superseded.is_none()
    }

    /// These will not come any more.
    pub(super) fn lose(
        &mut self,
        leases: impl IntoIterator<Item = lease::Transition>,
        alerts: impl IntoIterator<Item = alert::Transition>,
    ) {
        self.lease_news.extend(leases.into_iter().map(News::Lost));
        self.alert_news.extend(alerts.into_iter().map(News::Lost));
    }

    pub(in crate::keeper) fn decide_leases(&mut self, steps: Vec<lease::Transition>) {
        self.steps.decide_leases(steps);
    }

    /// What became of steps of leases since this was asked last.
    pub(in crate::keeper) fn take_lease_news(&mut self) -> Vec<News<lease::Transition>> {
        std::mem::take(&mut self.lease_news)
    }

    /// And of alerts.
    pub(in crate::keeper) fn take_alert_news(&mut self) -> Vec<News<alert::Transition>> {
        std::mem::take(&mut self.alert_news)
    }
}
