//! The events of one stream that wait for the ledger.

use std::collections::VecDeque;

use model::incident::late::Told;
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
    /// The numbers of those that are history, with what is told of them.
    told: VecDeque<(u64, Told)>,
    /// Something of this spool was kept before the stream began: what it did not tell then is late. A spool that is new
    /// here has a past that nobody missed.
    is_known: bool,
    bytes: usize,
    /// Left out because the ledger could not be written; the agent still has them.
    pub(super) lost: u64,
}

impl Queue {
    pub(super) fn new(row: Row, is_known: bool) -> Self {
        Self {
            row,
            events: VecDeque::new(),
            told: VecDeque::new(),
            is_known,
            bytes: 0,
            lost: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= MAX_WAITING_EVENTS || self.bytes >= MAX_WAITING_BYTES
    }

    /// `skew_ms`: how far the node's clock is ahead, as far as it is known.
    pub(super) fn push(&mut self, number: u64, new: &NewEvent, skew_ms: Option<i64>, now: Now) {
        let worth = new.worth.as_ref().zip(skew_ms).filter(|_| self.is_known);
        let told = worth.and_then(|(worth, skew_ms)| worth.told(&self.row.0, skew_ms, now));
        self.told.extend(told.map(|told| (number, told)));
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

    pub(super) fn pop(&mut self) -> Option<(TakenEvent, Option<Told>)> {
        let event = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(event.body.len());
        let told = self
            .told
            .pop_front_if(|(number, _)| *number == event.number);
        Some((event, told.map(|(_, told)| told)))
    }

    /// What waits is given up.
    pub(super) fn lose_all(&mut self) {
        self.lost = self.lost.saturating_add(self.events.len() as u64);
        self.events.clear();
        self.told.clear();
        self.bytes = 0;
    }
}
