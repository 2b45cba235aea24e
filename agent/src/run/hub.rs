//! The one owner of what this node has told: takes facts from the sources, keeps the report, and tells what changed.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::change::{self, Change};
use model::fact::journal::JournalEvent;
use model::fact::quorumtool::{Quorumtool, disagreements};
use model::reading::Reading;
use model::report::{Fact, Family, NodeReport};

/// How many facts may wait for the hub. Sources wait when it is full; nothing is lost by that.
pub(crate) const MAX_WAITING: usize = 64;

/// So long after a change of corosync two looks at it may still be of different moments.
const SETTLED: Duration = Duration::from_secs(3);

/// Something for the hub.
#[derive(Debug)]
pub(crate) enum News {
    /// A family was read anew.
    Fact {
        fact: Box<Fact>,
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
    corosync_changed: Option<Instant>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            report: NodeReport::never_heard(),
            heard: Vec::new(),
            corosync_changed: None,
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
                self.replace(*fact).into_iter().map(told).collect()
            }
            News::Event { event, noticed, at } => vec![Told {
                change: change::of_journal(&event),
                noticed: Some(noticed),
                at,
            }],
        }
    }

    fn replace(&mut self, mut fact: Fact) -> Vec<Change> {
        let family = fact.family();
        if let Fact::Quorumtool(tool) = &mut fact {
            self.cross_check(tool);
        }
        if !self.heard.contains(&family) {
            self.heard.push(family);
        }
        let before = self.report.replace(family.never_heard());
        let changes = change::changes(&before, &fact);
        self.report.replace(fact);
        if family == Family::Corosync && !changes.is_empty() {
            self.corosync_changed = Some(Instant::now());
        }
        changes
    }

    /// Holds the tool's answer against what corosync's libraries say, unless that just changed: then the two are of
    /// different moments.
    fn cross_check(&self, tool: &mut Reading<Quorumtool>) {
        let is_settled = self
            .corosync_changed
            .is_none_or(|when| when.elapsed() >= SETTLED);
        if is_settled
            && let (Some(libraries), Reading::Known { value: tool, .. }) =
                (self.report.corosync.known(), tool)
        {
            tool.disagreements = Some(disagreements(libraries, &tool.said));
        }
    }

    /// The families that nobody has told of yet.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Family> {
        Family::ALL
            .iter()
            .copied()
            .filter(|family| !self.heard.contains(family))
    }
}
