//! How high availability is configured: which guests it keeps running and where it may, and what it does with them when
//! a node is shut down.

use serde::{Deserialize, Serialize};

use crate::name::NodeName;
use crate::word::words;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaConfig {
    /// `resources.cfg`; `None` where it is not there or could not be read.
    pub resources: Option<Vec<HaResource>>,
    /// `groups.cfg`, until Proxmox VE 9 made rules of them.
    pub groups: Option<Vec<HaGroup>>,
    /// `rules.cfg`, since Proxmox VE 9.
    pub rules: Option<Vec<HaRule>>,
    /// `None` where there is no `datacenter.cfg`, which means: everything as by default.
    pub datacenter: Option<Datacenter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaResource {
    /// `vm:100`, `ct:101`.
    pub id: String,
    pub group: Option<String>,
    /// What is asked for; `None`: started.
    pub state: Option<RequestedState>,
    pub max_restart: Option<u32>,
    pub max_relocate: Option<u32>,
    /// Does it return to a node that it likes better, when that comes back?
    pub failback: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaGroup {
    pub id: String,
    /// With their priorities; higher is better.
    pub nodes: Vec<(NodeName, Option<u32>)>,
    /// It may run on these nodes only: without one of them it stops.
    pub restricted: bool,
    pub no_failback: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaRule {
    pub id: String,
    pub kind: HaRuleKind,
    /// `vm:100`, `ct:101`.
    pub resources: Vec<String>,
    pub disabled: bool,
    /// Of a rule about nodes, with their priorities.
    pub nodes: Vec<(NodeName, Option<u32>)>,
    /// Of a rule about nodes: on these nodes only.
    pub strict: bool,
    /// Of a rule about resources: together, or apart.
    pub affinity: Option<Affinity>,
}

/// What is read of `datacenter.cfg`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datacenter {
    /// What a shutdown of a node does with its services; `None`: [`ShutdownPolicy::Conditional`].
    pub shutdown_policy: Option<ShutdownPolicy>,
    pub migration_type: Option<String>,
    /// The network that guests are migrated over, as a CIDR; `None`: the one that the node's name leads to.
    pub migration_network: Option<String>,
    pub replication_network: Option<String>,
    /// How many guests are started, stopped or migrated at a time.
    pub max_workers: Option<u32>,
    /// `basic`, `static`: how HA chooses a node.
    pub scheduler: Option<String>,
    /// `watchdog`, or one of the two that were never finished.
    pub fencing: Option<String>,
}

words! {
    pub enum RequestedState {
        Started = "started" | "enabled",
        Stopped = "stopped",
        Disabled = "disabled",
        Ignored = "ignored",
    }
}

words! {
    pub enum HaRuleKind {
        NodeAffinity = "node-affinity",
        ResourceAffinity = "resource-affinity",
    }
}

words! {
    pub enum Affinity {
        /// Together on one node.
        Positive = "positive",
        /// Each on a node of its own.
        Negative = "negative",
    }
}

words! {
    pub enum ShutdownPolicy {
        /// They stop, and stay on the node until it is back.
        Freeze = "freeze",
        /// They stop, and other nodes take them.
        Failover = "failover",
        /// Frozen for a reboot, taken over after a shutdown.
        Conditional = "conditional",
        /// They are moved away first. One that cannot move holds the shutdown up for ever.
        Migrate = "migrate",
    }
}
