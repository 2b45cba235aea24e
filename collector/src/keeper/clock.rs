//! When something on a node was read, on the collector's clock: never later than it truly was.
//!
//! `collector's clock - node's clock since its boot` is at most what a message shows that needed no time on its way.
//! The smallest difference of the last minutes is therefore the best one, and what a message that was not delayed may
//! have needed is taken off as well: the last round trip. A message that lay in a socket for a minute does not look
//! young by that. Two clocks drift apart, so a difference counts for some minutes only.

/// A difference counts for one to two of these.
const BUCKET_MS: u64 = 300_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BootClock {
    bucket_began_ms: u64,
    smallest_ms: i64,
    smallest_before_ms: i64,
    /// `None` until a message shows it.
    on_the_way_ms: Option<i64>,
    /// When the last Welcome went out, as long as nothing came back.
    welcomed_ms: Option<u64>,
}

impl BootClock {
    pub(super) fn new(mono_ms: u64, boottime_ms: u64) -> Self {
        let difference = mono_ms.cast_signed() - boottime_ms.cast_signed();
        Self {
            bucket_began_ms: mono_ms,
            smallest_ms: difference,
            smallest_before_ms: difference,
            on_the_way_ms: None,
            welcomed_ms: None,
        }
    }

    pub(super) fn welcomed(&mut self, mono_ms: u64) {
        self.welcomed_ms = Some(mono_ms);
    }

    /// A message came in.
    pub(super) fn came(&mut self, mono_ms: u64, boottime_ms: u64) {
        let difference = mono_ms.cast_signed() - boottime_ms.cast_signed();
        if mono_ms >= self.bucket_began_ms.saturating_add(BUCKET_MS) {
            self.bucket_began_ms = mono_ms;
            self.smallest_before_ms = self.smallest_ms;
            self.smallest_ms = difference;
        }
        self.smallest_ms = self.smallest_ms.min(difference);
        // The agent sent it after it had the Welcome.
        if let Some(welcomed) = self.welcomed_ms.take()
            && self.on_the_way_ms.is_none()
        {
            self.on_the_way_ms = Some(mono_ms.saturating_sub(welcomed).cast_signed());
        }
    }

    pub(super) fn round_trip(&mut self, round_trip_us: u32) {
        if round_trip_us > 0 {
            self.on_the_way_ms = Some(i64::from(round_trip_us.div_ceil(1000)));
        }
    }

    /// How much later than the quickest of the last minutes a message came.
    pub(super) fn waited_ms(&self, mono_ms: u64, boottime_ms: u64) -> i64 {
        let difference = mono_ms.cast_signed() - boottime_ms.cast_signed();
        difference - self.smallest_ms.min(self.smallest_before_ms)
    }

    /// On the collector's clock; below zero for what was read before the collector started.
    pub(super) fn read_at_ms(&self, boottime_ms: u64) -> i64 {
        let difference = self.smallest_ms.min(self.smallest_before_ms);
        boottime_ms.cast_signed() + difference - self.on_the_way_ms.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lay_in_a_socket_does_not_look_young() {
        // The node booted when the collector's clock was at 1000; a message needs 2 ms.
        let mut clock = BootClock::new(6_002, 5_000);
        clock.round_trip(4_000);
        // Read at 6000, sent at 6000, but it came 40 s late.
        clock.came(47_000, 6_000);
        let read_at = clock.read_at_ms(6_000);
        assert!((6_990..=7_000).contains(&read_at), "{read_at}");
    }

    #[test]
    fn before_the_first_round_trip_the_time_since_the_welcome_is_taken_off() {
        let mut clock = BootClock::new(6_500, 5_000);
        clock.welcomed(6_500);
        clock.came(7_500, 6_000);
        assert!(clock.read_at_ms(6_000) <= 7_000);
    }

    #[test]
    fn clocks_that_drift_apart_do_not_make_facts_older_for_ever() {
        let mut clock = BootClock::new(1_000, 0);
        for minute in 1..=60 {
            // The node's clock loses 60 ms a minute.
            clock.came(1_000 + minute * 60_000, minute * 59_940);
        }
        let age = 1_000 + 60 * 60_000 - clock.read_at_ms(60 * 59_940);
        assert!((0..=660).contains(&age), "{age}");
    }
}
