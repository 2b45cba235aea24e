//! Which incident is the cause of which.

use std::collections::{BTreeMap, BTreeSet};

use super::past::Past;
use super::{Incidents, Number};
use crate::finding::{Finding, Thing};

/// From a finding to its root, over what is hidden itself.
const MOST_STEPS: usize = 4;

/// The incident of every finding that has one.
pub(super) type Numbers<'a> = BTreeMap<(&'static str, &'a Thing), Number>;

/// The findings that others come of.
pub(super) struct Causes<'a> {
    /// That no other explains.
    roots: Vec<&'a Finding>,
    hidden: Vec<&'a Finding>,
}

impl<'a> Causes<'a> {
    pub(super) fn among(findings: &'a [Finding]) -> Self {
        let is_hidden = |cause: &Finding| findings.iter().any(|other| other.explains(cause));
        let (hidden, roots) = findings
            .iter()
            .filter(|finding| !finding.takes.is_empty())
            .partition(|finding| is_hidden(finding));
        Self { roots, hidden }
    }

    /// One that no other explains, of several the one that takes most. What is explained only by something that is hidden
    /// itself goes where that goes.
    pub(super) fn of(&self, finding: &Finding) -> Option<&'a Finding> {
        self.root(finding).filter(|root| !root.spares(finding))
    }

    fn root(&self, finding: &Finding) -> Option<&'a Finding> {
        let mut hides = most(&self.hidden, finding);
        let mut root = most(&self.roots, finding);
        // Causes that explain each other in a ring have no root.
        for _ in 0..MOST_STEPS {
            if root.is_some() {
                return root;
            }
            root = most(&self.roots, hides?);
            hides = most(&self.hidden, hides?);
        }
        root
    }
}

fn most<'a>(among: &[&'a Finding], finding: &Finding) -> Option<&'a Finding> {
    let explaining = among.iter().filter(|cause| cause.explains(finding));
    explaining.max_by_key(|cause| cause.takes.len()).copied()
}

/// One incident's way under another, or out from under it.
pub(super) struct Move {
    pub(super) number: Number,
    pub(super) cause: Option<Number>,
}

/// Who is to go under whom now, and is not there yet.
pub(super) fn moves(
    incidents: &Incidents,
    findings: &[Finding],
    causes: &Causes<'_>,
    past: &Past,
    numbers: &Numbers<'_>,
    found: &BTreeSet<Number>,
) -> Vec<Move> {
    let places = Places::of(incidents);
    let cause_of = |finding: &Finding| {
        let cause = causes.of(finding)?;
        numbers.get(&cause.key()).copied()
    };
    let now = findings.iter().filter_map(|finding| {
        let number = *numbers.get(&finding.key())?;
        let was = places.under(number);
        let before = || match was {
            None => past.cause(finding, incidents, found),
            Some(_) => None,
        };
        let cause = cause_of(finding).or_else(before);
        let is_to_go = match cause {
            // It stands beside its cause, under the same.
            Some(cause) if was.is_some() && places.under(cause) == was => false,
            Some(_) => cause != was,
            // A cause that is open and not found now may only be out of sight: what it hides stays hidden.
            None => {
                was.is_some_and(|was| !incidents.open.contains_key(&was) || found.contains(&was))
            }
        };
        is_to_go.then_some(Move { number, cause })
    });
    let anew = past.told_anew(incidents, found);
    let before = anew.filter_map(|(number, last)| {
        let cause = Some(cause_of(last)?);
        Some(Move { number, cause })
    });
    now.chain(before).collect()
}

/// Where every incident stands. None of them ever stands under itself, whatever lies between.
pub(super) struct Places(BTreeMap<Number, Number>);

impl Places {
    pub(super) fn of(incidents: &Incidents) -> Self {
        let open = incidents.open();
        Self(
            open.filter_map(|open| Some((open.number, open.under?)))
                .collect(),
        )
    }

    fn under(&self, number: Number) -> Option<Number> {
        self.0.get(&number).copied()
    }

    pub(super) fn is_hidden(&self, number: Number) -> bool {
        self.0.contains_key(&number)
    }

    /// Whether it can go there, and is there now.
    pub(super) fn go(&mut self, number: Number, cause: Option<Number>) -> bool {
        let Some(cause) = cause else {
            self.0.remove(&number);
            return true;
        };
        let above = std::iter::successors(Some(cause), |step| self.under(*step));
        if above.take(self.0.len() + 1).any(|step| step == number) {
            return false;
        }
        self.0.insert(number, cause);
        true
    }
}
