//! Who has left: a node that its cluster's nodelist does not have any more is revoked.
//!
//! What the nodelist is, is known from /etc/pve/corosync.conf as quorate nodes report it. A node sent away by mistake is
//! lost until a person enrols it again, so there is no hurry and no guess: whatever is in doubt means that nobody goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::fleet::Hearing;
use model::identity::ClusterId;
use model::name::NodeName;
use model::reading::Reading;
use model::report::{Fact, Family};
use tokio::time::MissedTickBehavior;

use crate::answer::chain;
use crate::identity::Identities;
use crate::keeper::Now;
use crate::keeper::view::{ClusterView, NodeView};
use crate::keepers::Keepers;

/// How often it is looked who is missing.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The answer must have been the same for so long before anybody is sent away.
const SETTLED_AFTER_MS: u64 = 60_000;
/// That a node is quorate is not believed for longer. The agent reads it every half a minute at least.
const QUORATE_FOR_MS: u64 = 60_000;
/// Nor what its corosync.conf says. The agent reads it every five minutes at least.
const CONF_FOR_MS: u64 = 600_000;

/// The nodelist, if it is beyond doubt, in the order of the names.
///
/// Asked are the nodes that are heard now and are quorate. More than half of them must have the same list with the same
/// config_version, none may have a higher one, and those that agree must be in the list and more than half of it.
/// One node alone is believed only of a list of one or two, and only if not more than one node is missing in it.
pub fn agreed_nodelist(view: &ClusterView, now: Now) -> Option<Vec<NodeName>> {
    let asked: Vec<(&NodeName, &NodeView)> = view
        .nodes
        .iter()
        .map(|(name, node)| (name, node.as_ref()))
        .filter(|(_, node)| node.hearing == Hearing::Connected && is_quorate(node, now))
        .collect();
    let mut saying: BTreeMap<(u64, Vec<NodeName>), BTreeSet<&NodeName>> = BTreeMap::new();
    for (name, node) in &asked {
        if let Some(said) = nodelist(node, now) {
            saying.entry(said).or_default().insert(name);
        }
    }
    let highest = *saying.keys().map(|(version, _)| version).max()?;
    let mut newest = saying
        .into_iter()
        .filter(|((version, _), _)| *version == highest);
    let ((_, list), who) = newest.next()?;
    // The same version with two lists: somebody edited it by hand, or does not tell the truth.
    let is_only = newest.next().is_none();
    let is_most_of_asked = who.len() * 2 > asked.len();
    let is_most_of_list = who.len() * 2 > list.len() || list.len() == 2;
    let is_of_it = who.iter().all(|name| list.contains(name));
    let missing = view
        .nodes
        .iter()
        .filter(|(name, node)| node.hearing != Hearing::Revoked && !list.contains(name))
        .count();
    let is_more_than_one = who.len() > 1 || (list.len() <= 2 && missing <= 1);
    (is_only && is_most_of_asked && is_most_of_list && is_of_it && is_more_than_one).then_some(list)
}

fn is_quorate(node: &NodeView, now: Now) -> bool {
    let Some(aged) = node.facts.get(&Family::Corosync) else {
        return false;
    };
    match &aged.fact.fact {
        Fact::Corosync(reading) => {
            let quorate = reading.known().and_then(|corosync| corosync.quorate);
            aged.age_ms(now) <= QUORATE_FOR_MS && quorate == Some(true)
        }
        _ => false,
    }
}

/// The config_version and the names that stand in the node's /etc/pve/corosync.conf, in their order.
fn nodelist(node: &NodeView, now: Now) -> Option<(u64, Vec<NodeName>)> {
    let aged = node.facts.get(&Family::CorosyncConf)?;
    if aged.age_ms(now) > CONF_FOR_MS {
        return None;
    }
    let Fact::CorosyncConf(Reading::Known {
        value, problems, ..
    }) = &aged.fact.fact
    else {
        return None;
    };
    let conf = value.cluster.as_ref().filter(|_| problems.is_empty())?;
    let said = conf.node_names()?;
    let names: BTreeSet<NodeName> = said.iter().cloned().collect();
    // Two with the same name: the list is not understood.
    let is_understood = !names.is_empty() && names.len() == said.len();
    is_understood.then_some((conf.totem.config_version?, names.into_iter().collect()))
}

/// A nodelist, and since when it is the same.
#[derive(Debug, Default)]
struct Settling {
    same: Option<(Vec<NodeName>, u64)>,
}

impl Settling {
    /// The list, once nothing else was known for long enough.
    fn settled(&mut self, agreed: Option<Vec<NodeName>>, now: Now) -> Option<Vec<NodeName>> {
        let Some(agreed) = agreed else {
            self.same = None;
            return None;
        };
        match &self.same {
            Some((list, since_ms)) if *list == agreed => {
                (now.mono_ms.saturating_sub(*since_ms) >= SETTLED_AFTER_MS).then_some(agreed)
            }
            _ => {
                self.same = Some((agreed, now.mono_ms));
                None
            }
        }
    }
}

/// Looks after all clusters of the collector.
#[derive(Debug)]
pub struct Departures {
    identities: Arc<Identities>,
    keepers: Arc<Keepers>,
    settling: BTreeMap<ClusterId, Settling>,
}

impl Departures {
    pub fn new(identities: Arc<Identities>, keepers: Arc<Keepers>) -> Self {
        Self {
            identities,
            keepers,
            settling: BTreeMap::new(),
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
            let settling = self.settling.entry(cluster.clone()).or_default();
            if let Some(list) = settling.settled(agreed_nodelist(&view, now), now) {
                self.send_away(cluster, list).await;
            }
        }
    }

    async fn send_away(&self, cluster: ClusterId, list: Vec<NodeName>) {
        let identities = Arc::clone(&self.identities);
        let asked = tokio::task::spawn_blocking(move || {
            let kept = list.into_iter().collect();
            let forgotten = identities.forget_missing(&cluster, &kept, Timestamp::now());
            (cluster, forgotten)
        });
        match asked.await {
            Ok((_, Ok(gone))) if gone.is_empty() => {}
            Ok((cluster, Ok(gone))) => {
                let gone: Vec<&str> = gone.iter().map(NodeName::as_str).collect();
                tracing::warn!(
                    "revoked {} of the cluster {cluster}: not in its nodelist any more, as its quorate nodes say for {} s",
                    gone.join(", "),
                    SETTLED_AFTER_MS / 1_000
                );
            }
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
