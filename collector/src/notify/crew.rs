//! All messengers, one a receiver, and what wakes them. A configuration that is read again is another crew; what was not said to
//! have arrived is owed to it as well.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;

use model::alert::{Alerts, Policy};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::Carrier;
use super::health::Health;
use super::heartbeat::{Body, Heartbeat};
use super::receivers::{self, Opened};
use super::worker::Worker;
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
    /// Delivers for ever, always by the last orders.
    pub(crate) async fn run(self, mut orders: mpsc::Receiver<Orders>) {
        let (news, awaits) = watch::channel(0);
        let listening = listen(Arc::clone(&self.keepers), news);
        let working = async {
            let mut workers = JoinSet::new();
            while let Some(Orders {
                receivers,
                policy,
                heartbeat,
            }) = orders.recv().await
            {
                // None of the old ones is left before a new one begins: nobody is told twice at the same time.
                workers.shutdown().await;
                self.keepers.alert_by(Arc::new(policy)).await;
                let names = receivers.iter();
                self.health
                    .are(names.map(|receiver| (receiver.name.as_str(), receiver.kind)));
                if let Some(heartbeat) = heartbeat {
                    workers.spawn(self.body().beat(heartbeat));
                }
                for receiver in receivers {
                    let worker = Worker {
                        receiver,
                        keepers: Arc::clone(&self.keepers),
                        carrier: self.carrier.clone(),
                        health: Arc::clone(&self.health),
                        news: awaits.clone(),
                    };
                    workers.spawn(worker.run());
                }
            }
            // Nobody gives orders any more; those who work go on.
            pending::<()>().await;
        };
        tokio::join!(listening, working);
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
