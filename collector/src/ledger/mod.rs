//! The ledger: all that was decided or promised for a cluster, in one order, and kept over a power cut.
//!
//! One trait, so that a store for many collectors can take the place of SQLite; one set of rules, which
//! `conformance.rs` tries on every store. What agents can tell again is not in here.
//!
//! **The rules.** A revision is given once. An append names the revision that it builds on and is refused where the
//! ledger is at another one. `Ok` means that it is on the disk. `Unknown` means that it may be there or not, or may
//! still come: the writer reads again, and looks for its own decision by its id. What a look shows is on the disk: a
//! writer that finds its decision may acknowledge it. Nothing here reads a clock.

pub mod decision;
pub mod memory;
pub mod sqlite;
pub mod store;
pub mod writer;

mod sqlite_history;
mod sqlite_look;
pub(crate) mod sqlite_retention;
mod sqlite_schema;

#[cfg(test)]
mod conformance;

use std::path::PathBuf;
use std::sync::Arc;

use model::identity::ClusterId;
use model::name::NodeName;

use decision::{Decision, Kept, KeptEvent, KeptStep, Record, Revision};

/// The file of all ledgers, in the state directory.
pub const LEDGER: &str = "ledger.db";
/// How many decisions one look brings at most.
pub const MAX_RECORDS_READ: usize = 500;
/// How many events one look brings at most.
pub const MAX_EVENTS_READ: usize = 500;

/// How many steps of incidents one look brings at most.
pub const MAX_STEPS_READ: usize = 500;
/// How many of the newest events, and as many steps, are marked at most.
pub const MAX_NEWEST: usize = 10_000;

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is there, on the disk, at this revision.
    Ok(Revision),
    /// It is not there: the ledger is not at the revision that it builds on.
    Conflict,
    /// It is not there: a writer of a higher epoch has been here.
    NotLeader { epoch: u64 },
    /// It may be there, or not, or may still come.
    Unknown { why: String },
}

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger {} cannot be opened", path.display())]
    Open {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error(
        "the ledger {} was written by a newer version of Quorate (its form is {found}, this program knows up to {known}): \
         run that version, or put back {0}.form-{known}, the copy from before (quorate-collector(8) and docs/operate.md say how)",
        path.display()
    )]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error(
        "the ledger {} is damaged ({what}): put back a copy of the file, or move it away and let the agents tell again \
         what they still have; then start the collector again",
        path.display()
    )]
    Damaged { path: PathBuf, what: String },
    #[error("the copy {} of the ledger cannot be made before its form is changed", path.display())]
    Copy {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("the ledger cannot be read")]
    Read { source: rusqlite::Error },
    #[error("{} cannot be synced", path.display())]
    Sync {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the thread that writes the ledger cannot be started")]
    Writer { source: std::io::Error },
    #[error("{why}")]
    Closed { why: String },
    #[error("the ledger does not answer: {why}")]
    NoAnswer { why: String },
    #[error("decisions up to {oldest} are not kept one by one any more: take the snapshot")]
    TooOld { oldest: Revision },
    #[error("a row of the ledger is not understood: {what}")]
    Row { what: String },
}

/// Where a cluster stands: what all its decisions add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub revision: Revision,
    pub epoch: u64,
    pub kept: Kept,
}

/// Which events are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsWanted {
    pub cluster: ClusterId,
    /// `None`: of all nodes.
    pub node: Option<NodeName>,
    /// Behind this place.
    pub after: u64,
    /// Up to this place, which the store may not have passed over.
    pub limit: usize,
}

/// Which events and steps of incidents are the newest, and wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestWanted {
    pub cluster: ClusterId,
    /// Events of this node; steps of incidents that are about it.
    pub node: Option<NodeName>,
    /// Nothing that was kept before, as the collector's wall clock then said.
    pub since_unix_ms: Option<i64>,
    /// So many of each, at most [`MAX_NEWEST`]. `None`: only the oldest that fits.
    pub last: Option<usize>,
}

/// Where one of them stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub place: u64,
    pub kept_unix_ms: i64,
}

impl NewestWanted {
    /// Of all that fit, the newest first, those that are wanted.
    fn marks(&self, newest_first: impl IntoIterator<Item = Mark>) -> Vec<Mark> {
        let is_in_time = |mark: &Mark| {
            self.since_unix_ms
                .is_none_or(|since| mark.kept_unix_ms >= since)
        };
        let in_time = newest_first.into_iter().take_while(is_in_time);
        match self.last {
            Some(last) => in_time.take(last.min(MAX_NEWEST)).collect(),
            None => in_time.last().into_iter().collect(),
        }
    }
}

/// Where the newest stand, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newest {
    pub events: Vec<Mark>,
    pub steps: Vec<Mark>,
    /// The places of the last of all.
    pub last_event: u64,
    pub last_step: u64,
}

/// A store of ledgers.
#[tonic::async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Adds a decision behind `expected`. It goes on even if nobody waits for the answer any more.
    async fn append(
        &self,
        cluster: &ClusterId,
        expected: Revision,
        epoch: u64,
        decision: Arc<Decision>,
    ) -> Appended;

    /// The decisions behind a revision, oldest first, at most [`MAX_RECORDS_READ`].
    async fn read(&self, cluster: &ClusterId, after: Revision) -> Result<Vec<Record>, LedgerError>;

    async fn snapshot(&self, cluster: &ClusterId) -> Result<Snapshot, LedgerError>;

    /// Events in the order of their places, at most [`MAX_EVENTS_READ`].
    async fn events(&self, wanted: &EventsWanted) -> Result<Vec<KeptEvent>, LedgerError>;

    /// Steps of incidents behind a place, oldest first, at most [`MAX_STEPS_READ`].
    async fn steps(&self, cluster: &ClusterId, after: u64) -> Result<Vec<KeptStep>, LedgerError>;

    /// Where the newest events and steps stand.
    async fn newest(&self, wanted: &NewestWanted) -> Result<Newest, LedgerError>;
}
