//! How each receiver is: whether what is sent to it arrives, and since when it does not.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// One receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiverHealth {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    /// Nothing has arrived since, though it was tried.
    pub(crate) failing: Option<Failing>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) since_unix_ms: i64,
    /// Of the last attempt.
    pub(crate) why: String,
}

/// Shared by the workers and those who show it.
#[derive(Debug, Default)]
pub(crate) struct Health {
    receivers: Mutex<BTreeMap<String, ReceiverHealth>>,
}

impl Health {
    /// These are the receivers now; what is known of those that stay is kept.
    pub(super) fn are(&self, receivers: impl IntoIterator<Item = (String, &'static str)>) {
        let mut known = self.lock();
        let before = std::mem::take(&mut *known);
        for (name, kind) in receivers {
            let failing = before.get(&name).and_then(|before| before.failing.clone());
            let health = ReceiverHealth {
                name: name.clone(),
                kind,
                failing,
            };
            known.insert(name, health);
        }
    }

    /// Whether it failed before.
    pub(super) fn arrived(&self, name: &str) -> bool {
        let mut known = self.lock();
        known
            .get_mut(name)
            .is_some_and(|health| health.failing.take().is_some())
    }

    /// Whether it is the first failure since something arrived.
    pub(super) fn failed(&self, name: &str, why: &str, now_unix_ms: i64) -> bool {
        let mut known = self.lock();
        let Some(health) = known.get_mut(name) else {
            return false;
        };
        let is_first = health.failing.is_none();
        let since = health
            .failing
            .as_ref()
            .map_or(now_unix_ms, |failing| failing.since_unix_ms);
        health.failing = Some(Failing {
            since_unix_ms: since,
            why: why.to_owned(),
        });
        is_first
    }

    pub(crate) fn all(&self) -> Vec<ReceiverHealth> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ReceiverHealth>> {
        self.receivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
