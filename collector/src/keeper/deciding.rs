//! Which collector decides for the cluster, by what the agents were told elsewhere and hand on.
//!
//! One agent that was told of another is enough: whether it lies cannot be known, and the answer of a collector that is
//! not sure to decide is UNKNOWN, which harms nobody. A node that was revoked is not listened to.

use std::collections::BTreeMap;

use model::name::NodeName;
use proto::v1;

use super::{AUTHORITY_TOLD_EVERY_MS, Now, Own};
use crate::authority::contests;

#[derive(Debug)]
struct Told {
    authority: v1::Authority,
    is_contest: bool,
}

#[derive(Debug)]
pub(super) struct Deciding {
    told: BTreeMap<NodeName, Told>,
    contests: usize,
    /// What the agents were told last of whether this collector decides, and when a change was told.
    said: bool,
    said_ms: Option<u64>,
}

impl Deciding {
    pub(super) fn new(own: &Own) -> Self {
        Self {
            told: BTreeMap::new(),
            contests: 0,
            said: own.is_authority,
            said_ms: None,
        }
    }

    /// What a node was told, as its last Hello said it. An observer is told of another authority, as it should be.
    pub(super) fn told(&mut self, node: &NodeName, told: Option<v1::Authority>, own: &Own) {
        self.no_longer_told(node);
        if let Some(authority) = told {
            let own = own.authority();
            let is_contest = own.is_some_and(|own| contests(&own, &authority));
            self.contests += usize::from(is_contest);
            let told = Told {
                authority,
                is_contest,
            };
            self.told.insert(node.clone(), told);
        }
    }

    pub(super) fn no_longer_told(&mut self, node: &NodeName) {
        if let Some(before) = self.told.remove(node) {
            self.contests -= usize::from(before.is_contest);
        }
    }

    pub(super) fn is_contested(&self) -> bool {
        self.contests > 0
    }

    pub(super) fn is_contested_by(&self, node: &NodeName) -> bool {
        self.told.get(node).is_some_and(|told| told.is_contest)
    }

    /// Who decides, if all that were told of the highest epoch were told of the same collector.
    pub(super) fn agreed(&self) -> Option<v1::Authority> {
        let all = || self.told.values().map(|told| &told.authority);
        let highest = all().max_by_key(|told| told.epoch)?;
        let is_agreed = all().all(|told| told.epoch < highest.epoch || told == highest);
        is_agreed.then(|| highest.clone())
    }

    /// Whether the agents must be told now; asked with how it is.
    pub(super) fn take_news(&mut self, is_authority: bool, now: Now) -> bool {
        let is_due = self
            .deadline_ms(is_authority)
            .is_some_and(|at_ms| at_ms <= now.mono_ms);
        if is_due {
            (self.said, self.said_ms) = (is_authority, Some(now.mono_ms));
        }
        is_due
    }

    /// When they must be told at the latest, if they must.
    pub(super) fn deadline_ms(&self, is_authority: bool) -> Option<u64> {
        let soonest_ms = self
            .said_ms
            .map_or(0, |at_ms| at_ms.saturating_add(AUTHORITY_TOLD_EVERY_MS));
        (self.said != is_authority).then_some(soonest_ms)
    }
}
