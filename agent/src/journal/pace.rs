//! How often the journal may be looked at: the first line after a quiet time at once, then so seldom that a chatty
//! machine costs no more than a small share of one core.

use std::time::Duration;

/// One look may cost one part in so many.
const SHARE: u32 = 500;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// How long not to look after a look that took so long.
pub(super) fn spacing(took: Duration) -> Duration {
    took.saturating_mul(SHARE).clamp(SHORTEST, LONGEST)
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
    fn a_slow_look_is_seldom_repeated_and_a_failing_one_ever_more_seldom() {
        let ms = Duration::from_millis;
        assert_eq!(spacing(ms(1)), ms(1_000));
        assert_eq!(spacing(ms(5)), ms(2_500));
        assert_eq!(spacing(ms(500)), ms(10_000));
        let pauses: Vec<u64> = (1..9).map(|count| backoff(count).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
    }
}
