//! What the HA manager says: its own summary (`ha-manager status`), each node's local manager (`lrm_status`), and
//! the cluster's manager (`manager_status`).
//!
//! Without quorum nobody writes these files, and reading them gives yesterday without an error: judge them by the
//! time stamps inside.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fact::ha_config::HaConfig;
use crate::name::NodeName;
use crate::word::words;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ha {
    /// `ha-manager status`; `None` if it was not asked, or is not there.
    pub status: Option<HaStatus>,
    /// Each node's `lrm_status`. A node that is missing here could not be read or never had one: its watchdog is
    /// [`Armed::Unknown`].
    pub lrm: BTreeMap<NodeName, LrmStatus>,
    /// `/etc/pve/ha/manager_status`; `None` where HA was never used.
    pub manager: Option<ManagerStatus>,
    #[serde(default)]
    pub config: HaConfig,
}

impl Ha {
    /// Whether this node's LRM holds a watchdog, by what was last written of it.
    pub fn armed(&self, node: &NodeName) -> Armed {
        let services = self
            .manager
            .as_ref()
            .and_then(|manager| manager.active_services(node));
        let Some(lrm) = self.lrm.get(node) else {
            return Armed::Unknown;
        };
        match lrm.armed(services) {
            // Written while the LRM let go. The manager says `disarmed` only when all have.
            Armed::Unknown if lrm.mode == Some(LrmMode::Disarm) && self.is_disarmed() => Armed::No,
            armed => armed,
        }
    }

    /// Does the manager say that no node of the cluster would reset itself?
    fn is_disarmed(&self) -> bool {
        let disarm = self
            .manager
            .as_ref()
            .and_then(|manager| manager.disarm.as_ref());
        disarm.is_some_and(|disarm| disarm.state == Some(FencingState::Disarmed))
    }
}

/// Would a node reset itself when it loses quorum?
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Armed {
    Yes,
    No,
    /// Not known, which has to be treated as armed.
    Unknown,
}

/// One node's local resource manager, as it wrote of itself: `/etc/pve/nodes/NODE/lrm_status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LrmStatus {
    pub mode: Option<LrmMode>,
    pub state: Option<LrmState>,
    /// When it was written: every 10 s or so while the node is quorate.
    pub timestamp: Option<Timestamp>,
    /// What became of commands, by their ids.
    pub results: BTreeMap<String, LrmResult>,
    /// Keys that this version does not know.
    pub other: BTreeMap<String, Value>,
}

impl LrmStatus {
    /// Whether the LRM held its watchdog when it wrote this. How old that is, is the caller's to judge.
    ///
    /// The LRM opens the watchdog with its lock and closes it when it gives the lock back, so the state decides:
    /// a mode (`shutdown`, `restart`) only says what is meant to come. In mode `disarm` an active LRM is about to let go,
    /// or has: that alone is not certain. In maintenance it keeps both until the last active service has left;
    /// `active_services` is how many this node has, `None` if that is not known.
    pub fn armed(&self, active_services: Option<usize>) -> Armed {
        let in_maintenance =
            self.mode == Some(LrmMode::Maintenance) || self.state == Some(LrmState::Maintenance);
        match &self.state {
            Some(LrmState::Active) if self.mode == Some(LrmMode::Disarm) => Armed::Unknown,
            Some(LrmState::Active | LrmState::LostAgentLock) => Armed::Yes,
            Some(LrmState::WaitForAgentLock | LrmState::Maintenance) if in_maintenance => {
                match active_services {
                    Some(0) => Armed::No,
                    Some(_) => Armed::Yes,
                    None => Armed::Unknown,
                }
            }
            Some(LrmState::WaitForAgentLock) => Armed::No,
            Some(LrmState::Maintenance | LrmState::Other(_)) | None => Armed::Unknown,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LrmResult {
    pub service: Option<String>,
    pub state: Option<ServiceState>,
    pub exit_code: Option<i64>,
}

/// The cluster's manager as the master wrote it: `/etc/pve/ha/manager_status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerStatus {
    pub master_node: Option<NodeName>,
    pub timestamp: Option<Timestamp>,
    pub node_status: BTreeMap<NodeName, HaNodeState>,
    /// By `vm:100`, `ct:101`. `None` if the file has none, or none that can be read.
    pub service_status: Option<BTreeMap<String, HaService>>,
    /// What is asked of nodes: `{"pve1": {"maintenance": 1}}`.
    pub node_request: BTreeMap<NodeName, BTreeMap<String, Value>>,
    /// Since HA manager 5.2: HA is being disarmed or is disarmed in the whole cluster.
    pub disarm: Option<Disarm>,
    /// Keys that this version does not know.
    pub other: BTreeMap<String, Value>,
}

impl ManagerStatus {
    /// How many services keep this node's LRM active, counted as the LRM does: stopped, frozen and erroneous ones
    /// do not. One whose node or state could not be read counts on every node. `None` if that is not known.
    pub fn active_services(&self, node: &NodeName) -> Option<usize> {
        let services = self.service_status.as_ref()?.values();
        let active = services.filter(|service| {
            let here = service.node.as_ref().is_none_or(|at| at == node);
            let idle = matches!(
                service.state,
                Some(ServiceState::Stopped | ServiceState::Freeze | ServiceState::Error)
            );
            here && !idle
        });
        Some(active.count())
    }
}

/// `disarm`: `{"mode": "freeze", "state": "disarmed"}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disarm {
    /// What happens to services meanwhile: `freeze` or `ignore`.
    pub mode: Option<String>,
    pub state: Option<FencingState>,
    pub other: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaService {
    pub node: Option<NodeName>,
    pub state: Option<ServiceState>,
    pub uid: Option<String>,
    pub running: Option<bool>,
    /// Where it is migrated or relocated to.
    pub target: Option<NodeName>,
    pub failed_nodes: Vec<String>,
    /// Where it returns to when that node's maintenance ends.
    pub maintenance_node: Option<NodeName>,
    pub other: BTreeMap<String, Value>,
}

/// What `ha-manager status` prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaStatus {
    /// `quorum OK`, or `quorum No quorum on node 'pve1'!`
    pub quorate: Option<bool>,
    /// The words behind `quorum`.
    pub quorum: Option<String>,
    pub master: Option<MasterLine>,
    /// Since HA manager 5.2.
    pub fencing: Option<FencingLine>,
    pub lrms: Vec<LrmLine>,
    pub services: Vec<ServiceLine>,
    /// The JSON that `ha-manager status --verbose` adds.
    pub full: Option<FullStatus>,
}

/// `master pve1 (active, Wed Nov 23 11:07:23 2016)`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterLine {
    pub node: NodeName,
    pub state: Option<HaManagerState>,
    /// In the node's own time zone, which the tool does not print.
    pub local_time: Option<DateTime>,
    /// What stands behind the bracket: `dynamic load CRS (load imbalance: 2.9%)`.
    pub note: Option<String>,
}

/// `fencing armed (CRM watchdog active)`, `fencing disarmed, resource mode: freeze (CRM watchdog released)`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencingLine {
    pub state: FencingState,
    /// `freeze` or `ignore`.
    pub resource_mode: Option<String>,
    pub crm_watchdog: Option<Watchdog>,
}

/// `lrm pve1 (idle, watchdog standby, Wed Aug 19 17:22:54 2026)`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LrmLine {
    pub node: NodeName,
    pub state: Option<HaManagerState>,
    /// Since HA manager 5.2. The tool says `standby` of a node in `lost_agent_lock`, which is armed.
    pub watchdog: Option<Watchdog>,
    /// In the node's own time zone, which the tool does not print.
    pub local_time: Option<DateTime>,
}

/// `service vm:100 (pve1, started)`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceLine {
    /// `vm:100`, `ct:101`
    pub id: String,
    /// `None` where the tool prints `---`: its guest is on no node.
    pub node: Option<NodeName>,
    pub state: Option<ServiceState>,
    /// What else stands in the bracket.
    pub note: Option<String>,
}

/// What `ha-manager status --verbose` prints below `full cluster state:`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullStatus {
    /// The node on which the tool ran.
    pub node: Option<NodeName>,
    pub quorate: Option<bool>,
    pub manager: Option<ManagerStatus>,
    pub lrm: BTreeMap<NodeName, LrmStatus>,
}

words! {
    pub enum LrmMode {
        Active = "active",
        Restart = "restart",
        Shutdown = "shutdown",
        Maintenance = "maintenance",
        Disarm = "disarm",
    }
}

words! {
    pub enum LrmState {
        Active = "active",
        WaitForAgentLock = "wait_for_agent_lock",
        LostAgentLock = "lost_agent_lock",
        /// Holds lock and watchdog until the last active service has left the node.
        Maintenance = "maintenance",
    }
}

words! {
    /// How the tool puts mode, state and age of a manager into one word.
    pub enum HaManagerState {
        Active = "active",
        Idle = "idle",
        WaitForAgentLock = "wait_for_agent_lock",
        LostAgentLock = "lost_agent_lock",
        Maintenance = "maintenance mode" | "maintenance",
        Restart = "restart mode",
        Shutdown = "shutdown mode",
        Disarm = "disarm mode",
        /// Not written for 30 s.
        OldTimestamp = "old timestamp - dead?",
        /// Written more than 2 s in the future.
        TimeDrift = "detected time drift!",
        Unreadable = "unable to read lrm status",
    }
}

words! {
    pub enum FencingState {
        Armed = "armed",
        /// No master is active.
        Standby = "standby",
        Disarming = "disarming",
        Disarmed = "disarmed",
    }
}

words! {
    pub enum Watchdog { Active = "active", Standby = "standby", Released = "released" }
}

words! {
    /// What the CRM holds of a node.
    pub enum HaNodeState {
        Online = "online",
        Maintenance = "maintenance",
        /// Gone from the membership, not yet fenced.
        Unknown = "unknown",
        Fence = "fence",
        Gone = "gone",
    }
}

words! {
    /// The state of a service, of the CRM (`manager_status`) or in the tool's words.
    pub enum ServiceState {
        Started = "started",
        Stopped = "stopped",
        Starting = "starting",
        Stopping = "stopping",
        RequestStart = "request_start",
        RequestStartBalance = "request_start_balance",
        RequestStop = "request_stop" | "request stop",
        Migrate = "migrate",
        Relocate = "relocate",
        Freeze = "freeze",
        Fence = "fence",
        Recovery = "recovery",
        Error = "error",
        ClearingError = "clearing error flag",
        Disabled = "disabled",
        Ignored = "ignored" | "ignore",
        /// Not yet seen by the CRM.
        Queued = "queued",
        Deleting = "deleting",
        NotFound = "not found",
    }
}
