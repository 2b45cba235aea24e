//! What changed on the node, on its way into the spool. The hub hands a change over and goes on; a thread that may wait
//! for the disk writes it. What comes too fast is counted and not written: the state converges without it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::change::Change;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::hub::Told;
use super::limits::Limits;
use crate::journal::SharedSpool;
use crate::spool::{Kind, New};

/// How many changes a second are kept in the long run, and how many at once.
const A_SECOND: u32 = 50;
const AT_ONCE: u32 = 200;
/// How many may wait for the disk.
const MAX_WAITING: usize = 256;
/// At the end: how long the disk is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
pub(super) const TOO_FAST: &str = "changes that came too fast to be kept";
const NOT_WRITTEN: &str = "changes that could not be written to the spool";

/// The event, as a collector gets it.
#[derive(Serialize)]
struct Transition<'a> {
    at: Timestamp,
    #[serde(flatten)]
    change: &'a Change,
}

/// What waits for the disk.
#[derive(Debug)]
enum Waiting {
    Record(New),
    /// Somebody wants to know when all before it is written.
    Mark(oneshot::Sender<()>),
}

/// The hub's end.
#[derive(Debug)]
pub(super) struct Transitions {
    sender: mpsc::Sender<Waiting>,
    writer: JoinHandle<()>,
    allowance: Allowance,
    limits: Limits,
}

impl Transitions {
    /// Must be called within the runtime.
    pub(super) fn begin(spool: SharedSpool, limits: Limits) -> Self {
        let (sender, waiting) = mpsc::channel(MAX_WAITING);
        Self {
            sender,
            writer: tokio::spawn(write(waiting, spool, limits.clone())),
            allowance: Allowance::new(Instant::now()),
            limits,
        }
    }

    pub(super) fn keep(&mut self, told: &Told) {
        let Told { change, at, .. } = told;
        if !self.allowance.take(Instant::now()) {
            self.limits.hit(TOO_FAST, 1);
            return;
        }
        let transition = Transition { at: *at, change };
        // A change is plain text and JSON already.
        let json = serde_json::to_string(&transition).unwrap_or_default();
        let record = New {
            kind: Kind::Change,
            cursor: None,
            json,
        };
        if self.sender.try_send(Waiting::Record(record)).is_err() {
            self.limits.hit(TOO_FAST, 1);
        }
    }

    /// Answers once all that was kept until now is written; it breaks off where too much waits to say so.
    pub(super) fn written(&self) -> oneshot::Receiver<()> {
        let (mark, written) = oneshot::channel();
        let _ = self.sender.try_send(Waiting::Mark(mark));
        written
    }

    /// What waits is written.
    pub(super) async fn end(self) {
        drop(self.sender);
        // A disk that hangs must not keep the agent from ending.
        let _ = timeout(PATIENCE, self.writer).await;
    }
}

async fn write(mut waiting: mpsc::Receiver<Waiting>, spool: SharedSpool, limits: Limits) {
    loop {
        let mut taken = Vec::new();
        if waiting.recv_many(&mut taken, MAX_WAITING).await == 0 {
            return;
        }
        let (mut batch, mut marks) = (Vec::new(), Vec::new());
        for waiting in taken {
            match waiting {
                Waiting::Record(record) => batch.push(record),
                Waiting::Mark(mark) => marks.push(mark),
            }
        }
        let (spool, count) = (spool.clone(), batch.len());
        let written = spawn_blocking(move || {
            let mut spool = spool
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let before = spool.next_number();
            // The spool says in its state why it cannot be written.
            let _ = spool.append(&batch);
            spool.next_number().saturating_sub(before)
        });
        let lost = (count as u64).saturating_sub(written.await.unwrap_or(0));
        limits.hit(NOT_WRITTEN, lost);
        for mark in marks {
            // Whoever gave up waiting does not hear it.
            let _ = mark.send(());
        }
    }
}

/// So many at once, and so many a second.
#[derive(Debug)]
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self {
            left: f64::from(AT_ONCE),
            at: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + since * f64::from(A_SECOND)).min(f64::from(AT_ONCE));
        let is_allowed = self.left >= 1.0;
        if is_allowed {
            self.left -= 1.0;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::spool::{Item, MIN_MAX_BYTES, Spool};

    #[test]
    fn a_flood_is_cut_to_its_share() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        let ms = |ms| now + Duration::from_millis(ms);
        let kept = (0..10_000).filter(|at| allowance.take(ms(*at))).count();
        assert_eq!(kept, 200 + 500 - 1);
    }

    #[tokio::test]
    async fn a_change_is_in_the_spool_when_the_agent_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), MIN_MAX_BYTES).unwrap();
        let spool = Arc::new(Mutex::new(spool));
        let limits = Limits::default();
        let mut transitions = Transitions::begin(Arc::clone(&spool), limits.clone());
        for _ in 0..1000 {
            transitions.keep(&Told {
                change: Change::of_the_agent("eno1 lost its carrier"),
                noticed: None,
                at: Timestamp::UNIX_EPOCH,
            });
        }
        transitions.end().await;
        let items = spool.lock().unwrap().read_from(1, 1000).unwrap();
        let Some(Item::Record(first)) = items.first() else {
            panic!("{items:?}");
        };
        assert_eq!(first.kind, Kind::Change);
        let json: serde_json::Value = serde_json::from_str(&first.json).unwrap();
        assert_eq!(json["at"], "1970-01-01T00:00:00Z");
        assert_eq!(json["sentence"], "eno1 lost its carrier");
        let lost = limits.all().get(TOO_FAST).copied().unwrap();
        assert_eq!(items.len() as u64 + lost, 1000);
    }
}
