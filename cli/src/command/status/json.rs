//! The answer as JSON: what the collector said, field by field; `null` is what it does not know.

use proto::v1;
use serde::Serialize;

use super::receivers;
use crate::answer::to_line;
use crate::client::{Answered, Receivers};
use crate::command::severity;

#[derive(Serialize)]
struct Status<'a> {
    collector: Collector<'a>,
    clusters: Vec<Cluster<'a>>,
}

#[derive(Serialize)]
struct Collector<'a> {
    address: &'a str,
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct Cluster<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    is_authority: bool,
    is_observer: bool,
    authority: Option<Authority<'a>>,
    /// What each partition says, the quorate one first; empty if no node tells.
    votes: Vec<Votes<'a>>,
    /// `null` if the collector is too old to tell.
    link_matrix: Option<Matrix<'a>>,
    /// Those that are open.
    incidents: Vec<Incident<'a>>,
    /// Decided, and not on the collector's disk yet.
    incident_steps_waiting: u64,
    /// To whom alerts go; `null` if the collector does not tell.
    receivers: Option<Vec<Receiver<'a>>>,
    /// Messages that never arrived, to whomever.
    given_up: Option<u64>,
    nodes: Vec<Node<'a>>,
    findings: &'a [String],
}

#[derive(Serialize)]
struct Receiver<'a> {
    name: &'a str,
    kind: &'a str,
    /// Messages that have not arrived yet.
    owed: Option<u64>,
    /// `null`: all is well.
    failing_since: Option<jiff::Timestamp>,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct Votes<'a> {
    sentence: &'a str,
    quorate: bool,
    votes: Option<u32>,
    needed: Option<u32>,
    expected: Option<u32>,
    may_be_lost: Option<u32>,
    nodes: &'a [String],
}

#[derive(Serialize)]
struct Matrix<'a> {
    nodes: &'a [String],
    links: Vec<MatrixLink>,
}

#[derive(Serialize)]
struct MatrixLink {
    link: u32,
    /// `ways[from][to]`, in the order of `nodes`; `null` from a node to itself.
    ways: Vec<Vec<Option<&'static str>>>,
}

#[derive(Serialize)]
struct Incident<'a> {
    number: u64,
    rule: &'a str,
    subject: &'a str,
    severity: &'static str,
    sentence: &'a str,
    cause: Option<u64>,
    is_found: bool,
    is_acknowledged: bool,
    is_silenced: bool,
}

/// Either `unknown` says why, or `bonds` holds all that the node has.
#[derive(Serialize)]
struct Bonds<'a> {
    unknown: Option<&'a str>,
    bonds: Vec<Bond<'a>>,
}

#[derive(Serialize)]
struct Bond<'a> {
    name: &'a str,
    mode: Option<&'a str>,
    ports: u32,
    ports_up: u32,
    ports_unknown: u32,
    wrong: &'a [String],
    sentence: &'a str,
}

#[derive(Serialize)]
struct Authority<'a> {
    collector: &'a str,
    epoch: u64,
}

#[derive(Serialize)]
struct Node<'a> {
    node: &'a str,
    standing: &'static str,
    heard_ago_ms: Option<u64>,
    agent_version: Option<&'a str>,
    skew_ms: Option<i64>,
    /// How old `quorate`, `votes`, `total_votes`, `quorum` and `links` are.
    corosync_age_ms: Option<u64>,
    quorate: Option<bool>,
    votes: Option<u32>,
    total_votes: Option<u32>,
    quorum: Option<u32>,
    links: Vec<Link>,
    bonds: Option<Bonds<'a>>,
    events_kept: u64,
    dropped: Option<Dropped>,
}

#[derive(Serialize)]
struct Link {
    link: u32,
    peers_connected: u32,
    peers: u32,
}

#[derive(Serialize)]
struct Dropped {
    events: u64,
    announcements: u64,
}

pub(super) fn of_status(answered: &Answered) -> String {
    let software = answered.status.collector.as_ref();
    to_line(&Status {
        collector: Collector {
            address: &answered.address,
            version: software.and_then(|software| stated(&software.version)),
        },
        clusters: answered
            .status
            .clusters
            .iter()
            .map(|status| cluster(status, receivers::of(answered, status)))
            .collect(),
    })
}

fn cluster<'a>(status: &'a v1::ClusterStatus, receivers: Option<&'a Receivers>) -> Cluster<'a> {
    let told = match receivers {
        Some(Receivers::Told(told)) => Some(told),
        Some(Receivers::NotTold | Receivers::Unknown { .. }) | None => None,
    };
    let cluster = status.cluster.as_ref();
    let open = status.incidents.iter();
    let open = open.filter(|incident| incident.closed_unix_ms.is_none());
    Cluster {
        id: cluster.and_then(|cluster| stated(&cluster.id)),
        name: cluster.and_then(|cluster| stated(&cluster.name)),
        is_authority: status.is_authority,
        is_observer: status.is_observer,
        authority: status.authority.as_ref().map(|authority| Authority {
            collector: &authority.collector,
            epoch: authority.epoch,
        }),
        votes: status.votes.iter().map(votes).collect(),
        link_matrix: status.link_matrix.as_ref().map(matrix),
        incidents: open.map(incident).collect(),
        incident_steps_waiting: status.incident_steps_waiting,
        receivers: told.map(|told| told.receivers.iter().map(receiver).collect()),
        given_up: told.and_then(|told| told.given_up),
        nodes: status.nodes.iter().map(node).collect(),
        findings: &status.findings,
    }
}

fn receiver(one: &v1::Receiver) -> Receiver<'_> {
    let since = Some(one.failing_since_unix_ms).filter(|since| *since != 0);
    Receiver {
        name: &one.name,
        kind: &one.kind,
        owed: one.owed,
        failing_since: since.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()),
        why: stated(&one.why),
    }
}

fn votes(word: &v1::VotesWord) -> Votes<'_> {
    Votes {
        sentence: &word.sentence,
        quorate: word.quorate,
        votes: word.votes,
        needed: word.needed,
        expected: word.expected,
        may_be_lost: word.may_be_lost,
        nodes: &word.nodes,
    }
}

fn matrix(matrix: &v1::LinkMatrix) -> Matrix<'_> {
    let count = matrix.nodes.len();
    let link = |ways: &v1::LinkWays| MatrixLink {
        link: ways.link,
        // Without nodes there is no row.
        ways: ways
            .ways
            .chunks(count.max(1))
            .map(|row| row.iter().map(|way| self::way(*way)).collect())
            .collect(),
    };
    Matrix {
        nodes: &matrix.nodes,
        links: matrix.links.iter().map(link).collect(),
    }
}

fn way(way: i32) -> Option<&'static str> {
    match v1::Way::try_from(way).unwrap_or_default() {
        v1::Way::Unspecified => Some("unknown"),
        v1::Way::Connected => Some("connected"),
        v1::Way::Disconnected => Some("disconnected"),
        v1::Way::NotConfigured => Some("not_configured"),
        v1::Way::Self_ => None,
    }
}

fn incident(one: &v1::Incident) -> Incident<'_> {
    Incident {
        number: one.number,
        rule: &one.rule,
        subject: &one.subject,
        severity: severity::word(one.severity()),
        sentence: &one.sentence,
        cause: one.cause,
        is_found: one.is_found,
        is_acknowledged: one.acknowledgement.is_some(),
        is_silenced: one.silence.is_some(),
    }
}

fn bond(bond: &v1::BondStatus) -> Bond<'_> {
    Bond {
        name: &bond.name,
        mode: stated(&bond.mode),
        ports: bond.ports,
        ports_up: bond.ports_up,
        ports_unknown: bond.ports_unknown,
        wrong: &bond.wrong,
        sentence: &bond.sentence,
    }
}

fn bonds(status: &v1::BondsStatus) -> Bonds<'_> {
    Bonds {
        unknown: stated(&status.unknown),
        bonds: status.bonds.iter().map(bond).collect(),
    }
}

fn node(status: &v1::NodeStatus) -> Node<'_> {
    let link = |link: &v1::LinkStatus| Link {
        link: link.link,
        peers_connected: link.peers_connected,
        peers: link.peers,
    };
    Node {
        node: &status.node,
        standing: match status.standing() {
            v1::Standing::Unspecified => "unknown",
            v1::Standing::Connected => "connected",
            v1::Standing::Silent => "silent",
            v1::Standing::NeverHeard => "never_heard",
            v1::Standing::Revoked => "revoked",
        },
        heard_ago_ms: status.heard_ago_ms,
        agent_version: stated(&status.agent_version),
        skew_ms: status.skew_ms,
        corosync_age_ms: status.corosync_age_ms,
        quorate: status.quorate,
        votes: status.votes,
        total_votes: status.total_votes,
        quorum: status.quorum,
        links: status.links.iter().map(link).collect(),
        bonds: status.bonds.as_ref().map(bonds),
        events_kept: status.events_kept,
        dropped: status.dropped.as_ref().map(|dropped| Dropped {
            events: dropped.events,
            announcements: dropped.announcements,
        }),
    }
}

fn stated(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
