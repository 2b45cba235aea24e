//! The answer as JSON: what the collector said, field by field; `null` is what it does not know.

use proto::v1;
use serde::Serialize;

use crate::answer::to_line;
use crate::client::Answered;

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
    nodes: Vec<Node<'a>>,
    findings: &'a [String],
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
        clusters: answered.status.clusters.iter().map(cluster).collect(),
    })
}

fn cluster(status: &v1::ClusterStatus) -> Cluster<'_> {
    let cluster = status.cluster.as_ref();
    Cluster {
        id: cluster.and_then(|cluster| stated(&cluster.id)),
        name: cluster.and_then(|cluster| stated(&cluster.name)),
        is_authority: status.is_authority,
        is_observer: status.is_observer,
        authority: status.authority.as_ref().map(|authority| Authority {
            collector: &authority.collector,
            epoch: authority.epoch,
        }),
        nodes: status.nodes.iter().map(node).collect(),
        findings: &status.findings,
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
