//! All messengers, one a receiver, and what wakes them. A configuration that is read again is another crew; what was not said to
//! have arrived is owed to it as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::alert::{Alerts, Policy};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::Carrier;
use super::health::Health;
use super::heartbeat::{Body, Heartbeat};
use super::outbox::Outbox;
use super::receivers::{self, Opened};
use super::worker::Worker;
use crate::alerts::Receivers;
use crate::config::Config;
use crate::keeper::actor::Keeper;
use crate::keepers::Keepers;

/// Who is told, and what.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) receivers: Vec<Opened>,
    pub(crate) policy: Policy,
    pub(crate) heartbeat: Option<Heartbeat>,
}

impl Orders {
    /// As the configuration says; its secrets are read now.
    pub(crate) fn by(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            receivers: receivers::open_all(config)?,
            policy: config.policy(),
            heartbeat: config.heartbeat()?,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) keepers: Arc<Keepers>,
    pub(crate) carrier: Carrier,
    pub(crate) health: Arc<Health>,
    /// Whether the ledger can be written.
    pub(crate) can_write: watch::Receiver<bool>,
}

impl Crew {
    /// How each receiver is when it is asked.
    pub(crate) fn receivers(&self) -> Receivers {
        let health = Arc::clone(&self.health);
        Arc::new(move || health.all())
    }

    /// Delivers by the last orders, until nobody can give any more; then behind what is on its way.
    pub(crate) async fn run(self, mut orders: mpsc::Receiver<Orders>) {
        let (news, awaits) = watch::channel(0);
        let listening = listen(Arc::clone(&self.keepers), news);
        let working = async {
            let mut outboxes = BTreeMap::new();
            let mut next = orders.recv().await;
            while let Some(given) = next {
                let shift = self.begin(given, &mut outboxes, &awaits).await;
                next = orders.recv().await;
                // None of the old ones is left before a new one begins: nobody is told twice at the same time.
                outboxes = shift.end().await;
            }
        };
        tokio::select! {
            () = listening => {}
            () = working => {}
        }
    }

    async fn begin(
        &self,
        orders: Orders,
        outboxes: &mut BTreeMap<String, Outbox>,
        news: &watch::Receiver<u64>,
    ) -> Shift {
        self.keepers.alert_by(Arc::new(orders.policy)).await;
        let names = orders.receivers.iter();
        self.health
            .are(names.map(|receiver| (receiver.name.as_str(), receiver.kind)));
        let (stop, stops) = watch::channel(false);
        let mut workers = JoinSet::new();
        for receiver in orders.receivers {
            let name = receiver.name.clone();
            let outbox = outboxes.remove(&name);
            let outbox = outbox.unwrap_or_else(|| Outbox::of(&name));
            let worker = Worker {
                receiver,
                keepers: Arc::clone(&self.keepers),
                carrier: self.carrier.clone(),
                health: Arc::clone(&self.health),
                news: news.clone(),
                stops: stops.clone(),
            };
            workers.spawn(async move { (name, worker.run(outbox).await) });
        }
        let mut heart = JoinSet::new();
        if let Some(heartbeat) = orders.heartbeat {
            heart.spawn(self.body().beat(heartbeat));
        }
        Shift {
            stop,
            workers,
            heart,
        }
    }

    fn body(&self) -> Body {
        Body {
            keepers: Arc::clone(&self.keepers),
            carrier: self.carrier.clone(),
            health: Arc::clone(&self.health),
            can_write: self.can_write.clone(),
        }
    }
}

/// Those who work by the same orders.
struct Shift {
    stop: watch::Sender<bool>,
    workers: JoinSet<(String, Outbox)>,
    heart: JoinSet<()>,
}

impl Shift {
    /// Waits for the messages that are on their way. What comes back is what the next shift must know, so that nobody hears again
    /// what has arrived and is not on the disk yet.
    async fn end(mut self) -> BTreeMap<String, Outbox> {
        self.heart.abort_all();
        self.stop.send_replace(true);
        let mut outboxes = BTreeMap::new();
        while let Some(ended) = self.workers.join_next().await {
            match ended {
                Ok((name, outbox)) => drop(outboxes.insert(name, outbox)),
                Err(error) => tracing::error!("a messenger broke down: {error}"),
            }
        }
        outboxes
    }
}

/// Says so whenever a view of any cluster shows other alerts.
async fn listen(keepers: Arc<Keepers>, news: watch::Sender<u64>) {
    let mut started = keepers.started();
    let mut listeners = JoinSet::new();
    let mut heard = BTreeSet::new();
    loop {
        started.mark_unchanged();
        for (cluster, keeper) in keepers.all().await {
            if heard.insert(cluster) {
                listeners.spawn(follow(keeper, news.clone()));
            }
        }
        if started.changed().await.is_err() {
            return;
        }
    }
}

async fn follow(keeper: Keeper, news: watch::Sender<u64>) {
    let mut views = keeper.views();
    drop(keeper);
    let mut before: Option<(Arc<Alerts>, bool)> = None;
    loop {
        {
            let view = views.borrow_and_update();
            let now = (Arc::clone(&view.alerts), view.is_authority);
            let is_other = before
                .as_ref()
                .is_none_or(|(alerts, duty)| !Arc::ptr_eq(alerts, &now.0) || *duty != now.1);
            before = Some(now);
            if is_other {
                news.send_modify(|count| *count += 1);
            }
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}
