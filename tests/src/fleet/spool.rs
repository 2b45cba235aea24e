//! The events of a simulated agent that the collector does not have yet, in memory.

use std::collections::VecDeque;

use proto::v1;

/// How many wait; then no more are made.
const MOST_WAITING: usize = 10_000;
/// How many go in one message.
const BATCH: usize = 100;

#[derive(Debug)]
pub(super) struct Spool {
    pub(super) id: Vec<u8>,
    /// The number that the next event gets.
    next: u64,
    /// Not yet acknowledged, in order.
    waiting: VecDeque<v1::Event>,
    /// The first number that was not sent on this stream.
    unsent: u64,
}

impl Spool {
    pub(super) fn new() -> Self {
        Self {
            id: std::iter::repeat_with(|| fastrand::u8(..))
                .take(16)
                .collect(),
            next: 1,
            waiting: VecDeque::new(),
            unsent: 1,
        }
    }

    pub(super) fn first(&self) -> u64 {
        self.waiting.front().map_or(self.next, |event| event.number)
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Makes an event, if there is room.
    pub(super) fn tell(&mut self, node: &str) -> bool {
        if self.waiting.len() >= MOST_WAITING {
            return false;
        }
        let number = self.next;
        let json = super::report::event(number, node);
        self.waiting.push_back(v1::Event {
            number,
            event: Some(v1::event::Event::JournalJson(json)),
        });
        self.next += 1;
        true
    }

    /// All up to this one are on the collector's disk. Gives how many that were.
    pub(super) fn kept(&mut self, up_to: u64) -> usize {
        let before = self.waiting.len();
        while self
            .waiting
            .front()
            .is_some_and(|event| event.number <= up_to)
        {
            self.waiting.pop_front();
        }
        before - self.waiting.len()
    }

    /// A new stream: everything that is not kept is sent again.
    pub(super) fn rewind(&mut self) {
        self.unsent = self.first();
    }

    /// The next ones to send.
    pub(super) fn batch(&mut self) -> Option<v1::Events> {
        let events: Vec<v1::Event> = self
            .waiting
            .iter()
            .skip_while(|event| event.number < self.unsent)
            .take(BATCH)
            .cloned()
            .collect();
        self.unsent = events.last()?.number + 1;
        Some(v1::Events {
            spool_id: self.id.clone(),
            events,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_sent_again() {
        let mut spool = Spool::new();
        for _ in 0..150 {
            assert!(spool.tell("pve-01"));
        }
        let numbers = |events: v1::Events| {
            let all: Vec<u64> = events.events.iter().map(|event| event.number).collect();
            (all[0], all[all.len() - 1])
        };
        assert_eq!(spool.batch().map(numbers), Some((1, 100)));
        assert_eq!(spool.batch().map(numbers), Some((101, 150)));
        assert_eq!(spool.batch(), None);
        assert_eq!(spool.kept(120), 120);
        assert_eq!(spool.first(), 121);
        spool.rewind();
        assert_eq!(spool.batch().map(numbers), Some((121, 150)));
        assert_eq!(spool.kept(500), 30);
        assert_eq!((spool.first(), spool.next()), (151, 151));
    }
}
