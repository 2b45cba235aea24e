//! What changed between two readings of one family: a finished sentence for a person, and every value that differs for
//! a program. The sentences stand here once, for `watch`, the page and the chat.
//!
//! Facts are compared, not measures: what grows or wavers all the time (counters, loads, latencies) is left out.

mod bond;
mod bridge;
mod corosync;
mod link;
mod pair;
mod power;
mod sentence;
mod task;
mod value;

use serde::Serialize;
use serde_json::Value;

use crate::fact::journal::JournalEvent;
use crate::measure;
use crate::reading::{Problem, Reading};
use crate::report::{Fact, Family};

pub use value::Difference;
pub(crate) use value::counterparts;

/// How many changes one comparison tells; of more, it says how many there are.
pub const MAX_CHANGES: usize = 200;

/// Something that is not as it was before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub family: Family,
    /// Whom it is about: `eno1`, `bond0`, `node 3`; the family's own name where it is about all of it.
    pub subject: String,
    /// `eno1 lost its carrier`
    pub sentence: String,
    /// Every value that differs. Empty for an entry of the journal.
    pub changes: Vec<Difference>,
}

impl Change {
    fn new(family: Family, subject: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            family,
            subject: subject.into(),
            sentence: sentence.into(),
            changes: Vec::new(),
        }
    }

    /// Something that the agent has to say of itself.
    pub fn of_the_agent(sentence: impl Into<String>) -> Self {
        Self::new(Family::Agent, Family::Agent.key(), sentence)
    }

    /// Something of a family that could not be read.
    pub fn problem(family: Family, problem: &Problem) -> Self {
        let Problem { source, why, .. } = problem;
        let line = problem.line_number.map(|number| format!(", line {number}"));
        let sentence = format!("{source}{}: {why}", line.unwrap_or_default());
        Self::new(family, family.key(), sentence)
    }

    /// A family that cannot be read.
    pub fn failed(family: Family, why: &str) -> Self {
        let sentence = format!("{} cannot be read: {why}", family.key());
        Self::new(family, family.key(), sentence)
    }

    fn with(mut self, changes: Vec<Difference>) -> Self {
        self.changes = changes;
        self
    }
}

/// All that changed from one reading of a family to the next. What was never heard before is not a change.
pub fn changes(before: &Fact, after: &Fact) -> Vec<Change> {
    let family = after.family();
    let mut changes = match (before, after) {
        (Fact::Bonds(before), Fact::Bonds(after)) => {
            compare(family, before, after, |before, after| {
                bond::changes(before, after)
            })
        }
        (Fact::Links(before), Fact::Links(after)) => {
            compare(family, before, after, |before, after| {
                link::changes(before, after)
            })
        }
        (Fact::Bridges(before), Fact::Bridges(after)) => {
            compare(family, before, after, |before, after| {
                bridge::changes(before, after)
            })
        }
        (Fact::Corosync(before), Fact::Corosync(after)) => {
            compare(family, before, after, corosync::changes)
        }
        (Fact::Tasks(before), Fact::Tasks(after)) => compare(family, before, after, task::changes),
        (Fact::Power(_), Fact::Power(_)) => power::told(plainly(before, after)),
        // The entries of a journal are told one by one, and the map repeats in numbers what corosync's fact says.
        (Fact::Journal(before), Fact::Journal(after)) => {
            compare(family, before, after, |_, _| Vec::new())
        }
        (Fact::Cmap(before), Fact::Cmap(after)) => {
            compare(family, before, after, |_, _| Vec::new())
        }
        _ => plainly(before, after),
    };
    if changes.len() > MAX_CHANGES {
        let more = changes.len() - MAX_CHANGES;
        changes.truncate(MAX_CHANGES);
        let sentence = format!("{} more changes of {} at once", more, family.key());
        changes.push(Change::new(family, family.key(), sentence));
    }
    changes
}

/// A new entry of the journal.
pub fn of_journal(event: &JournalEvent) -> Change {
    let program = event.identifier.as_deref().unwrap_or("journal");
    let sentence = format!("{program}: {}", event.message);
    Change::new(Family::Journal, program, sentence)
}

/// How the reading as a whole changed; if it is known both times, `known` tells what changed in it.
fn compare<T: PartialEq>(
    family: Family,
    before: &Reading<T>,
    after: &Reading<T>,
    known: impl FnOnce(&T, &T) -> Vec<Change>,
) -> Vec<Change> {
    let key = family.key();
    let whole = |sentence: String| vec![Change::new(family, key, sentence)];
    match (before, after) {
        (Reading::Known { value: was, .. }, Reading::Known { value: is, .. }) => known(was, is),
        (Reading::NeverHeard, _) | (_, Reading::NeverHeard) => Vec::new(),
        (Reading::Failed { why: was }, Reading::Failed { why: is }) if is_same_reason(was, is) => {
            Vec::new()
        }
        (_, Reading::Failed { why }) => vec![Change::failed(family, why)],
        (Reading::Absent, Reading::Absent) => Vec::new(),
        (_, Reading::Absent) => whole(format!("{key}: there is nothing of it any more")),
        (Reading::Failed { .. }, Reading::Known { .. }) => {
            whole(format!("{key} can be read again"))
        }
        (Reading::Absent, Reading::Known { .. }) => whole(format!("{key}: there is something now")),
    }
}

/// Tools write times and process ids into their complaints: the same complaint in the next minute is not news.
pub fn is_same_reason(was: &str, is: &str) -> bool {
    let words = |why: &str| why.replace(|c: char| c.is_ascii_digit(), "");
    words(was) == words(is)
}

/// For a family without sentences of its own: each value that differs.
fn plainly(before: &Fact, after: &Fact) -> Vec<Change> {
    let family = after.family();
    if is_measure(family) {
        return Vec::new();
    }
    // Left out before comparing: a list that must be compared as one value must not differ by a measure in it.
    let facts = |fact: &Fact| {
        fact.to_json()
            .map(|value| value::without(value, &wavering(family)))
    };
    compare(family, &facts(before), &facts(after), |before, after| {
        let differences = value::differences(before, after);
        let of_one = |difference: Difference| {
            let sentence = format!("{} {}", family.key(), difference);
            Change::new(family, family.key(), sentence).with(vec![difference])
        };
        differences.into_iter().map(of_one).collect()
    })
}

/// Families that hold numbers which waver all the time, and nothing else.
fn is_measure(family: Family) -> bool {
    matches!(family, Family::Host)
}

/// The fields of a family that are measures among its facts, or times that go on by themselves.
fn wavering(family: Family) -> Vec<&'static str> {
    match family {
        // The tool repeats what corosync's own fact says; only where the two disagree is news.
        Family::Quorumtool => vec!["text", "said"],
        family => measure::names(family).collect(),
    }
}

/// What differs between two values of one thing, with what says nothing new left out.
fn differences<T: Serialize>(before: &T, after: &T, left_out: &[&str]) -> Vec<Difference> {
    let json = |value: &T| serde_json::to_value(value).unwrap_or(Value::Null);
    let mut differences = value::differences(&json(before), &json(after));
    differences.retain(|difference| !left_out.iter().any(|path| difference.is_below(path)));
    differences
}

#[cfg(test)]
mod tests;
