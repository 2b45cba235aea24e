//! The three clocks of a node, read together by whoever drives a session.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For pace and patience; counted from wherever.
    pub monotonic: Duration,
    /// CLOCK_BOOTTIME: for ages.
    pub boottime_ms: u64,
    /// For people, and for the collector to measure the clock by.
    pub unix_ms: i64,
}

impl Now {
    /// Reads the clocks. `monotonic` counts on tokio's clock from `since`.
    pub(crate) fn read(since: tokio::time::Instant) -> Self {
        Self {
            monotonic: since.elapsed(),
            boottime_ms: boottime_ms(),
            unix_ms: Timestamp::now().as_millisecond(),
        }
    }
}

/// CLOCK_BOOTTIME, in whole milliseconds: it goes on while the node sleeps.
pub(crate) fn boottime_ms() -> u64 {
    // Every kernel has this clock.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
        u64::try_from(Duration::from(time).as_millis()).unwrap_or(u64::MAX)
    })
}

/// The same of a moment that has passed.
pub(crate) fn boottime_ms_at(then: Instant) -> u64 {
    let ago = u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX);
    // What was cut off both times must not make a reading younger than it is.
    boottime_ms().saturating_sub(ago.saturating_add(1))
}
