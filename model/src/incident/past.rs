//! What incidents were when they were found last. A rule tells of one loss in other words as it grows or heals (all links
//! of a node, then some pairs), and a cause may be gone before all that it took has come back.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::Numbers;
use super::{Incidents, Number};
use crate::finding::{Finding, Thing};

#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// What is open, as it was found last, and when.
    last: BTreeMap<Number, (Finding, u64)>,
    /// By the rule that tells of it, in whatever words.
    lost: BTreeMap<&'static str, BTreeMap<Thing, Lost>>,
}

/// That a thing is lost.
#[derive(Debug, Clone)]
struct Lost {
    since_ms: u64,
    seen_ms: u64,
}

impl Past {
    /// These things are lost now.
    pub(super) fn see(&mut self, findings: &[Finding], now_ms: u64) {
        for finding in findings {
            let things = self.lost.entry(finding.rule).or_default();
            for thing in &finding.symptoms {
                if let Some(lost) = things.get_mut(thing) {
                    lost.seen_ms = now_ms;
                } else {
                    let lost = Lost {
                        since_ms: now_ms,
                        seen_ms: now_ms,
                    };
                    things.insert(thing.clone(), lost);
                }
            }
        }
        self.lost.retain(|_, things| {
            things.retain(|_, lost| lost.seen_ms == now_ms);
            !things.is_empty()
        });
    }

    /// What is found now stands for what is open.
    pub(super) fn remember(
        &mut self,
        incidents: &Incidents,
        findings: &[Finding],
        numbers: &Numbers<'_>,
        now_ms: u64,
    ) {
        self.last
            .retain(|number, _| incidents.open.contains_key(number));
        for finding in findings {
            let Some(number) = numbers.get(&finding.key()) else {
                continue;
            };
            match self.last.get_mut(number) {
                Some((last, at_ms)) if last == finding => *at_ms = now_ms,
                _ => drop(self.last.insert(*number, (finding.clone(), now_ms))),
            }
        }
    }

    /// The open incident that is not found any more, and was the cause of this when it began.
    pub(super) fn cause(
        &self,
        finding: &Finding,
        incidents: &Incidents,
        found: &BTreeSet<Number>,
    ) -> Option<Number> {
        let lost = self.lost.get(finding.rule)?;
        let since_ms = |thing| lost.get(thing).map(|lost| lost.since_ms);
        let began_ms = finding.symptoms.iter().filter_map(since_ms).max()?;
        let mut causes = self.alone(incidents, found);
        let cause = causes.find(|(_, (last, at_ms))| began_ms <= *at_ms && last.explains(finding));
        cause.map(|(number, _)| number)
    }

    /// Open incidents that are not found any more because their rule tells of all that they are the loss of in other words.
    pub(super) fn told_anew<'a>(
        &'a self,
        incidents: &'a Incidents,
        found: &'a BTreeSet<Number>,
    ) -> impl Iterator<Item = (Number, &'a Finding)> {
        let is_lost = |last: &Finding| {
            let lost = self.lost.get(last.rule);
            lost.is_some_and(|lost| last.symptoms.iter().all(|thing| lost.contains_key(thing)))
        };
        let alone = self.alone(incidents, found);
        alone
            .filter(move |(_, (last, _))| is_lost(last))
            .map(|(number, (last, _))| (number, last))
    }

    /// Those that nothing hides, and that are not found now.
    fn alone<'a>(
        &'a self,
        incidents: &'a Incidents,
        found: &'a BTreeSet<Number>,
    ) -> impl Iterator<Item = (Number, &'a (Finding, u64))> {
        let is_alone = |number| {
            let open = incidents.open.get(number);
            open.is_some_and(|open| open.under.is_none())
        };
        let all = self.last.iter();
        all.filter(move |(number, _)| is_alone(number) && !found.contains(number))
            .map(|(number, last)| (*number, last))
    }
}
