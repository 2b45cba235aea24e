//! The one owner of what this node has told: takes facts from the sources, keeps the report, and tells what changed.

use std::collections::BTreeMap;
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
        /// CLOCK_BOOTTIME when the reading began: what it tells may be as old as that.
        began_boottime_ms: u64,
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
    /// What was last known of the families that cannot be read just now.
    known_before: BTreeMap<Family, Fact>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            report: NodeReport::never_heard(),
            heard: Vec::new(),
            corosync_changed: None,
            known_before: BTreeMap::new(),
        }
    }

    pub(crate) fn report(&self) -> &NodeReport {
        &self.report
    }

    /// Takes a piece of news, and says what is different from before.
    pub(crate) fn take(&mut self, news: News) -> Vec<Told> {
        match news {
            News::Fact {
                fact, noticed, at, ..
            } => {
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
        let mut changes = change::changes(&before, &fact);
        changes.extend(self.while_it_was_unknown(before, &fact));
        self.report.replace(fact);
        if family == Family::Corosync && !changes.is_empty() {
            self.corosync_changed = Some(Instant::now());
        }
        changes
    }

    /// What changed while a family could not be read: it is told when it can be read again.
    fn while_it_was_unknown(&mut self, before: Fact, now: &Fact) -> Vec<Change> {
        let family = now.family();
        match (before.standing().known, now.standing().known) {
            (true, false) => drop(self.known_before.insert(family, before)),
            (false, true) => {
                let known = self.known_before.remove(&family);
                return known.map_or_else(Vec::new, |known| change::changes(&known, now));
            }
            _ => {}
        }
        Vec::new()
    }

    /// Holds the tool's answer against what corosync's libraries say, unless that just changed: then the two are of
    /// different moments.
    fn cross_check(&self, tool: &mut Reading<Quorumtool>) {
        let Reading::Known { value: tool, .. } = tool else {
            return;
        };
        let is_settled = self
            .corosync_changed
            .is_none_or(|when| when.elapsed() >= SETTLED);
        tool.disagreements = match (self.report.corosync.known(), self.report.quorumtool.known()) {
            (Some(libraries), _) if is_settled => Some(disagreements(libraries, &tool.said)),
            // Nobody knows better for a moment.
            (_, before) => before.and_then(|before| before.disagreements.clone()),
        };
    }

    /// The families that nobody has told of yet.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Family> {
        Family::ALL
            .iter()
            .copied()
            .filter(|family| !self.heard.contains(family))
    }
}

#[cfg(test)]
mod tests {
    use model::fact::corosync::Corosync;

    use super::*;

    fn told(hub: &mut Hub, fact: Fact) -> Vec<String> {
        let news = News::Fact {
            fact: Box::new(fact),
            noticed: None,
            began_boottime_ms: 0,
            at: Timestamp::now(),
        };
        let told = hub.take(news).into_iter();
        told.map(|told| told.change.sentence).collect()
    }

    fn corosync(quorate: bool) -> Fact {
        Fact::Corosync(Reading::Known {
            value: Corosync {
                quorate: Some(quorate),
                ..Corosync::default()
            },
            at: Timestamp::now(),
            problems: Vec::new(),
        })
    }

    #[test]
    fn what_changed_while_it_could_not_be_read_is_told_when_it_can() {
        let mut hub = Hub::new();
        assert!(told(&mut hub, corosync(true)).is_empty());
        let failed = Family::Corosync.failed("gone".to_owned());
        assert_eq!(told(&mut hub, failed), ["corosync cannot be read: gone"]);
        let back = told(&mut hub, corosync(false));
        assert_eq!(back[0], "corosync can be read again");
        assert!(back[1].starts_with("quorum: lost"), "{back:?}");
        assert!(told(&mut hub, corosync(false)).is_empty());
    }
}
