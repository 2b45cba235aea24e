//! What ceph says of itself: health, monitors, OSDs, placement groups, and whether daemons may be stopped.
//!
//! These are facts of the ceph cluster, not of one node; the node is only the one that asked. A part is `None`
//! where no answer speaks of it.

use serde::{Deserialize, Serialize};

use crate::word::words;

/// All that the answers of one node say, put together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceph {
    pub fsid: Option<String>,
    /// `12.2.8-52.el7cp`; only `ceph report` states it.
    pub version: Option<String>,
    pub health: Option<Health>,
    pub quorum: Option<MonQuorum>,
    pub osds: Option<Osds>,
    pub pgs: Option<Pgs>,
    pub manager: Option<Manager>,
    /// All daemons of the cluster with their hosts; `None` where no answer lists them.
    pub daemons: Option<Vec<Daemon>>,
    pub ok_to_stop: Vec<OkToStop>,
}

/// `ceph health`: one word, and what it stands on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `None` where ceph stated none, or none that could be read: never to be taken for `HEALTH_OK`.
    pub status: Option<HealthStatus>,
    pub checks: Vec<HealthCheck>,
    /// Lines of detail that belong to no check in particular (before luminous).
    pub detail: Vec<String>,
    /// The codes of checks that somebody has muted: `HEALTH_OK` may stand above a muted error.
    pub mutes: Vec<String>,
}

/// One thing that ceph complains of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `MON_DOWN`, `OSD_NEARFULL`. `None` before luminous and in the one-line form, where checks have no names.
    pub name: Option<String>,
    pub severity: Option<HealthStatus>,
    pub summary: Option<String>,
    /// How many daemons, groups or pools are concerned (since octopus).
    pub count: Option<u64>,
    pub detail: Vec<String>,
    pub muted: Option<bool>,
}

/// The monitors and who of them is in the quorum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonQuorum {
    /// The monitors in the quorum. `None`: no answer said; `[]`: ceph said that nobody is.
    pub names: Option<Vec<String>>,
    /// The same by rank.
    pub ranks: Option<Vec<u32>>,
    pub leader: Option<String>,
    /// All monitors that there should be: half of them and one more are needed.
    pub monmap: Option<Vec<Mon>>,
    /// How many there should be, where only their number is said (`ceph status` since nautilus).
    pub monitors: Option<u32>,
    pub monmap_epoch: Option<u64>,
    /// Odd while an election runs, raised by each.
    pub election_epoch: Option<u64>,
    pub quorum_age_seconds: Option<u64>,
}

/// One monitor of the monmap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mon {
    pub name: Option<String>,
    pub rank: Option<u32>,
    pub address: Option<String>,
}

/// How many OSDs there are, run, and hold data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Osds {
    pub epoch: Option<u64>,
    pub total: Option<u64>,
    pub up: Option<u64>,
    pub r#in: Option<u64>,
    /// A full OSD stops all writes. Before nautilus in the map; since then the checks `OSD_FULL`, `OSD_NEARFULL`.
    pub full: Option<bool>,
    pub nearfull: Option<bool>,
    pub remapped_pgs: Option<u64>,
    /// Flags of the map, where they are listed: `noout`, `norebalance`.
    pub flags: Option<Vec<String>>,
}

/// The placement groups and the space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pgs {
    pub total: Option<u64>,
    pub by_state: Vec<PgState>,
    pub data_bytes: Option<u64>,
    pub used_bytes: Option<u64>,
    pub available_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
    pub degraded_objects: Option<u64>,
    pub misplaced_objects: Option<u64>,
    pub unfound_objects: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PgState {
    /// `active+clean`, `active+undersized+degraded`
    pub state: Option<String>,
    pub count: Option<u64>,
}

/// The manager daemon, without which statistics and `ok-to-stop` are stale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    pub available: Option<bool>,
    pub active: Option<String>,
    pub standbys: Option<u64>,
}

/// A daemon as the monitors know it, whether it runs or not. One that never ran is not known to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    pub kind: DaemonKind,
    /// `3` of osd.3, `pve-01` of mon.pve-01.
    pub id: String,
    /// The name of the host's kernel, where it ran last: on Proxmox VE that of the node.
    pub host: String,
}

/// Ceph's answer to "may these daemons be stopped?", as of the moment it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OkToStop {
    /// `None` where neither the answer nor the name of the file says which daemons were asked about.
    pub what: Option<DaemonKind>,
    pub ids: Vec<String>,
    /// `None`: ceph could not say, or contradicts itself. It says yes even for monitors that it does not know.
    pub ok: Option<bool>,
    /// Ceph's own words.
    pub text: String,
    pub not_ok_pgs: Option<u64>,
    /// Placement groups that would become inactive, or are: by id.
    pub inactive_pgs: Vec<String>,
}

words! {
    pub enum HealthStatus {
        Ok = "HEALTH_OK",
        Warn = "HEALTH_WARN" | "WRN",
        Err = "HEALTH_ERR" | "ERR",
    }
}

words! {
    pub enum DaemonKind { Osd = "osd", Mon = "mon", Mds = "mds", Mgr = "mgr" }
}
