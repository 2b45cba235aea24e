//! What is to be done, and to which nodes.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::verdict::{Kind, Reason};
use crate::finding::Thing;
use crate::name::{NodeName, enumerated};
use crate::rule::Scene;
use crate::whatif::Part;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Reboot,
    Shutdown,
    /// It restarts corosync and pve-cluster, and ends in a reboot more often than not: judged like one.
    Upgrade,
    /// A change of the node's network, which may cut it off.
    Network,
}

impl Action {
    fn done(self) -> &'static str {
        match self {
            Self::Reboot => "rebooted",
            Self::Shutdown => "shut down",
            Self::Upgrade => "upgraded",
            Self::Network => "given another network",
        }
    }

    /// Whether the node's guests stop.
    pub(super) fn stops_guests(self) -> bool {
        !matches!(self, Self::Network)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reboot => "reboot",
            Self::Shutdown => "shutdown",
            Self::Upgrade => "upgrade",
            Self::Network => "network",
        })
    }
}

/// Several are judged as a set: all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub nodes: BTreeSet<NodeName>,
    /// What is done to the nodes.
    pub action: Action,
    /// What is taken down that is no node: a switch, a corosync network.
    #[serde(default)]
    pub things: BTreeSet<Part>,
}

impl Request {
    pub fn of_nodes(nodes: impl IntoIterator<Item = NodeName>, action: Action) -> Self {
        Self {
            nodes: nodes.into_iter().collect(),
            action,
            things: BTreeSet::new(),
        }
    }

    pub(super) fn names(&self) -> String {
        let nodes = self.nodes.iter().map(ToString::to_string);
        enumerated(nodes.chain(self.things.iter().map(ToString::to_string)))
    }

    /// `pve-03 may be rebooted`, `switch sw-a may be taken down`
    pub(super) fn done(&self) -> &'static str {
        if self.things.is_empty() {
            self.action.done()
        } else {
            "taken down"
        }
    }

    /// `the reboot of pve-03 leaves …`
    pub(super) fn deed(&self) -> String {
        if self.things.is_empty() {
            format!("{} of {}", self.action, self.names())
        } else {
            format!("loss of {}", self.names())
        }
    }

    /// All that is away meanwhile.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        let nodes = self.nodes.iter().cloned().map(Part::Node);
        nodes.chain(self.things.iter().cloned())
    }

    /// A name that nobody knows is a slip of the keyboard, and no harmless node.
    pub(super) fn unknown_nodes(&self, scene: &Scene<'_>) -> Vec<Reason> {
        let unknown = self
            .nodes
            .iter()
            .filter(|name| !scene.cluster.nodes.contains_key(*name));
        let known: Vec<&str> = scene.cluster.nodes.keys().map(NodeName::as_str).collect();
        let reason = |name: &NodeName| {
            let sentence = format!("the cluster has no node {name} that the collector knows of");
            Reason::missing(Kind::NoSuchNode, Thing::Node(name.clone()), sentence)
                .remedy(format!("Its nodes are {}.", known.join(", ")))
        };
        let mut reasons: Vec<Reason> = unknown.map(reason).collect();
        if self.nodes.is_empty() && self.things.is_empty() {
            let sentence = "no node is named".to_owned();
            reasons.push(Reason::missing(Kind::NoSuchNode, Thing::Cluster, sentence));
        }
        reasons
    }
}
