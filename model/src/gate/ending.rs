//! May a lease be given back? Not before its nodes are back and healthy.

use super::verdict::{Kind, Reason, Verdict};
use crate::finding::Thing;
use crate::lease::healthy::{Reboot, has_rebooted, missing};
use crate::lease::{Lease, Leases, MAX_SAID, SETTLES_MS, State};
use crate::name::NodeName;
use crate::rule::Scene;

/// Who gives a lease back, and how.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    pub by: &'a str,
    pub reboot: Reboot,
    /// For how long nothing has kept it from its end.
    pub well_for_ms: Option<u64>,
}

/// GO, and then the lease of this node is over; or what is still missing.
pub fn end(scene: &Scene<'_>, leases: &Leases, node: &NodeName, ending: Ending<'_>) -> Verdict {
    let lease = match of(scene, leases, node) {
        Ok(Some(lease)) => lease,
        Ok(None) => {
            let sentence = format!("no lease of {node} is held: nothing is to be ended");
            return Verdict::done(&sentence);
        }
        Err(refused) => return refused,
    };
    let mut reasons = against(scene, lease, ending.reboot, ending.well_for_ms);
    reasons.splice(0..0, not_its_owner(lease, ending.by));
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

/// GO, and then nobody holds the lease of this node any more.
pub fn break_lease(scene: &Scene<'_>, leases: &Leases, node: &NodeName) -> Verdict {
    match of(scene, leases, node) {
        Ok(Some(lease)) => {
            let sentence = format!("lease {} of {} is broken", lease.number, lease.names());
            Verdict::done(&sentence)
        }
        Ok(None) => {
            let sentence = format!("no lease of {node} is held: nothing is to be broken");
            Verdict::done(&sentence)
        }
        Err(refused) => refused,
    }
}

/// GO, and then what its owner says stands with the lease of this node.
pub fn say(scene: &Scene<'_>, leases: &Leases, node: &NodeName, by: &str) -> Verdict {
    match of(scene, leases, node) {
        Ok(Some(lease)) if lease.times_said >= MAX_SAID => {
            let sentence = format!("of a lease something is said {MAX_SAID} times at most");
            Verdict::refused(&sentence, Vec::new())
        }
        Ok(Some(lease)) => match not_its_owner(lease, by) {
            None => Verdict::done(&format!("it stands with lease {}", lease.number)),
            Some(reason) => Verdict::refused(&reason.sentence.clone(), vec![reason]),
        },
        Ok(None) => {
            let sentence = format!("no lease of {node} is held: there is nothing to say of it");
            Verdict::refused(&sentence, Vec::new())
        }
        Err(refused) => refused,
    }
}

/// The lease that this node is one of, if any is held.
fn of<'a>(
    scene: &Scene<'_>,
    leases: &'a Leases,
    node: &NodeName,
) -> Result<Option<&'a Lease>, Verdict> {
    let is_known = scene.cluster.nodes.contains_key(node) || leases.of(node).is_some();
    if !is_known {
        let sentence = format!("the cluster has no node {node} that the collector knows of");
        return Err(Verdict::unknown(Kind::NoSuchNode, sentence, String::new()));
    }
    match leases.current() {
        Some(lease) if !lease.holds(node) => {
            let sentence = format!("{node} has no lease; held is {}", lease.sentence());
            let subject = Thing::Node(node.clone());
            let reason = Reason::blocker(Kind::LeaseHeld, subject, sentence.clone());
            Err(Verdict::refused(&sentence, vec![reason]))
        }
        held => Ok(held),
    }
}

/// As long as its owner may still be at it, nobody else ends it: he would not know.
fn not_its_owner(lease: &Lease, by: &str) -> Option<Reason> {
    let node = lease
        .grant
        .nodes
        .first()
        .filter(|_| lease.grant.owner != by)?;
    let sentence = format!(
        "it is held by {}, who may still be at it",
        lease.grant.owner
    );
    let remedy = format!(
        "Ask {}. An operator's `quorate maintenance break {node}` takes it away.",
        lease.grant.owner
    );
    Some(Reason::blocker(Kind::LeaseHeld, Thing::Node(node.clone()), sentence).remedy(remedy))
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
