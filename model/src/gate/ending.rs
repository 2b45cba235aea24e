//! May a lease be given back? Not before its nodes are back and healthy.

use super::verdict::{Kind, Reason, Verdict};
use crate::finding::Thing;
use crate::lease::healthy::{Reboot, has_rebooted, missing};
use crate::lease::{Lease, Leases, SETTLES_MS, State};
use crate::name::NodeName;
use crate::rule::Scene;

/// GO, and then the lease of this node is over; or what is still missing. `well_for_ms`: since when nothing is.
pub fn end(
    scene: &Scene<'_>,
    leases: &Leases,
    node: &NodeName,
    reboot: Reboot,
    well_for_ms: Option<u64>,
) -> Verdict {
    let subject = Thing::Node(node.clone());
    if !scene.cluster.nodes.contains_key(node) {
        let sentence = format!("the cluster has no node {node} that the collector knows of");
        return Verdict::unknown(Kind::NoSuchNode, sentence, String::new());
    }
    let Some(lease) = leases.current() else {
        return Verdict::done(&format!(
            "no lease of {node} is held: nothing is to be ended"
        ));
    };
    if !lease.holds(node) {
        let sentence = format!("{node} has no lease; held is {}", lease.sentence());
        let reason = Reason::blocker(Kind::LeaseHeld, subject, sentence.clone());
        return Verdict::refused(&sentence, vec![reason]);
    }
    let reasons = against(scene, lease, reboot, well_for_ms);
    let names = lease.names();
    match reasons.first() {
        None => Verdict::done(&format!("lease {} of {names} is over", lease.number)),
        Some(first) => {
            let more = match reasons.len() {
                1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            let sentence = format!("the lease of {names} is not over: {}{more}", first.sentence);
            Verdict::refused(&sentence, reasons)
        }
    }
}

fn against(
    scene: &Scene<'_>,
    lease: &Lease,
    reboot: Reboot,
    well_for_ms: Option<u64>,
) -> Vec<Reason> {
    // What was withdrawn was not to be used: it is given back as it is.
    let reboot = match lease.state {
        State::Withdrawn => Reboot::NotDone,
        _ => reboot,
    };
    let not_back = |node: &NodeName, sentence: String| {
        Reason::blocker(Kind::NotBack, Thing::Node(node.clone()), sentence)
    };
    let missing = missing(scene, lease, reboot).into_iter();
    let mut reasons: Vec<Reason> = missing
        .map(|one| not_back(&one.node, one.sentence))
        .collect();
    let nodes = lease.grant.nodes.iter();
    match reboot {
        Reboot::NotDone => {
            let rebooted = nodes.filter(|node| has_rebooted(scene, lease, node));
            reasons.extend(rebooted.map(|node| {
                let sentence =
                    format!("{node} was rebooted after all: it runs another kernel than before");
                not_back(node, sentence).remedy("Leave `--not-rebooted` out.")
            }));
        }
        Reboot::AsPlanned if reasons.is_empty() => {
            let well_ms = well_for_ms.unwrap_or_default();
            if well_ms < SETTLES_MS
                && let Some(node) = lease.grant.nodes.first()
            {
                let sentence = format!(
                    "all is well since {} s, and must be so for {} s",
                    well_ms / 1_000,
                    SETTLES_MS / 1_000
                );
                reasons.push(not_back(node, sentence));
            }
        }
        Reboot::AsPlanned => {
            let remedy =
                "`quorate maintenance end --not-rebooted` gives it back if nothing was done.";
            if lease.state == State::Granted
                && let Some(first) = reasons.first_mut()
            {
                *first = first.clone().remedy(remedy);
            }
        }
    }
    reasons
}
