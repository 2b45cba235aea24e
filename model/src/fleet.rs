//! What is wrong with the fleet itself: agents, their streams and their clocks, as finished sentences. Not what is
//! wrong with the nodes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::NodeName;

/// How well a node is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hearing {
    /// Its stream is open and speaks.
    Connected,
    /// It was heard, and is not any more.
    Silent,
    /// It is enrolled, and was not heard since the collector started.
    NeverHeard,
    /// Its certificate was revoked.
    Revoked,
}

/// Something about the fleet that a person must know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FleetFinding {
    /// Two agents with one certificate take the stream from each other.
    ClonedIdentity {
        node: NodeName,
        times: u32,
    },
    /// The spool gives numbers again that the collector has already.
    SpoolWentBack {
        node: NodeName,
        next: u64,
        kept_up_to: u64,
    },
    /// The agent was told of an authority that contradicts this collector.
    OtherAuthority {
        node: NodeName,
        collector: String,
        epoch: u64,
        own_collector: String,
        own_epoch: u64,
    },
    /// Somebody else wrote to the ledger with a higher epoch.
    Superseded {
        epoch: u64,
        own_epoch: u64,
    },
    /// The agent is heard, but hears nothing.
    HearsNothing {
        node: NodeName,
        for_s: u64,
    },
    Silent {
        node: NodeName,
    },
    NotHeardSinceStart {
        node: NodeName,
        /// When the copy on disk of its last report was made; of no use as evidence.
        before: Option<jiff::Timestamp>,
    },
    Skewed {
        node: NodeName,
        skew_ms: i64,
    },
    NotUnderstood {
        node: NodeName,
        version: String,
        families: Vec<&'static str>,
    },
    UnknownFamilies {
        node: NodeName,
        version: String,
        count: u32,
    },
    /// The agent's spool gave up events, or announcements came too fast.
    Dropped {
        node: NodeName,
        events: u64,
        announcements: u64,
    },
    LedgerNotWritten {
        why: String,
        waiting: u64,
    },
    /// Something is wrong in the cluster, and no incident tells of it, because nothing can be written.
    NotWritten {
        sentence: String,
    },
    /// Events that were not taken because the ledger could not be written; they are asked for again.
    EventsNotTaken {
        node: NodeName,
        count: u64,
    },
}

impl fmt::Display for FleetFinding {
    #[allow(clippy::too_many_lines, reason = "a table of sentences")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClonedIdentity { node, times } => write!(
                f,
                "two agents speak with the certificate of {node}: they took the stream from each other {times} times \
                 within a minute; stop one of them, or run `quorate-collector node replace {node}`"
            ),
            Self::SpoolWentBack {
                node,
                next,
                kept_up_to,
            } => write!(
                f,
                "the spool of {node} was put back or copied: its next event would be number {next}, but events up to \
                 {kept_up_to} are kept already, and new ones cannot be told from them; remove the spool on {node}"
            ),
            Self::OtherAuthority {
                node,
                collector,
                epoch,
                own_collector,
                own_epoch,
            } => write!(
                f,
                "{node} was told that collector {collector} (epoch {epoch}) decides for this cluster, but this \
                 collector is {own_collector} (epoch {own_epoch}): it does not decide until that is settled"
            ),
            Self::Superseded { epoch, own_epoch } => write!(
                f,
                "another collector wrote to this cluster's ledger with epoch {epoch}, and this collector has epoch \
                 {own_epoch}: it does not decide, and keeps no events"
            ),
            Self::HearsNothing { node, for_s } => write!(
                f,
                "{node} is heard, but has not heard this collector for {for_s} s"
            ),
            Self::Silent { node } => write!(f, "nothing is heard of {node} any more"),
            Self::NotHeardSinceStart { node, before: None } => {
                write!(f, "{node} was not heard since the collector started")
            }
            Self::NotHeardSinceStart {
                node,
                before: Some(before),
            } => write!(
                f,
                "{node} was not heard since the collector started; its last report on disk is of {before:.0}, and \
                 proves nothing about now"
            ),
            Self::Skewed { node, skew_ms } => write!(
                f,
                "the clock of {node} is {}.{} s {} that of the collector",
                skew_ms.unsigned_abs() / 1000,
                skew_ms.unsigned_abs() % 1000 / 100,
                if *skew_ms > 0 { "ahead of" } else { "behind" }
            ),
            Self::NotUnderstood {
                node,
                version,
                families,
            } => write!(
                f,
                "what the agent of {node} (version {version}) says of {} is not understood",
                families.join(", ")
            ),
            Self::UnknownFamilies {
                node,
                version,
                count,
            } => write!(
                f,
                "the agent of {node} (version {version}) tells of {count} families of facts that this collector does \
                 not know"
            ),
            Self::Dropped {
                node,
                events,
                announcements,
            } => write!(
                f,
                "since its agent started, {node} lost {events} events and merged {announcements} announcements"
            ),
            Self::NotWritten { sentence } => {
                write!(f, "{sentence} (seen now, and not written down)")
            }
            Self::LedgerNotWritten { why, waiting } => write!(
                f,
                "the ledger cannot be written ({why}): {waiting} events wait, and the agents keep theirs; see to the \
                 collector's disk"
            ),
            Self::EventsNotTaken { node, count } => write!(
                f,
                "{count} events of {node} were not taken because the ledger could not be written; they are asked for \
                 again once it can"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(finding: &FleetFinding, expect: &str) {
        assert_eq!(finding.to_string(), expect);
    }

    #[test]
    fn every_finding_is_a_sentence_with_its_numbers() {
        let node = NodeName::new("pve-03").unwrap();
        check(
            &FleetFinding::Skewed {
                node: node.clone(),
                skew_ms: -5_230,
            },
            "the clock of pve-03 is 5.2 s behind that of the collector",
        );
        check(
            &FleetFinding::NotHeardSinceStart {
                node: node.clone(),
                before: jiff::Timestamp::from_second(1_700_000_000).ok(),
            },
            "pve-03 was not heard since the collector started; its last report on disk is of 2023-11-14T22:13:20Z, and \
             proves nothing about now",
        );
        check(
            &FleetFinding::NotUnderstood {
                node,
                version: "0.2.0".to_owned(),
                families: vec!["links", "bonds"],
            },
            "what the agent of pve-03 (version 0.2.0) says of links, bonds is not understood",
        );
    }
}
