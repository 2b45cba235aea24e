//! Which steps of the lease come next, from what is seen. What is remembered here is gone after a restart, and then time
//! begins anew: a lease ends later by that, and never sooner.

use std::collections::BTreeMap;

use super::accepted::Acceptance;
use super::healthy::{Reboot, has_rebooted, is_member, is_removed, missing};
use super::{Lease, Leases, Number, State, Step, Transition};
use crate::finding::{Finding, Thing};
use crate::gate::{self, Kind, Request};
use crate::rule::Scene;

/// So long all must be well without a break.
pub const SETTLES_MS: u64 = 30_000;
/// So long what a lease was granted on must be gone until it is withdrawn: nodes tell of one thing at different moments.
const GROUND_MS: u64 = 6_000;
/// So long what was accepted must not be told any more until it is over: what flaps comes back, and what a node does not tell for a
/// moment is not mended.
const UNTOLD_MS: u64 = 600_000;
/// The whole gate is asked for it: not with every word of a node.
const GROUND_EVERY_MS: u64 = 1_000;

#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Whose it is.
    lease: Number,
    /// Since when nothing is missing.
    well_ms: Option<u64>,
    /// Since when something stands against it, before the nodes have left.
    against_ms: Option<u64>,
    /// When that was looked at last.
    judged_ms: Option<u64>,
    /// Since when nothing is told of what was accepted.
    untold_ms: BTreeMap<(Kind, Thing), u64>,
}

impl Watch {
    /// What is to be written down, in this order. The caller folds it once it is.
    pub fn look(
        &mut self,
        leases: &Leases,
        found: &[Finding],
        scene: &Scene<'_>,
    ) -> Vec<Transition> {
        let over = self.over(leases, found, scene);
        let Some(lease) = leases.current() else {
            self.forget();
            return over;
        };
        if self.lease != lease.number {
            self.forget();
            self.lease = lease.number;
        }
        let mut steps = Vec::new();
        if scene.now.unix_ms >= lease.until_unix_ms() && !lease.is_overdue {
            steps.push(Step::Overdue);
        }
        steps.extend(self.next(lease, found, scene));
        let at_unix_ms = scene.now.unix_ms;
        let transition = |step| Transition {
            number: lease.number,
            at_unix_ms,
            step,
        };
        steps.into_iter().map(transition).chain(over).collect()
    }

    /// What is remembered of a lease.
    fn forget(&mut self) {
        let untold_ms = std::mem::take(&mut self.untold_ms);
        *self = Self {
            untold_ms,
            ..Self::default()
        };
    }

    /// What was accepted and is over: the next time it is news.
    fn over(&mut self, leases: &Leases, found: &[Finding], scene: &Scene<'_>) -> Vec<Transition> {
        let (at_unix_ms, now_ms) = (scene.now.unix_ms, scene.now.mono_ms);
        let mut before = std::mem::take(&mut self.untold_ms);
        let mut over = Vec::new();
        for one in leases.accepted().at(at_unix_ms) {
            let key = (one.kind, one.subject.clone());
            let is_over = match is_there(one, found, scene) {
                Some(false) if one.kind == Kind::Redundancy => {
                    let since = before.remove(&key).unwrap_or(now_ms);
                    self.untold_ms.insert(key.clone(), since);
                    now_ms.saturating_sub(since) >= UNTOLD_MS
                }
                Some(is_there) => !is_there,
                None => false,
            };
            if is_over {
                let (kind, subject) = key;
                let by = None;
                over.push(Transition {
                    number: 0,
                    at_unix_ms,
                    step: Step::TakenBack { kind, subject, by },
                });
            }
        }
        over
    }

    /// For how long nothing has been missing.
    pub fn well_for_ms(&self, now_ms: u64) -> Option<u64> {
        self.well_ms.map(|since| now_ms.saturating_sub(since))
    }

    fn next(&mut self, lease: &Lease, found: &[Finding], scene: &Scene<'_>) -> Vec<Step> {
        let nodes = &lease.grant.nodes;
        if nodes.iter().all(|node| is_removed(scene, node)) {
            let words = format!("{} is not part of the cluster any more", lease.names());
            return vec![Step::Ended { by: None, words }];
        }
        let is_well = missing(scene, lease, Reboot::AsPlanned).is_empty();
        let now_ms = scene.now.mono_ms;
        self.well_ms = is_well.then(|| self.well_ms.unwrap_or(now_ms));
        let has_settled = self.well_for_ms(now_ms).is_some_and(|ms| ms >= SETTLES_MS);
        let is_away = nodes
            .iter()
            .any(|node| is_member(scene, node) == Some(false));
        let is_changed = nodes.iter().any(|node| has_rebooted(scene, lease, node));
        let have_changed = nodes.iter().all(|node| has_rebooted(scene, lease, node));
        let is_back = |node| scene.node(node).is_some() && is_member(scene, node) == Some(true);
        let are_back = nodes
            .iter()
            .all(|node| is_back(node) || is_removed(scene, node));
        match lease.state {
            State::Granted | State::Withdrawn if is_away || is_changed => vec![Step::Departed],
            State::Granted => self.ground(lease, found, scene).into_iter().collect(),
            State::Departed if are_back => vec![Step::Back],
            State::Back | State::Settled if is_away => vec![Step::Departed],
            State::Back if has_settled => settled(lease, have_changed),
            State::Settled if !is_well => vec![Step::Back],
            State::Withdrawn
            | State::Departed
            | State::Back
            | State::Settled
            | State::Ended
            | State::Broken => Vec::new(),
        }
    }

    /// Withdrawn when something about the others has stood against it for a while: that its own nodes are on their way, and
    /// their guests with them, is what the lease is for, and what stood against it already is no news.
    fn ground(&mut self, lease: &Lease, found: &[Finding], scene: &Scene<'_>) -> Option<Step> {
        let nodes = lease.grant.nodes.iter().cloned();
        let request = Request::of_nodes(nodes, lease.grant.action);
        let now_ms = scene.now.mono_ms;
        let is_soon = |at_ms: u64| now_ms < at_ms.saturating_add(GROUND_EVERY_MS);
        if self.judged_ms.is_some_and(is_soon) {
            return None;
        }
        self.judged_ms = Some(now_ms);
        let verdict = gate::check_as_holder(scene, found, &request);
        let mut reasons = verdict.reasons.iter();
        let other = reasons.find(|reason| {
            reason.is_about_others(&request) && !lease.grant.stood_against.contains(&reason.key())
        });
        let Some(why) = other.map(|reason| reason.sentence.clone()) else {
            self.against_ms = None;
            return None;
        };
        let since = *self.against_ms.get_or_insert(now_ms);
        let has_lasted = now_ms.saturating_sub(since) >= GROUND_MS;
        has_lasted.then_some(Step::Withdrawn { why })
    }
}

/// It ends by itself if all its nodes did what they were to do, and nobody wants to look first. Of a node that was silent when
/// it was taken nobody knows whether it did.
fn settled(lease: &Lease, have_changed: bool) -> Vec<Step> {
    let mut steps = vec![Step::Settled];
    if have_changed && !lease.grant.waits_for_end {
        let words = format!("{} is back and healthy", lease.names());
        steps.push(Step::Ended { by: None, words });
    }
    steps
}

/// Whether what was accepted is still so; `None` where that is not seen, or has no end but its time.
fn is_there(one: &Acceptance, found: &[Finding], scene: &Scene<'_>) -> Option<bool> {
    match (one.kind, &one.subject) {
        (Kind::NodeDown, Thing::Node(node)) => is_member(scene, node).map(|is_member| !is_member),
        (Kind::Redundancy, subject) => {
            let node = match subject {
                Thing::Node(node) | Thing::Iface(node, _) | Thing::Vlan(node, _, _) => Some(node),
                _ => None,
            };
            let is_seen = node.is_none_or(|node| scene.node(node).is_some());
            let mut told = found.iter().filter(|found| found.subject == *subject);
            let is_told = told.any(|found| one.told.contains(&found.sentence));
            (is_seen || is_told).then_some(is_told)
        }
        _ => None,
    }
}
