//! The events of one stream that wait for the ledger.

use std::collections::VecDeque;

use model::name::NodeName;
use prost::Message as _;

use super::intake::NewEvent;
use super::{MAX_WAITING_BYTES, MAX_WAITING_EVENTS, Now};
use crate::ledger::decision::{SpoolId, TakenEvent};

/// Whose they are.
pub(super) type Row = (NodeName, SpoolId);

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) row: Row,
    pub(super) events: VecDeque<TakenEvent>,
    bytes: usize,
    /// Left out because the ledger could not be written; the agent still has them.
    pub(super) lost: u64,
}

impl Queue {
    pub(super) fn new(row: Row) -> Self {
        Self {
            row,
            events: VecDeque::new(),
            bytes: 0,
            lost: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= MAX_WAITING_EVENTS || self.bytes >= MAX_WAITING_BYTES
    }

    pub(super) fn push(&mut self, number: u64, new: &NewEvent, now: Now) {
        let event = TakenEvent {
            node: self.row.0.clone(),
            spool: self.row.1,
            number,
            last: new.last,
            kept_unix_ms: now.unix_ms,
            body: new.event.encode_to_vec(),
        };
        self.bytes += event.body.len();
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<TakenEvent> {
        let event = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(event.body.len());
        Some(event)
    }

    /// What waits is given up.
    pub(super) fn lose_all(&mut self) {
        self.lost = self.lost.saturating_add(self.events.len() as u64);
        self.events.clear();
        self.bytes = 0;
    }
}
