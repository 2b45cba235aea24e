//! Is something worse than usual that would be missed now? Of what the rules find, what takes a path away; how the
//! cluster was built (one link, an even number of votes) is nobody's news here.

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::enumerated;
use crate::report::{Facts as _, Family};

/// What these find was there and is not any more.
pub(super) const WORSE: &[&str] = &[
    "switch-down",
    "bond-no-active-port",
    "bond-ports-missing",
    "bond-flapping",
    "bond-no-lacp-partner",
    "bond-port-churned",
    "bond-degraded",
    "link-hung",
    "link-flapping",
    "link-errors",
    "bridge-without-port",
    "corosync-network-down",
    "corosync-link-down",
    "corosync-one-way-link",
    "corosync-link-flapping",
    "corosync-retransmits",
    "corosync-qdevice-not-voting",
    "corosync-expected-lowered",
    "corosync-config-drift",
    "corosync-two-quorate-parts",
    "ha-lrm-lost-lock",
    "ha-watchdog-expiring",
];

/// What of a node these rest on. Where it is not told, something may be worse that nobody sees.
const READ: [Family; 7] = [
    Family::Links,
    Family::Bonds,
    Family::Bridges,
    Family::Corosync,
    Family::CorosyncConf,
    Family::Ha,
    Family::Tasks,
];

pub(super) fn look(case: &Case<'_>, found: &[Finding], reasons: &mut Vec<Reason>) {
    reasons.extend(case.heard.iter().filter_map(|node| unread(case, node)));
    for one in worse(case, found) {
        let reason = Reason::warning(Kind::Redundancy, one.subject.clone(), one.sentence.clone());
        reasons.push(case.told(reason, one));
    }
}

/// What takes a path away from those who stay, the causes of it alone.
pub(super) fn worse<'a>(
    case: &Case<'_>,
    found: &'a [Finding],
) -> impl Iterator<Item = &'a Finding> {
    let is_effect = |one: &Finding| found.iter().any(|other| other.explains(one));
    let counts = move |one: &&Finding| {
        let is_worse = WORSE.contains(&one.rule) && one.severity > Severity::Info;
        is_worse && !is_effect(one) && !is_of_target(case, &one.subject)
    };
    found.iter().filter(counts)
}

/// Of a node asked about its own grounds say what is needed, but for corosync.
fn unread(case: &Case<'_>, node: &FreshNode<'_>) -> Option<Reason> {
    let counts = |family: &Family| *family == Family::Corosync || !case.is_target(node.name());
    let is_known = |family: Family| node.fact(family).is_some_and(|fact| fact.standing().known);
    let families = READ.into_iter().filter(counts);
    let unread = families.filter(|family| !is_known(*family) && !case.is_absent(node, *family));
    let keys: Vec<&str> = unread.map(Family::key).collect();
    if keys.is_empty() {
        return None;
    }
    let name = node.name();
    let sentence = format!(
        "what {name} says of its {} is missing or too old: something may be worse there",
        enumerated(keys)
    );
    let subject = Thing::Node(name.clone());
    Some(
        Reason::warning(Kind::ReadingMissing, subject, sentence).remedy(format!(
            "`quorate-agent snapshot` on {name} says what cannot be read, and why."
        )),
    )
}

/// Its own ports carry nothing for others.
fn is_of_target(case: &Case<'_>, subject: &Thing) -> bool {
    match subject {
        Thing::Node(node) | Thing::Iface(node, _) | Thing::Vlan(node, _, _) => case.is_target(node),
        Thing::Knet { from, to, .. } => case.is_target(from) || case.is_target(to),
        _ => false,
    }
}
