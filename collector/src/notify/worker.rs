//! One receiver's messenger: one message after the other, each until it has arrived, in the order in which they were decided.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::alert::{GIVEN_UP_AFTER_MS, Kind, MessageId, Step};
use model::identity::ClusterId;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::backoff::Backoff;
use super::health::Health;
use super::outbox::{Next, Outbox};
use super::receivers::Opened;
use super::{Carrier, Mask, Outcome, Sending};
use crate::keeper::actor::Keeper;
use crate::keeper::view::ClusterView;
use crate::keepers::Keepers;

/// A message that the service will not take is tried so often: the refusal may have come from a proxy between.
const REFUSALS: u32 = 3;

/// What it works with.
pub(super) struct Worker {
    pub(super) receiver: Opened,
    pub(super) keepers: Arc<Keepers>,
    pub(super) carrier: Carrier,
    pub(super) health: Arc<Health>,
    /// Goes up when any view shows other alerts.
    pub(super) news: watch::Receiver<u64>,
}

/// What it remembers from one message to the next.
struct Bag {
    outbox: Outbox,
    backoff: Backoff,
    refusals: BTreeMap<(ClusterId, MessageId), u32>,
    /// Nothing goes out before.
    free_at: Instant,
}

impl Worker {
    /// Until it is dropped. What was on its way then is sent again, under the same key.
    pub(super) async fn run(mut self) {
        let mut bag = Bag {
            outbox: Outbox::of(&self.receiver.name),
            backoff: Backoff::default(),
            refusals: BTreeMap::new(),
            free_at: Instant::now(),
        };
        let every = self.receiver.chat.repeats_every();
        let mut repeat_at = every.map(|every| Instant::now() + every);
        loop {
            self.news.mark_unchanged();
            let views = self.views().await;
            for (cluster, owed) in bag.outbox.overtaken(&views) {
                bag.outbox.settle(&cluster, &owed, None);
                let (id, receiver) = (owed.id, self.receiver.name.clone());
                self.tell(&cluster, Step::Overtaken { id, receiver }).await;
            }
            if let Some(next) = bag.outbox.next(&views) {
                self.deliver(&mut bag, next).await;
                continue;
            }
            let is_over = tokio::select! {
                changed = self.news.changed() => changed.is_err(),
                () = until(repeat_at) => {
                    self.repeat(&views).await;
                    repeat_at = every.map(|every| Instant::now() + every);
                    false
                }
            };
            if is_over {
                return;
            }
        }
    }

    async fn views(&self) -> Vec<Arc<ClusterView>> {
        let keepers = self.keepers.all().await;
        keepers.iter().map(|(_, keeper)| keeper.view()).collect()
    }

    async fn deliver(&self, bag: &mut Bag, next: Next) {
        let now_unix_ms = Timestamp::now().as_millisecond();
        let age_ms = now_unix_ms.saturating_sub(next.owed.message.at_unix_ms);
        if age_ms > GIVEN_UP_AFTER_MS {
            let why = "it did not arrive within seven days".to_owned();
            return self.give_up(bag, &next, why).await;
        }
        sleep_until(bag.free_at).await;
        let mut outcome = self.send(&next, next.first.as_deref(), now_unix_ms).await;
        if outcome == Some(Outcome::FirstIsGone) {
            // Another word for what nobody can see any more is worth nothing; everything else is said anew.
            outcome = match next.owed.message.kind {
                Kind::Changed => None,
                _ => self.send(&next, None, now_unix_ms).await,
            };
        }
        bag.free_at = Instant::now() + self.receiver.chat.pause();
        match outcome {
            None => self.arrived(bag, &next, None).await,
            Some(Outcome::Delivered { receipt }) => {
                bag.backoff.reset();
                if self.health.arrived(&self.receiver.name) {
                    tracing::info!(receiver = self.receiver.name, "alerts arrive again");
                }
                self.arrived(bag, &next, receipt).await;
            }
            Some(Outcome::Later { after, why }) => self.failed(bag, after, &why, now_unix_ms).await,
            Some(Outcome::FirstIsGone) => {
                let why = "it has no message of that name, though none was named";
                self.failed(bag, None, why, now_unix_ms).await;
            }
            Some(Outcome::Refused { why }) => {
                let key = (next.cluster.clone(), next.owed.id);
                let refusals = bag.refusals.entry(key).or_default();
                *refusals += 1;
                if *refusals >= REFUSALS {
                    let why = format!("it was refused {REFUSALS} times: {why}");
                    return self.give_up(bag, &next, why).await;
                }
                self.failed(bag, None, &why, now_unix_ms).await;
            }
        }
    }

    /// `None`: this service is not told this.
    async fn send(&self, next: &Next, first: Option<&str>, now_unix_ms: i64) -> Option<Outcome> {
        let owed = &next.owed;
        let sending = Sending {
            message: &owed.message,
            key: &owed.key(&self.receiver.name),
            thread: &owed.thread(),
            first,
            is_recorded: next.is_recorded,
            now_unix_ms,
        };
        self.carry(&sending).await
    }

    async fn carry(&self, sending: &Sending<'_>) -> Option<Outcome> {
        let chat = &self.receiver.chat;
        let request = chat.request(sending)?;
        Some(match self.carrier.carry(&request).await {
            Ok(answer) => chat.read(sending, &answer),
            Err(why) => Outcome::Later { after: None, why },
        })
    }

    async fn arrived(&self, bag: &mut Bag, next: &Next, receipt: Option<String>) {
        bag.outbox
            .settle(&next.cluster, &next.owed, receipt.as_deref());
        bag.refusals.remove(&(next.cluster.clone(), next.owed.id));
        let step = Step::Delivered {
            id: next.owed.id,
            receiver: self.receiver.name.clone(),
            receipt,
        };
        self.tell(&next.cluster, step).await;
    }

    async fn give_up(&self, bag: &mut Bag, next: &Next, why: String) {
        tracing::error!(
            receiver = self.receiver.name,
            incident = next.owed.message.incident,
            "an alert is given up: {}",
            self.masked(&why)
        );
        bag.outbox.settle(&next.cluster, &next.owed, None);
        bag.refusals.remove(&(next.cluster.clone(), next.owed.id));
        let step = Step::GivenUp {
            id: next.owed.id,
            receiver: self.receiver.name.clone(),
            why: self.masked(&why),
        };
        self.tell(&next.cluster, step).await;
    }

    async fn failed(&self, bag: &mut Bag, after: Option<Duration>, why: &str, now_unix_ms: i64) {
        let why = self.masked(why);
        if self.health.failed(&self.receiver.name, &why, now_unix_ms) {
            tracing::error!(
                receiver = self.receiver.name,
                "alerts do not arrive and are tried again: {why}"
            );
        }
        sleep(bag.backoff.next(after)).await;
    }

    /// Services that forget are told again what is still so.
    async fn repeat(&self, views: &[Arc<ClusterView>]) {
        let now_unix_ms = Timestamp::now().as_millisecond();
        for view in views.iter().filter(|view| view.is_authority) {
            for (head, thread) in view.alerts.threads_of(&self.receiver.name) {
                if thread.is_over {
                    continue;
                }
                let key = format!("repeat-{head}-{now_unix_ms}");
                let sending = Sending {
                    message: &thread.last,
                    key: &key,
                    thread: &model::alert::thread(&thread.last.cluster_id, head),
                    first: thread.receipt.as_deref(),
                    is_recorded: view.are_alerts_kept,
                    now_unix_ms,
                };
                match self.carry(&sending).await {
                    None | Some(Outcome::Delivered { .. }) => {
                        self.health.arrived(&self.receiver.name);
                    }
                    Some(Outcome::Later { why, .. } | Outcome::Refused { why }) => {
                        let why = self.masked(&why);
                        self.health.failed(&self.receiver.name, &why, now_unix_ms);
                        return;
                    }
                    Some(Outcome::FirstIsGone) => {}
                }
            }
        }
    }

    async fn tell(&self, cluster: &ClusterId, step: Step) {
        if let Some(keeper) = self.keeper(cluster).await {
            keeper.settled(step).await;
        }
    }

    async fn keeper(&self, cluster: &ClusterId) -> Option<Keeper> {
        let keepers = self.keepers.all().await;
        let mut of_cluster = keepers.into_iter().filter(|(id, _)| id == cluster);
        of_cluster.next().map(|(_, keeper)| keeper)
    }

    /// A service may say back what it was sent.
    fn masked(&self, text: &str) -> String {
        Mask::of(&*self.receiver.chat).hide(text)
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
