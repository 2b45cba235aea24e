//! What Proxmox VE is doing on this node, and what it did: the lists of its tasks below `/var/log/pve/tasks`.
//!
//! A migration is a task of the node that the guest leaves; the node that it comes to has no task, and sees only the
//! guest's lock there. Replication is no task at all (see [`crate::fact::storage`]).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::word::words;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    /// Those that have no end in the list, the newest first. Whether such a one still runs, only its process tells.
    pub running: Vec<RunningTask>,
    /// The newest that have ended, the newest first.
    pub ended: Vec<EndedTask>,
    /// How many more the lists held than are kept here.
    pub left_out: usize,
    /// `None`: the list of those that ended could not be read.
    pub backups: Option<Backups>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTask {
    #[serde(flatten)]
    pub task: Task,
    /// Is its process there, with the start time that the list names? A task that was killed stays in the list as if
    /// it ran. `None`: not known, as in a captured tree.
    pub alive: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedTask {
    #[serde(flatten)]
    pub task: Task,
    pub ended: Option<Timestamp>,
    /// `None`: the list says nothing of it.
    pub outcome: Option<Outcome>,
}

/// What a UPID says, by which Proxmox VE names a task: `UPID:node:pid:pstart:starttime:type:id:user:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub node: String,
    pub pid: u32,
    /// When its process started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub pid_start: u64,
    pub started: Timestamp,
    pub kind: TaskKind,
    /// The guest, storage or service that it is about; `None` where it is about none, or about several.
    pub id: Option<String>,
    pub user: String,
}

impl Task {
    /// The guest that it is about, if it is about one.
    pub fn guest(&self) -> Option<u32> {
        self.id.as_deref()?.parse().ok()
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    /// It ended well, with so many warnings.
    Warnings(u32),
    /// It failed, with what it said last.
    Failed(String),
}

/// The backups that the index of tasks tells of. One that was made from elsewhere (of the storage, inside of the guest,
/// on another node) is not in it: what is missing here is "no backup seen", and never "no backup".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backups {
    /// The end of the oldest task in the lists: nothing is known of what was before. `None`: there is none at all.
    pub seen_since: Option<Timestamp>,
    /// When each guest's newest successful backup ended. Only where the task was for one guest.
    pub newest_of_guest: BTreeMap<u32, Timestamp>,
    /// The newest successful job for several guests; which ones, only the log of that task says.
    pub newest_of_several: Option<Timestamp>,
    /// The newest backup that failed.
    pub newest_failed: Option<EndedTask>,
}

impl Backups {
    /// Takes in what an older or a newer list tells.
    pub fn merge(&mut self, other: Self) {
        self.seen_since = match (self.seen_since, other.seen_since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        for (guest, ended) in other.newest_of_guest {
            let newest = self.newest_of_guest.entry(guest).or_insert(ended);
            *newest = ended.max(*newest);
        }
        self.newest_of_several = self.newest_of_several.max(other.newest_of_several);
        let end = |task: &Option<EndedTask>| task.as_ref().and_then(|task| task.ended);
        if end(&other.newest_failed) > end(&self.newest_failed) {
            self.newest_failed = other.newest_failed;
        }
    }
}

words! {
    /// What a task does.
    pub enum TaskKind {
        Backup = "vzdump",
        MigrateVm = "qmigrate",
        MigrateContainer = "vzmigrate",
        /// HA was asked to migrate; the migration itself is a task of its own.
        HaMigrate = "hamigrate",
        MigrateAll = "migrateall",
        StartAll = "startall",
        StopAll = "stopall",
        SuspendAll = "suspendall",
        StartVm = "qmstart",
        StopVm = "qmstop",
        ShutDownVm = "qmshutdown",
        RebootVm = "qmreboot",
        ResetVm = "qmreset",
        SuspendVm = "qmsuspend",
        ResumeVm = "qmresume",
        StartContainer = "vzstart",
        StopContainer = "vzstop",
        ShutDownContainer = "vzshutdown",
        RebootContainer = "vzreboot",
        CreateVm = "qmcreate",
        DestroyVm = "qmdestroy",
        RestoreVm = "qmrestore",
        CloneVm = "qmclone",
        MoveDisk = "qmmove",
        SnapshotVm = "qmsnapshot",
        CreateContainer = "vzcreate",
        DestroyContainer = "vzdestroy",
        RestoreContainer = "vzrestore",
        CloneContainer = "vzclone",
        SnapshotContainer = "vzsnapshot",
        UpdatePackageLists = "aptupdate",
        ReloadNetwork = "srvreload",
        RestartService = "srvrestart",
        Console = "vncshell",
        GuestConsole = "vncproxy",
        TerminalProxy = "termproxy",
    }
}

impl TaskKind {
    pub fn is_migration(&self) -> bool {
        matches!(
            self,
            Self::MigrateVm | Self::MigrateContainer | Self::HaMigrate | Self::MigrateAll
        )
    }

    /// Does a reboot of the node, while it runs, break something that somebody waits for? Someone's open console does
    /// not count, nor does fetching lists of packages. Whatever is not known does.
    pub fn minds_a_reboot(&self) -> bool {
        !matches!(
            self,
            Self::Console | Self::GuestConsole | Self::TerminalProxy | Self::UpdatePackageLists
        )
    }
}
