//! One node, as its keeper knows it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use model::fleet::{FleetFinding, Hearing};
use model::name::NodeName;
use model::report::Family;
use proto::fact::ReadFact;
use proto::v1;

use super::clock::BootClock;
use super::hello::Greeting;
use super::intake::{Facts, Heartbeat};
use super::view::{AgedFact, NodeView};
use super::{
    CLONE_SAID_MS, CLONE_TIMES, CLONE_WITHIN_MS, HEARS_NOTHING_AFTER_MS, Now, Own,
    SKEW_WORTH_SAYING_MS, StreamId,
};
use crate::ledger::decision::SpoolId;

/// Openings of streams that are remembered.
const MAX_OPENINGS: usize = 16;

#[derive(Debug)]
pub(super) struct OpenStream {
    pub(super) id: StreamId,
    pub(super) spool: SpoolId,
    pub(super) spool_first: u64,
    pub(super) answered_ms: Option<u64>,
}

#[derive(Debug)]
struct Held {
    fact: Arc<ReadFact>,
    /// On the node's clock since its boot; later than the fact's own where it was read again and was the same.
    read_boottime_ms: u64,
}

#[derive(Debug)]
pub(super) struct Node {
    name: NodeName,
    pub(super) is_revoked: bool,
    pub(super) stream: Option<OpenStream>,
    pub(super) heard_ms: Option<u64>,
    pub(super) is_silent: bool,
    version: String,
    boot: Option<(String, BootClock)>,
    facts: BTreeMap<Family, Held>,
    not_understood: BTreeSet<Family>,
    unknown_families: u32,
    openings: VecDeque<(u64, Vec<u8>)>,
    cloned: Option<(u64, u32)>,
    went_back: Option<(u64, u64)>,
    pub(super) contests: Option<v1::Authority>,
    skew_ms: Option<i64>,
    /// The same by its whole reports, which come before its first heartbeat, and less exactly.
    reported_skew_ms: Option<i64>,
    hears_nothing_s: Option<u64>,
    dropped: Option<v1::Dropped>,
    pub(super) before: Option<Timestamp>,
}

impl Node {
    pub(super) fn new(name: NodeName) -> Self {
        Self {
            name,
            is_revoked: false,
            stream: None,
            heard_ms: None,
            is_silent: false,
            version: String::new(),
            boot: None,
            facts: BTreeMap::new(),
            not_understood: BTreeSet::new(),
            unknown_families: 0,
            openings: VecDeque::new(),
            cloned: None,
            went_back: None,
            contests: None,
            skew_ms: None,
            reported_skew_ms: None,
            hears_nothing_s: None,
            dropped: None,
            before: None,
        }
    }

    /// A stream was opened that may speak.
    pub(super) fn opened(&mut self, id: StreamId, greeting: &Greeting, now: Now) {
        self.stream = Some(OpenStream {
            id,
            spool: greeting.spool,
            spool_first: greeting.spool_first,
            answered_ms: None,
        });
        self.version.clone_from(&greeting.version);
        self.hears_nothing_s = None;
        match &mut self.boot {
            Some((boot, clock)) if *boot == greeting.boot_id => {
                clock.came(now.mono_ms, greeting.boottime_ms);
            }
            _ => {
                // What it said before it was started anew says nothing of the node as it is.
                self.facts.clear();
                self.not_understood.clear();
                let clock = BootClock::new(now.mono_ms, greeting.boottime_ms);
                self.boot = Some((greeting.boot_id.clone(), clock));
            }
        }
        if let Some((_, clock)) = &mut self.boot {
            clock.welcomed(now.mono_ms);
        }
        self.heard(now);
        self.remember_opening(greeting, now);
    }

    fn remember_opening(&mut self, greeting: &Greeting, now: Now) {
        let since = now.mono_ms.saturating_sub(CLONE_WITHIN_MS);
        self.openings
            .push_back((now.mono_ms, greeting.instance.clone()));
        while self.openings.len() > MAX_OPENINGS
            || self.openings.front().is_some_and(|(at, _)| *at < since)
        {
            self.openings.pop_front();
        }
        // An agent that was started anew never comes back as the one before: only two that both live alternate.
        let mut pairs: BTreeMap<(&[u8], &[u8]), u32> = BTreeMap::new();
        for ((_, one), (_, other)) in self.openings.iter().zip(self.openings.iter().skip(1)) {
            if one != other {
                let pair = (one.min(other).as_slice(), one.max(other).as_slice());
                *pairs.entry(pair).or_default() += 1;
            }
        }
        let times = pairs.values().copied().max().unwrap_or_default();
        if times >= CLONE_TIMES {
            self.cloned = Some((now.mono_ms, times));
        }
    }

    /// `kept_up_to` of its spool, when the stream was opened.
    pub(super) fn compare_spool(&mut self, greeting: &Greeting, kept_up_to: u64) {
        let next = greeting.spool_next;
        self.went_back = (next <= kept_up_to).then_some((next, kept_up_to));
    }

    pub(super) fn closed(&mut self) {
        self.stream = None;
    }

    pub(super) fn heard(&mut self, now: Now) {
        self.heard_ms = Some(now.mono_ms);
        self.is_silent = false;
    }

    pub(super) fn came(&mut self, now: Now, boottime_ms: u64) {
        self.heard(now);
        if let Some((_, clock)) = &mut self.boot {
            clock.came(now.mono_ms, boottime_ms);
        }
    }

    pub(super) fn facts(&mut self, facts: Facts, now: Now, sent_boottime_ms: u64) {
        if facts.is_whole {
            self.reported_skew_ms = skew_ms(&facts, now, sent_boottime_ms);
            self.facts.clear();
            self.not_understood.clear();
            self.unknown_families = facts.unknown;
        } else {
            self.unknown_families = self.unknown_families.max(facts.unknown);
        }
        for heard in facts.facts {
            let family = heard.fact.fact.family();
            if heard.is_understood {
                self.not_understood.remove(&family);
            } else {
                self.not_understood.insert(family);
            }
            let read_boottime_ms = heard.fact.read_at_boottime_ms;
            let held = Held {
                fact: heard.fact,
                read_boottime_ms,
            };
            self.facts.insert(family, held);
        }
    }

    /// How far its clock is ahead of the collector's, as far as it is known.
    pub(super) fn skew_ms(&self) -> Option<i64> {
        self.skew_ms.or(self.reported_skew_ms)
    }

    pub(super) fn heartbeat(&mut self, heartbeat: &Heartbeat, now: Now, sent_boottime_ms: u64) {
        if let Some((_, clock)) = &mut self.boot {
            clock.round_trip(heartbeat.round_trip_us);
        }
        for (family, age_s) in &heartbeat.ages_s {
            if let Some(held) = self.facts.get_mut(family) {
                let read = sent_boottime_ms.saturating_sub(u64::from(*age_s) * 1000);
                held.read_boottime_ms = held.read_boottime_ms.max(read);
            }
        }
        // Half of the round trip is the way to here; what it lay in a queue besides is no skew.
        let waited = self
            .boot
            .as_ref()
            .map(|(_, clock)| clock.waited_ms(now.mono_ms, sent_boottime_ms));
        let on_the_way_ms = i64::from(heartbeat.round_trip_us / 2000) + waited.unwrap_or_default();
        self.skew_ms = Some(heartbeat.unix_ms.saturating_add(on_the_way_ms) - now.unix_ms);
        let unanswered_ms = u64::from(heartbeat.unanswered_ms);
        self.hears_nothing_s =
            (unanswered_ms > HEARS_NOTHING_AFTER_MS).then_some(unanswered_ms / 1000);
        if heartbeat.dropped.is_some() {
            self.dropped = heartbeat.dropped;
        }
    }

    /// The time for which a cloned identity is spoken of is over.
    pub(super) fn forget_old(&mut self, now: Now) {
        self.cloned = self
            .cloned
            .filter(|(at, _)| now.mono_ms < at.saturating_add(CLONE_SAID_MS));
    }

    pub(super) fn clone_said_until_ms(&self) -> Option<u64> {
        self.cloned.map(|(at, _)| at.saturating_add(CLONE_SAID_MS))
    }

    fn hearing(&self) -> Hearing {
        match (&self.stream, self.heard_ms) {
            _ if self.is_revoked => Hearing::Revoked,
            (_, None) => Hearing::NeverHeard,
            (Some(_), Some(_)) if !self.is_silent => Hearing::Connected,
            (_, Some(_)) => Hearing::Silent,
        }
    }

    pub(super) fn view(&self, own: &Own, events_kept: u64, not_taken: u64) -> NodeView {
        let read_at = |boottime_ms| match &self.boot {
            Some((_, clock)) => clock.read_at_ms(boottime_ms),
            None => i64::MIN,
        };
        let facts = self.facts.iter().map(|(family, held)| {
            let aged = AgedFact {
                fact: Arc::clone(&held.fact),
                read_at_ms: read_at(held.read_boottime_ms),
            };
            (*family, aged)
        });
        NodeView {
            hearing: self.hearing(),
            heard_at_ms: self.heard_ms,
            agent_version: self.version.clone(),
            skew_ms: self.skew_ms,
            boot_id: self
                .boot
                .as_ref()
                .map_or_else(String::new, |(id, _)| id.clone()),
            facts: facts.collect(),
            events_kept,
            dropped: self.dropped,
            findings: self.findings(own, not_taken),
        }
    }

    fn findings(&self, own: &Own, not_taken: u64) -> Vec<FleetFinding> {
        let node = || self.name.clone();
        let mut findings = Vec::new();
        match self.hearing() {
            Hearing::Silent => findings.push(FleetFinding::Silent { node: node() }),
            Hearing::NeverHeard => findings.push(FleetFinding::NotHeardSinceStart {
                node: node(),
                before: self.before,
            }),
            Hearing::Connected => {}
            Hearing::Revoked => return findings,
        }
        findings.extend(self.cloned.map(|(_, times)| FleetFinding::ClonedIdentity {
            node: node(),
            times,
        }));
        findings.extend(
            self.went_back
                .map(|(next, kept_up_to)| FleetFinding::SpoolWentBack {
                    node: node(),
                    next,
                    kept_up_to,
                }),
        );
        findings.extend(
            self.contests
                .as_ref()
                .map(|told| FleetFinding::OtherAuthority {
                    node: node(),
                    collector: told.collector.clone(),
                    epoch: told.epoch,
                    own_collector: own.collector.clone(),
                    own_epoch: own.epoch,
                }),
        );
        findings.extend(
            self.hears_nothing_s
                .map(|for_s| FleetFinding::HearsNothing {
                    node: node(),
                    for_s,
                }),
        );
        let skew = self
            .skew_ms
            .filter(|skew| skew.abs() >= SKEW_WORTH_SAYING_MS);
        findings.extend(skew.map(|skew_ms| FleetFinding::Skewed {
            node: node(),
            skew_ms,
        }));
        findings.extend(self.findings_of_facts());
        let lost = self.dropped.filter(|dropped| dropped.events > 0);
        findings.extend(lost.map(|dropped| FleetFinding::Dropped {
            node: node(),
            events: dropped.events,
            announcements: dropped.announcements,
        }));
        if not_taken > 0 {
            findings.push(FleetFinding::EventsNotTaken {
                node: node(),
                count: not_taken,
            });
        }
        findings
    }

    fn findings_of_facts(&self) -> Vec<FleetFinding> {
        let node = || self.name.clone();
        let mut findings = Vec::new();
        if !self.not_understood.is_empty() {
            findings.push(FleetFinding::NotUnderstood {
                node: node(),
                version: self.version.clone(),
                families: self
                    .not_understood
                    .iter()
                    .map(|family| family.key())
                    .collect(),
            });
        }
        if self.unknown_families > 0 {
            findings.push(FleetFinding::UnknownFamilies {
                node: node(),
                version: self.version.clone(),
                count: self.unknown_families,
            });
        }
        findings
    }
}

/// By what was read last: when that was, on the node's wall clock and since its boot.
fn skew_ms(facts: &Facts, now: Now, sent_boottime_ms: u64) -> Option<i64> {
    let last = facts.facts.iter().filter_map(|heard| {
        let at = heard.fact.fact.standing().at?;
        Some((heard.fact.read_at_boottime_ms, at.as_millisecond()))
    });
    let (read_ms, unix_ms) = last.max()?;
    let age_ms = sent_boottime_ms.saturating_sub(read_ms).cast_signed();
    Some(unix_ms.saturating_add(age_ms).saturating_sub(now.unix_ms))
}
