//! Incidents as JSON: what the collector said, field by field; `null` is what it does not know.

use proto::v1;
use serde::Serialize;

use crate::answer::to_line;
use crate::client::Answered;
use crate::command::severity;

#[derive(Serialize)]
struct Incidents<'a> {
    clusters: Vec<Cluster<'a>>,
}

#[derive(Serialize)]
struct Cluster<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    /// Decided, and not on the collector's disk yet.
    steps_waiting: u64,
    incidents: Vec<Incident<'a>>,
}

#[derive(Serialize)]
struct Incident<'a> {
    number: u64,
    rule: &'a str,
    subject: &'a str,
    severity: &'static str,
    sentence: &'a str,
    opened: Option<jiff::Timestamp>,
    closed: Option<jiff::Timestamp>,
    cause: Option<u64>,
    returns: u32,
    is_found: bool,
    evidence: Vec<Evidence<'a>>,
    remedy: &'a str,
    way_back: &'a str,
    /// `null`: nobody said that he knows of it.
    acknowledged: Option<Acknowledged<'a>>,
    /// `null`: no silence keeps it back now.
    silenced: Option<Silenced<'a>>,
    history: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Acknowledged<'a> {
    at: Option<jiff::Timestamp>,
    by: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Silenced<'a> {
    id: u64,
    until: Option<jiff::Timestamp>,
    by: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Evidence<'a> {
    node: &'a str,
    words: &'a str,
    age_ms: Option<u64>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: Option<jiff::Timestamp>,
    sentence: &'a str,
}

pub(super) fn of_incidents(answered: &Answered) -> String {
    let cluster = |status| cluster(status);
    to_line(&Incidents {
        clusters: answered.status.clusters.iter().map(cluster).collect(),
    })
}

fn cluster(status: &v1::ClusterStatus) -> Cluster<'_> {
    Cluster {
        id: status.cluster.as_ref().map(|cluster| cluster.id.as_str()),
        name: status.cluster.as_ref().map(|cluster| cluster.name.as_str()),
        steps_waiting: status.incident_steps_waiting,
        incidents: status.incidents.iter().map(incident).collect(),
    }
}

fn incident(said: &v1::Incident) -> Incident<'_> {
    let evidence = said.evidence.iter().map(|seen| Evidence {
        node: &seen.node,
        words: &seen.words,
        age_ms: seen.age_ms,
    });
    let history = said.lines.iter().map(|line| Line {
        at: time(line.at_unix_ms),
        sentence: &line.sentence,
    });
    Incident {
        number: said.number,
        rule: &said.rule,
        subject: &said.subject,
        severity: severity::word(said.severity()),
        sentence: &said.sentence,
        opened: time(said.opened_unix_ms),
        closed: said.closed_unix_ms.and_then(time),
        cause: said.cause,
        returns: said.returns,
        is_found: said.is_found,
        evidence: evidence.collect(),
        remedy: &said.remedy,
        way_back: &said.way_back,
        acknowledged: said.acknowledgement.as_ref().map(|known| Acknowledged {
            at: time(known.at_unix_ms),
            by: &known.by,
            reason: &known.reason,
        }),
        silenced: said.silence.as_ref().map(|silence| Silenced {
            id: silence.id,
            until: time(silence.until_unix_ms),
            by: &silence.by,
            reason: &silence.reason,
        }),
        history: history.collect(),
    }
}

fn time(unix_ms: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(unix_ms).ok()
}
