//! The one owner of what this node has told: takes facts from the sources, keeps the report, and tells what changed.

use std::time::Instant;

use jiff::Timestamp;
use model::change::{self, Change};
use model::fact::journal::JournalEvent;
use model::report::{Fact, Family, NodeReport};

/// How many facts may wait for the hub. Sources wait when it is full; nothing is lost by that.
pub(crate) const MAX_WAITING: usize = 64;

/// Something for the hub.
#[derive(Debug)]
pub(crate) enum News {
    /// A family was read anew.
    Fact {
        fact: Fact,
        /// When the kernel's or corosync's word of it reached this process; nothing if it was just time to look.
        noticed: Option<Instant>,
        at: Timestamp,
    },
    /// The journal has a new entry.
    Event {
        event: Box<JournalEvent>,
        noticed: Instant,
        at: Timestamp,
    },
}

/// A change, and when it came to our ears.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) change: Change,
    pub(crate) noticed: Option<Instant>,
    pub(crate) at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Hub {
    report: NodeReport,
    heard: Vec<Family>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            report: NodeReport::never_heard(),
            heard: Vec::new(),
        }
    }

    pub(crate) fn report(&self) -> &NodeReport {
        &self.report
    }

    /// Takes a piece of news, and says what is different from before.
    pub(crate) fn take(&mut self, news: News) -> Vec<Told> {
        match news {
            News::Fact { fact, noticed, at } => {
                let told = |change| Told {
                    change,
                    noticed,
                    at,
                };
                self.replace(fact).into_iter().map(told).collect()
            }
            News::Event { event, noticed, at } => vec![Told {
                change: change::of_journal(&event),
                noticed: Some(noticed),
                at,
            }],
        }
    }

    fn replace(&mut self, fact: Fact) -> Vec<Change> {
        let family = fact.family();
        if !self.heard.contains(&family) {
            self.heard.push(family);
        }
        let before = self.report.replace(family.never_heard());
        let changes = change::changes(&before, &fact);
        self.report.replace(fact);
        changes
    }

    /// The families that nobody has told of yet.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Family> {
        Family::ALL
            .iter()
            .copied()
            .filter(|family| !self.heard.contains(family))
    }
}
