//! The one maintenance lease of a cluster: who may take which nodes away now, and until when nobody else may.
//!
//! What was decided is a list of [`Transition`]s, and [`Leases`] is what they add up to. [`Watch`] decides which come next
//! from what is seen; granting, breaking and ending by hand are asked for, and judged by [`crate::gate`] and [`healthy`].

pub mod accepted;
pub mod healthy;
#[cfg(test)]
pub(crate) mod testing;
mod told;
mod unleased;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact::power::ShutdownKind;
use crate::finding::Thing;
use crate::gate::{Action, Kind};
use crate::name::{NodeName, enumerated};
use accepted::{Acceptance, Accepted};
use healthy::Before;

pub use told::Told;
pub use unleased::Unleased;
pub use watch::{SETTLES_MS, Watch};

/// Counts up within its cluster.
pub type Number = u64;

/// Leases that are over and still shown; the ledger has them all.
const MAX_OVER: usize = 50;
/// In place of a planned time that nobody said.
pub const PLANNED_S: u32 = 3_600;
/// A week: longer than that nobody is away by plan.
pub const MAX_PLANNED_S: u32 = 604_800;
/// Each is a row of the ledger.
pub const MAX_SAID: u32 = 8;
/// Letters of a reason.
pub const MAX_REASON: usize = 500;

/// The rules that tell of leases: they rest on what was decided, and on no reading of a node.
pub const RULES: &[&str] = &[
    PLAN,
    "lease-overdue",
    "lease-withdrawn",
    "lease-overridden",
    "lease-broken",
];
/// The one that takes under itself what is expected of a leased node.
pub const PLAN: &str = "node-in-maintenance";
/// What is by nobody's plan, whoever is away: no lease takes it under itself.
pub const NEVER_PLANNED: &[&str] = &[
    "corosync-quorum-lost",
    "ha-watchdog-expiring",
    "ha-lrm-lost-lock",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The nodes may be taken away.
    Granted,
    /// What it was granted on is not so any more: they must stay.
    Withdrawn,
    /// The peers saw one of them leave, or it runs another kernel than before.
    Departed,
    /// All are heard and in the membership again.
    Back,
    /// All is as it was before, for as long as it takes to settle.
    Settled,
    Ended,
    Broken,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Granted => "granted",
            Self::Withdrawn => "withdrawn",
            Self::Departed => "departed",
            Self::Back => "back",
            Self::Settled => "settled",
            Self::Ended => "ended",
            Self::Broken => "broken",
        })
    }
}

impl State {
    /// Nobody holds anything any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Broken)
    }
}

/// What was asked for, and what it was like then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub nodes: BTreeSet<NodeName>,
    pub action: Action,
    /// The operator, or root on a node.
    pub owner: String,
    pub reason: String,
    pub planned_s: u32,
    /// Against NO-GO or UNKNOWN: what stood against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrode: Option<String>,
    /// What forbade it for what other nodes did, and was known when it was taken: it is no news.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stood_against: BTreeSet<(Kind, Thing)>,
    /// It waits for its end to be asked for, also when all is well again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_end: bool,
    /// By which he knows it again who asked for it, and was not answered. It may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    pub before: BTreeMap<NodeName, Before>,
}

/// One decision about one lease. Times are the collector's wall clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub number: Number,
    pub at_unix_ms: i64,
    pub step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Granted(Box<Grant>),
    Withdrawn {
        why: String,
    },
    Departed,
    Back,
    Settled,
    /// The planned time is over. It goes on blocking.
    Overdue,
    /// `by` is nobody where all was well again, or the nodes are not part of the cluster any more.
    Ended {
        by: Option<String>,
        words: String,
    },
    Broken {
        by: String,
        reason: String,
    },
    /// What its owner wants to be known of it, such as that nobody waits for its nodes any more.
    Said {
        words: String,
    },
    /// Of no lease: the number is 0.
    Accepted(Box<Acceptance>),
    /// Of no lease: the number is 0. `by` is nobody where what was accepted is over.
    TakenBack {
        kind: Kind,
        subject: Thing,
        by: Option<String>,
    },
}

/// From where which step leads where; what is not here changes nothing. It stands in docs/architecture.md too, and a test
/// holds them together.
pub const TABLE: &[(State, &str, State)] = &[
    (State::Granted, "withdrawn", State::Withdrawn),
    (State::Granted, "departed", State::Departed),
    (State::Granted, "ended", State::Ended),
    (State::Granted, "broken", State::Broken),
    (State::Withdrawn, "departed", State::Departed),
    (State::Withdrawn, "ended", State::Ended),
    (State::Withdrawn, "broken", State::Broken),
    (State::Departed, "back", State::Back),
    (State::Departed, "ended", State::Ended),
    (State::Departed, "broken", State::Broken),
    (State::Back, "departed", State::Departed),
    (State::Back, "settled", State::Settled),
    (State::Back, "ended", State::Ended),
    (State::Back, "broken", State::Broken),
    (State::Settled, "departed", State::Departed),
    (State::Settled, "back", State::Back),
    (State::Settled, "ended", State::Ended),
    (State::Settled, "broken", State::Broken),
];

impl Step {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Granted(_) => "granted",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Departed => "departed",
            Self::Back => "back",
            Self::Settled => "settled",
            Self::Overdue => "overdue",
            Self::Ended { .. } => "ended",
            Self::Broken { .. } => "broken",
            Self::Said { .. } => "said",
            Self::Accepted(_) => "accepted",
            Self::TakenBack { .. } => "taken back",
        }
    }
}

/// Where this step leads from that state, if it leads anywhere.
fn next(from: State, step: &Step) -> Option<State> {
    let row = TABLE
        .iter()
        .find(|(state, name, _)| *state == from && *name == step.name());
    row.map(|(_, _, to)| *to)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub number: Number,
    pub grant: Grant,
    pub began_unix_ms: i64,
    pub state: State,
    /// Since when it has been in that state.
    pub since_unix_ms: i64,
    pub is_overdue: bool,
    /// Why it was withdrawn, ended or broken; before that, what its owner said last.
    pub words: String,
    /// How often its owner said something.
    #[serde(default)]
    pub times_said: u32,
}

impl Lease {
    pub fn until_unix_ms(&self) -> i64 {
        let planned_ms = i64::from(self.grant.planned_s).saturating_mul(1_000);
        self.began_unix_ms.saturating_add(planned_ms)
    }

    pub fn holds(&self, node: &NodeName) -> bool {
        self.grant.nodes.contains(node)
    }

    /// Whether this is what its node may do: who may reboot may not stay away.
    pub fn covers(&self, node: &NodeName, kind: ShutdownKind) -> bool {
        let may = match self.grant.action {
            Action::Shutdown => true,
            Action::Reboot | Action::Upgrade => kind != ShutdownKind::Shutdown,
            Action::Network => false,
        };
        may && self.holds(node)
    }

    /// Whether it is this that was granted, and nothing has come of it yet: who asks once more may be told so.
    pub fn awaits(&self, owner: &str, nodes: &BTreeSet<NodeName>, action: Action) -> bool {
        let Grant {
            owner: own,
            nodes: held,
            action: planned,
            ..
        } = &self.grant;
        self.state == State::Granted && own == owner && held == nodes && *planned == action
    }

    /// Its nodes may be away, or not be themselves yet: until its time is over, or all was as before.
    pub fn excuses(&self) -> bool {
        let may_be = matches!(self.state, State::Granted | State::Departed | State::Back);
        may_be && !self.is_overdue
    }

    /// A step that leads nowhere from here changes nothing.
    fn take(&mut self, step: &Step, at_unix_ms: i64) {
        match step {
            Step::Overdue => self.is_overdue = true,
            Step::Said { words } => {
                self.words = format!("{words}, {}", clock(at_unix_ms));
                self.times_said = self.times_said.saturating_add(1);
            }
            _ => {}
        }
        let Some(state) = next(self.state, step) else {
            return;
        };
        (self.state, self.since_unix_ms) = (state, at_unix_ms);
        match step {
            Step::Withdrawn { why } => self.words.clone_from(why),
            Step::Ended { words, .. } => self.words.clone_from(words),
            Step::Broken { by, reason } => self.words = format!("broken by {by}: {reason}"),
            _ => {}
        }
    }

    /// Any of its nodes names it.
    pub fn first(&self) -> &str {
        self.grant.nodes.first().map_or("", NodeName::as_str)
    }

    /// `pve-02 and pve-03`
    pub fn names(&self) -> String {
        enumerated(&self.grant.nodes)
    }

    /// `lease 4 of pve-02 (reboot), taken by root@pve-02 at 14:02 UTC: kernel update; planned until 15:02 UTC`
    pub fn sentence(&self) -> String {
        // The first word of a verdict is its answer.
        let overrode = self.grant.overrode.as_deref();
        let answer = overrode.and_then(|verdict| verdict.split(' ').next());
        let against = answer.map_or_else(String::new, |answer| format!(" against {answer}"));
        format!(
            "lease {} of {} ({}), taken{against} by {} at {}: {}; planned until {}",
            self.number,
            self.names(),
            self.grant.action,
            self.grant.owner,
            clock(self.began_unix_ms),
            self.grant.reason,
            clock(self.until_unix_ms()),
        )
    }
}

/// `2026-11-21 14:02 UTC`
pub fn clock(unix_ms: i64) -> String {
    let at = Timestamp::from_millisecond(unix_ms).ok();
    at.map_or_else(
        || "an unknown time".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// All leases of a cluster, and what its operators accept as it is: what its transitions add up to. One lease is held at a
/// time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    last: Number,
    current: Option<Lease>,
    over: VecDeque<Lease>,
    accepted: Accepted,
}

impl Leases {
    /// The one that is held.
    pub fn current(&self) -> Option<&Lease> {
        self.current.as_ref()
    }

    /// The one that is held, if this node is its.
    pub fn of(&self, node: &NodeName) -> Option<&Lease> {
        self.current().filter(|lease| lease.holds(node))
    }

    /// Those that are over, the newest last.
    pub fn over(&self) -> impl DoubleEndedIterator<Item = &Lease> {
        self.over.iter()
    }

    pub fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    pub fn next_number(&self) -> Number {
        self.last.saturating_add(1)
    }

    /// Adds one decision. One that does not fit (a second lease beside the one that is held) changes nothing.
    pub fn fold(&mut self, transition: &Transition) {
        let (number, at) = (transition.number, transition.at_unix_ms);
        if let Step::Granted(grant) = &transition.step {
            if self.current.is_none() && number > self.last {
                self.last = number;
                self.current = Some(Lease {
                    number,
                    grant: Grant::clone(grant),
                    began_unix_ms: at,
                    state: State::Granted,
                    since_unix_ms: at,
                    is_overdue: false,
                    words: String::new(),
                    times_said: 0,
                });
            }
            return;
        }
        match &transition.step {
            Step::Accepted(acceptance) => self.accepted.take(acceptance, at),
            Step::TakenBack { kind, subject, .. } => self.accepted.take_back(*kind, subject),
            _ => self.go_on(transition),
        }
    }

    fn go_on(&mut self, transition: &Transition) {
        let is_meant = |lease: &&mut Lease| lease.number == transition.number;
        let Some(lease) = self.current.as_mut().filter(is_meant) else {
            return;
        };
        lease.take(&transition.step, transition.at_unix_ms);
        if lease.state.is_over() {
            self.over.extend(self.current.take());
            while self.over.len() > MAX_OVER {
                self.over.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests;
