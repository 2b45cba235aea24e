//! What operators accept as it is, until a day that they name: a loss that they know of, or a condition that stands, is a
//! note then.
//!
//! Only what is *seen* can be accepted ([`KINDS`]): were a reading that is missing accepted, forgetting it would make a GO. Nor can
//! votes, another lease, or a node that would not come back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::clock;
use crate::finding::Thing;
use crate::gate::Kind;

/// The kinds of reasons that can be accepted.
pub const KINDS: &[Kind] = &[Kind::NodeDown, Kind::Redundancy, Kind::NoBackupSeen];
/// The rules whose losses can be: of a path, as it stands. What they tell of votes, of a watchdog or of a split is never accepted.
pub const RULES: &[&str] = &[
    "switch-down",
    "bond-no-active-port",
    "bond-ports-missing",
    "bond-no-lacp-partner",
    "bond-port-churned",
    "bond-degraded",
    "link-hung",
    "bridge-without-port",
    "corosync-network-down",
    "corosync-link-down",
    "corosync-one-way-link",
];
/// What stands for longer is looked at again once a year.
pub const MAX_ACCEPTED_S: i64 = 366 * 86_400;
/// How many are accepted at once.
pub const MAX_ACCEPTED: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    pub kind: Kind,
    pub subject: Thing,
    /// Of a path: what was told of it, word for word. One more port that is gone, or another one, is news.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<String>,
    pub by: String,
    pub reason: String,
    pub until_unix_ms: i64,
}

impl Acceptance {
    /// `accepted until 2027-01-31 00:00 UTC by operator anna: a spare, switched off`
    pub fn words(&self) -> String {
        format!(
            "accepted until {} by {}: {}",
            clock(self.until_unix_ms),
            self.by,
            self.reason
        )
    }

    /// `node-down of pve-08 is accepted until …`
    pub fn sentence(&self) -> String {
        let Self { kind, subject, .. } = self;
        format!("{} of {subject} is {}", kind.name(), self.words())
    }
}

/// All that is accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Acceptance>", into = "Vec<Acceptance>")]
pub struct Accepted(BTreeMap<(Kind, Thing), Acceptance>);

impl From<Vec<Acceptance>> for Accepted {
    fn from(all: Vec<Acceptance>) -> Self {
        let keyed = |one: Acceptance| ((one.kind, one.subject.clone()), one);
        Self(all.into_iter().map(keyed).collect())
    }
}

impl From<Accepted> for Vec<Acceptance> {
    fn from(accepted: Accepted) -> Self {
        accepted.0.into_values().collect()
    }
}

impl Accepted {
    /// The one that covers this now.
    pub fn of(
        &self,
        (kind, subject): &(Kind, Thing),
        sentence: &str,
        now_unix_ms: i64,
    ) -> Option<&Acceptance> {
        let acceptance = self.0.get(&(*kind, subject.clone()))?;
        let is_meant = *kind != Kind::Redundancy || acceptance.told.contains(sentence);
        let counts = KINDS.contains(kind) && is_meant && acceptance.until_unix_ms > now_unix_ms;
        counts.then_some(acceptance)
    }

    /// Those whose time is not over.
    pub fn at(&self, now_unix_ms: i64) -> impl Iterator<Item = &Acceptance> {
        let all = self.0.values();
        all.filter(move |one| one.until_unix_ms > now_unix_ms)
    }

    /// Whether one more of this is too many; in the place of one that is there it never is.
    pub fn is_full_for(&self, kind: Kind, subject: &Thing, now_unix_ms: i64) -> bool {
        let is_there = self.0.contains_key(&(kind, subject.clone()));
        !is_there && self.at(now_unix_ms).count() >= MAX_ACCEPTED
    }

    pub(super) fn take(&mut self, acceptance: &Acceptance, at_unix_ms: i64) {
        self.0.retain(|_, one| one.until_unix_ms > at_unix_ms);
        let key = (acceptance.kind, acceptance.subject.clone());
        self.0.insert(key, acceptance.clone());
    }

    pub(super) fn take_back(&mut self, kind: Kind, subject: &Thing) {
        self.0.remove(&(kind, subject.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degraded() -> (Kind, Thing) {
        (Kind::Redundancy, Thing::Switch("sw-a".to_owned()))
    }

    fn accepted(key: &(Kind, Thing), told: &[&str]) -> Accepted {
        let acceptance = Acceptance {
            kind: key.0,
            subject: key.1.clone(),
            told: told.iter().map(ToString::to_string).collect(),
            by: "operator anna".to_owned(),
            reason: "the new one comes in May".to_owned(),
            until_unix_ms: 2_000,
        };
        let mut accepted = Accepted::default();
        accepted.take(&acceptance, 1_000);
        accepted
    }

    #[test]
    fn it_covers_what_it_names_until_its_time_is_over() {
        let key = degraded();
        let accepted = accepted(&key, &["sw-a is down"]);
        let covers = |sentence, at| accepted.of(&key, sentence, at).is_some();
        assert!(covers("sw-a is down", 1_999));
        assert!(!covers("sw-a is down", 2_000));
        assert!(!covers("sw-a is down, and more of it", 1_500));
        let other = (Kind::Redundancy, Thing::Switch("sw-b".to_owned()));
        assert!(accepted.of(&other, "sw-a is down", 1_500).is_none());
    }

    #[test]
    fn what_is_not_in_the_table_is_never_covered() {
        for kind in Kind::ALL.iter().filter(|kind| !KINDS.contains(kind)) {
            let key = (*kind, Thing::Cluster);
            assert!(accepted(&key, &[""]).of(&key, "", 1_500).is_none());
        }
    }

    #[test]
    fn what_is_over_makes_room() {
        let mut accepted = accepted(&degraded(), &[]);
        assert_eq!(accepted.at(1_500).count(), 1);
        assert_eq!(accepted.at(2_000).count(), 0);
        let (kind, subject) = (Kind::NodeDown, Thing::Cluster);
        let next = Acceptance {
            kind,
            subject: subject.clone(),
            until_unix_ms: 9_000,
            ..accepted.0.values().next().unwrap().clone()
        };
        accepted.take(&next, 3_000);
        assert_eq!(accepted.0.len(), 1);
        accepted.take_back(kind, &subject);
        assert_eq!(accepted, Accepted::default());
    }
}
