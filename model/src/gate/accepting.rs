//! What can be accepted, and what is: see [`crate::lease::accepted`].

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::redundancy;
use super::request::{Action, Request};
use super::verdict::{Kind, Reason, Verdict, Weight};
use crate::finding::{Finding, Thing};
use crate::lease::accepted::{Acceptance, KINDS, MAX_ACCEPTED, MAX_ACCEPTED_S, RULES};
use crate::lease::{Leases, clock};
use crate::report::Facts as _;
use crate::rule::Scene;

/// Makes a note of what is accepted.
pub(super) fn look(case: &Case<'_>, reasons: &mut [Reason]) {
    for reason in reasons {
        if reason.weight != Weight::Warning && reason.weight != Weight::Blocker {
            continue;
        }
        if let Some(acceptance) = case.accepted(&reason.key(), &reason.sentence) {
            reason.weight = Weight::Note;
            reason.sentence = format!("{}; {}", reason.sentence, acceptance.words());
        }
    }
}

/// What somebody wants to accept, in his own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepting {
    /// As it stands in the verdict's JSON.
    pub kind: String,
    /// As reasons name it.
    pub subject: String,
    pub until_unix_ms: i64,
    pub reason: String,
    pub by: String,
}

/// What is to be written down, or what stands against it: only what is there now can be accepted, so that a slip of the
/// keyboard accepts nothing that comes later.
pub fn accept(
    scene: &Scene<'_>,
    found: &[Finding],
    leases: &Leases,
    asked: &Accepting,
) -> Result<Acceptance, Verdict> {
    let now_unix_ms = scene.now.unix_ms;
    let kind = kind(&asked.kind)?;
    let standing = standing(scene, found, kind);
    let named = |(subject, _): &(&Thing, _)| is_called(subject, &asked.subject);
    let Some((subject, told)) = standing.iter().find(named) else {
        return Err(refused(&not_there(kind, &asked.subject, standing.keys())));
    };
    let longest_ms = now_unix_ms.saturating_add(MAX_ACCEPTED_S * 1_000);
    if asked.until_unix_ms <= now_unix_ms || asked.until_unix_ms > longest_ms {
        return Err(refused(&format!(
            "until {} nothing is accepted: it is a time from now on, and at most {} days away",
            clock(asked.until_unix_ms),
            MAX_ACCEPTED_S / 86_400
        )));
    }
    if leases.accepted().is_full_for(kind, subject, now_unix_ms) {
        return Err(refused(&format!(
            "{MAX_ACCEPTED} conditions are accepted already; take one back first"
        )));
    }
    Ok(Acceptance {
        kind,
        subject: subject.clone(),
        told: told.clone(),
        by: asked.by.clone(),
        reason: asked.reason.clone(),
        until_unix_ms: asked.until_unix_ms,
    })
}

/// The one that is meant, or that there is none.
pub fn take_back<'a>(
    leases: &'a Leases,
    kind_named: &str,
    subject: &str,
    now_unix_ms: i64,
) -> Result<&'a Acceptance, Verdict> {
    let kind = kind(kind_named)?;
    let mut accepted = leases.accepted().at(now_unix_ms);
    let is_meant = |one: &&Acceptance| one.kind == kind && is_called(&one.subject, subject);
    accepted.find(is_meant).ok_or_else(|| {
        let all = leases.accepted().at(now_unix_ms);
        let of_kind = all.filter(|one| one.kind == kind).map(|one| &one.subject);
        refused(&not_there(kind, subject, of_kind))
    })
}

fn kind(named: &str) -> Result<Kind, Verdict> {
    let mut kinds = KINDS.iter().copied();
    kinds.find(|kind| kind.name() == named).ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
        refused(&format!(
            "{named:?} cannot be accepted; what can be is {}",
            names.join(", ")
        ))
    })
}

/// A guest may be called by its number alone.
fn is_called(subject: &Thing, name: &str) -> bool {
    let is_number = matches!(subject, Thing::Guest(number) if number.to_string() == name);
    is_number || subject.to_string() == name
}

fn not_there<'a>(kind: Kind, named: &str, there: impl Iterator<Item = &'a Thing>) -> String {
    let there: Vec<String> = there.map(ToString::to_string).collect();
    let instead = match there.as_slice() {
        [] => "of nothing".to_owned(),
        some => format!("of {}", some.join(", ")),
    };
    format!(
        "there is no {} of {named:?} now; there is one {instead}",
        kind.name()
    )
}

fn refused(sentence: &str) -> Verdict {
    let reason = Reason::blocker(Kind::NotAcceptable, Thing::Cluster, sentence.to_owned());
    Verdict::refused(sentence, vec![reason])
}

/// The subjects of which this is so now, and what is told of each.
fn standing(scene: &Scene<'_>, found: &[Finding], kind: Kind) -> BTreeMap<Thing, BTreeSet<String>> {
    let nobody = Request::of_nodes([], Action::Upgrade);
    let case = Case::new(scene, &nobody, false);
    let mut standing: BTreeMap<Thing, BTreeSet<String>> = BTreeMap::new();
    match kind {
        Kind::NodeDown => {
            let names = case.names().into_iter();
            let down = names.filter(|(id, _)| case.is_member(*id) == Some(false));
            standing.extend(down.map(|(_, name)| (Thing::Node(name), BTreeSet::new())));
        }
        Kind::Redundancy => {
            let worse = redundancy::worse(&case, found);
            for one in worse.filter(|one| RULES.contains(&one.rule)) {
                let told = standing.entry(one.subject.clone()).or_default();
                told.insert(one.sentence.clone());
            }
        }
        Kind::NoBackupSeen => {
            let guests = case.heard.iter().filter_map(|node| node.guests());
            let numbers = guests.flat_map(|guests| guests.here.iter().map(|guest| guest.id));
            standing.extend(numbers.map(|number| (Thing::Guest(number), BTreeSet::new())));
        }
        _ => {}
    }
    standing
}
