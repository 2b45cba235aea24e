//! What work has cost, in time of a processor: time that a busy machine lets it wait does not count.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// What this thread has cost so far, and every command that has ended. Another thread's command may be among them, which
/// makes work seem dearer than it was and never cheaper.
pub(crate) fn spent() -> Duration {
    let of = |who| {
        let usage = getrusage(who).ok()?;
        Some(duration(usage.user_time()) + duration(usage.system_time()))
    };
    let both = [UsageWho::RUSAGE_CHILDREN, UsageWho::RUSAGE_THREAD];
    both.into_iter().filter_map(of).sum()
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or_default())
}
