//! How long to wait before a collector is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// A stream that lived for so long was a good one: the next pause is a short one again.
const GOOD: Duration = Duration::from_secs(10);

/// Of one collector.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after a stream that lived so long since Welcome, if it came so far. `random` spreads the agents of a
    /// cluster over half of the pause: they all lost their collector at the same moment.
    pub(super) fn pause(&mut self, lived: Option<Duration>, random: u32) -> Duration {
        if lived.is_some_and(|lived| lived >= GOOD) {
            self.failures = 0;
        }
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.failures.min(16)));
        let half = pause.min(LONGEST) / 2;
        self.failures = self.failures.saturating_add(1);
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute_and_are_short_again_after_a_good_stream() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..11)
            .map(|_| backoff.pause(None, u32::MAX).as_millis())
            .collect();
        let expected = [
            100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000,
        ];
        assert_eq!(pauses, expected);
        let short = Some(Duration::from_secs(9));
        assert_eq!(backoff.pause(short, 0), LONGEST / 2);
        assert_eq!(backoff.pause(Some(GOOD), 0), FIRST / 2);
    }
}
