//! Incidents as messages: what is on the disk of them, with what the rules find now.

use model::finding::{Finding, Severity};
use model::incident::Incident;
use proto::fact::family_to_wire;
use proto::v1;

use crate::keeper::Now;
use crate::keeper::view::ClusterView;
use crate::silence::{acknowledgement, silence};

/// Those that are open, and, if they are wanted, those that are over, the newest first.
pub(crate) fn incidents(view: &ClusterView, with_closed: bool, now: Now) -> Vec<v1::Incident> {
    let open = view.incidents.open();
    let closed: Vec<&Incident> = view.incidents.closed().collect();
    let closed = closed.into_iter().rev().filter(|_| with_closed);
    open.chain(closed)
        .map(|incident| message(view, incident, now))
        .collect()
}

fn message(view: &ClusterView, incident: &Incident, now: Now) -> v1::Incident {
    let is_it = |found: &&Finding| {
        incident.is_open() && found.rule == incident.rule && found.subject == incident.subject
    };
    let found = view.found.iter().find(is_it);
    let lines = incident.lines.iter().map(|line| v1::IncidentLine {
        at_unix_ms: line.at_unix_ms,
        sentence: line.sentence.clone(),
    });
    let said = found.map_or((incident.said.severity, &incident.said.sentence), |found| {
        (found.severity, &found.sentence)
    });
    v1::Incident {
        number: incident.number,
        rule: incident.rule.clone(),
        subject: incident.subject.to_string(),
        severity: severity(said.0).into(),
        sentence: said.1.clone(),
        opened_unix_ms: incident.opened_unix_ms,
        closed_unix_ms: incident.closed_unix_ms,
        cause: incident.under,
        returns: u32::try_from(incident.returns_unix_ms.len()).unwrap_or(u32::MAX),
        lines: lines.collect(),
        is_found: found.is_some(),
        evidence: found
            .map(|found| evidence(view, found, now))
            .unwrap_or_default(),
        remedy: found.map(|found| found.remedy.clone()).unwrap_or_default(),
        way_back: found
            .map(|found| found.way_back.clone())
            .unwrap_or_default(),
        acknowledgement: view
            .alerts
            .acknowledged(incident.number)
            .map(acknowledgement),
        silence: silence_of(view, incident, now),
    }
}

/// The one that ends last of those that keep it back now.
fn silence_of(view: &ClusterView, incident: &Incident, now: Now) -> Option<v1::Silence> {
    let holding = view
        .alerts
        .silences()
        .filter(|one| incident.is_open() && one.holds_at(now.unix_ms) && one.fits(incident));
    let last = holding.max_by_key(|one| one.until_unix_ms)?;
    Some(silence(last, now.unix_ms))
}

fn evidence(view: &ClusterView, found: &Finding, now: Now) -> Vec<v1::Evidence> {
    let message = |seen: &model::finding::Evidence| {
        let node = view.nodes.get(&seen.node);
        let aged = node.and_then(|node| node.facts.get(&seen.family));
        v1::Evidence {
            node: seen.node.to_string(),
            family: family_to_wire(seen.family).into(),
            words: seen.words.clone(),
            age_ms: aged.map(|aged| aged.age_ms(now)),
        }
    };
    found.evidence.iter().map(message).collect()
}

pub(crate) fn severity(severity: Severity) -> v1::Severity {
    match severity {
        Severity::Info => v1::Severity::Info,
        Severity::Warning => v1::Severity::Warning,
        Severity::Critical => v1::Severity::Critical,
    }
}
