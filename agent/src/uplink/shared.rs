//! What the links to all collectors share: the board, the spool, who the agent is, and how each link stands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use proto::v1;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep_until;

use super::Opening;
use super::board::Board;
use super::outbox::MAX_BATCH_EVENTS;
use crate::host::{Host, Patience, said};
use crate::identity::enrolled::Enrolled;
use crate::journal::SharedSpool;
use crate::probe::Prober;
use crate::spool::{Item, SpoolError};

/// How one link stands, for whoever asks the agent's socket.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Standing {
    /// The address that answers; `null`: not connected.
    pub(crate) connected_to: Option<String>,
    pub(crate) since: Option<Timestamp>,
    /// Whether it decides for the cluster; `null`: it has not said so yet.
    pub(crate) is_authority: Option<bool>,
    pub(crate) last_error: Option<String>,
    pub(crate) last_error_at: Option<Timestamp>,
    /// The collector has all events up to this number on its disk.
    pub(crate) acknowledged: u64,
    pub(crate) events_dropped: u64,
    /// What was posted on the board up to this count has gone into the connection.
    #[serde(skip)]
    handed: u64,
}

/// Shared by its clones.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) board: Board,
    /// Nothing where nothing can be kept.
    pub(super) spool: Option<SharedSpool>,
    pub(super) prober: Prober,
    /// An enrolment may have changed: its files are to be looked at now.
    pub(super) look_again: Arc<Notify>,
    pub(super) standings: Arc<Mutex<BTreeMap<String, Standing>>>,
    /// Tells whenever a collector was handed something, or is not connected any more.
    handed: watch::Sender<()>,
    root: PathBuf,
    patience: Patience,
    boot_id: String,
    instance: [u8; 16],
}

impl Shared {
    pub(super) fn new(opening: Opening) -> Self {
        let Opening {
            state_dir: _,
            root,
            patience,
            board,
            spool,
        } = opening;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self {
            board,
            spool,
            prober: Prober::new(patience.clone()),
            look_again: Arc::default(),
            standings: Arc::default(),
            handed: watch::Sender::new(()),
            root,
            patience,
            boot_id: boot_id.unwrap_or_default().trim().to_owned(),
            instance: random_bytes(),
        }
    }

    /// This node, with the lanes that it shares with all sources.
    pub(super) fn host(&self) -> Host {
        Host::live_below(&self.root, &self.patience)
    }

    pub(super) async fn hello(&self, enrolled: &Enrolled) -> v1::Hello {
        let mut hello = v1::Hello {
            cluster: Some(v1::Cluster {
                id: enrolled.cluster.as_str().to_owned(),
                name: enrolled.cluster_name.clone(),
            }),
            node: enrolled.node.as_str().to_owned(),
            agent: Some(v1::Software {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                capabilities: Vec::new(),
            }),
            boot_id: self.boot_id.clone(),
            // Without a spool there are no events, and none are missed.
            spool_id: self.instance.to_vec(),
            spool_first: 1,
            spool_next: 1,
            authority: enrolled.told.clone().map(v1::Authority::from),
            instance: self.instance.to_vec(),
            trust: enrolled.trust(),
        };
        if let Some(spool) = self.spool.clone() {
            let asked = spawn_blocking(move || {
                let spool = locked(&spool);
                (spool.id(), spool.first_number(), spool.next_number())
            });
            if let Ok((id, first, next)) = asked.await {
                hello.spool_id = id.to_vec();
                (hello.spool_first, hello.spool_next) = (first, next);
            }
        }
        hello
    }

    /// Tells the number of the spool's next record.
    pub(super) fn spool_growth(&self) -> watch::Receiver<u64> {
        match &self.spool {
            // Held for a moment by whoever writes; once a stream.
            Some(spool) => {
                let mut growth = locked(spool).listen();
                // What was written since Hello counts as news.
                growth.mark_changed();
                growth
            }
            None => watch::channel(1).1,
        }
    }

    pub(super) fn read(
        &self,
        from: u64,
        not_before: tokio::time::Instant,
    ) -> JoinHandle<Result<Vec<Item>, SpoolError>> {
        let spool = self.spool.clone();
        tokio::spawn(async move {
            sleep_until(not_before).await;
            let Some(spool) = spool else {
                return Ok(Vec::new());
            };
            let read = spawn_blocking(move || locked(&spool).read_from(from, MAX_BATCH_EVENTS));
            // Only a panic ends it without an answer.
            read.await.unwrap_or_else(|_| Ok(Vec::new()))
        })
    }

    /// The collector has all up to this number: what nobody needs any more is freed.
    pub(super) fn acknowledge(&self, collector: String, up_to: u64) {
        self.change(&collector, |standing| standing.acknowledged = up_to);
        let (Some(spool), shared) = (self.spool.clone(), self.clone()) else {
            return;
        };
        spawn_blocking(move || {
            let freed = locked(&spool).acknowledge(&collector, up_to, Instant::now());
            shared.note_failure(&collector, freed.err());
        });
    }

    pub(super) fn note_welcome(&self, collector: &str, address: &str, dropped: v1::Dropped) {
        self.note_dropped(collector, dropped);
        self.change(collector, |standing| {
            standing.connected_to = Some(address.to_owned());
            standing.since = Some(Timestamp::now());
            standing.handed = 0;
        });
    }

    pub(super) fn note_handed(&self, collector: &str, count: u64) {
        self.change(collector, |standing| standing.handed = count);
        self.handed.send_replace(());
    }

    /// Waits until all that are connected have been handed what was posted up to this count.
    pub(super) async fn handed_over(&self, count: u64) {
        let mut handed = self.handed.subscribe();
        let lacks =
            |standing: &Standing| standing.connected_to.is_some() && standing.handed < count;
        while locked(&self.standings).values().any(lacks) {
            // It lives as long as this does.
            let _ = handed.changed().await;
        }
    }

    /// A change is said; at first it is only noted.
    pub(super) fn note_authority(&self, collector: &str, is_authority: bool) {
        self.change(collector, |standing| {
            let before = standing.is_authority.replace(is_authority);
            if before.is_some_and(|before| before != is_authority) {
                let now = if is_authority {
                    "decides for the cluster"
                } else {
                    "does not decide for the cluster any more"
                };
                crate::run::say(&format!("collector {collector}: it {now}"));
            }
        });
    }

    pub(super) fn note_dropped(&self, collector: &str, dropped: v1::Dropped) {
        self.change(collector, |standing| {
            standing.events_dropped = dropped.events;
        });
    }

    pub(super) fn note_end(&self, collector: &str) {
        self.change(collector, |standing| {
            (standing.connected_to, standing.since) = (None, None);
        });
        self.handed.send_replace(());
    }

    pub(super) fn note_failure<E: std::error::Error>(&self, collector: &str, why: Option<E>) {
        if let Some(why) = why {
            self.note(collector, &why);
        }
    }

    /// An error is said once, and not again while it stays the same.
    pub(super) fn note(&self, collector: &str, why: &dyn std::error::Error) {
        let why = said(why);
        self.change(collector, |standing| {
            if standing.last_error.as_ref() != Some(&why) {
                crate::run::warn(&format!("collector {collector}: {why}"));
            }
            standing.last_error = Some(why);
            standing.last_error_at = Some(Timestamp::now());
        });
    }

    fn change(&self, collector: &str, change: impl FnOnce(&mut Standing)) {
        // One that was left meanwhile has no standing.
        if let Some(standing) = locked(&self.standings).get_mut(collector) {
            change(standing);
        }
    }

    pub(super) fn random(&self) -> u32 {
        let [a, b, c, d, ..] = random_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// Without random numbers there would be no TLS either.
fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

/// A thread that panicked while it held the lock left nothing half done that matters.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::reading::Reading;
    use model::report::Fact;
    use proto::fact::ReadFact;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn what_was_posted_is_handed_over_once_all_who_are_connected_have_it() {
        let board = Board::default();
        let shared = Shared::new(Opening {
            state_dir: PathBuf::new(),
            root: PathBuf::from("/"),
            patience: Patience::new(Patience::OF_A_REPORT),
            board: board.clone(),
            spool: None,
        });
        for collector in ["one", "other", "away"] {
            let standing = Standing::default();
            locked(&shared.standings).insert(collector.to_owned(), standing);
        }
        for collector in ["one", "other"] {
            shared.note_welcome(collector, "c:7460", v1::Dropped::default());
        }
        board.post(ReadFact {
            fact: Arc::new(Fact::Power(Reading::Absent)),
            read_at_boottime_ms: 0,
        });
        let is_done = async || {
            let waiting = timeout(Duration::from_millis(50), shared.handed_over(1));
            waiting.await.is_ok()
        };
        assert!(!is_done().await);
        shared.note_handed("one", 1);
        assert!(!is_done().await);
        // Whoever is gone is not waited for.
        shared.note_end("other");
        assert!(is_done().await);
    }
}
