//! History that arrives late: what nodes wrote into their journals while nobody heard them. It is told as one incident,
//! in the past tense, and is over as soon as nothing more of it comes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Incidents, Number, Said, Step, Transition};
use crate::fact::journal::{Event, JournalEvent, JournalTime};
use crate::finding::{Severity, Thing};
use crate::name::NodeName;

/// The rule's name; its page says the rest.
pub const RULE: &str = "late-history";
/// What is older than this when it arrives is history.
pub const LATE_MS: i64 = 300_000;
/// So many lines of it are told one by one. Of more, only what no node has told of its kind.
const MAX_TOLD: u64 = 40;
/// So many nodes are named in one sentence.
const MAX_NAMED: usize = 4;

/// What is worth telling of the past, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    WatchdogRanOut,
    Fencing,
    QuorumLost,
    NoActivePort,
    Started,
    WatchdogNear,
    HaLockLost,
    TokenLost,
    CorosyncPaused,
    PeerUnreachable,
    CardHung,
    PortLost,
    CarrierLost,
    QdeviceLost,
}

impl What {
    fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::WatchdogReset
            | Event::WatchdogExpired { .. }
            | Event::WatchdogMuxExitActive
            | Event::HaFenceSelf { .. } => Self::WatchdogRanOut,
            Event::HaFencing { .. } => Self::Fencing,
            Event::QuorumLost | Event::PmxcfsQuorumLost => Self::QuorumLost,
            Event::BondNoActivePort { .. } => Self::NoActivePort,
            Event::KernelStarted { .. } => Self::Started,
            Event::WatchdogAboutToExpire { .. } => Self::WatchdogNear,
            Event::HaLockLost { .. } => Self::HaLockLost,
            Event::TotemProcessorFailed { .. } | Event::TotemTokenLost { .. } => Self::TokenLost,
            Event::CorosyncNotScheduled { .. } | Event::TotemPause { .. } => Self::CorosyncPaused,
            Event::KnetNoActiveLinks { .. } => Self::PeerUnreachable,
            Event::NicHang { .. } | Event::NicTransmitTimeout { .. } => Self::CardHung,
            Event::BondPortDown { .. } => Self::PortLost,
            Event::NicLinkDown { .. } => Self::CarrierLost,
            Event::QdeviceContactLost { .. } | Event::QdeviceServerLost { .. } => Self::QdeviceLost,
            _ => return None,
        })
    }

    fn severity(self) -> Severity {
        if self <= Self::NoActivePort {
            Severity::Critical
        } else {
            Severity::Warning
        }
    }

    /// Behind the names of one node or many.
    fn words(self) -> &'static str {
        match self {
            Self::WatchdogRanOut => "ran out of the watchdog's time",
            Self::Fencing => "saw a node fenced",
            Self::QuorumLost => "lost quorum",
            Self::NoActivePort => "had a bond without any active port",
            Self::Started => "started anew",
            Self::WatchdogNear => "came near the end of the watchdog's time",
            Self::HaLockLost => "lost the lock of HA",
            Self::TokenLost => "lost corosync's token",
            Self::CorosyncPaused => "did not let corosync run in time",
            Self::PeerUnreachable => "lost all corosync links to a peer",
            Self::CardHung => "had a network card that hung",
            Self::PortLost => "had a bond that lost a port",
            Self::CarrierLost => "had a network card that lost its carrier",
            Self::QdeviceLost => "lost the qdevice",
        }
    }
}

/// One line of a node's journal that is history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub node: NodeName,
    /// On the collector's wall clock.
    pub at_unix_ms: i64,
    pub what: What,
    /// `corosync: [QUORUM] This node is …`
    pub words: String,
}

/// What a line means, and when it was written on its node's clock; `None` if it is not worth telling later.
pub fn worth_telling(line: &JournalEvent) -> Option<(What, i64)> {
    match &line.time {
        Some(JournalTime::Exact(at)) => Some((What::of(&line.event)?, at.as_millisecond())),
        Some(JournalTime::Civil(_) | JournalTime::SinceBootUs(_)) | None => None,
    }
}

/// What late history adds up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    who: BTreeMap<What, BTreeSet<NodeName>>,
    first_unix_ms: Option<i64>,
    last_unix_ms: Option<i64>,
    /// Lines of it that were told.
    pub told: u64,
}

impl History {
    pub(super) fn add(&mut self, node: &NodeName, what: What, at_unix_ms: i64) {
        self.who.entry(what).or_default().insert(node.clone());
        let first = self.first_unix_ms.unwrap_or(at_unix_ms);
        self.first_unix_ms = Some(first.min(at_unix_ms));
        self.last_unix_ms = self.last_unix_ms.max(Some(at_unix_ms));
        self.told = self.told.saturating_add(1);
    }

    fn has(&self, told: &Told) -> bool {
        let who = self.who.get(&told.what);
        who.is_some_and(|nodes| nodes.contains(&told.node))
    }

    pub(super) fn severity(&self) -> Severity {
        let worst = self.who.keys().map(|what| what.severity()).max();
        worst.unwrap_or(Severity::Info)
    }

    /// `from 10:02:11 to 10:05:40 UTC on 2026-11-21, told only now: pve-01 and pve-02 lost quorum; …`
    pub(super) fn sentence(&self) -> String {
        let clauses = self.who.iter();
        let clauses = clauses.map(|(what, nodes)| format!("{} {}", named(nodes), what.words()));
        let clauses: Vec<String> = clauses.collect();
        let (first, last) = (moment(self.first_unix_ms), moment(self.last_unix_ms));
        let when = if first == last {
            format!("at {first} UTC")
        } else {
            format!("from {first} to {last} UTC")
        };
        format!(
            "{when}, while the collector did not hear of it: {}",
            clauses.join("; ")
        )
    }
}

fn moment(unix_ms: Option<i64>) -> String {
    let at = unix_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map_or_else(
        || "an unknown time".to_owned(),
        |at| at.strftime("%F %T").to_string(),
    )
}

fn named(nodes: &BTreeSet<NodeName>) -> String {
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= MAX_NAMED => {
            format!("{} and {last}", first.join(", "))
        }
        many => format!(
            "{} and {} more nodes",
            many.iter()
                .take(MAX_NAMED)
                .copied()
                .collect::<Vec<_>>()
                .join(", "),
            many.len() - MAX_NAMED
        ),
    }
}

/// What is to be written down of it, in this order.
pub fn steps(incidents: &Incidents, told: &[Told], now_unix_ms: i64) -> Vec<Transition> {
    if told.is_empty() {
        return Vec::new();
    }
    let mut steps = Vec::new();
    let open = incidents.open().find(|open| open.rule == RULE);
    let (number, mut history) = match open {
        Some(open) => (open.number, open.history.clone()),
        None => {
            let number = incidents.last() + 1;
            steps.push(opened(number, now_unix_ms));
            (number, History::default())
        }
    };
    for line in told {
        if history.told >= MAX_TOLD && history.has(line) {
            continue;
        }
        history.add(&line.node, line.what, line.at_unix_ms);
        let (node, words) = (line.node.clone(), line.words.clone());
        steps.push(Transition {
            number,
            at_unix_ms: now_unix_ms,
            step: Step::Told {
                happened_unix_ms: line.at_unix_ms,
                node,
                what: line.what,
                words,
            },
        });
    }
    steps
}

fn opened(number: Number, at_unix_ms: i64) -> Transition {
    let said = Said {
        severity: Severity::Info,
        sentence: "what happened while the collector did not hear of it is arriving".to_owned(),
        rests_on: BTreeSet::new(),
        is_over_by_any: false,
        recalls: BTreeSet::new(),
    };
    Transition {
        number,
        at_unix_ms,
        step: Step::Opened {
            rule: RULE.to_owned(),
            subject: Thing::Cluster,
            said,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, name};
    use crate::incident::{Closing, Watch};

    const AT: i64 = 1_800_000_000_000;

    fn told(node: &str, after_s: i64, what: What) -> Told {
        Told {
            node: name(node),
            at_unix_ms: AT + after_s * 1_000,
            what,
            words: "corosync: words".to_owned(),
        }
    }

    fn fold(incidents: &mut Incidents, steps: &[Transition]) {
        steps.iter().for_each(|step| incidents.fold(step));
    }

    #[test]
    fn what_comes_late_is_one_incident_in_the_past_tense() {
        let mut incidents = Incidents::default();
        let first = [
            told("pve-02", 60, What::QuorumLost),
            told("pve-01", 58, What::QuorumLost),
        ];
        let steps = super::steps(&incidents, &first, AT + 3_600_000);
        fold(&mut incidents, &steps);
        let more = [told("pve-03", 0, What::PortLost)];
        let steps = super::steps(&incidents, &more, AT + 3_601_000);
        fold(&mut incidents, &steps);
        let open: Vec<_> = incidents.open().collect();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].said.severity, Severity::Critical);
        assert_eq!(
            open[0].said.sentence,
            "from 2027-01-15 08:00:00 to 2027-01-15 08:01:00 UTC, while the collector did not hear of it: pve-01 and \
             pve-02 lost quorum; pve-03 had a bond that lost a port"
        );
        let lines: Vec<i64> = open[0].lines.iter().map(|line| line.at_unix_ms).collect();
        assert!(lines.is_sorted(), "{lines:?}");
    }

    #[test]
    fn it_is_over_once_nothing_more_of_it_comes() {
        let mut world = World::healthy();
        let (mut incidents, mut watch) = (Incidents::default(), Watch::default());
        let steps = super::steps(&incidents, &[told("pve-01", 0, What::Started)], AT);
        fold(&mut incidents, &steps);
        assert!(watch.look(&incidents, &[], &world.scene()).is_empty());
        world.advance_s(20);
        let more = [told("pve-02", 0, What::Started)];
        let steps = super::steps(&incidents, &more, AT);
        fold(&mut incidents, &steps);
        assert!(watch.look(&incidents, &[], &world.scene()).is_empty());
        world.advance_s(20);
        assert!(watch.look(&incidents, &[], &world.scene()).is_empty());
        world.advance_s(20);
        let over = watch.look(&incidents, &[], &world.scene());
        let why = Closing::AllTold;
        assert_eq!(over[0].step, Step::Closed { why });
    }

    #[test]
    fn a_flood_of_it_is_told_in_few_lines_and_every_node_is_named() {
        let flood: Vec<Told> = (0..10_000)
            .map(|number| told("pve-01", number, What::PortLost))
            .chain([told("pve-08", 0, What::PortLost)])
            .collect();
        let steps = super::steps(&Incidents::default(), &flood, AT);
        assert_eq!(steps.len() as u64, 1 + MAX_TOLD + 1);
        let mut incidents = Incidents::default();
        fold(&mut incidents, &steps);
        let open = incidents.open().next().unwrap();
        assert!(
            open.said
                .sentence
                .ends_with("pve-01 and pve-08 had a bond that lost a port")
        );
    }
}
