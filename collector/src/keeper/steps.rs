//! What is decided about incidents and is not on the disk yet.
//!
//! Each step builds on all before it: on what is kept, and on those that wait. Where another writer decided meanwhile
//! (one of a former run, whose append came late), the steps that wait are forgotten, for their numbers may be given; the
//! rules look again and decide anew.

use std::collections::VecDeque;

use model::incident::{Incidents, Transition};

use super::MAX_WAITING_STEPS;

#[derive(Debug)]
pub(super) struct Steps {
    /// Not on their way yet.
    waiting: VecDeque<Transition>,
    /// What is kept, on its way and waiting adds up to.
    ahead: Incidents,
}

impl Steps {
    pub(super) fn behind(kept: &Incidents) -> Self {
        Self {
            waiting: VecDeque::new(),
            ahead: kept.clone(),
        }
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

    /// Those that go on their way now.
    pub(super) fn take(&mut self) -> Vec<Transition> {
        self.waiting.drain(..).collect()
    }
}
