//! What happened, as lines for a person: events that agents told, and steps of incidents. The sentences stand here once,
//! for terminal, page and chat.

use jiff::Timestamp;
use serde::Deserialize;

use crate::fact::journal::JournalTime;
use crate::incident::{Closing, Number, Said, Step, Transition};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// On the node's own clock; `None` where it was not stated.
    pub at: Option<Timestamp>,
    /// The program of the journal, the family of facts, or `incident`.
    pub source: String,
    pub sentence: String,
}

/// What stands in an entry of the journal; a newer agent may say more.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    time: Option<JournalTime>,
    #[serde(default)]
    identifier: Option<String>,
    message: String,
}

#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    at: Option<Timestamp>,
    family: String,
    sentence: String,
}

#[derive(Deserialize)]
struct Gap {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    count: Option<u64>,
}

const JOURNAL: &str = "journal";
const AGENT: &str = "agent";
const INCIDENT: &str = "incident";

impl Happened {
    /// An entry of the journal, as the agent's JSON.
    pub fn of_journal(json: &str) -> Self {
        let entry: Entry = match serde_json::from_str(json) {
            Ok(entry) => entry,
            Err(error) => return Self::unreadable(JOURNAL, &error),
        };
        Self {
            at: entry.time.and_then(|time| match time {
                JournalTime::Exact(at) => Some(at),
                JournalTime::Civil(_) | JournalTime::SinceBootUs(_) => None,
            }),
            source: entry.identifier.unwrap_or_else(|| JOURNAL.to_owned()),
            sentence: entry.message,
        }
    }

    /// A change of a fact, as the agent's JSON.
    pub fn of_change(json: &str) -> Self {
        match serde_json::from_str::<Change>(json) {
            Ok(change) => Self {
                at: change.at,
                source: change.family,
                sentence: change.sentence,
            },
            Err(error) => Self::unreadable(AGENT, &error),
        }
    }

    /// Entries of the journal that nobody has read, as the agent's JSON.
    pub fn of_journal_gap(json: &str) -> Self {
        let gap: Gap = match serde_json::from_str(json) {
            Ok(gap) => gap,
            Err(error) => return Self::unreadable(JOURNAL, &error),
        };
        let count = match gap.count {
            Some(1) => "1 entry".to_owned(),
            Some(count) => format!("{count} entries"),
            None => "an unknown number of entries".to_owned(),
        };
        let between = match (gap.from, gap.to) {
            (Some(from), Some(to)) => format!(" between {from:.0} and {to:.0}"),
            (Some(from), None) => format!(" after {from:.0}"),
            (None, Some(to)) => format!(" before {to:.0}"),
            (None, None) => String::new(),
        };
        Self {
            at: gap.to,
            source: JOURNAL.to_owned(),
            sentence: format!(
                "{count} of the journal{between} could not be read: what happened then is not known"
            ),
        }
    }

    /// Events that the agent's spool had to give up.
    pub fn of_missing(count: u64) -> Self {
        let what = if count == 1 {
            "1 event was".to_owned()
        } else {
            format!("{count} events were")
        };
        Self {
            at: None,
            source: AGENT.to_owned(),
            sentence: format!(
                "{what} lost before the collector had them: what happened then is not known"
            ),
        }
    }

    fn unreadable(source: &str, error: &serde_json::Error) -> Self {
        Self {
            at: None,
            source: source.to_owned(),
            sentence: format!("an event that this version does not understand: {error}"),
        }
    }

    /// A step of an incident; `opening` is its first one, as far as it is still kept.
    pub fn of_step(step: &Transition, opening: Option<&Said>) -> Self {
        Self {
            at: Timestamp::from_millisecond(step.at_unix_ms).ok(),
            source: INCIDENT.to_owned(),
            sentence: sentence(step.number, &step.step, opening),
        }
    }
}

/// `#7 opened, warning: bond0 of pve-03 runs on 1 of 2 ports: eno2 is down`
fn sentence(number: Number, step: &Step, opening: Option<&Said>) -> String {
    let told =
        |what: &str, said: &Said| format!("#{number} {what}, {}: {}", said.severity, said.sentence);
    let about = opening.map_or_else(String::new, |said| format!(": {}", said.sentence));
    match step {
        Step::Opened { said, .. } => told("opened", said),
        Step::Changed { said } => told("changed", said),
        Step::CameBack { said } => told("came back", said),
        Step::Under { cause: Some(cause) } => format!("#{number} is an effect of #{cause}{about}"),
        Step::Under { cause: None } => format!("#{number} stands for itself now{about}"),
        Step::Closed {
            why: Closing::NotFoundAnyMore,
        } => format!("#{number} is over{about}"),
        Step::Closed {
            why: Closing::NodeGone,
        } => {
            format!(
                "#{number} is over, because its node is not part of the cluster any more{about}"
            )
        }
        Step::Closed {
            why: Closing::AllTold,
        } => format!("#{number} is told to its end{about}"),
        Step::Told { node, words, .. } => format!("#{number} tells of the past: {node}: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Severity, Thing};

    #[track_caller]
    fn check(happened: &Happened, expect: &str) {
        let at = happened
            .at
            .map_or("unknown".to_owned(), |at| at.to_string());
        assert_eq!(
            format!("{at} {}: {}", happened.source, happened.sentence),
            expect
        );
    }

    #[test]
    fn events_are_told_in_the_words_of_whoever_said_them() {
        check(
            &Happened::of_journal(
                r#"{"time":{"exact":"2026-11-21T03:46:01.25Z"},"identifier":"kernel",
                "message":"bond0: (slave eno1): link status definitely down, disabling slave","event":"bond_port_down"}"#,
            ),
            "2026-11-21T03:46:01.25Z kernel: bond0: (slave eno1): link status definitely down, disabling slave",
        );
        check(
            &Happened::of_change(
                r#"{"at":"2026-11-21T03:46:02Z","family":"links","subject":"eno1","sentence":"eno1 lost its carrier",
                "changes":[]}"#,
            ),
            "2026-11-21T03:46:02Z links: eno1 lost its carrier",
        );
    }

    #[test]
    fn what_nobody_has_read_is_told_as_missing() {
        check(
            &Happened::of_journal_gap(
                r#"{"from":"2026-11-21T03:00:00Z","to":"2026-11-21T03:10:00Z","count":null}"#,
            ),
            "2026-11-21T03:10:00Z journal: an unknown number of entries of the journal between 2026-11-21T03:00:00Z and \
             2026-11-21T03:10:00Z could not be read: what happened then is not known",
        );
        check(
            &Happened::of_missing(12),
            "unknown agent: 12 events were lost before the collector had them: what happened then is not known",
        );
    }

    #[test]
    fn what_a_newer_agent_says_is_not_passed_over() {
        let happened = Happened::of_change("{}");
        assert!(
            happened
                .sentence
                .starts_with("an event that this version does not understand: ")
        );
    }

    #[test]
    fn a_step_says_what_became_of_the_incident_and_what_it_was_about() {
        let said = Said {
            severity: Severity::Warning,
            sentence: "bond0 runs on 1 of 2 ports".to_owned(),
            rests_on: std::collections::BTreeSet::new(),
            is_over_by_any: false,
            recalls: std::collections::BTreeSet::new(),
        };
        let step = |step| Transition {
            number: 7,
            at_unix_ms: 0,
            step,
        };
        let opened = step(Step::Opened {
            rule: "bond-degraded".to_owned(),
            subject: Thing::Cluster,
            said: said.clone(),
        });
        check(
            &Happened::of_step(&opened, Some(&said)),
            "1970-01-01T00:00:00Z incident: #7 opened, warning: bond0 runs on 1 of 2 ports",
        );
        check(
            &Happened::of_step(&step(Step::Under { cause: Some(3) }), Some(&said)),
            "1970-01-01T00:00:00Z incident: #7 is an effect of #3: bond0 runs on 1 of 2 ports",
        );
        let closed = step(Step::Closed {
            why: Closing::NotFoundAnyMore,
        });
        check(
            &Happened::of_step(&closed, None),
            "1970-01-01T00:00:00Z incident: #7 is over",
        );
    }
}
