//! The ledger as one SQLite file: a thread of its own writes, and many appends share one commit; others read beside it.
//!
//! WAL with `synchronous=FULL`: a commit has been synced when it returns, so `Ok` outlives a power cut. A disk that is
//! full or read-only makes every append `Unknown`, with SQLite's own words; nothing of it is acknowledged to anybody.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::alert;
use model::identity::ClusterId;
use model::incident::{Step, Transition as IncidentStep};
use model::lease;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::decision::{Decision, KeptEvent, KeptStep, Record, Revision, SpoolRow, TakenEvent};
use super::sqlite_history::{newest, steps};
use super::sqlite_look::{count, events, head, number, read, snapshot};
use super::sqlite_retention::{Retention, retain};
use super::sqlite_schema as schema;
use super::writer::{Work, Writer};
use super::{Appended, EventsWanted, Ledger, LedgerError, Newest, NewestWanted, Snapshot};

/// How long a lock of the file is waited for: a backup may hold one.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Appends that wait for the writer; each cluster has one at most.
const MAX_WAITING: usize = 256;
/// Appends that share one commit.
const MAX_TOGETHER: usize = 64;
/// Readers at the same time.
const MAX_READERS: usize = 4;

const RETAIN_EVERY: Duration = Duration::from_hours(1);

/// In a file that was put back from a copy: no number of an incident up to so many behind the last is given again.
pub fn leave_a_gap(path: &Path, numbers: u64) -> Result<(), LedgerError> {
    let connection = schema::open(path)?;
    connection
        .execute(
            "UPDATE head SET last_incident = last_incident + ?1",
            [number(numbers)],
        )
        .map(drop)
        .map_err(|source| LedgerError::Open {
            path: path.to_owned(),
            source,
        })
}

enum Job {
    Append {
        cluster: ClusterId,
        expected: Revision,
        epoch: u64,
        decision: Arc<Decision>,
        answer: oneshot::Sender<Appended>,
    },
    Retain {
        retention: Retention,
        now_unix_ms: i64,
        answer: oneshot::Sender<Result<u64, LedgerError>>,
    },
}

/// The ledgers of all clusters, in one file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
    work: Work,
    readers: Arc<Semaphore>,
}

impl Sqlite {
    /// Opens the file or makes it, checks it, and brings it to the newest form.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let connection = schema::open(path)?;
        let (jobs, waiting) = mpsc::channel(MAX_WAITING);
        let work = Work::default();
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn({
                let work = work.clone();
                move || write(connection, waiting, &work)
            })
            .map_err(|source| LedgerError::Writer { source })?;
        Ok(Self {
            path: path.to_owned(),
            jobs,
            work,
            readers: Arc::new(Semaphore::new(MAX_READERS)),
        })
    }

    /// How its writer stands.
    pub fn writer(&self) -> Writer {
        if self.jobs.is_closed() {
            Writer::Gone
        } else {
            self.work.standing()
        }
    }

    /// Takes away events that are too old or too many, and says how many went. Call it again until none do.
    pub async fn retain(&self, retention: Retention, now_unix_ms: i64) -> Result<u64, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Retain {
            retention,
            now_unix_ms,
            answer,
        };
        let gone = || LedgerError::NoAnswer {
            why: GONE.to_owned(),
        };
        self.jobs.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Takes away what is too old or too many, every hour, for ever.
    pub async fn retain_for_ever(&self, retention: Retention) {
        loop {
            let now_unix_ms = jiff::Timestamp::now().as_millisecond();
            match self.retain(retention, now_unix_ms).await {
                Ok(0) => tokio::time::sleep(RETAIN_EVERY).await,
                Ok(count) => tracing::info!("{count} old events were taken out of the ledger"),
                Err(error) => {
                    tracing::error!("old events cannot be taken out of the ledger: {error}");
                    tokio::time::sleep(RETAIN_EVERY).await;
                }
            }
        }
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let no_answer = |why: String| LedgerError::NoAnswer { why };
        let permit = Arc::clone(&self.readers)
            .acquire_owned()
            .await
            .map_err(|error| no_answer(error.to_string()))?;
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection =
                schema::open_to_read(&path).map_err(|source| LedgerError::Read { source })?;
            look(&connection)
        })
        .await
        .map_err(|error| no_answer(error.to_string()))?
    }
}

const GONE: &str = "its writer has ended";

#[tonic::async_trait]
impl Ledger for Sqlite {
    async fn append(
        &self,
        cluster: &ClusterId,
        expected: Revision,
        epoch: u64,
        decision: Arc<Decision>,
    ) -> Appended {
        let (answer, answered) = oneshot::channel();
        let job = Job::Append {
            cluster: cluster.clone(),
            expected,
            epoch,
            decision,
            answer,
        };
        let gone = || Appended::Unknown {
            why: GONE.to_owned(),
        };
        if self.jobs.send(job).await.is_err() {
            return gone();
        }
        answered.await.unwrap_or_else(|_| gone())
    }

    async fn read(&self, cluster: &ClusterId, after: Revision) -> Result<Vec<Record>, LedgerError> {
        let cluster = cluster.clone();
        self.look(move |connection| read(connection, &cluster, after))
            .await
    }

    async fn snapshot(&self, cluster: &ClusterId) -> Result<Snapshot, LedgerError> {
        let cluster = cluster.clone();
        self.look(move |connection| snapshot(connection, &cluster))
            .await
    }

    async fn events(&self, wanted: &EventsWanted) -> Result<Vec<KeptEvent>, LedgerError> {
        let wanted = wanted.clone();
        self.look(move |connection| events(connection, &wanted))
            .await
    }

    async fn steps(&self, cluster: &ClusterId, after: u64) -> Result<Vec<KeptStep>, LedgerError> {
        let cluster = cluster.clone();
        self.look(move |connection| steps(connection, &cluster, after))
            .await
    }

    async fn newest(&self, wanted: &NewestWanted) -> Result<Newest, LedgerError> {
        let wanted = wanted.clone();
        self.look(move |connection| newest(connection, &wanted))
            .await
    }
}

/// The writer: takes what waits, commits it together, then answers.
fn write(mut connection: Connection, mut waiting: mpsc::Receiver<Job>, work: &Work) {
    while let Some(first) = waiting.blocking_recv() {
        let _piece = work.begin();
        let mut together = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Retain {
                    retention,
                    now_unix_ms,
                    answer,
                } => {
                    let removed = retain(&mut connection, retention, now_unix_ms);
                    // Whoever asked may not wait any more.
                    let _ = answer.send(removed.map_err(|source| LedgerError::Read { source }));
                }
                append @ Job::Append { .. } => together.push(append),
            }
            next = (together.len() < MAX_TOGETHER)
                .then(|| waiting.try_recv().ok())
                .flatten();
        }
        commit(&mut connection, together);
    }
}

fn commit(connection: &mut Connection, jobs: Vec<Job>) {
    let written = append_all(connection, &jobs);
    for (at, job) in jobs.into_iter().enumerate() {
        let Job::Append { answer, .. } = job else {
            continue;
        };
        let appended = match &written {
            Ok(all) => all.get(at).cloned().unwrap_or(Appended::Conflict),
            Err(error) => Appended::Unknown {
                why: error.to_string(),
            },
        };
        // Whoever asked may not wait any more: he will read again.
        let _ = answer.send(appended);
    }
}

fn append_all(connection: &mut Connection, jobs: &[Job]) -> Result<Vec<Appended>, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut all = Vec::new();
    for job in jobs {
        if let Job::Append {
            cluster,
            expected,
            epoch,
            decision,
            ..
        } = job
        {
            all.push(append(&transaction, cluster, *expected, *epoch, decision)?);
        }
    }
    transaction.commit()?;
    Ok(all)
}

fn append(
    transaction: &Transaction<'_>,
    cluster: &ClusterId,
    expected: Revision,
    epoch: u64,
    decision: &Decision,
) -> Result<Appended, rusqlite::Error> {
    let head = head(transaction, cluster)?;
    if epoch < head.epoch {
        return Ok(Appended::NotLeader { epoch: head.epoch });
    }
    if expected != head.revision {
        return Ok(Appended::Conflict);
    }
    let revision = head.revision.next();
    transaction
        .prepare_cached("INSERT INTO decision VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            cluster.as_str(),
            number(revision.0),
            number(epoch),
            // The bits are what counts: it is compared for equality only.
            decision.id.writer.cast_signed(),
            decision.id.number.cast_signed(),
        ])?;
    let mut last_place = head.last_place;
    for event in &decision.events {
        if let Some(place) = insert(transaction, cluster, event, last_place)? {
            last_place = place;
        }
    }
    let mut last_incident = head.last_incident;
    for transition in &decision.transitions {
        insert_transition(transaction, cluster, transition)?;
        last_incident = last_incident.max(transition.number);
    }
    for step in &decision.leases {
        insert_lease_step(transaction, cluster, step)?;
    }
    for step in &decision.alerts {
        insert_alert_step(transaction, cluster, step)?;
    }
    transaction
        .prepare_cached("INSERT OR REPLACE INTO head VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            cluster.as_str(),
            number(revision.0),
            number(epoch),
            number(last_place),
            number(last_incident)
        ])?;
    Ok(Appended::Ok(revision))
}

fn insert_transition(
    transaction: &Transaction<'_>,
    cluster: &ClusterId,
    transition: &IncidentStep,
) -> Result<(), rusqlite::Error> {
    let body = serde_json::to_string(transition)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    transaction
        .prepare_cached(
            "INSERT INTO transition VALUES (?1,
                 1 + (SELECT COALESCE(MAX(place), 0) FROM transition WHERE cluster = ?1), ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            cluster.as_str(),
            number(transition.number),
            transition.at_unix_ms,
            matches!(transition.step, Step::Closed { .. }),
            body
        ])?;
    Ok(())
}

fn insert_alert_step(
    transaction: &Transaction<'_>,
    cluster: &ClusterId,
    step: &alert::Transition,
) -> Result<(), rusqlite::Error> {
    let body = serde_json::to_string(step)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    transaction
        .prepare_cached(
            "INSERT INTO alert_step VALUES (?1,
                 1 + (SELECT COALESCE(MAX(place), 0) FROM alert_step WHERE cluster = ?1), ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            cluster.as_str(),
            step.at_unix_ms,
            number(step.message()),
            number(step.head().unwrap_or_default()),
            body
        ])?;
    Ok(())
}

fn insert_lease_step(
    transaction: &Transaction<'_>,
    cluster: &ClusterId,
    step: &lease::Transition,
) -> Result<(), rusqlite::Error> {
    let body = serde_json::to_string(step)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    transaction
        .prepare_cached(
            "INSERT INTO lease_step VALUES (?1,
                 1 + (SELECT COALESCE(MAX(place), 0) FROM lease_step WHERE cluster = ?1), ?2)",
        )?
        .execute(params![cluster.as_str(), body])?;
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    cluster: &ClusterId,
    event: &TakenEvent,
    last_place: u64,
) -> Result<Option<u64>, rusqlite::Error> {
    let (node, spool) = (event.node.as_str(), event.spool.0);
    let mut row = transaction
        .prepare_cached(
            "SELECT up_to, events FROM spool WHERE cluster = ?1 AND node = ?2 AND spool = ?3",
        )?
        .query_row(params![cluster.as_str(), node, spool], |row| {
            Ok(SpoolRow {
                up_to: count(row.get(0)?),
                events: count(row.get(1)?),
            })
        })
        .optional()?
        .unwrap_or_default();
    if !row.take(event) {
        return Ok(None);
    }
    transaction
        .prepare_cached("INSERT OR REPLACE INTO spool VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            cluster.as_str(),
            node,
            spool,
            number(row.up_to),
            number(row.events)
        ])?;
    let place = last_place.saturating_add(1);
    transaction
        .prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            cluster.as_str(),
            number(place),
            node,
            spool,
            number(event.number),
            number(event.last),
            event.kept_unix_ms,
            event.body
        ])?;
    Ok(Some(place))
}
