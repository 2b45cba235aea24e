//! What the node's families say now, for all streams together: the newest reading of each, and nothing older. However
//! long a collector takes nothing, this does not grow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::reading::Reading;
use model::report::{Fact, Family};
use proto::fact::ReadFact;
use tokio::sync::watch;

/// Shared by its clones.
#[derive(Debug, Clone)]
pub struct Board {
    posted: Arc<Mutex<Posted>>,
    count: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Posted {
    count: u64,
    /// Each with the count at which it was posted.
    facts: BTreeMap<Family, (u64, Arc<ReadFact>)>,
    dropped_announcements: u64,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            posted: Arc::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl Board {
    /// A family was read, changed or not.
    pub fn post(&self, mut read: ReadFact) {
        // Its entries go as events.
        if matches!(*read.fact, Fact::Journal(_))
            && let Fact::Journal(Reading::Known { value, .. }) = Arc::make_mut(&mut read.fact)
        {
            value.events = Vec::new();
        }
        if *read.fact == read.fact.family().never_heard() {
            return;
        }
        let mut posted = self.posted();
        posted.count += 1;
        let count = posted.count;
        posted
            .facts
            .insert(read.fact.family(), (count, Arc::new(read)));
        drop(posted);
        self.count.send_replace(count);
    }

    /// So many announcements were lost since the process started.
    pub fn announcements_dropped(&self, count: u64) {
        self.posted().dropped_announcements = count;
    }

    pub(crate) fn dropped_announcements(&self) -> u64 {
        self.posted().dropped_announcements
    }

    /// What was posted after this count, and the count now.
    pub fn since(&self, count: u64) -> (Vec<Arc<ReadFact>>, u64) {
        let posted = self.posted();
        let newer = posted.facts.values().filter(|(at, _)| *at > count);
        (
            newer.map(|(_, fact)| Arc::clone(fact)).collect(),
            posted.count,
        )
    }

    /// The newest reading of a family, if there was one.
    pub(crate) fn newest(&self, family: Family) -> Option<Arc<ReadFact>> {
        let posted = self.posted();
        posted.facts.get(&family).map(|(_, fact)| Arc::clone(fact))
    }

    /// Tells whenever something was posted.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
