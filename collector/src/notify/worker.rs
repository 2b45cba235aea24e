//! One receiver's messenger: one message after the other, each until it has arrived, in the order in which they were decided.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::alert::{GIVEN_UP_AFTER_MS, Kind, MessageId, Step};
use model::identity::ClusterId;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

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

/// A message that failed so often lets those of other threads pass: it may be this one alone that cannot be taken.
const PATIENCE: u32 = 5;
const STANDS_BACK: Duration = Duration::from_secs(300);

/// What it works with.
pub(super) struct Worker {
    pub(super) receiver: Opened,
    pub(super) keepers: Arc<Keepers>,
    pub(super) carrier: Carrier,
    pub(super) health: Arc<Health>,
    /// Goes up when any view shows other alerts.
    pub(super) news: watch::Receiver<u64>,
    /// True: no message is begun any more.
    pub(super) stops: watch::Receiver<bool>,
}

/// What it remembers from one message to the next.
struct Bag {
    outbox: Outbox,
    backoff: Backoff,
    refusals: BTreeMap<(ClusterId, MessageId), u32>,
    failures: BTreeMap<(ClusterId, MessageId), u32>,
    /// Nothing goes out before.
    free_at: Instant,
}

impl Bag {
    fn forget(&mut self, next: &Next) {
        let key = (next.cluster.clone(), next.owed.id);
        self.refusals.remove(&key);
        self.failures.remove(&key);
    }
}

impl Worker {
    /// Until it is told to stop, which it does behind the message that is on its way. What it hands back is what its successor has
    /// to know.
    pub(super) async fn run(mut self, outbox: Outbox) -> Outbox {
        let mut bag = Bag {
            outbox,
            backoff: Backoff::default(),
            refusals: BTreeMap::new(),
            failures: BTreeMap::new(),
            free_at: Instant::now(),
        };
        let every = self.receiver.chat.repeats_every();
        let mut repeat_at = every.map(|every| Instant::now() + every);
        while !*self.stops.borrow() {
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
            tokio::select! {
                changed = self.news.changed() => if changed.is_err() {
                    break;
                },
                _ = self.stops.changed() => {}
                () = until(bag.outbox.wakes_at()) => {}
                () = until(repeat_at) => {
                    self.repeat(&views).await;
                    repeat_at = every.map(|every| Instant::now() + every);
                }
            }
        }
        bag.outbox
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
        if !self.waits_until(bag.free_at).await {
            return;
        }
        let first = next.first.as_deref().and_then(|first| self.of_here(first));
        let mut outcome = self.send(&next, first, now_unix_ms).await;
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
            Some(Outcome::Later { after, why }) => self.failed(bag, &next, after, &why).await,
            Some(Outcome::FirstIsGone) => {
                let why = "it has no message of that name, though none was named";
                self.failed(bag, &next, None, why).await;
            }
            Some(Outcome::Refused { why }) => {
                let key = (next.cluster.clone(), next.owed.id);
                let refusals = bag.refusals.entry(key).or_default();
                *refusals += 1;
                if *refusals >= REFUSALS {
                    let why = format!("it was refused {REFUSALS} times: {why}");
                    return self.give_up(bag, &next, why).await;
                }
                self.failed(bag, &next, None, &why).await;
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
        if sending.message.kind == Kind::Closed && !chat.shows_what_is_open() {
            return None;
        }
        // What others wrote goes through here. A message that breaks this program must not take all others with it.
        let made = catch_unwind(AssertUnwindSafe(|| chat.request(sending)));
        let Ok(request) = made else {
            return Some(broke_down());
        };
        Some(match self.carrier.carry(&request?).await {
            Ok(answer) => {
                let answer = Mask::of(&**chat).answer(answer);
                let read = catch_unwind(AssertUnwindSafe(|| chat.read(sending, &answer)));
                read.unwrap_or_else(|_| broke_down())
            }
            Err(why) => Outcome::Later { after: None, why },
        })
    }

    async fn arrived(&self, bag: &mut Bag, next: &Next, receipt: Option<String>) {
        let receipt = receipt.map(|receipt| format!("{} {receipt}", self.receiver.place));
        bag.outbox
            .settle(&next.cluster, &next.owed, receipt.as_deref());
        bag.forget(next);
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
        // Whoever refuses a message is there.
        self.health.arrived(&self.receiver.name);
        bag.outbox.settle(&next.cluster, &next.owed, None);
        bag.forget(next);
        let step = Step::GivenUp {
            id: next.owed.id,
            receiver: self.receiver.name.clone(),
            why: self.masked(&why),
        };
        self.tell(&next.cluster, step).await;
    }

    async fn failed(&self, bag: &mut Bag, next: &Next, after: Option<Duration>, why: &str) {
        let now_unix_ms = Timestamp::now().as_millisecond();
        let key = (next.cluster.clone(), next.owed.id);
        let failures = bag.failures.entry(key).or_default();
        *failures += 1;
        if failures.is_multiple_of(PATIENCE) {
            let until = Instant::now() + STANDS_BACK;
            bag.outbox.postpone(&next.cluster, next.owed.head, until);
        }
        let why = self.masked(why);
        if self.health.failed(&self.receiver.name, &why, now_unix_ms) {
            tracing::error!(
                receiver = self.receiver.name,
                "alerts do not arrive and are tried again: {why}"
            );
        }
        self.waits_until(Instant::now() + bag.backoff.next(after))
            .await;
    }

    /// False: it is told to stop before.
    async fn waits_until(&self, at: Instant) -> bool {
        let mut stops = self.stops.clone();
        tokio::select! {
            () = sleep_until(at) => true,
            _ = stops.wait_for(|stops| *stops) => false,
        }
    }

    /// Services that forget are told again what is still so.
    async fn repeat(&self, views: &[Arc<ClusterView>]) {
        let now_unix_ms = Timestamp::now().as_millisecond();
        for view in views.iter().filter(|view| view.is_authority) {
            for (head, thread) in view.alerts.threads_of(&self.receiver.name) {
                if thread.is_over {
                    continue;
                }
                // What is new comes first.
                if *self.stops.borrow() || self.news.has_changed().unwrap_or(true) {
                    return;
                }
                let key = format!("repeat-{head}-{now_unix_ms}");
                let sending = Sending {
                    message: &thread.last,
                    key: &key,
                    thread: &model::alert::thread(&thread.last.cluster_id, head),
                    first: thread
                        .receipt
                        .as_deref()
                        .and_then(|first| self.of_here(first)),
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

    /// What the service itself knows of a receipt. One from before the receiver was another channel, or another service, is none.
    fn of_here<'a>(&self, receipt: &'a str) -> Option<&'a str> {
        let (place, receipt) = receipt.split_once(' ')?;
        (place == self.receiver.place).then_some(receipt)
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

fn broke_down() -> Outcome {
    Outcome::Refused {
        why: "this program broke down over it; this is a bug in it, please report it".to_owned(),
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
