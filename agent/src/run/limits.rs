//! Limits that the running agent ran into, counted since it started. What a single source could not take is a problem in
//! its own reading; here is what no reading tells.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by its clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Limits {
    /// The limit of this name was hit so often more.
    pub(crate) fn hit(&self, name: &'static str, times: u64) {
        if times > 0 {
            *self.counts().entry(name).or_default() += times;
        }
    }

    /// How often the limit of this name was hit.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counts().get(name).copied().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        let named = |(name, count): (&&str, &u64)| ((*name).to_owned(), *count);
        self.counts().iter().map(named).collect()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
