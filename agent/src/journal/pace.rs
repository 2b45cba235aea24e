//! How often the journal may be looked at: the first line after a quiet time at once, then so seldom that a chatty
//! machine costs no more than a small share of one core.

use std::time::Duration;

/// One look may cost one part in so many.
const SHARE: u32 = 500;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// What may be spent beyond that share after a quiet time: when much happens, it is seen within a second.
const ALLOWANCE: Duration = Duration::from_millis(100);

/// What the looks have cost beyond their share.
#[derive(Debug, Default)]
pub(super) struct Pace {
    debt: Duration,
}

impl Pace {
    /// How long not to look after a look that took so long and began so long after the one before.
    pub(super) fn spacing(&mut self, took: Duration, since_last: Duration) -> Duration {
        self.debt = self.debt.saturating_sub(since_last / SHARE) + took;
        let over = self.debt.saturating_sub(ALLOWANCE);
        over.saturating_mul(SHARE).clamp(SHORTEST, LONGEST)
    }
}

/// How long to wait after so many failures in a row.
pub(super) fn backoff(failures: u32) -> Duration {
    let doubled = 1_u32
        .checked_shl(failures.saturating_sub(1))
        .unwrap_or(u32::MAX);
    SHORTEST.saturating_mul(doubled.max(1)).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_seen_within_a_second_and_in_the_long_run_looks_keep_to_their_share() {
        let mut pace = Pace::default();
        let (took, mut spent, mut passed) =
            (Duration::from_millis(5), Duration::ZERO, Duration::ZERO);
        let mut spacing = LONGEST;
        for look in 0..1000 {
            spacing = pace.spacing(took, spacing);
            assert!(look >= 19 || spacing == SHORTEST, "{look}");
            (spent, passed) = (spent + took, passed + spacing);
        }
        assert!(
            spent <= passed / SHARE + ALLOWANCE + took,
            "{spent:?} of {passed:?}"
        );
        assert_eq!(pace.spacing(Duration::from_secs(5), spacing), LONGEST);
    }

    #[test]
    fn what_fails_is_tried_ever_more_seldom() {
        let pauses: Vec<u64> = (1..9).map(|count| backoff(count).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
    }
}
