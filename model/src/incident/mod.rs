//! Findings over time. An incident has a number that it keeps over flaps and over restarts of the collector; a cause
//! hides its symptoms; silence never closes one.
//!
//! What was decided is a list of [`Transition`]s, and [`Incidents`] is what they add up to, whoever adds them up.
//! [`Watch`] decides which come next. It holds nothing that must survive: after a restart nothing is known of any node,
//! and so nothing is over.

mod cause;
pub mod late;
mod past;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::cluster::Recall;
use crate::finding::{Severity, Thing};
use crate::name::NodeName;
use crate::report::Family;

pub use watch::{WINDOW_MS, Watch};

/// Counts up within its cluster.
pub type Number = u64;

/// Incidents that are over and still shown; the ledger has them all. Those that may come back under their number are kept
/// beyond that, up to [`MAX_OPEN`].
pub const MAX_CLOSED: usize = 200;
/// What comes back within this time after it was over is the same incident.
pub(crate) const RETURN_MS: i64 = 600_000;
/// Open at the same time. More are counted, and open when others are over.
pub const MAX_OPEN: usize = 2_000;
/// Lines of what happened to one incident; the first and the newest stay.
pub const MAX_LINES: usize = 50;

/// One decision about one incident. Times are the collector's wall clock, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub number: Number,
    pub at_unix_ms: i64,
    pub step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Opened {
        rule: String,
        subject: Thing,
        said: Said,
    },
    /// It is still there, and another sentence is true of it.
    Changed {
        said: Said,
    },
    /// It was over, and is there again.
    CameBack {
        said: Said,
    },
    /// Another incident is its cause, or none any more.
    Under {
        cause: Option<Number>,
    },
    Closed {
        why: Closing,
    },
    /// Something that happened while nobody heard of it.
    Told {
        happened_unix_ms: i64,
        node: NodeName,
        what: late::What,
        words: String,
    },
}

/// What the rule says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub severity: Severity,
    pub sentence: String,
    /// What must be known to say that it is over.
    pub rests_on: BTreeSet<(NodeName, Family)>,
    /// Any of it is enough to say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_over_by_any: bool,
    /// What it was compared with: a collector that starts anew has no past of its own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub recalls: BTreeSet<(NodeName, Recall)>,
}

/// Why an incident is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// All that it rests on was read, and the rule finds nothing.
    NotFoundAnyMore,
    /// No node that it rests on is part of the cluster.
    NodeGone,
    /// It was history when it was told, and no more of it comes.
    AllTold,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub number: Number,
    pub rule: String,
    pub subject: Thing,
    pub said: Said,
    pub opened_unix_ms: i64,
    /// `None` as long as it is open.
    pub closed_unix_ms: Option<i64>,
    /// The incident that is its cause.
    pub under: Option<Number>,
    /// When it came back after it was over; the newest last.
    pub returns_unix_ms: VecDeque<i64>,
    pub lines: VecDeque<Line>,
    /// Of late history; of others it is empty.
    pub history: late::History,
}

/// One line of what happened to an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub at_unix_ms: i64,
    pub sentence: String,
}

impl Incident {
    pub fn is_open(&self) -> bool {
        self.closed_unix_ms.is_none()
    }

    /// How often it came back within this time before `unix_ms`.
    pub fn returns_within(&self, window_ms: i64, unix_ms: i64) -> usize {
        let since = unix_ms.saturating_sub(window_ms);
        let returns = self.returns_unix_ms.iter();
        returns.filter(|at| **at >= since).count()
    }

    /// A line of the past stands where its time is.
    fn told(&mut self, node: &NodeName, what: late::What, at_unix_ms: i64, words: &str) {
        self.history.add(node, what, at_unix_ms);
        self.said.severity = self.history.severity();
        self.said.sentence = self.history.sentence();
        self.tell(at_unix_ms, format!("{node}: {words}"));
        let lines = self.lines.make_contiguous();
        lines.sort_by_key(|line| line.at_unix_ms);
    }

    fn tell(&mut self, at_unix_ms: i64, sentence: String) {
        if self.lines.len() == MAX_LINES {
            self.lines.remove(1);
        }
        self.lines.push_back(Line {
            at_unix_ms,
            sentence,
        });
    }
}

/// All incidents of a cluster: what its transitions add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incidents {
    last: Number,
    open: BTreeMap<Number, Incident>,
    closed: VecDeque<Incident>,
    numbers: BTreeMap<(String, Thing), Number>,
}

impl Incidents {
    /// None yet, and no number up to this one is given again.
    pub fn behind(last: Number) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// The highest number given.
    pub fn last(&self) -> Number {
        self.last
    }

    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.values()
    }

    /// Those that are over, the newest last.
    pub fn closed(&self) -> impl Iterator<Item = &Incident> {
        self.closed.iter()
    }

    pub fn get(&self, number: Number) -> Option<&Incident> {
        let closed = || self.closed.iter().find(|over| over.number == number);
        self.open.get(&number).or_else(closed)
    }

    /// What open incidents were compared with, for [`crate::cluster::Cluster::recall`].
    pub fn recalls(&self) -> impl Iterator<Item = &(NodeName, Recall)> {
        self.open().flat_map(|open| &open.said.recalls)
    }

    /// The incidents that this one hides.
    pub fn under(&self, cause: Number) -> impl Iterator<Item = &Incident> {
        self.open().filter(move |open| open.under == Some(cause))
    }

    /// The one about this subject, open or over.
    fn about(&self, rule: &str, subject: &Thing) -> Option<&Incident> {
        let key = (rule.to_owned(), subject.clone());
        self.get(*self.numbers.get(&key)?)
    }

    /// Adds one decision. One that does not fit (of a number that is not there) changes nothing.
    pub fn fold(&mut self, transition: &Transition) {
        let (number, at) = (transition.number, transition.at_unix_ms);
        match &transition.step {
            Step::Opened {
                rule,
                subject,
                said,
            } => self.opened(number, at, rule, subject, said),
            Step::Changed { said } => {
                if let Some(open) = self.open.get_mut(&number) {
                    // What it rests on may have changed alone, and that is no news.
                    let is_news = open.said.sentence != said.sentence;
                    open.said = said.clone();
                    if is_news {
                        open.tell(at, said.sentence.clone());
                    }
                }
            }
            Step::CameBack { said } => self.came_back(number, at, said),
            Step::Under { cause } => {
                if let Some(open) = self.open.get_mut(&number) {
                    open.under = *cause;
                }
            }
            Step::Closed { why } => self.closed_now(number, at, *why),
            Step::Told {
                happened_unix_ms,
                node,
                what,
                words,
            } => {
                if let Some(open) = self.open.get_mut(&number) {
                    open.told(node, *what, *happened_unix_ms, words);
                }
            }
        }
    }

    fn opened(&mut self, number: Number, at: i64, rule: &str, subject: &Thing, said: &Said) {
        self.last = self.last.max(number);
        let mut incident = Incident {
            number,
            rule: rule.to_owned(),
            subject: subject.clone(),
            said: said.clone(),
            opened_unix_ms: at,
            closed_unix_ms: None,
            under: None,
            returns_unix_ms: VecDeque::new(),
            lines: VecDeque::new(),
            history: late::History::default(),
        };
        incident.tell(at, said.sentence.clone());
        let key = (rule.to_owned(), subject.clone());
        self.numbers.insert(key, number);
        self.open.insert(number, incident);
    }

    fn came_back(&mut self, number: Number, at: i64, said: &Said) {
        let place = self.closed.iter().position(|over| over.number == number);
        let Some(mut incident) = place.and_then(|place| self.closed.remove(place)) else {
            return;
        };
        if incident.returns_unix_ms.len() == MAX_LINES {
            incident.returns_unix_ms.pop_front();
        }
        incident.returns_unix_ms.push_back(at);
        incident.closed_unix_ms = None;
        incident.under = None;
        incident.said = said.clone();
        incident.tell(at, format!("again: {}", said.sentence));
        self.open.insert(number, incident);
    }

    fn closed_now(&mut self, number: Number, at: i64, why: Closing) {
        let Some(mut incident) = self.open.remove(&number) else {
            return;
        };
        incident.closed_unix_ms = Some(at);
        incident.tell(
            at,
            match why {
                Closing::NotFoundAnyMore => "over".to_owned(),
                Closing::NodeGone => {
                    "over: the node is not part of the cluster any more".to_owned()
                }
                Closing::AllTold => "all of it is told".to_owned(),
            },
        );
        for hidden in self.open.values_mut() {
            if hidden.under == Some(number) {
                hidden.under = None;
            }
        }
        self.closed.push_back(incident);
        while self.closed.len() > MAX_CLOSED && self.is_oldest_to_go(at) {
            if let Some(oldest) = self.closed.pop_front() {
                self.numbers.retain(|_, number| *number != oldest.number);
            }
        }
    }

    /// Whether the one that was over first cannot come back any more, or there are too many.
    fn is_oldest_to_go(&self, at: i64) -> bool {
        let oldest = self.closed.front().and_then(|oldest| oldest.closed_unix_ms);
        let is_late = oldest.is_none_or(|over| over.saturating_add(RETURN_MS) <= at);
        is_late || self.closed.len() > MAX_OPEN
    }
}

#[cfg(test)]
mod tests;
