//! Who has left: a node that its cluster's nodelist does not have any more is revoked.
//!
//! What the nodelist is, is known from /etc/pve/corosync.conf as quorate nodes report it. A node sent away by mistake is
//! lost until a person enrols it again, so there is no hurry and no guess. One agent that lies, or was left behind,
//! neither sends anybody away nor keeps anybody else: it takes more than half of all enrolled nodes to send one away,
//! and those who say otherwise are outvoted, whatever config_version they claim. Whoever is heard and quorate himself
//! stays until a person has looked. What stands in the way is said.

mod agreement;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::identity::ClusterId;
use model::name::NodeName;
use tokio::time::MissedTickBehavior;

pub use agreement::{Departed, InTheWay, departed};

use crate::answer::chain;
use crate::identity::Identities;
use crate::keeper::Now;
use crate::keepers::Keepers;

/// How often it is looked who is missing.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The answer must have been the same for so long before anything is done or said.
const SETTLED_AFTER_MS: u64 = 60_000;
/// What stands in the way is said when it is something else than before, and not more often than this.
const SAY_EVERY_MS: u64 = 600_000;

/// An answer, and since when it is the same.
#[derive(Debug)]
struct Settling<T> {
    same: Option<(T, u64)>,
}

impl<T> Default for Settling<T> {
    fn default() -> Self {
        Self { same: None }
    }
}

impl<T: Clone + PartialEq> Settling<T> {
    /// The answer, once it was no other one for long enough.
    fn settled(&mut self, answer: Option<T>, now: Now) -> Option<T> {
        let Some(answer) = answer else {
            self.same = None;
            return None;
        };
        match &self.same {
            Some((same, since_ms)) if *same == answer => {
                (now.mono_ms.saturating_sub(*since_ms) >= SETTLED_AFTER_MS).then_some(answer)
            }
            _ => {
                self.same = Some((answer, now.mono_ms));
                None
            }
        }
    }
}

/// What is remembered of a cluster from one look to the next.
#[derive(Debug, Default)]
struct Looked {
    gone: Settling<BTreeSet<NodeName>>,
    in_the_way: Settling<InTheWay>,
    said: Option<(InTheWay, u64)>,
}

impl Looked {
    /// What is to be said now.
    fn news(&mut self, in_the_way: Option<InTheWay>, now: Now) -> Option<InTheWay> {
        let settled = self.in_the_way.settled(in_the_way, now)?;
        let is_said = self.said.as_ref().is_some_and(|(said, at_ms)| {
            *said == settled || now.mono_ms.saturating_sub(*at_ms) < SAY_EVERY_MS
        });
        if is_said {
            return None;
        }
        self.said = Some((settled.clone(), now.mono_ms));
        Some(settled)
    }
}

/// Looks after all clusters of the collector.
#[derive(Debug)]
pub struct Departures {
    identities: Arc<Identities>,
    keepers: Arc<Keepers>,
    looked: BTreeMap<ClusterId, Looked>,
}

impl Departures {
    pub fn new(identities: Arc<Identities>, keepers: Arc<Keepers>) -> Self {
        Self {
            identities,
            keepers,
            looked: BTreeMap::new(),
        }
    }

    /// Never ends.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        for (cluster, keeper) in self.keepers.all().await {
            let (view, now) = (keeper.view(), keeper.now());
            let looked = self.looked.entry(cluster.clone()).or_default();
            let Departed { gone, in_the_way } = departed(&view, now);
            if let Some(in_the_way) = looked.news(in_the_way, now) {
                tracing::warn!("cluster {cluster}: {in_the_way}");
            }
            let gone = Some(gone).filter(|gone| !gone.is_empty());
            if let Some(gone) = looked.gone.settled(gone, now) {
                self.send_away(cluster, gone).await;
            }
        }
    }

    async fn send_away(&self, cluster: ClusterId, gone: BTreeSet<NodeName>) {
        let identities = Arc::clone(&self.identities);
        let asked = tokio::task::spawn_blocking(move || {
            let forgotten = identities.forget(&cluster, &gone, Timestamp::now());
            (cluster, forgotten)
        });
        match asked.await {
            Ok((_, Ok(gone))) if gone.is_empty() => {}
            Ok((cluster, Ok(gone))) => tracing::warn!(
                "revoked {} of the cluster {cluster}: not in its nodelist any more, as its quorate nodes say for {} s",
                agreement::list(&gone),
                SETTLED_AFTER_MS / 1_000
            ),
            Ok((cluster, Err(error))) => tracing::error!(
                "who has left the cluster {cluster} cannot be revoked: {}",
                chain(&error)
            ),
            Err(_) => tracing::error!("revoking who has left broke off"),
        }
    }
}

#[cfg(test)]
mod tests;
