//! How each receiver is: whether what is sent to it arrives, and since when it does not.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::alerts::ReceiverHealth;

/// Shared by the messengers and those who show it.
#[derive(Debug, Default)]
pub(crate) struct Health {
    receivers: Mutex<BTreeMap<String, ReceiverHealth>>,
}

impl Health {
    /// These are the receivers now; what is known of those that stay is kept.
    pub(super) fn are<'a>(&self, receivers: impl IntoIterator<Item = (&'a str, &'static str)>) {
        let mut known = self.lock();
        let mut before = std::mem::take(&mut *known);
        for (name, kind) in receivers {
            let health = ReceiverHealth {
                name: name.to_owned(),
                kind: kind.to_owned(),
                ..before.remove(name).unwrap_or_default()
            };
            known.insert(name.to_owned(), health);
        }
    }

    /// Whether it failed before.
    pub(super) fn arrived(&self, name: &str) -> bool {
        let mut known = self.lock();
        let Some(health) = known.get_mut(name) else {
            return false;
        };
        health.why.clear();
        std::mem::take(&mut health.failing_since_unix_ms) != 0
    }

    /// Whether it is the first failure since something arrived.
    pub(super) fn failed(&self, name: &str, why: &str, now_unix_ms: i64) -> bool {
        let mut known = self.lock();
        let Some(health) = known.get_mut(name) else {
            return false;
        };
        let is_first = health.failing_since_unix_ms == 0;
        if is_first {
            health.failing_since_unix_ms = now_unix_ms;
        }
        why.clone_into(&mut health.why);
        is_first
    }

    pub(crate) fn all(&self) -> Vec<ReceiverHealth> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ReceiverHealth>> {
        self.receivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
