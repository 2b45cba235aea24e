//! What else is to be said where no node is taken down, but a switch or a corosync network: which paths are gone meanwhile,
//! and what if it keeps its carrier and passes nothing, as a switch does while it starts.

use std::collections::BTreeSet;

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::finding::Thing;
use crate::name::enumerated;
use crate::whatif::{Answer, Failure, Hypothesis, NetworkLoss, Outcome, Part, WhatIf};

pub(super) fn look(
    case: &Case<'_>,
    what_if: &mut WhatIf,
    dark: &Outcome,
    reasons: &mut Vec<Reason>,
) {
    if case.request.things.is_empty() {
        return;
    }
    reasons.extend(dark.networks.iter().map(paths));
    if dark.is_quorum_kept() == Answer::Yes {
        reasons.extend(mute(case, what_if));
    }
}

fn paths(loss: &NetworkLoss) -> Reason {
    let all: Vec<_> = loss.nodes.iter().chain(&loss.perhaps).collect();
    let sentence = format!(
        "corosync network {} is gone meanwhile for {}",
        loss.link,
        enumerated(all)
    );
    Reason::note(Kind::PathsGone, Thing::Network(loss.link), sentence)
}

/// Switches keep their carriers, and all else that is asked about is gone.
fn mute(case: &Case<'_>, what_if: &mut WhatIf) -> Option<Reason> {
    let mut switches = BTreeSet::new();
    let failure = |part: Part| {
        if let Part::Switch(_) = &part {
            switches.insert(part.to_string());
            Failure::mute(part)
        } else {
            Failure::dark(part)
        }
    };
    let failures = case.request.parts().map(failure).collect();
    if switches.is_empty() {
        return None;
    }
    let outcome = what_if.play(&Hypothesis { failures }).ok()?;
    let is_kept = outcome.camps.iter().all(|camp| camp.quorate == Answer::Yes);
    if is_kept && outcome.fencing.is_empty() {
        return None;
    }
    let sentence = format!(
        "{} may keep its carriers and pass nothing for a while, as while it starts; then: {}",
        enumerated(switches),
        outcome.sentence
    );
    let remedy = "Pull its cables, or shut its ports down, before it starts again.";
    Some(Reason::warning(Kind::MayBeMute, Thing::Cluster, sentence).remedy(remedy))
}
