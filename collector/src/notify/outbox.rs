//! What one receiver is owed, in all clusters, as the keepers' views show it. Nothing is kept here that must outlive the
//! collector: what is not said to have arrived is owed.
//!
//! What was settled is remembered until the *disk* shows it. While the ledger is slow a view shows more than is on the disk, and
//! less again when part of it has come there: by the view alone a message would go out twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::alert::{Alerts, Kind, MessageId, Owed};
use model::identity::ClusterId;
use model::incident::Number;
use tokio::time::Instant;

use crate::keeper::view::ClusterView;

/// Which message: ids are given again where a decision was lost, moments are not.
type Key = (ClusterId, MessageId, i64);

/// The next message to one receiver.
#[derive(Debug, Clone)]
pub(crate) struct Next {
    pub(crate) cluster: ClusterId,
    pub(crate) owed: Arc<Owed>,
    /// Of the thread's first message.
    pub(crate) first: Option<String>,
    pub(crate) is_recorded: bool,
}

/// One receiver's outbox.
#[derive(Debug)]
pub(crate) struct Outbox {
    receiver: String,
    /// Arrived or given up, and the ledger does not show it yet.
    settled: BTreeSet<Key>,
    /// Receipts that the ledger does not show yet.
    receipts: BTreeMap<(ClusterId, Number), String>,
    /// Threads whose message fails again and again: until then those of others go first.
    postponed: BTreeMap<(ClusterId, Number), Instant>,
}

impl Outbox {
    pub(crate) fn of(receiver: &str) -> Self {
        Self {
            receiver: receiver.to_owned(),
            settled: BTreeSet::new(),
            receipts: BTreeMap::new(),
            postponed: BTreeMap::new(),
        }
    }

    /// The oldest message that is owed, whichever cluster it is of; within a cluster in the order in which they were decided.
    pub(crate) fn next(&mut self, views: &[Arc<ClusterView>]) -> Option<Next> {
        self.forget(views);
        self.postponed.retain(|_, until| Instant::now() < *until);
        let mut next: Option<Next> = None;
        for view in views.iter().filter(|view| view.is_authority) {
            let mut owed = view.alerts.owed_to(&self.receiver);
            let is_next = |owed: &&Arc<Owed>| {
                let thread = (view.cluster.clone(), owed.head);
                !self.settled.contains(&key(view, owed)) && !self.postponed.contains_key(&thread)
            };
            let Some(owed) = owed.find(is_next) else {
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

    pub(crate) fn settle(&mut self, cluster: &ClusterId, owed: &Owed, receipt: Option<&str>) {
        let key = (cluster.clone(), owed.id, owed.message.at_unix_ms);
        self.settled.insert(key);
        if let Some(receipt) = receipt {
            let thread = (cluster.clone(), owed.head);
            self.receipts
                .entry(thread)
                .or_insert_with(|| receipt.to_owned());
        }
    }

    /// The others go first for a while.
    pub(super) fn postpone(&mut self, cluster: &ClusterId, head: Number, until: Instant) {
        self.postponed.insert((cluster.clone(), head), until);
    }

    /// When one that was postponed is to be tried again.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.postponed.values().min().copied()
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
        let views: BTreeMap<&ClusterId, &ClusterView> =
            views.iter().map(|view| (&view.cluster, &**view)).collect();
        let receiver = &self.receiver;
        self.settled.retain(|(cluster, id, at)| {
            views.get(cluster).is_some_and(|view| {
                let is_to_come = *id >= view.alerts_kept.next_message();
                is_to_come || view.alerts_kept.owes(*id, *at, receiver)
            })
        });
        self.receipts.retain(|(cluster, head), _| {
            let thread = |alerts: &Alerts| {
                let thread = alerts.thread(receiver, *head);
                thread.map(|thread| thread.receipt.is_some())
            };
            views.get(cluster).is_some_and(|view| {
                let is_on_disk = thread(&view.alerts_kept);
                is_on_disk == Some(false)
                    || (is_on_disk.is_none() && thread(&view.alerts).is_some())
            })
        });
    }
}

fn key(view: &ClusterView, owed: &Owed) -> Key {
    (view.cluster.clone(), owed.id, owed.message.at_unix_ms)
}
