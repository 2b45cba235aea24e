//! The ledger's file as the running collector has it: a file that cannot be opened is no reason not to watch.
//!
//! It is tried again, for a disk can get room or become writable. A damaged file is not: what is to become of it only a
//! person can say, and until then nothing is kept. A file of a newer version ends the collector.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::identity::ClusterId;
use tokio::sync::{Mutex, watch};

use super::decision::{Decision, KeptEvent, KeptStep, Record, Revision};
use super::sqlite::Sqlite;
use super::sqlite_retention::Retention;
use super::writer::Writer;
use super::{Appended, EventsWanted, Ledger, LedgerError, Newest, NewestWanted, Snapshot};
use crate::answer::chain;

/// Between two attempts to open it.
const AGAIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum Place {
    Open(Arc<Sqlite>),
    /// `again`: when it is tried again, if ever.
    Closed {
        why: String,
        again: Option<Instant>,
    },
}

/// The ledgers of all clusters.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    place: Mutex<Place>,
    can_write: watch::Sender<bool>,
}

impl Store {
    /// Opens the file, or says why it is closed. An error only where this program may not touch it.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let place = match open(path).await {
            Err(error @ LedgerError::Newer { .. }) => return Err(error),
            opened => place(opened),
        };
        if let Place::Closed { why, .. } = &place {
            tracing::error!("{why}; the collector watches from memory, and acknowledges no event");
        }
        let (can_write, _) = watch::channel(matches!(place, Place::Open(_)));
        Ok(Self {
            path: path.to_owned(),
            place: Mutex::new(place),
            can_write,
        })
    }

    /// Whether the last that was to be written could be.
    pub fn can_write(&self) -> watch::Receiver<bool> {
        self.can_write.subscribe()
    }

    /// How the writer stands; one whose file is not open, or just being opened, has nothing to do.
    pub fn writer(&self) -> Writer {
        match self.place.try_lock().as_deref() {
            Ok(Place::Open(file)) => file.writer(),
            _ => Writer::Rests,
        }
    }

    /// Takes away what is too old or too many, for ever.
    pub async fn retain_for_ever(&self, retention: Retention) {
        loop {
            match self.file().await {
                Ok(file) => file.retain_for_ever(retention).await,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn file(&self) -> Result<Arc<Sqlite>, LedgerError> {
        let mut held = self.place.lock().await;
        if let Place::Closed { again, .. } = &*held
            && again.is_some_and(|at| at <= Instant::now())
        {
            *held = place(open(&self.path).await);
            self.is_written(matches!(&*held, Place::Open(_)));
        }
        match &*held {
            Place::Open(file) => Ok(Arc::clone(file)),
            Place::Closed { why, .. } => Err(LedgerError::Closed { why: why.clone() }),
        }
    }

    fn is_written(&self, is_written: bool) {
        self.can_write.send_if_modified(|before| {
            let is_other = *before != is_written;
            *before = is_written;
            is_other
        });
    }
}

/// It reads every page of the file.
async fn open(path: &Path) -> Result<Sqlite, LedgerError> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || Sqlite::open(&path)).await;
    opened.unwrap_or_else(|error| {
        let why = error.to_string();
        Err(LedgerError::NoAnswer { why })
    })
}

fn place(opened: Result<Sqlite, LedgerError>) -> Place {
    match opened {
        Ok(file) => Place::Open(Arc::new(file)),
        Err(error) => Place::Closed {
            why: chain(&error),
            again: match error {
                LedgerError::Damaged { .. } | LedgerError::Newer { .. } => None,
                _ => Some(Instant::now() + AGAIN),
            },
        },
    }
}

#[tonic::async_trait]
impl Ledger for Store {
    async fn append(
        &self,
        cluster: &ClusterId,
        expected: Revision,
        epoch: u64,
        decision: Arc<Decision>,
    ) -> Appended {
        let appended = match self.file().await {
            Ok(file) => file.append(cluster, expected, epoch, decision).await,
            Err(error) => Appended::Unknown {
                why: error.to_string(),
            },
        };
        self.is_written(!matches!(appended, Appended::Unknown { .. }));
        appended
    }

    async fn read(&self, cluster: &ClusterId, after: Revision) -> Result<Vec<Record>, LedgerError> {
        self.file().await?.read(cluster, after).await
    }

    async fn snapshot(&self, cluster: &ClusterId) -> Result<Snapshot, LedgerError> {
        self.file().await?.snapshot(cluster).await
    }

    async fn events(&self, wanted: &EventsWanted) -> Result<Vec<KeptEvent>, LedgerError> {
        self.file().await?.events(wanted).await
    }

    async fn steps(&self, cluster: &ClusterId, after: u64) -> Result<Vec<KeptStep>, LedgerError> {
        self.file().await?.steps(cluster, after).await
    }

    async fn newest(&self, wanted: &NewestWanted) -> Result<Newest, LedgerError> {
        self.file().await?.newest(wanted).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_damaged_file_is_said_and_left_as_it_is_and_nothing_is_kept_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let bytes = vec![b'x'; 8192];
        std::fs::write(&path, &bytes).unwrap();
        let store = Store::open(&path).await.unwrap();
        assert!(!*store.can_write().borrow());
        let cluster = ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap();
        let error = store.snapshot(&cluster).await.unwrap_err().to_string();
        for word in ["is damaged", "not a database", "put back a copy", "start"] {
            assert!(error.contains(word), "{word}: {error}");
        }
        let decision = Arc::new(Decision {
            id: crate::ledger::decision::DecisionId {
                writer: 1,
                number: 1,
            },
            events: vec![],
            transitions: vec![],
            leases: vec![],
            alerts: vec![],
        });
        let appended = store.append(&cluster, Revision(0), 1, decision).await;
        assert!(matches!(appended, Appended::Unknown { .. }), "{appended:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[tokio::test]
    async fn a_file_of_a_newer_version_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let newer = rusqlite::Connection::open(&path).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        drop(newer);
        let error = Store::open(&path).await.unwrap_err();
        assert!(matches!(error, LedgerError::Newer { found: 99, .. }));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("away/ledger.db");
        let store = Store::open(&path).await.unwrap();
        assert!(!*store.can_write().borrow());
        std::fs::create_dir(dir.path().join("away")).unwrap();
        if let Place::Closed { again, .. } = &mut *store.place.lock().await {
            *again = Some(Instant::now());
        }
        let cluster = ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap();
        store.snapshot(&cluster).await.unwrap();
        assert!(*store.can_write().borrow());
    }
}
