//! One connection: messages in both directions, in order, each after a delay, until it breaks. Each end notices a break
//! in its own time, and what was under way is lost.

use std::collections::VecDeque;

use proto::v1;

/// How many messages of an agent may be under way: then the transport takes no more.
const ROOM: usize = 3;
const LONGEST_DELAY_MS: u64 = 400;
/// Until an end notices that the other is gone.
const LONGEST_IGNORANCE_MS: u64 = 20_000;

#[derive(Debug)]
pub(crate) struct Wire {
    to_centre: Lane<v1::AgentMessage>,
    to_node: Lane<v1::CollectorMessage>,
    /// When each end notices that it is broken; nothing arrives any more.
    broken: Option<Broken>,
}

#[derive(Debug, Clone, Copy)]
struct Broken {
    node_knows_ms: u64,
    centre_knows_ms: u64,
}

#[derive(Debug)]
struct Lane<T> {
    under_way: VecDeque<(u64, T)>,
}

impl<T> Lane<T> {
    fn new() -> Self {
        Self {
            under_way: VecDeque::new(),
        }
    }

    /// Behind what is under way already.
    fn send(&mut self, message: T, now_ms: u64, chance: &mut fastrand::Rng) {
        let arrives_ms = now_ms + chance.u64(0..=LONGEST_DELAY_MS);
        let behind = self.under_way.back().map_or(0, |(at, _)| *at);
        self.under_way.push_back((arrives_ms.max(behind), message));
    }

    fn arrived(&mut self, now_ms: u64) -> Option<T> {
        let (at, _) = self.under_way.front()?;
        if *at > now_ms {
            return None;
        }
        self.under_way.pop_front().map(|(_, message)| message)
    }
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            to_centre: Lane::new(),
            to_node: Lane::new(),
            broken: None,
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.broken.is_some() || self.to_centre.under_way.len() < ROOM
    }

    pub(crate) fn send_to_centre(
        &mut self,
        message: v1::AgentMessage,
        now_ms: u64,
        chance: &mut fastrand::Rng,
    ) {
        if self.broken.is_none() {
            self.to_centre.send(message, now_ms, chance);
        }
    }

    pub(crate) fn send_to_node(
        &mut self,
        message: v1::CollectorMessage,
        now_ms: u64,
        chance: &mut fastrand::Rng,
    ) {
        if self.broken.is_none() {
            self.to_node.send(message, now_ms, chance);
        }
    }

    pub(crate) fn at_centre(&mut self, now_ms: u64) -> Option<v1::AgentMessage> {
        self.to_centre.arrived(now_ms)
    }

    pub(crate) fn at_node(&mut self, now_ms: u64) -> Option<v1::CollectorMessage> {
        self.to_node.arrived(now_ms)
    }

    /// What is under way is lost, and neither end knows it yet.
    pub(crate) fn break_off(&mut self, now_ms: u64, chance: &mut fastrand::Rng) {
        if self.broken.is_none() {
            self.to_centre.under_way.clear();
            self.to_node.under_way.clear();
            self.broken = Some(Broken {
                node_knows_ms: now_ms + chance.u64(0..=LONGEST_IGNORANCE_MS),
                centre_knows_ms: now_ms + chance.u64(0..=LONGEST_IGNORANCE_MS),
            });
        }
    }

    /// One end closes it: the other one learns of it soon.
    pub(crate) fn close(&mut self, now_ms: u64) {
        let known = Broken {
            node_knows_ms: now_ms,
            centre_knows_ms: now_ms,
        };
        self.broken.get_or_insert(known);
    }

    pub(crate) fn node_knows(&self, now_ms: u64) -> bool {
        self.broken
            .is_some_and(|broken| broken.node_knows_ms <= now_ms)
    }

    pub(crate) fn centre_knows(&self, now_ms: u64) -> bool {
        self.broken
            .is_some_and(|broken| broken.centre_knows_ms <= now_ms)
    }
}
