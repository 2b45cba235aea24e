//! Does somebody hold the cluster's one lease? Never two at once.

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::finding::Thing;
use crate::lease::{Lease, State};

/// Nobody else is in the middle of something.
#[derive(Debug)]
pub(super) struct NobodyElse(());

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<NobodyElse> {
    let Some(leases) = case.scene.leases else {
        let sentence = "which leases are held cannot be read".to_owned();
        reasons.push(
            Reason::missing(Kind::LeasesUnknown, Thing::Cluster, sentence)
                .remedy("The collector's log says what is wrong with its ledger."),
        );
        return None;
    };
    match leases.current() {
        None => Some(NobodyElse(())),
        Some(lease) if lease.state == State::Withdrawn => {
            reasons.push(withdrawn(lease));
            None
        }
        Some(lease) if case.is_holder && is_own(case, lease) => {
            let sentence = format!("this is what is under way: {}", lease.sentence());
            reasons.push(Reason::note(Kind::LeaseOwn, Thing::Cluster, sentence));
            Some(NobodyElse(()))
        }
        Some(lease) => {
            reasons.push(held(lease));
            None
        }
    }
}

/// The same nodes, and not more of them; and they have not left yet.
fn is_own(case: &Case<'_>, lease: &Lease) -> bool {
    let nodes = &case.request.nodes;
    let is_same = !nodes.is_empty() && nodes.iter().all(|node| lease.holds(node));
    is_same && case.request.things.is_empty() && lease.state == State::Granted
}

fn held(lease: &Lease) -> Reason {
    let sentence = format!("another maintenance is under way: {}", lease.sentence());
    Reason::blocker(Kind::LeaseHeld, subject(lease), sentence).remedy(format!(
        "Wait until it is over: `quorate maintenance list` says what {} still lacks. An operator can break it, with a reason.",
        lease.names()
    ))
}

fn withdrawn(lease: &Lease) -> Reason {
    let sentence = format!("{} was withdrawn: {}", lease.sentence(), lease.words);
    Reason::blocker(Kind::LeaseWithdrawn, subject(lease), sentence).remedy(format!(
        "`quorate maintenance end {}` gives it back; mend what is said, and begin again.",
        lease.first()
    ))
}

/// Of a node, where it is one: rules and pages group by it. The lease of a set is the cluster's.
fn subject(lease: &Lease) -> Thing {
    let mut nodes = lease.grant.nodes.iter();
    match (nodes.next(), nodes.next()) {
        (Some(node), None) => Thing::Node(node.clone()),
        _ => Thing::Cluster,
    }
}
