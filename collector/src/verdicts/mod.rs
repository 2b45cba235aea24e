//! Every verdict that was given, with all that it was judged by: `quorate replay` judges it again, and who must find out why a GO
//! was wrong has more than a sentence.
//!
//! It is written beside: no verdict waits for it or depends on it, and the last ones can be lost in a power cut. What cannot be
//! written is counted and said, and its verdict has no id.

mod file;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use model::gate::{Basis, Verdict};
use model::identity::ClusterId;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::answer::chain;
use crate::ledger::decision::Revision;
use file::File;

/// Below the state directory.
pub const VERDICTS: &str = "verdicts.db";
/// How many may wait to be written: more than are given while a disk takes a breath.
const MAX_WAITING: usize = 256;
/// The most that are listed.
pub(crate) const MAX_LISTED: u32 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum VerdictsError {
    #[error(
        "{path} cannot be used; it holds past verdicts and nothing else, and may be moved away"
    )]
    File {
        path: String,
        source: rusqlite::Error,
    },
    #[error(
        "{path} was made by a newer version (form {found}); move it away, and a new one is begun"
    )]
    Newer { path: String, found: i64 },
    #[error("the thread that writes verdicts cannot be started")]
    Writer(#[source] std::io::Error),
    #[error("verdicts are not kept here")]
    NotKept,
    #[error("verdict {id} is damaged: {what}")]
    Damaged { id: String, what: String },
}

/// What it was asked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    Check,
    Begin,
}

/// One verdict, and where it comes from.
#[derive(Debug)]
pub struct Given {
    pub cluster: ClusterId,
    pub asker: String,
    pub asked: Asked,
    /// Of the collector.
    pub version: &'static str,
    pub revision: Revision,
    pub epoch: u64,
    pub basis: Basis,
    pub verdict: Verdict,
}

/// One of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub id: String,
    pub at_unix_ms: i64,
    pub asker: String,
    pub sentence: String,
}

enum Job {
    Keep(String, Box<Given>),
    Read {
        cluster: ClusterId,
        id: String,
        answer: oneshot::Sender<Result<Option<String>, VerdictsError>>,
    },
    List {
        cluster: ClusterId,
        most: u32,
        answer: oneshot::Sender<Result<Vec<Line>, VerdictsError>>,
    },
}

/// Where they are kept.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// `None`: nowhere.
    jobs: Option<SyncSender<Job>>,
    not_kept: AtomicU64,
}

impl Verdicts {
    /// A file that cannot be used is no reason not to judge: it is said, and none are kept.
    pub fn open(path: &Path) -> Self {
        match Self::begin(path) {
            Ok(verdicts) => verdicts,
            Err(error) => {
                tracing::error!("verdicts are not kept: {}", chain(&error));
                Self::default()
            }
        }
    }

    fn begin(path: &Path) -> Result<Self, VerdictsError> {
        let file = File::open(path)?;
        let (jobs, waiting) = sync_channel(MAX_WAITING);
        thread::Builder::new()
            .name("verdicts".to_owned())
            .spawn(move || work(file, &waiting))
            .map_err(VerdictsError::Writer)?;
        Ok(Self {
            jobs: Some(jobs),
            not_kept: AtomicU64::new(0),
        })
    }

    /// By which it can be asked for again; empty where it is not kept.
    pub fn keep(&self, given: Given) -> String {
        let Some(jobs) = &self.jobs else {
            return String::new();
        };
        let id = id(given.basis.now.unix_ms);
        if jobs
            .try_send(Job::Keep(id.clone(), Box::new(given)))
            .is_ok()
        {
            return id;
        }
        let count = self.not_kept.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(
                "{count} verdicts came faster than they could be written, and are not kept"
            );
        }
        String::new()
    }

    /// As JSON, each piece in its place.
    pub async fn read(
        &self,
        cluster: ClusterId,
        id: String,
    ) -> Result<Option<String>, VerdictsError> {
        let (answer, wait) = oneshot::channel();
        self.ask(Job::Read {
            cluster,
            id,
            answer,
        })?;
        wait.await.map_err(|_| VerdictsError::NotKept)?
    }

    /// The newest first.
    pub async fn list(&self, cluster: ClusterId, most: u32) -> Result<Vec<Line>, VerdictsError> {
        let (answer, wait) = oneshot::channel();
        let most = most.min(MAX_LISTED);
        self.ask(Job::List {
            cluster,
            most,
            answer,
        })?;
        wait.await.map_err(|_| VerdictsError::NotKept)?
    }

    fn ask(&self, job: Job) -> Result<(), VerdictsError> {
        let jobs = self.jobs.as_ref().ok_or(VerdictsError::NotKept)?;
        jobs.try_send(job).map_err(|_| VerdictsError::NotKept)
    }
}

/// Sorted as they were given, and no two alike: milliseconds and chance.
fn id(now_unix_ms: i64) -> String {
    let chance = RandomState::new().hash_one(now_unix_ms) & 0xf_ffff;
    format!("{now_unix_ms:011x}{chance:05x}")
}

fn work(mut file: File, waiting: &Receiver<Job>) {
    let mut in_trouble = false;
    while let Ok(job) = waiting.recv() {
        match job {
            Job::Keep(id, given) => {
                let kept = file.keep(&id, &given);
                if let (Err(error), false) = (&kept, in_trouble) {
                    tracing::error!("verdicts cannot be written: {}", chain(error));
                }
                in_trouble = kept.is_err();
            }
            // Whoever asked may not wait any more.
            Job::Read {
                cluster,
                id,
                answer,
            } => drop(answer.send(file.read(&cluster, &id))),
            Job::List {
                cluster,
                most,
                answer,
            } => drop(answer.send(file.list(&cluster, most))),
        }
    }
}
