//! Which transitions come next, from what the rules find now.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::{Causes, Move, Numbers, Places, moves};
use super::late;
use super::past::Past;
use super::{Closing, Incident, Incidents, MAX_OPEN, Number, RETURN_MS, Said, Step, Transition};
use crate::finding::{Finding, SETTLES_MS, Thing};
use crate::lease;
use crate::report::Facts as _;
use crate::rule::Scene;

/// How long a finding must not be there until it is over.
const CALM_MS: u64 = 30_000;
/// What came back so often within [`RETURN_MS`] flaps: it is over only after as long a calm.
const FLAPS: usize = 3;
/// Another sentence is written down at most this often, and another severity at once.
const CHANGES_EVERY_MS: u64 = 600_000;

/// A symptom waits so long at most for its cause to settle.
const CAUSE_SETTLES_MS: u64 = 60_000;

/// A cause ends after what it hides, so that no symptom is the last to stand; but it waits no longer than this.
const OUTLIVES_MS: u64 = 150_000;

/// So long a symptom must be without its cause until it stands by itself.
const LEAVES_MS: u64 = 12_000;

type Key = (&'static str, Thing);

/// How long anything must have been there until it opens an incident: what one thing broke arrives within this time.
pub const WINDOW_MS: u64 = 300;

/// What is remembered between two looks; gone after a restart, and nothing is lost by that.
#[derive(Debug, Clone)]
pub struct Watch {
    window_ms: u64,
    /// When the next of what has appeared has been there for long enough.
    settled_ms: Option<u64>,
    /// Since when it has been found without a break.
    found_ms: BTreeMap<Key, u64>,
    past: Past,
    /// Since when the rule does not find it, though all that it rests on is known.
    missing_ms: BTreeMap<Number, u64>,
    changed_ms: BTreeMap<Number, u64>,
    /// What the rule says now and was not written down, and since when.
    says_ms: BTreeMap<Number, (String, u64)>,
    /// Who would leave its cause, and since when.
    leaves_ms: BTreeMap<Number, u64>,
    /// How much of late history was told, and since when it is that much.
    told: BTreeMap<Number, (u64, u64)>,
    /// Findings that could not open an incident because there were too many.
    pub not_opened: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self::waiting(WINDOW_MS)
    }
}

impl Watch {
    /// One that opens nothing sooner than so long after it has appeared.
    pub fn waiting(window_ms: u64) -> Self {
        Self {
            window_ms,
            settled_ms: None,
            found_ms: BTreeMap::new(),
            past: Past::default(),
            missing_ms: BTreeMap::new(),
            changed_ms: BTreeMap::new(),
            says_ms: BTreeMap::new(),
            leaves_ms: BTreeMap::new(),
            told: BTreeMap::new(),
            not_opened: 0,
        }
    }

    /// When it is worth looking again, though nothing is heard.
    pub fn settled_ms(&self) -> Option<u64> {
        self.settled_ms
    }

    /// What is to be written down, in this order. The caller folds it once it is.
    pub fn look(
        &mut self,
        incidents: &Incidents,
        findings: &[Finding],
        scene: &Scene<'_>,
    ) -> Vec<Transition> {
        let now_ms = scene.now.mono_ms;
        let causes = Causes::among(findings);
        let (mut steps, numbers) = self.opened(incidents, findings, &causes, scene);
        self.past.see(findings, now_ms);
        let found = numbers.values().copied().collect();
        let moves = moves(incidents, findings, &causes, &self.past, &numbers, &found);
        self.past.remember(incidents, findings, &numbers, now_ms);
        steps.extend(self.settled(incidents, moves, scene));
        steps.extend(self.closed(incidents, &found, scene));
        let at_unix_ms = scene.now.unix_ms;
        let transition = |(number, step)| Transition {
            number,
            at_unix_ms,
            step,
        };
        steps.into_iter().map(transition).collect()
    }

    /// What opens, comes back or changes; and the incident of every finding that has one now.
    fn opened<'a>(
        &mut self,
        incidents: &Incidents,
        findings: &'a [Finding],
        causes: &Causes<'_>,
        scene: &Scene<'_>,
    ) -> (Vec<(Number, Step)>, Numbers<'a>) {
        let mut steps = Vec::new();
        let unsettled = self.unsettled(incidents, findings, causes, scene);
        let mut next = incidents.last();
        let mut numbers = Numbers::new();
        for finding in findings {
            let number = match incidents.about(finding.rule, &finding.subject) {
                Some(open) if open.is_open() => {
                    steps.extend(self.still(open, finding, scene));
                    open.number
                }
                _ if unsettled.contains(&finding.key()) => continue,
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
        (steps, numbers)
    }

    /// What is over.
    fn closed(
        &mut self,
        incidents: &Incidents,
        found: &BTreeSet<Number>,
        scene: &Scene<'_>,
    ) -> Vec<(Number, Step)> {
        let mut steps = Vec::new();
        let hides_what_ends = |cause: &Incident| {
            incidents
                .under(cause.number)
                .any(|hidden| !found.contains(&hidden.number))
        };
        for open in incidents.open() {
            if open.rule == late::RULE {
                if self.is_all_told(open, scene) {
                    let why = Closing::AllTold;
                    steps.push((open.number, Step::Closed { why }));
                }
            } else if found.contains(&open.number) {
                self.missing_ms.remove(&open.number);
            } else if let Some(why) = self.is_over(open, hides_what_ends(open), scene) {
                self.missing_ms.remove(&open.number);
                self.changed_ms.remove(&open.number);
                self.says_ms.remove(&open.number);
                steps.push((open.number, Step::Closed { why }));
            }
        }
        steps
    }

    /// Who goes under a cause does so at once. Who leaves one has to stay away from it for a while: nodes that come and go
    /// make causes that hold a little more or less. Until then nothing goes under it that it is under: nobody would see
    /// either of them.
    fn settled(
        &mut self,
        incidents: &Incidents,
        moves: Vec<Move>,
        scene: &Scene<'_>,
    ) -> Vec<(Number, Step)> {
        let now_ms = scene.now.mono_ms;
        let before = std::mem::take(&mut self.leaves_ms);
        let mut places = Places::of(incidents);
        let mut settled = Vec::new();
        for Move { number, cause } in moves {
            let since = before.get(&number).copied().unwrap_or(now_ms);
            let is_soon = now_ms < since.saturating_add(LEAVES_MS);
            if places.is_hidden(number) && is_soon {
                self.leaves_ms.insert(number, since);
            } else if places.go(number, cause) {
                settled.push((number, Step::Under { cause }));
            }
        }
        settled
    }

    /// What is not to open an incident yet: it has just appeared, or its cause has.
    fn unsettled<'a>(
        &mut self,
        incidents: &Incidents,
        findings: &'a [Finding],
        causes: &Causes<'_>,
        scene: &Scene<'_>,
    ) -> BTreeSet<(&'static str, &'a Thing)> {
        let now_ms = scene.now.mono_ms;
        let keys = findings
            .iter()
            .map(|finding| (finding.rule, finding.subject.clone()));
        let before = std::mem::take(&mut self.found_ms);
        let since = |key: Key| {
            let since = before.get(&key).copied().unwrap_or(now_ms);
            (key, since)
        };
        self.found_ms = keys.map(since).collect();
        let found_for_ms = |finding: &Finding| {
            let since = self.found_ms.get(&(finding.rule, finding.subject.clone()));
            since.map_or(0, |since| now_ms.saturating_sub(*since))
        };
        let is_open = |finding: &Finding| {
            let about = incidents.about(finding.rule, &finding.subject);
            about.is_some_and(Incident::is_open)
        };
        let settles_ms = |finding: &Finding| finding.settles_ms.max(self.window_ms);
        let is_settled = |finding: &Finding| found_for_ms(finding) >= settles_ms(finding);
        let will_be = findings
            .iter()
            .filter(|finding| !is_open(finding) && !is_settled(finding));
        let left_ms =
            will_be.map(|finding| settles_ms(finding).saturating_sub(found_for_ms(finding)));
        self.settled_ms = left_ms.min().map(|left_ms| now_ms.saturating_add(left_ms));
        let cause_settles = |finding: &Finding| {
            let cause = causes.of(finding);
            cause.is_some_and(|cause| !is_open(cause) && !is_settled(cause))
        };
        let waits = |finding: &&Finding| {
            !is_settled(finding)
                || (found_for_ms(finding) < CAUSE_SETTLES_MS && cause_settles(finding))
        };
        let unsettled = findings.iter().filter(waits);
        unsettled.map(Finding::key).collect()
    }

    fn still(
        &mut self,
        open: &Incident,
        finding: &Finding,
        scene: &Scene<'_>,
    ) -> Option<(Number, Step)> {
        let said = said(finding);
        if open.said == said {
            self.says_ms.remove(&open.number);
            return None;
        }
        let now_ms = scene.now.mono_ms;
        let last = self.changed_ms.get(&open.number);
        let is_soon = last.is_some_and(|last| now_ms < last.saturating_add(CHANGES_EVERY_MS));
        if open.said.severity == said.severity && is_soon {
            return None;
        }
        // What is on its way to yet another state is not worth a word; what never stands still is, now and then.
        let (words, since) = self
            .says_ms
            .entry(open.number)
            .or_insert((said.sentence.clone(), now_ms));
        if *words != said.sentence {
            let began = last.copied().unwrap_or(*since);
            (*words, *since) = (said.sentence.clone(), now_ms);
            if now_ms < began.saturating_add(CHANGES_EVERY_MS) {
                return None;
            }
        } else if now_ms < since.saturating_add(finding.settles_ms.max(SETTLES_MS)) {
            return None;
        }
        self.says_ms.remove(&open.number);
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

    fn is_over(
        &mut self,
        open: &Incident,
        hides_what_ends: bool,
        scene: &Scene<'_>,
    ) -> Option<Closing> {
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
        let waits = now_ms < since.saturating_add(OUTLIVES_MS) && hides_what_ends;
        let calm_ms = if open.returns_within(RETURN_MS, scene.now.unix_ms) >= FLAPS {
            RETURN_MS.unsigned_abs()
        } else {
            CALM_MS
        };
        (now_ms >= since.saturating_add(calm_ms) && !waits).then_some(Closing::NotFoundAnyMore)
    }
}

/// Whether all that the incident rests on is read and fresh. What rests on nothing can never be said to be over; leases
/// rest on what was decided.
fn is_known(open: &Incident, scene: &Scene<'_>) -> bool {
    if lease::RULES.contains(&open.rule.as_str()) {
        return scene.leases.is_some();
    }
    let is_read = |(node, family): &(_, _)| {
        let fresh = scene.node(node);
        let standing = fresh.as_ref().and_then(|node| node.fact(*family));
        standing.is_some_and(|fact| fact.standing().failed.is_none())
    };
    let rests_on = &open.said.rests_on;
    let mut others = rests_on
        .iter()
        .filter(|(node, _)| !scene.cluster.gone.contains(node));
    !rests_on.is_empty()
        && if open.said.is_over_by_any {
            others.any(is_read)
        } else {
            others.all(is_read)
        }
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
        is_over_by_any: finding.is_over_by_any,
        recalls: finding.recalls.clone(),
    }
}
