//! How long to wait before corosync is tried again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// At first it is tried this often: whoever stopped it is likely to start it again.
const SOON: Duration = Duration::from_secs(1);
/// For this many tries: about a minute.
const SOON_TRIES: u32 = 60;
const LONGEST: Duration = Duration::from_secs(30);

/// A pause that grows, and is never quite the same, so that the agents of a cluster do not step together.
#[derive(Debug, Default)]
pub(super) struct Pause {
    tries: u32,
}

impl Pause {
    pub(super) fn next(&mut self) -> Duration {
        let doublings = self.tries.saturating_sub(SOON_TRIES).min(16);
        self.tries = self.tries.saturating_add(1);
        let whole = SOON.saturating_mul(1 << doublings).min(LONGEST);
        let share = u32::from(random_byte());
        whole / 2 + whole / 2 * share / u32::from(u8::MAX)
    }
}

fn random_byte() -> u8 {
    let [byte, ..] = RandomState::new().build_hasher().finish().to_ne_bytes();
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_minute_is_tried_often_and_never_less_than_twice_a_minute_after() {
        let mut pause = Pause::default();
        let first: Duration = (0..SOON_TRIES).map(|_| pause.next()).sum();
        assert!(first <= Duration::from_secs(60) && first >= Duration::from_secs(30));
        for _ in 0..100 {
            let next = pause.next();
            assert!(next >= SOON / 2 && next <= LONGEST, "{next:?}");
        }
        assert!(pause.next() >= LONGEST / 2);
    }
}
