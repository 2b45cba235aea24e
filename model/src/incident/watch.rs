//! Which transitions come next, from what the rules find now.

use std::collections::{BTreeMap, BTreeSet};

use super::late;
use super::{Closing, Incident, Incidents, MAX_OPEN, Number, Said, Step, Transition};
use crate::finding::{Finding, Thing};
use crate::report::Facts as _;
use crate::rule::Scene;

/// How long a finding must not be there until it is over.
const CALM_MS: u64 = 30_000;
/// What comes back within this time after it was over is the same incident.
const RETURN_MS: i64 = 600_000;
/// What came back so often within [`RETURN_MS`] flaps: it is over only after as long a calm.
const FLAPS: usize = 3;
/// Another sentence is written down at most this often, and another severity at once.
const CHANGES_EVERY_MS: u64 = 600_000;

/// What is remembered between two looks; gone after a restart, and nothing is lost by that.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Since when the rule does not find it, though all that it rests on is known.
    missing_ms: BTreeMap<Number, u64>,
    changed_ms: BTreeMap<Number, u64>,
    /// How much of late history was told, and since when it is that much.
    told: BTreeMap<Number, (u64, u64)>,
    /// Findings that could not open an incident because there were too many.
    pub not_opened: u64,
}

impl Watch {
    /// What is to be written down, in this order. The caller folds it once it is.
    pub fn look(
        &mut self,
        incidents: &Incidents,
        findings: &[Finding],
        scene: &Scene<'_>,
    ) -> Vec<Transition> {
        let mut steps = Vec::new();
        let mut next = incidents.last();
        let mut numbers: BTreeMap<(&str, &Thing), Number> = BTreeMap::new();
        for finding in findings {
            let number = match incidents.about(finding.rule, &finding.subject) {
                Some(open) if open.is_open() => {
                    steps.extend(self.still(open, finding, scene));
                    open.number
                }
                Some(over) if returns(over, scene) => {
                    let said = said(finding);
                    steps.push((over.number, Step::CameBack { said }));
                    over.number
                }
                _ => {
                    if incidents.open.len() + numbers.len() >= MAX_OPEN {
                        self.not_opened = self.not_opened.saturating_add(1);
                        continue;
                    }
                    next += 1;
                    steps.push((next, opened(finding)));
                    next
                }
            };
            numbers.insert(finding.key(), number);
        }
        steps.extend(causes(incidents, findings, &numbers));
        let found: BTreeSet<Number> = numbers.values().copied().collect();
        for open in incidents.open() {
            if open.rule == late::RULE {
                if self.is_all_told(open, scene) {
                    let why = Closing::AllTold;
                    steps.push((open.number, Step::Closed { why }));
                }
            } else if found.contains(&open.number) {
                self.missing_ms.remove(&open.number);
            } else if let Some(why) = self.is_over(open, scene) {
                self.missing_ms.remove(&open.number);
                self.changed_ms.remove(&open.number);
                steps.push((open.number, Step::Closed { why }));
            }
        }
        let at_unix_ms = scene.now.unix_ms;
        let transition = |(number, step)| Transition {
            number,
            at_unix_ms,
            step,
        };
        steps.into_iter().map(transition).collect()
    }

    fn still(
        &mut self,
        open: &Incident,
        finding: &Finding,
        scene: &Scene<'_>,
    ) -> Option<(Number, Step)> {
        let said = said(finding);
        if open.said == said {
            return None;
        }
        let now_ms = scene.now.mono_ms;
        let last = self.changed_ms.get(&open.number);
        let is_soon = last.is_some_and(|last| now_ms < last.saturating_add(CHANGES_EVERY_MS));
        if open.said.severity == said.severity && is_soon {
            return None;
        }
        self.changed_ms.insert(open.number, now_ms);
        Some((open.number, Step::Changed { said }))
    }

    fn is_all_told(&mut self, open: &Incident, scene: &Scene<'_>) -> bool {
        let (now_ms, told) = (scene.now.mono_ms, open.history.told);
        let seen = self.told.entry(open.number).or_insert((told, now_ms));
        if seen.0 != told {
            *seen = (told, now_ms);
        }
        let is_calm = now_ms >= seen.1.saturating_add(CALM_MS);
        if is_calm {
            self.told.remove(&open.number);
        }
        is_calm
    }

    fn is_over(&mut self, open: &Incident, scene: &Scene<'_>) -> Option<Closing> {
        let rests_on = &open.said.rests_on;
        let is_gone = |node| scene.cluster.gone.contains(node);
        if !rests_on.is_empty() && rests_on.iter().all(|(node, _)| is_gone(node)) {
            return Some(Closing::NodeGone);
        }
        if !is_known(open, scene) {
            self.missing_ms.remove(&open.number);
            return None;
        }
        let now_ms = scene.now.mono_ms;
        let since = *self.missing_ms.entry(open.number).or_insert(now_ms);
        let calm_ms = if open.returns_within(RETURN_MS, scene.now.unix_ms) >= FLAPS {
            RETURN_MS.unsigned_abs()
        } else {
            CALM_MS
        };
        (now_ms >= since.saturating_add(calm_ms)).then_some(Closing::NotFoundAnyMore)
    }
}

/// Whether all that the incident rests on is read and fresh. What rests on nothing can never be said to be over.
fn is_known(open: &Incident, scene: &Scene<'_>) -> bool {
    let is_read = |(node, family): &(_, _)| {
        let fresh = scene.node(node);
        let standing = fresh.as_ref().and_then(|node| node.fact(*family));
        standing.is_some_and(|fact| fact.standing().failed.is_none())
    };
    let rests_on = &open.said.rests_on;
    let mut others = rests_on
        .iter()
        .filter(|(node, _)| !scene.cluster.gone.contains(node));
    !rests_on.is_empty() && others.all(is_read)
}

fn returns(over: &Incident, scene: &Scene<'_>) -> bool {
    let closed = over.closed_unix_ms.unwrap_or_default();
    scene.now.unix_ms < closed.saturating_add(RETURN_MS)
}

fn opened(finding: &Finding) -> Step {
    Step::Opened {
        rule: finding.rule.to_owned(),
        subject: finding.subject.clone(),
        said: said(finding),
    }
}

fn said(finding: &Finding) -> Said {
    let rests_on = finding.evidence.iter();
    Said {
        severity: finding.severity,
        sentence: finding.sentence.clone(),
        rests_on: rests_on
            .map(|evidence| (evidence.node.clone(), evidence.family))
            .collect(),
    }
}

/// Who goes under whom: a cause that no other one explains, the one that takes most.
fn causes(
    incidents: &Incidents,
    findings: &[Finding],
    numbers: &BTreeMap<(&str, &Thing), Number>,
) -> Vec<(Number, Step)> {
    let is_hidden = |cause: &Finding| findings.iter().any(|other| other.explains(cause));
    let roots: Vec<&Finding> = findings
        .iter()
        .filter(|finding| !finding.takes.is_empty() && !is_hidden(finding))
        .collect();
    let mut steps = Vec::new();
    for finding in findings {
        let Some(number) = numbers.get(&finding.key()) else {
            continue;
        };
        let explaining = roots.iter().filter(|root| root.explains(finding));
        let cause = explaining
            .max_by_key(|root| root.takes.len())
            .and_then(|root| numbers.get(&root.key()).copied());
        let was = incidents.open.get(number).and_then(|open| open.under);
        if cause != was && (cause.is_some() || is_found(incidents, was, numbers)) {
            steps.push((*number, Step::Under { cause }));
        }
    }
    steps
}

/// A cause that is open and not found now may only be out of sight: what it hides stays hidden.
fn is_found(
    incidents: &Incidents,
    cause: Option<Number>,
    numbers: &BTreeMap<(&str, &Thing), Number>,
) -> bool {
    cause.is_none_or(|cause| {
        !incidents.open.contains_key(&cause) || numbers.values().any(|number| *number == cause)
    })
}
