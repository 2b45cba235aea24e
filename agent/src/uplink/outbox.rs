//! The events on their way to one collector: which it has, which are in flight, which are to be read from the spool.

use std::collections::VecDeque;
use std::time::Duration;

use proto::v1;

use crate::spool::{Item, Kind};

/// How much one message holds of events.
pub(super) const MAX_BATCH_EVENTS: usize = 256;
pub(super) const MAX_BATCH_BYTES: usize = 128 << 10;
/// How much may be in flight without the collector having said that it has it.
pub(super) const MAX_IN_FLIGHT_EVENTS: u64 = 2048;
pub(super) const MAX_IN_FLIGHT_BYTES: usize = 1 << 20;
/// A spool that cannot be read is tried again after this time.
pub(super) const RETRY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) spool_id: Vec<u8>,
    /// The number that the spool's next record gets.
    pub(super) next: u64,
    /// The collector has all up to this one.
    kept: u64,
    /// Read from the spool up to this one, and sent up to that one.
    read: u64,
    sent: u64,
    waiting: VecDeque<v1::Event>,
    /// The last number of each message in flight, and its size.
    flying: VecDeque<(u64, usize)>,
    is_being_read: bool,
    not_before: Duration,
    /// Records that this collector never gets, because they are not there any more. What went before it was here does
    /// not count.
    pub(super) missing: u64,
}

impl Outbox {
    pub(super) fn new(spool_id: Vec<u8>, next: u64) -> Self {
        Self {
            spool_id,
            next,
            kept: 0,
            read: 0,
            sent: 0,
            waiting: VecDeque::new(),
            flying: VecDeque::new(),
            is_being_read: false,
            not_before: Duration::ZERO,
            missing: 0,
        }
    }

    /// The collector begins behind this number; `false` if the spool has never come that far.
    pub(super) fn begin(&mut self, kept: u64) -> bool {
        (self.kept, self.read, self.sent) = (kept, kept, kept);
        kept < self.next
    }

    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// All up to this number are kept; `false` if there never was such a number. What the stream before this one sent
    /// may become kept only now, so it may be more than this one has sent.
    pub(super) fn keeps(&mut self, up_to: u64) -> bool {
        if up_to >= self.next {
            return false;
        }
        self.kept = self.kept.max(up_to);
        self.sent = self.sent.max(up_to);
        self.read = self.read.max(up_to);
        while self
            .waiting
            .pop_front_if(|event| last(event) <= up_to)
            .is_some()
        {}
        while self
            .flying
            .pop_front_if(|(last, _)| *last <= self.kept)
            .is_some()
        {}
        true
    }

    /// From which number on the spool is to be read now; at most [`MAX_BATCH_EVENTS`] of it. Whoever asks reads it, and
    /// says what he found.
    pub(super) fn wants(&mut self, now: Duration) -> Option<u64> {
        let is_wanted = !self.is_being_read
            && self.waiting.is_empty()
            && self.read + 1 < self.next
            && self.has_room()
            && now >= self.not_before;
        self.is_being_read |= is_wanted;
        is_wanted.then_some(self.read + 1)
    }

    /// When a spool that could not be read is tried again.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        let is_wanted = !self.is_being_read
            && self.waiting.is_empty()
            && self.read + 1 < self.next
            && self.has_room();
        (is_wanted && self.not_before > Duration::ZERO).then_some(self.not_before)
    }

    fn has_room(&self) -> bool {
        let bytes: usize = self.flying.iter().map(|(_, bytes)| bytes).sum();
        self.sent.saturating_sub(self.kept) < MAX_IN_FLIGHT_EVENTS && bytes < MAX_IN_FLIGHT_BYTES
    }

    pub(super) fn found(&mut self, items: Vec<Item>) {
        self.is_being_read = false;
        self.not_before = Duration::ZERO;
        for item in items {
            let (event, last) = event(item);
            // A gap that is longer than the read before it was begins where that ended.
            if event.number == self.read + 1 {
                if let Some(v1::event::Event::Missing(missing)) = &event.event
                    && self.read > 0
                {
                    self.missing += missing.count;
                }
                self.read = last;
                self.waiting.push_back(event);
            }
        }
    }

    pub(super) fn not_found(&mut self, now: Duration) {
        self.is_being_read = false;
        self.not_before = now + RETRY;
    }

    pub(super) fn has_batch(&self) -> bool {
        !self.waiting.is_empty() && self.has_room()
    }

    pub(super) fn batch(&mut self) -> Option<v1::Events> {
        if !self.has_batch() {
            return None;
        }
        let (mut events, mut bytes) = (Vec::new(), 0);
        while events.len() < MAX_BATCH_EVENTS && bytes < MAX_BATCH_BYTES {
            let Some(event) = self.waiting.pop_front() else {
                break;
            };
            bytes += size(&event);
            self.sent = last(&event);
            events.push(event);
        }
        self.flying.push_back((self.sent, bytes));
        Some(v1::Events {
            spool_id: self.spool_id.clone(),
            events,
        })
    }
}

fn event(item: Item) -> (v1::Event, u64) {
    use v1::event::Event::{ChangeJson, JournalGapJson, JournalJson, Missing, Passed};
    match item {
        Item::Record(record) => {
            let event = match record.kind {
                Kind::Journal => JournalJson(record.json),
                Kind::Change => ChangeJson(record.json),
                Kind::Gap => JournalGapJson(record.json),
                Kind::Passed => Passed(v1::Absent {}),
            };
            let event = v1::Event {
                number: record.number,
                event: Some(event),
            };
            (event, record.number)
        }
        Item::Missing { from, to, count } => {
            let event = v1::Event {
                number: from,
                event: Some(Missing(v1::MissingEvents { last: to, count })),
            };
            (event, to)
        }
    }
}

fn last(event: &v1::Event) -> u64 {
    match &event.event {
        Some(v1::event::Event::Missing(missing)) => missing.last,
        _ => event.number,
    }
}

fn size(event: &v1::Event) -> usize {
    use v1::event::Event::{ChangeJson, JournalGapJson, JournalJson};
    /// The number, and what frames it.
    const FRAME_BYTES: usize = 16;
    match &event.event {
        Some(JournalJson(json) | ChangeJson(json) | JournalGapJson(json)) => {
            FRAME_BYTES + json.len()
        }
        _ => FRAME_BYTES,
    }
}
