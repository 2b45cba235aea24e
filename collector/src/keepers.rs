//! The keepers of all clusters of this collector: one each, started when it is first needed.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::alert::Policy;
use model::identity::ClusterId;
use tokio::sync::{Mutex, watch};

use crate::answer::chain;
use crate::declared::Declared;
use crate::keeper::actor::{Beginning, Clock, Keeper};
use crate::keeper::cache::Cache;
use crate::keeper::{Now, Own};
use crate::ledger::Ledger;
use crate::verdicts::Verdicts;

#[derive(Debug, thiserror::Error)]
pub enum KeepersError {
    #[error("{count} clusters are kept already, and {MAX_CLUSTERS} are the most")]
    TooMany { count: usize },
    #[error("the keeper did not begin")]
    NotBegun,
}

/// Clusters of one collector.
pub const MAX_CLUSTERS: usize = 1_024;

/// Which collector this is for a cluster; asked when the cluster's keeper is started.
pub type OwnOf = dyn Fn(&ClusterId) -> Own + Send + Sync;

pub struct Keepers {
    ledger: Arc<dyn Ledger>,
    cache: Option<Cache>,
    version: &'static str,
    own: Box<OwnOf>,
    clock: Clock,
    writer: u64,
    declared: Declared,
    verdicts: Verdicts,
    policy: Mutex<Arc<Policy>>,
    /// Goes up with every keeper that is started.
    started: watch::Sender<u64>,
    keepers: Mutex<BTreeMap<ClusterId, Keeper>>,
}

impl std::fmt::Debug for Keepers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keepers").finish_non_exhaustive()
    }
}

impl Keepers {
    /// `writer`: random, made at every start of the collector.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        cache: Option<Cache>,
        version: &'static str,
        writer: u64,
        own: impl Fn(&ClusterId) -> Own + Send + Sync + 'static,
    ) -> Self {
        Self {
            ledger,
            cache,
            version,
            own: Box::new(own),
            clock: Clock::start(),
            writer,
            declared: Declared::default(),
            verdicts: Verdicts::default(),
            policy: Mutex::default(),
            started: watch::channel(0).0,
            keepers: Mutex::new(BTreeMap::new()),
        }
    }

    /// The same with what the operator declared.
    #[must_use]
    pub fn declaring(self, declared: Declared) -> Self {
        Self { declared, ..self }
    }

    /// The same, where verdicts are kept.
    #[must_use]
    pub fn keeping(self, verdicts: Verdicts) -> Self {
        Self { verdicts, ..self }
    }

    pub fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// On the clock that all keepers have.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    pub fn version(&self) -> &'static str {
        self.version
    }

    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger)
    }

    /// The keeper of a cluster that somebody enrolled in; it is started if it does not run yet.
    pub async fn keeper(&self, cluster: &ClusterId) -> Result<Keeper, KeepersError> {
        let mut keepers = self.keepers.lock().await;
        if let Some(keeper) = keepers.get(cluster) {
            return Ok(keeper.clone());
        }
        if keepers.len() >= MAX_CLUSTERS {
            return Err(KeepersError::TooMany {
                count: keepers.len(),
            });
        }
        let snapshot = self.ledger.snapshot(cluster).await;
        let beginning = Beginning {
            cluster: cluster.clone(),
            own: (self.own)(cluster),
            version: self.version,
            ledger: Arc::clone(&self.ledger),
            cache: self.cache.clone(),
            clock: self.clock,
            writer: self.writer,
            declared: self.declared.clone(),
            policy: Arc::clone(&*self.policy.lock().await),
            snapshot: snapshot.map_err(|error| chain(&error)),
        };
        let remembered = self.remembered(cluster).await;
        let keeper = Keeper::start(beginning, &remembered).ok_or(KeepersError::NotBegun)?;
        keepers.insert(cluster.clone(), keeper.clone());
        self.started.send_modify(|started| *started += 1);
        Ok(keeper)
    }

    /// Who is told what, from now on, in all clusters.
    pub async fn alert_by(&self, policy: Arc<Policy>) {
        // In this order, as a keeper is started: none begins with the old one and is not told of the new.
        let keepers = self.keepers.lock().await;
        *self.policy.lock().await = Arc::clone(&policy);
        for keeper in keepers.values() {
            keeper.alert_by(Arc::clone(&policy)).await;
        }
    }

    /// Announces keepers that are started.
    pub fn started(&self) -> watch::Receiver<u64> {
        self.started.subscribe()
    }

    /// Those that run, in the order of their ids.
    pub async fn all(&self) -> Vec<(ClusterId, Keeper)> {
        let keepers = self.keepers.lock().await;
        let all = keepers.iter();
        all.map(|(id, keeper)| (id.clone(), keeper.clone()))
            .collect()
    }

    /// Those that run; nothing while one is just being started, which can take as long as the disk takes.
    pub fn at_hand(&self) -> Option<Vec<(ClusterId, Keeper)>> {
        let keepers = self.keepers.try_lock().ok()?;
        let all = keepers.iter();
        Some(
            all.map(|(id, keeper)| (id.clone(), keeper.clone()))
                .collect(),
        )
    }

    async fn remembered(
        &self,
        cluster: &ClusterId,
    ) -> Vec<(model::name::NodeName, jiff::Timestamp)> {
        let Some(cache) = self.cache.clone() else {
            return Vec::new();
        };
        let cluster = cluster.clone();
        let read = tokio::task::spawn_blocking(move || cache.read(&cluster)).await;
        match read {
            Ok(Ok(copies)) => {
                let copies = copies.into_iter();
                copies.map(|copy| (copy.node, copy.copied)).collect()
            }
            Ok(Err(error)) => {
                tracing::warn!("{error}: {:?}", std::error::Error::source(&error));
                Vec::new()
            }
            Err(error) => {
                tracing::warn!("the copies of reports cannot be read: {error}");
                Vec::new()
            }
        }
    }
}
