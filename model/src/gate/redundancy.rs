//! Is something worse than usual that would be missed now? Of what the rules find, what takes a path away; how the
//! cluster was built (one link, an even number of votes) is nobody's news here.

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::finding::{Finding, Severity, Thing};

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

pub(super) fn look(case: &Case<'_>, found: &[Finding], reasons: &mut Vec<Reason>) {
    let is_effect = |one: &Finding| found.iter().any(|other| other.explains(one));
    let counts = |one: &&Finding| {
        let is_worse = WORSE.contains(&one.rule) && one.severity > Severity::Info;
        is_worse && !is_effect(one) && !is_of_target(case, &one.subject)
    };
    for one in found.iter().filter(counts) {
        let reason = Reason::warning(Kind::Redundancy, one.subject.clone(), one.sentence.clone());
        reasons.push(case.told(reason, one));
    }
}

/// Its own ports carry nothing for others.
fn is_of_target(case: &Case<'_>, subject: &Thing) -> bool {
    match subject {
        Thing::Node(node) | Thing::Iface(node, _) | Thing::Vlan(node, _, _) => case.is_target(node),
        Thing::Knet { from, to, .. } => case.is_target(from) || case.is_target(to),
        _ => false,
    }
}
