//! How large the ledger's files are, looked at beside whoever wants to know: a disk that does not answer holds up nobody.

use std::fs::metadata;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

const EVERY: Duration = Duration::from_secs(10);
/// A disk that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What SQLite keeps beside its file.
const LOG: &str = "-wal";

/// Looks again and again, as long as it is polled.
pub(super) async fn look(ledger: PathBuf, size: watch::Sender<Option<u64>>) {
    loop {
        let ledger = ledger.clone();
        let mut looking = spawn_blocking(move || bytes(&ledger));
        let found = match timeout(PATIENCE, &mut looking).await {
            Ok(looked) => looked,
            Err(_) => {
                size.send_replace(None);
                // Never a second one while one hangs.
                looking.await
            }
        };
        size.send_replace(found.ok().flatten());
        sleep(EVERY).await;
    }
}

/// `None`: it cannot be seen.
fn bytes(ledger: &Path) -> Option<u64> {
    let file = metadata(ledger).ok()?.len();
    let mut log = ledger.as_os_str().to_owned();
    log.push(LOG);
    // It is there only while something was written lately.
    let log = metadata(log).map_or(0, |log| log.len());
    Some(file.saturating_add(log))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_beside_it_counts_and_a_ledger_that_is_not_there_has_no_size() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger.db");
        assert_eq!(bytes(&ledger), None);
        std::fs::write(&ledger, [0; 100]).unwrap();
        assert_eq!(bytes(&ledger), Some(100));
        std::fs::write(dir.path().join("ledger.db-wal"), [0; 20]).unwrap();
        assert_eq!(bytes(&ledger), Some(120));
    }
}
