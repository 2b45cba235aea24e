//! May the Ceph daemons of the node be stopped? Only Ceph knows, and only when it is asked at that moment: what is to be asked
//! says [`ceph_asking`], the answers come with the scene, and here they are judged.
//!
//! A change of the network is judged like a reboot: daemons that nobody reaches are as gone as those that are stopped.

mod answers;
mod daemons;
mod health;

use std::collections::BTreeSet;

pub use answers::{
    CephAnswer, CephAsking, CephDaemons, CephQuestion, MOST_DAEMONS, OLDEST_ANSWER_MS, ceph_asking,
};
use answers::{FAMILY, Word, age_ms, askable, word};
use daemons::Listing;

use super::case::Case;
use super::verdict::{Kind, Reason, Seen};
use crate::fact::ceph::OkToStop;
use crate::finding::Thing;
use crate::name::enumerated;
use crate::report::Facts as _;

/// Placement groups that a sentence names.
const FEW_PGS: usize = 5;

/// There is no Ceph on any node asked about, or it says that all of its daemons there may be stopped.
#[derive(Debug)]
pub(super) struct MayStop(());

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<MayStop> {
    let mut heard = case.heard.iter();
    if heard.all(|node| case.is_absent(node, FAMILY)) {
        return Some(MayStop(()));
    }
    let listing = Listing::of(case);
    let mut against: Vec<Reason> = unread(case).collect();
    against.extend(unlisted(case, &listing));
    against.extend(networks(case, &listing));
    let questions = listing.questions(&case.request.nodes);
    let all = questions.iter();
    let judged: Vec<Reason> = all.map(|question| judged(case, question)).collect();
    let is_enough = against.is_empty() && judged.iter().all(|it| it.kind == Kind::CephOk);
    reasons.extend(against);
    reasons.extend(judged);
    reasons.extend(managers(case, &listing));
    if !questions.is_empty() {
        reasons.extend(health::look(case));
    }
    is_enough.then_some(MayStop(()))
}

/// Nodes asked about that are heard, and say neither what of Ceph is there nor that none is.
fn unread(case: &Case<'_>) -> impl Iterator<Item = Reason> {
    let targets = case.targets();
    let unread = targets.filter(|node| node.ceph().is_none() && !case.is_absent(node, FAMILY));
    unread.map(|node| {
        let name = node.name();
        let sentence =
            format!("{name} has Ceph, or may have: what it tells of it is missing or too old");
        let reason = Reason::missing(Kind::CephNotAsked, Thing::Node(name.clone()), sentence);
        reason.remedy(format!(
            "`quorate-agent snapshot` on {name} says what cannot be read, and why."
        ))
    })
}

/// Which daemons there are must be known before Ceph can be asked about all of them. Who is heard and has no Ceph by his own
/// word has none unless the monitors name some; of one that is silent the others must tell, unless they have no Ceph either.
fn unlisted(case: &Case<'_>, listing: &Listing<'_>) -> Option<Reason> {
    if listing.is_whole {
        return None;
    }
    let is_told = case.heard.iter().any(|node| node.ceph().is_some());
    let is_denied = || case.heard.iter().any(|node| case.is_absent(node, FAMILY));
    let is_somewhere = is_told || !is_denied();
    let is_here = case.targets().any(|node| node.ceph().is_some());
    let is_unseen = case.silent_targets().next().is_some() || !case.request.things.is_empty();
    let is_needed = is_here || (is_unseen && is_somewhere);
    if !is_needed {
        return None;
    }
    let names = case.request.names();
    let why = listing.gap.as_deref().unwrap_or("nobody tells of them");
    let sentence = format!("which Ceph daemons are on {names} is not known: {why}");
    let reason = Reason::missing(Kind::CephNotAsked, subject(case), sentence);
    Some(reason.remedy(
        "`ceph node ls` lists them; `quorate-agent snapshot` on a node that has Ceph says what cannot be read. Agents of an \
         older version do not tell of them.",
    ))
}

/// Over which networks the daemons speak to each other stands in no reading, so nobody can say whom a switch takes away.
fn networks(case: &Case<'_>, listing: &Listing<'_>) -> Option<Reason> {
    if case.request.things.is_empty() || listing.is_empty() {
        return None;
    }
    let sentence = format!(
        "whether Ceph's daemons still reach each other without {} is not known: over which networks they speak is not told",
        case.request.names()
    );
    let reason = Reason::missing(Kind::CephNotAsked, Thing::Cluster, sentence);
    Some(reason.remedy(
        "`ceph config dump` and ceph.conf name `public_network` and `cluster_network`: look which switches and links carry them.",
    ))
}

/// Ceph's yes to one question as a note, or what stands against it.
fn judged(case: &Case<'_>, question: &CephQuestion) -> Reason {
    let names = case.request.names();
    let missing = |kind, why: String| {
        let sentence = format!("whether {question} on {names} may be stopped is not known: {why}");
        Reason::missing(kind, subject(case), sentence).remedy(by_hand(question))
    };
    if question.ids.len() > MOST_DAEMONS {
        let why = format!(
            "{} are more than the {MOST_DAEMONS} that can be asked about at once",
            question.ids.len()
        );
        return missing(Kind::CephNotAsked, why);
    }
    match word(case.scene, question) {
        Word::NotAsked => {
            let why = match askable(case).next() {
                Some(_) => "nobody has asked Ceph",
                None => "no node that has Ceph, is heard and stays could ask",
            };
            missing(Kind::CephNotAsked, why.to_owned())
        }
        Word::None(why) => missing(Kind::CephNoAnswer, why),
        Word::No(answer, said) => {
            let sentence = format!(
                "Ceph says that {question} on {names} must not be stopped now: {}",
                words(said)
            );
            let (remedy, way_back) = way_out(question.what);
            let reason = Reason::blocker(Kind::CephNotOk, subject(case), sentence);
            let reason = reason.seen([seen(case, answer, "not ok to stop")]);
            reason.remedy(remedy).way_back(way_back)
        }
        Word::Yes(answer) => {
            let sentence = format!("Ceph says that {question} on {names} may be stopped");
            let reason = Reason::note(Kind::CephOk, subject(case), sentence);
            reason.seen([seen(case, answer, "ok to stop")])
        }
    }
}

fn subject(case: &Case<'_>) -> Thing {
    let mut nodes = case.request.nodes.iter();
    match (nodes.next(), nodes.next()) {
        (Some(node), None) => Thing::Node(node.clone()),
        _ => Thing::Cluster,
    }
}

fn seen(case: &Case<'_>, answer: &CephAnswer, words: &str) -> Seen {
    Seen {
        node: answer.node.clone(),
        family: FAMILY.key(),
        words: format!("{}: {words}", answer.question),
        age_ms: age_ms(case.scene, answer),
    }
}

/// Ceph's own, and the placement groups that would wait.
fn words(said: &OkToStop) -> String {
    let text = Some(said.text.trim().to_owned()).filter(|text| !text.is_empty());
    // One can stand there twice: it waits already, and would wait.
    let groups: BTreeSet<&str> = said.inactive_pgs.iter().map(String::as_str).collect();
    let few: Vec<&str> = groups.iter().copied().take(FEW_PGS).collect();
    let more = match groups.len() - few.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let groups = (!few.is_empty())
        .then(|| format!("placement groups that would wait: {}{more}", few.join(", ")));
    let words: Vec<String> = text.into_iter().chain(groups).collect();
    if words.is_empty() {
        return "it does not say why".to_owned();
    }
    words.join("; ")
}

fn by_hand(question: &CephQuestion) -> &'static str {
    match question.what {
        CephDaemons::Mon => {
            "Ask on a node that stays: `ceph mon ok-to-stop NAME…`, with names that `ceph mon dump` lists, and `ceph -s`."
        }
        CephDaemons::Osd => "Ask on a node that stays: `ceph osd ok-to-stop ID…`, and `ceph -s`.",
        CephDaemons::Mds => {
            "Ask on a node that stays: `ceph mds ok-to-stop NAME…`, and `ceph fs status`."
        }
    }
}

/// What to do, and how to undo it.
fn way_out(what: CephDaemons) -> (&'static str, &'static str) {
    match what {
        CephDaemons::Mon => (
            "Bring the other monitors into the quorum (`ceph quorum_status`), or create one more on a node that stays: \
             `pveceph mon create`.",
            "`pveceph mon destroy NODE` removes the one that was created.",
        ),
        CephDaemons::Osd => (
            "`ceph -s` shows what is amiss: start OSDs that are down elsewhere and wait until all placement groups are \
             active+clean. `noout` changes nothing of it. A pool without a copy to spare (`ceph osd pool ls detail`: size, \
             min_size) can never do without.",
            "Waiting changes nothing.",
        ),
        CephDaemons::Mds => (
            "Start a standby on a node that stays, or create one: `pveceph mds create`.",
            "`pveceph mds destroy NAME` removes the one that was created.",
        ),
    }
}

/// A manager holds no data, and its standby takes over by itself. Where there is none left, nothing is counted, and ok-to-stop
/// has no answer any more.
fn managers(case: &Case<'_>, listing: &Listing<'_>) -> Option<Reason> {
    let nodes = &case.request.nodes;
    if !listing.takes_all_managers(nodes) {
        return None;
    }
    let sentence = format!(
        "{} has the only manager of Ceph: meanwhile nothing is counted, and Ceph cannot be asked about OSDs",
        enumerated(nodes)
    );
    let reason = Reason::warning(Kind::CephManager, subject(case), sentence);
    Some(
        reason
            .remedy("`pveceph mgr create` on a node that stays.")
            .way_back("`pveceph mgr destroy NODE` removes it."),
    )
}
