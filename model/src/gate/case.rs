//! What is asked, before the cluster as it is now.

use std::collections::BTreeSet;

use super::Request;
use super::verdict::{Kind, Reason, Seen};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Thing};
use crate::lease::accepted::Acceptance;
use crate::name::NodeName;
use crate::report::{Facts as _, Family};
use crate::rule::Scene;
use crate::rule::membership::{all_have, names};

pub(super) struct Case<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) request: &'a Request,
    /// Whether it is asked by who holds the lease of these nodes.
    pub(super) is_holder: bool,
    /// All nodes that are heard.
    pub(super) heard: Vec<FreshNode<'a>>,
}

impl<'a> Case<'a> {
    pub(super) fn new(scene: &'a Scene<'a>, request: &'a Request, is_holder: bool) -> Self {
        Self {
            scene,
            request,
            is_holder,
            heard: scene.nodes().collect(),
        }
    }

    pub(super) fn is_target(&self, node: &NodeName) -> bool {
        self.request.nodes.contains(node)
    }

    /// The nodes asked about that are heard.
    pub(super) fn targets(&self) -> impl Iterator<Item = &FreshNode<'a>> {
        self.heard.iter().filter(|node| self.is_target(node.name()))
    }

    /// Those asked about that are known and not heard.
    pub(super) fn silent_targets(&self) -> impl Iterator<Item = &'a NodeName> {
        let nodes = self.request.nodes.iter();
        nodes.filter(|name| {
            self.scene.cluster.nodes.contains_key(*name) && self.node(name).is_none()
        })
    }

    /// The nodes that stay and are heard.
    pub(super) fn others(&self) -> impl Iterator<Item = &FreshNode<'a>> {
        self.heard
            .iter()
            .filter(|node| !self.is_target(node.name()))
    }

    pub(super) fn node(&self, name: &NodeName) -> Option<&FreshNode<'a>> {
        self.heard.iter().find(|node| node.name() == name)
    }

    /// The nodes of the nodelist. Where the nodes do not have the same one, whoever stands in any of them may not be
    /// missing.
    pub(super) fn names(&self) -> BTreeSet<(u32, NodeName)> {
        let confs = self.heard.iter();
        let confs = confs.filter_map(|node| node.corosync_conf()?.local.as_ref());
        confs.flat_map(names).collect()
    }

    /// Whether it is a member; `None` if the quorate nodes do not agree, or nobody says.
    pub(super) fn is_member(&self, id: u32) -> Option<bool> {
        all_have(&self.heard, id)
    }

    /// All who are heard and quorate say that it is no member.
    pub(super) fn is_out(&self, name: &NodeName) -> bool {
        let mut names = self.names().into_iter();
        let id = names.find(|(_, known)| known == name).map(|(id, _)| id);
        id.is_some_and(|id| self.is_member(id) == Some(false))
    }

    /// Who accepted this, if somebody did and its time is not over.
    pub(super) fn accepted(&self, key: &(Kind, Thing), sentence: &str) -> Option<&'a Acceptance> {
        let leases = self.scene.leases?;
        leases.accepted().of(key, sentence, self.scene.now.unix_ms)
    }

    pub(super) fn seen(
        &self,
        node: &FreshNode<'_>,
        family: Family,
        words: impl Into<String>,
    ) -> Option<Seen> {
        let held = node.node.held(family)?;
        Some(Seen {
            node: node.name().clone(),
            family: family.key(),
            words: words.into(),
            age_ms: held.age_ms(self.scene.now),
        })
    }

    /// What a rule found, as a reason: page, chat and terminal say the same.
    pub(super) fn told(&self, reason: Reason, found: &Finding) -> Reason {
        let seen = found.evidence.iter().filter_map(|seen| {
            let node = self.node(&seen.node)?;
            self.seen(node, seen.family, seen.words.clone())
        });
        let seen: Vec<Seen> = seen.collect();
        reason
            .found_by(found.rule)
            .seen(seen)
            .remedy(found.remedy.clone())
            .way_back(found.way_back.clone())
    }

    /// Known, fresh, and nothing of it could not be read: a file that was left out can hold the very thing that forbids it.
    pub(super) fn is_whole(&self, node: &FreshNode<'_>, family: Family) -> bool {
        node.fact(family).is_some_and(|fact| {
            let standing = fact.standing();
            standing.known && standing.problems.is_empty()
        })
    }

    /// It was looked for and is not there, which is knowledge; a family that failed, is old or was never told is not.
    pub(super) fn is_absent(&self, node: &FreshNode<'_>, family: Family) -> bool {
        node.fact(family)
            .is_some_and(|fact| *fact == family.absent())
    }
}
