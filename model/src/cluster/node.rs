//! One node: what it told last, and what is remembered of before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{GoingDown, Now, Past};
use crate::fleet::Hearing;
use crate::name::NodeName;
use crate::report::{Fact, Family};

/// A fact that the collector holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub fact: Arc<Fact>,
    /// On the collector's monotonic clock; negative before it started. It was not read later.
    pub read_at_ms: i64,
}

impl Held {
    pub fn age_ms(&self, now: Now) -> u64 {
        let age = now.mono_ms.cast_signed().saturating_sub(self.read_at_ms);
        u64::try_from(age).unwrap_or_default()
    }
}

/// All that the collector has of one node at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub hearing: Hearing,
    /// When its agent was heard last, on the collector's monotonic clock.
    pub heard_at_ms: Option<u64>,
    /// Of the kernel that runs; empty before the agent spoke.
    pub boot_id: String,
    /// Of its wall clock against the collector's; positive: ahead.
    pub skew_ms: Option<i64>,
    pub facts: BTreeMap<Family, Held>,
}

impl Seen {
    pub fn never_heard() -> Self {
        Self {
            hearing: Hearing::NeverHeard,
            heard_at_ms: None,
            boot_id: String::new(),
            skew_ms: None,
            facts: BTreeMap::new(),
        }
    }
}

/// Agents say something every two seconds. Of one that has not for so long, what it said before tells nothing of now,
/// and less than its peers: it may be off.
const SPEAKS_WITHIN_MS: u64 = 8_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub name: NodeName,
    pub seen: Seen,
    pub past: Past,
}

impl Node {
    pub(super) fn new(name: NodeName) -> Self {
        Self {
            name,
            seen: Seen::never_heard(),
            past: Past::default(),
        }
    }

    pub(super) fn apply(&mut self, seen: Seen, now: Now) {
        self.past.learn(&self.seen, &seen, now);
        self.seen = seen;
    }

    /// A family, however old.
    pub fn held(&self, family: Family) -> Option<&Held> {
        self.seen.facts.get(&family)
    }

    /// What is remembered of its way down, as long as no other kernel spoke.
    pub fn going_down(&self) -> Option<&GoingDown> {
        let going = self.past.going_down.as_ref();
        going.filter(|going| going.is_of(&self.seen.boot_id))
    }

    pub fn is_speaking(&self, now: Now) -> bool {
        self.seen.hearing == Hearing::Connected
            && self
                .silent_for_ms(now)
                .is_none_or(|ms| ms < SPEAKS_WITHIN_MS)
    }

    /// How long its agent was not heard; `None` before it was heard at all.
    pub fn silent_for_ms(&self, now: Now) -> Option<u64> {
        let heard = self.seen.heard_at_ms?;
        Some(now.mono_ms.saturating_sub(heard))
    }
}
