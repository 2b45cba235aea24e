//! What one receiver is owed, in all clusters, as the keepers' views show it. Nothing is kept here that must outlive the
//! collector: what is not said to have arrived is owed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::alert::{Alerts, Kind, MessageId, Owed};
use model::identity::ClusterId;
use model::incident::Number;

use crate::keeper::view::ClusterView;

/// Which message: ids are given again where a decision was lost, moments are not.
type Key = (ClusterId, MessageId, i64);

/// The next message to one receiver.
#[derive(Debug, Clone)]
pub(super) struct Next {
    pub(super) cluster: ClusterId,
    pub(super) owed: Arc<Owed>,
    /// Of the thread's first message.
    pub(super) first: Option<String>,
    pub(super) is_recorded: bool,
}

/// One receiver's outbox.
#[derive(Debug)]
pub(super) struct Outbox {
    receiver: String,
    /// Arrived or given up, and the ledger does not show it yet.
    settled: BTreeSet<Key>,
    /// Receipts that the ledger does not show yet.
    receipts: BTreeMap<(ClusterId, Number), String>,
}

impl Outbox {
    pub(super) fn of(receiver: &str) -> Self {
        Self {
            receiver: receiver.to_owned(),
            settled: BTreeSet::new(),
            receipts: BTreeMap::new(),
        }
    }

    /// The oldest message that is owed, whichever cluster it is of; within a cluster in the order in which they were decided.
    pub(super) fn next(&mut self, views: &[Arc<ClusterView>]) -> Option<Next> {
        self.forget(views);
        let mut next: Option<Next> = None;
        for view in views.iter().filter(|view| view.is_authority) {
            let mut owed = view.alerts.owed_to(&self.receiver);
            let Some(owed) = owed.find(|owed| !self.settled.contains(&key(view, owed))) else {
                continue;
            };
            let at = |owed: &Owed| owed.message.at_unix_ms;
            if next.as_ref().is_none_or(|next| at(owed) < at(&next.owed)) {
                next = Some(Next {
                    cluster: view.cluster.clone(),
                    owed: Arc::clone(owed),
                    first: self.first(view, owed.head, owed.message.kind),
                    is_recorded: view.are_alerts_kept,
                });
            }
        }
        next
    }

    /// Those that need not be said any more.
    pub(super) fn overtaken(&self, views: &[Arc<ClusterView>]) -> Vec<(ClusterId, Arc<Owed>)> {
        let of_view = |view: &Arc<ClusterView>| {
            let overtaken = view.alerts.overtaken(&self.receiver);
            let new = overtaken.filter(|owed| !self.settled.contains(&key(view, owed)));
            new.map(|owed| (view.cluster.clone(), Arc::clone(owed)))
                .collect::<Vec<_>>()
        };
        let decided = views.iter().filter(|view| view.is_authority);
        decided.flat_map(of_view).collect()
    }

    pub(super) fn settle(&mut self, cluster: &ClusterId, owed: &Owed, receipt: Option<&str>) {
        let key = (cluster.clone(), owed.id, owed.message.at_unix_ms);
        self.settled.insert(key);
        if let Some(receipt) = receipt {
            let thread = (cluster.clone(), owed.head);
            self.receipts
                .entry(thread)
                .or_insert_with(|| receipt.to_owned());
        }
    }

    fn first(&self, view: &ClusterView, head: Number, kind: Kind) -> Option<String> {
        if kind == Kind::Opened {
            return None;
        }
        let kept = view.alerts.thread(&self.receiver, head);
        let kept = kept.and_then(|thread| thread.receipt.clone());
        kept.or_else(|| self.receipts.get(&(view.cluster.clone(), head)).cloned())
    }

    /// What the ledger shows by now.
    fn forget(&mut self, views: &[Arc<ClusterView>]) {
        let alerts: BTreeMap<&ClusterId, &Alerts> = views
            .iter()
            .map(|view| (&view.cluster, &*view.alerts))
            .collect();
        let receiver = &self.receiver;
        self.settled.retain(|(cluster, id, at)| {
            alerts.get(cluster).is_some_and(|alerts| {
                alerts.owed().any(|owed| {
                    owed.id == *id && owed.message.at_unix_ms == *at && owed.to.contains(receiver)
                })
            })
        });
        self.receipts.retain(|(cluster, head), _| {
            let alerts = alerts.get(cluster);
            let thread = alerts.and_then(|alerts| alerts.thread(receiver, *head));
            thread.is_some_and(|thread| thread.receipt.is_none())
        });
    }
}

fn key(view: &ClusterView, owed: &Owed) -> Key {
    (view.cluster.clone(), owed.id, owed.message.at_unix_ms)
}
