//! Are the votes enough that stay? Played through the quorum machine, on numbers that two nodes agree on.

use std::fmt;

use super::case::Case;
use super::things;
use super::verdict::{Kind, Reason, Seen};
use crate::cluster::FreshNode;
use crate::finding::Thing;
use crate::name::NodeName;
use crate::report::{Facts as _, Family};
use crate::whatif::{Answer, Camp, Hypothesis, Outcome, Part, WhatIf};

/// The votes that stay are enough, wherever a node stays.
#[derive(Debug)]
pub(super) struct Enough {
    before: u32,
    after: u32,
    needed: u32,
}

impl fmt::Display for Enough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (after, before, needed) = (self.after, self.before, self.needed);
        write!(f, "{after} of {before} votes stay, and {needed} are needed")
    }
}

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<Enough> {
    if nobody_stays(case, reasons) {
        return None;
    }
    let confirmed = confirmed(case, reasons);
    played(case, confirmed, reasons)
}

/// The same where the node asked about is the only one that can be heard.
pub(super) fn look_alone(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<Enough> {
    if nobody_stays(case, reasons) {
        return None;
    }
    let own = case.targets().find_map(|node| {
        let corosync = node.corosync().filter(|it| it.quorate == Some(true))?;
        corosync.total_votes
    });
    if own.is_none() {
        let sentence = format!(
            "{} does not say that it is quorate, and whether others are it cannot know",
            case.request.names()
        );
        reasons.push(unknown(sentence));
    }
    played(case, own, reasons)
}

fn nobody_stays(case: &Case<'_>, reasons: &mut Vec<Reason>) -> bool {
    let names = case.names();
    let is_so = !names.is_empty() && names.iter().all(|(_, name)| case.is_target(name));
    if is_so {
        let sentence = "no node of the cluster stays".to_owned();
        reasons.push(Reason::blocker(Kind::VotesShort, Thing::Cluster, sentence));
    }
    is_so
}

/// `before`: the votes that there are, if that is known for certain.
fn played(case: &Case<'_>, before: Option<u32>, reasons: &mut Vec<Reason>) -> Option<Enough> {
    let scene = case.scene;
    let reforming_ms = scene.thresholds.reforming_warning_ms;
    let mut what_if = match WhatIf::new(scene.cluster, scene.now, scene.site, reforming_ms) {
        Ok(what_if) => what_if,
        Err(why) => {
            reasons.push(unknown(why.to_string()));
            return None;
        }
    };
    let outcome = match what_if.play(&Hypothesis::dark(case.request.parts())) {
        Ok(outcome) => outcome,
        Err(no_such) => {
            reasons.push(unknown(no_such.to_string()));
            return None;
        }
    };
    one_more(case, &mut what_if, reasons);
    things::look(case, &mut what_if, &outcome, reasons);
    reforming(&outcome, reasons);
    let kept = kept(case, before, &outcome, reasons)?;
    let before = before?;
    let enough = Enough {
        before,
        after: kept.votes,
        needed: kept.needed,
    };
    // Fewer than are needed: auto_tie_breaker decides for those who stay.
    if kept.votes <= kept.needed {
        reasons.push(no_margin(case, &enough, kept.expected));
    }
    let note = Reason::note(Kind::Votes, Thing::Cluster, enough.to_string());
    reasons.push(note);
    Some(enough)
}

/// In a small cluster that is whole, one node is all that can be spared, ever: that is how it was built, and no news.
fn no_margin(case: &Case<'_>, enough: &Enough, expected: u32) -> Reason {
    let is_one = case.request.nodes.len() == 1 && case.request.things.is_empty();
    let is_usual = is_one && enough.before >= expected && enough.after == enough.needed;
    let sentence = format!("no vote may be lost meanwhile: {enough}");
    if is_usual {
        Reason::note(Kind::NoMargin, Thing::Margin, sentence)
    } else {
        Reason::warning(Kind::NoMargin, Thing::Margin, sentence)
    }
}

fn unknown(why: String) -> Reason {
    Reason::missing(Kind::VotesUnknown, Thing::Cluster, why).remedy(
        "`quorate status` shows which nodes are heard and what they say of corosync; `pvecm status` on a node needs no \
         collector.",
    )
}

/// What two quorate nodes, one of them to stay, say alike of votes and members.
fn confirmed(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<u32> {
    type Says = (u32, u32, Vec<u32>);
    let says = |node: &FreshNode<'_>| -> Option<Says> {
        let corosync = node.corosync().filter(|it| it.quorate == Some(true))?;
        let mut members: Vec<u32> = corosync
            .members
            .as_ref()?
            .iter()
            .map(|member| member.node_id)
            .collect();
        members.sort_unstable();
        Some((corosync.total_votes?, corosync.quorum?, members))
    };
    let told: Vec<(&NodeName, Says)> = case
        .heard
        .iter()
        .filter_map(|node| Some((node.name(), says(node)?)))
        .collect();
    let stays = |name: &NodeName| !case.is_target(name);
    let seen = |name: &NodeName, (votes, needed, _): &Says| -> Option<Seen> {
        let node = case.node(name)?;
        let words = format!("Total votes: {votes}, Quorum: {needed}");
        case.seen(node, Family::Corosync, words)
    };
    let Some((first, says)) = told.iter().find(|(name, _)| stays(name)) else {
        reasons.push(unknown(
            "no node that stays is heard to be quorate, so the votes are not known".to_owned(),
        ));
        return None;
    };
    if let Some((other, otherwise)) = told.iter().find(|(_, other)| other != says) {
        let sentence = format!("{first} and {other} do not say the same of votes and members");
        let evidence = [seen(first, says), seen(other, otherwise)];
        reasons.push(
            Reason::missing(Kind::VotesUnconfirmed, Thing::Cluster, sentence)
                .seen(evidence.into_iter().flatten())
                .remedy("Wait until the membership has settled, and ask again."),
        );
        return None;
    }
    if let Some(other) = denies(case, &says.2) {
        let name = other.name();
        let sentence =
            format!("{name} says that it is not quorate, and {first} has it as a quorate member");
        let own = case.seen(other, Family::Corosync, "it is not quorate");
        reasons.push(
            Reason::missing(Kind::VotesUnconfirmed, Thing::Cluster, sentence)
                .seen(seen(first, says).into_iter().chain(own))
                .remedy("Wait until the membership has settled, and ask again."),
        );
        return None;
    }
    if told.len() < 2 {
        let sentence =
            format!("{first} alone says what the votes are, and no second node confirms it");
        reasons.push(
            Reason::missing(Kind::VotesUnconfirmed, Thing::Cluster, sentence)
                .seen(seen(first, says))
                .remedy("`quorate status` shows which agents are silent; start them."),
        );
        return None;
    }
    Some(says.0)
}

/// Of these members, the first that does not have the quorum which the others say to have with it.
fn denies<'b>(case: &'b Case<'_>, members: &[u32]) -> Option<&'b FreshNode<'b>> {
    let names = case.names();
    let mut heard = case.heard.iter();
    heard.find(|node| {
        let mut ids = names.iter().filter(|(_, name)| name == node.name());
        let is_member = ids.any(|(id, _)| members.contains(id));
        let quorate = node.corosync().and_then(|corosync| corosync.quorate);
        is_member && quorate == Some(false)
    })
}

/// The part that stays quorate; what does not stay so is said.
fn kept<'a>(
    case: &Case<'_>,
    before: Option<u32>,
    outcome: &'a Outcome,
    reasons: &mut Vec<Reason>,
) -> Option<&'a Camp> {
    let stay: Vec<_> = outcome
        .camps
        .iter()
        .filter(|camp| !camp.nodes.iter().all(|node| case.is_target(node)))
        .collect();
    let largest = stay.iter().max_by_key(|camp| (camp.quorate, camp.votes))?;
    let what = case.request.deed();
    match largest.quorate {
        Answer::Yes => {}
        Answer::Unknown => {
            let why = outcome.unknown.first().unwrap_or(&largest.reason);
            reasons.push(unknown(format!(
                "whether quorum is kept is not certain: {why}"
            )));
            return None;
        }
        Answer::No => {
            let sentence = format!(
                "the {what} leaves {} of {} votes, and {} are needed",
                largest.votes, largest.expected, largest.needed
            );
            let are_all_there = before.is_some_and(|before| before >= largest.expected);
            reasons.push(
                Reason::blocker(Kind::VotesShort, Thing::Cluster, sentence)
                    .remedy(more_votes(case, are_all_there)),
            );
            return None;
        }
    }
    let mut is_kept = true;
    for camp in stay.iter().filter(|camp| camp.quorate != Answer::Yes) {
        let names: Vec<&str> = camp.nodes.iter().map(NodeName::as_str).collect();
        let names = names.join(", ");
        let was_quorate = camp.nodes.iter().any(|name| {
            let corosync = case.node(name).and_then(|node| node.corosync());
            corosync.and_then(|corosync| corosync.quorate) == Some(true)
        });
        if !was_quorate {
            // It is not this action that takes the quorum there; that it is not there is for another ground.
            continue;
        }
        is_kept = false;
        let subject = camp
            .nodes
            .first()
            .cloned()
            .map_or(Thing::Cluster, Thing::Node);
        reasons.push(if camp.quorate == Answer::No {
            let sentence = format!("the {what} takes the quorum from {names}: {}", camp.reason);
            Reason::blocker(Kind::QuorumLostForSome, subject, sentence).remedy(format!(
                "Give {names} another path first: `quorate risks` shows what it depends on."
            ))
        } else {
            unknown(format!(
                "whether {names} keeps its quorum is not certain: {}",
                camp.reason
            ))
        });
    }
    is_kept.then_some(*largest)
}

/// What would make enough votes stay.
fn more_votes(case: &Case<'_>, are_all_there: bool) -> &'static str {
    if !are_all_there {
        "Bring back the nodes that are missing first: `pvecm status` shows who votes."
    } else if !case.request.things.is_empty() {
        "All votes are there, and hang on this alone: give the nodes another path first. `quorate status` shows which links are down."
    } else if case.request.nodes.len() > 1 {
        "All votes are there: take fewer nodes at a time."
    } else {
        "All votes are there, and none can be spared: a qdevice, or one more node, gives the cluster one."
    }
}

/// And if one more node fails meanwhile?
fn one_more(case: &Case<'_>, what_if: &mut WhatIf, reasons: &mut Vec<Reason>) {
    let others: Vec<NodeName> = case.others().map(|node| node.name().clone()).collect();
    let mut lost = Vec::new();
    for other in &others {
        let parts = case.request.parts().chain([Part::Node(other.clone())]);
        let hypothesis = Hypothesis::dark(parts);
        let is_kept = what_if
            .play(&hypothesis)
            .is_ok_and(|outcome| outcome.is_quorum_kept() == Answer::Yes);
        if !is_kept {
            lost.push(other.as_str());
        }
    }
    let sentence = match lost.len() {
        0 => "if one more node fails meanwhile, quorum is kept, whichever it is".to_owned(),
        all if all == others.len() => "if one more node fails meanwhile, quorum is lost".to_owned(),
        _ => format!(
            "if one of {} fails meanwhile, quorum is lost",
            lost.join(", ")
        ),
    };
    if !others.is_empty() {
        reasons.push(Reason::note(Kind::OneMore, Thing::Margin, sentence));
    }
}

fn reforming(outcome: &Outcome, reasons: &mut Vec<Reason>) {
    let Some(reforming) = outcome.reforming.filter(|it| it.is_dangerous) else {
        return;
    };
    let fencing: Vec<&str> = outcome.fencing.iter().map(|it| it.node.as_str()).collect();
    let who = if fencing.is_empty() {
        "nobody's watchdog runs".to_owned()
    } else {
        format!(
            "{} may reset themselves although quorum is kept",
            fencing.join(", ")
        )
    };
    let sentence = format!(
        "if it goes down without a word, forming anew takes {} s: {who}",
        reforming.ms / 1_000
    );
    reasons.push(
        Reason::warning(Kind::Reforming, Thing::Cluster, sentence).remedy(
            "`token_coefficient: 125` in the totem section of corosync.conf makes it shorter (Proxmox VE 9.1 writes it by \
             itself).",
        ).way_back("Take the line out again, and raise config_version."),
    );
}
