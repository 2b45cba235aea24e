//! Waiting for what a real cluster takes its time for. Nothing here is a measure: the limits are there so that a test
//! that will never pass ends.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a test waits for what happens in seconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Looks until there is something to see; an error names what was waited for.
pub fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if begun.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}
