//! The values of each cluster, and of its nodes.

use model::finding::Severity;
use model::fleet::Hearing;
use model::glance::Word;

use super::family::{Lines, Value};
use super::picture::{OfCluster, Picture};

const STANDINGS: [(Hearing, &str); 4] = [
    (Hearing::Connected, "connected"),
    (Hearing::Silent, "silent"),
    (Hearing::NeverHeard, "never-heard"),
    (Hearing::Revoked, "revoked"),
];
const SEVERITIES: [(Severity, &str); 3] = [
    (Severity::Info, "info"),
    (Severity::Warning, "warning"),
    (Severity::Critical, "critical"),
];

/// One value of each cluster of which it is known.
fn each<T: Into<Value>>(
    picture: &Picture,
    lines: &mut Lines<'_>,
    value: impl Fn(&OfCluster) -> Option<T>,
) {
    for cluster in &picture.clusters {
        if let Some(value) = value(cluster) {
            let view = &cluster.view;
            lines.add(&[&view.name, view.cluster.as_str()], value);
        }
    }
}

fn votes(picture: &Picture, lines: &mut Lines<'_>, value: impl Fn(&Word) -> Option<u32>) {
    each(picture, lines, |cluster| value(cluster.votes()?));
}

pub(super) fn authority(picture: &Picture, lines: &mut Lines<'_>) {
    each(picture, lines, |cluster| Some(cluster.view.is_authority));
}

pub(super) fn nodes(picture: &Picture, lines: &mut Lines<'_>) {
    for cluster in &picture.clusters {
        let view = &cluster.view;
        for (standing, word) in STANDINGS {
            let nodes = view.nodes.values();
            let those = nodes.filter(|node| node.hearing == standing).count();
            lines.add(&[&view.name, view.cluster.as_str(), word], those);
        }
    }
}

pub(super) fn node_heard(picture: &Picture, lines: &mut Lines<'_>) {
    for cluster in &picture.clusters {
        let view = &cluster.view;
        for (name, node) in &view.nodes {
            let heard = node
                .heard_at_ms
                .filter(|_| node.hearing != Hearing::Revoked);
            if let Some(heard) = heard {
                let ago_ms = picture.now.mono_ms.saturating_sub(heard);
                let labels = [&view.name, view.cluster.as_str(), name.as_str()];
                lines.add(&labels, Value::of_ms(ago_ms.cast_signed()));
            }
        }
    }
}

pub(super) fn quorate(picture: &Picture, lines: &mut Lines<'_>) {
    each(picture, lines, OfCluster::is_quorate);
}

pub(super) fn votes_present(picture: &Picture, lines: &mut Lines<'_>) {
    votes(picture, lines, |word| word.votes);
}

pub(super) fn votes_expected(picture: &Picture, lines: &mut Lines<'_>) {
    votes(picture, lines, |word| word.expected);
}

pub(super) fn votes_needed(picture: &Picture, lines: &mut Lines<'_>) {
    votes(picture, lines, |word| word.needed);
}

pub(super) fn votes_margin(picture: &Picture, lines: &mut Lines<'_>) {
    votes(picture, lines, Word::may_be_lost);
}

/// While nothing can be written none opens and none ends: how many there are is not known then.
pub(super) fn incidents(picture: &Picture, lines: &mut Lines<'_>) {
    let known = picture.clusters.iter();
    for cluster in known.filter(|cluster| cluster.is_read() && cluster.view.are_alerts_kept) {
        let view = &cluster.view;
        for (severity, word) in SEVERITIES {
            let open = view.incidents.open();
            let causes = open.filter(|open| open.under.is_none());
            let those = causes.filter(|open| open.said.severity == severity).count();
            lines.add(&[&view.name, view.cluster.as_str(), word], those);
        }
    }
}

/// Only who decides knows of leases.
pub(super) fn lease_held(picture: &Picture, lines: &mut Lines<'_>) {
    each(picture, lines, |cluster| {
        let leases = cluster.view.leases.as_ref();
        let leases = leases.filter(|_| cluster.view.is_authority)?;
        Some(leases.current().is_some())
    });
}

pub(super) fn events(picture: &Picture, lines: &mut Lines<'_>) {
    each(picture, lines, |cluster| {
        cluster.is_read().then_some(cluster.view.last_place)
    });
}

pub(super) fn ledger_revision(picture: &Picture, lines: &mut Lines<'_>) {
    each(picture, lines, |cluster| {
        cluster.is_read().then_some(cluster.view.revision.0)
    });
}

/// An observer tells nobody.
fn tells(cluster: &OfCluster) -> bool {
    cluster.is_read() && cluster.view.own.is_authority
}

pub(super) fn alerts_owed(picture: &Picture, lines: &mut Lines<'_>) {
    each(picture, lines, |cluster| {
        tells(cluster).then(|| cluster.view.alerts.owed().count())
    });
}

pub(super) fn alerts_given_up(picture: &Picture, lines: &mut Lines<'_>) {
    each(picture, lines, |cluster| {
        tells(cluster).then_some(cluster.view.alerts.given_up)
    });
}
