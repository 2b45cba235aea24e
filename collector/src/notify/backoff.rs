//! How long to wait until a receiver that failed is tried again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
/// A receiver that is down for days is tried this often.
const LONGEST: Duration = Duration::from_secs(300);
/// A service may ask for more patience than that, and not for ever.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// Doubles from failure to failure; a service that says when is heard.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let drawn = RandomState::new().hash_one(self.failures);
        let pause = pause(self.failures, drawn);
        self.failures = self.failures.saturating_add(1);
        asked.map_or(pause, |asked| asked.min(LONGEST_ASKED).max(pause))
    }
}

/// Between 80 and 120 %, so that those who failed together do not come back together.
fn pause(failures: u32, drawn: u64) -> Duration {
    let pause = FIRST.saturating_mul(1 << failures.min(16)).min(LONGEST);
    let percent = u32::try_from(80 + drawn % 41).unwrap_or(100);
    pause * percent / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_limit_and_never_by_the_same_draw() {
        assert_eq!(pause(0, 20), Duration::from_secs(1));
        assert_eq!(pause(3, 20), Duration::from_secs(8));
        assert_eq!(pause(60, 20), LONGEST);
        assert_eq!(pause(0, 0), Duration::from_millis(800));
        assert_eq!(pause(0, 40), Duration::from_millis(1_200));
    }

    #[test]
    fn a_service_that_says_when_is_heard_within_reason() {
        let mut backoff = Backoff::default();
        assert_eq!(
            backoff.next(Some(Duration::from_secs(30))),
            Duration::from_secs(30)
        );
        assert_eq!(backoff.next(Some(Duration::from_hours(48))), LONGEST_ASKED);
    }
}
