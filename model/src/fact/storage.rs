//! The cluster's storages as they are configured, where each was seen active, and replication between nodes that share
//! none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::NodeName;
use crate::word::words;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// `storage.cfg`; `None` where it is not there or could not be read. Without the file Proxmox VE has the one storage
    /// `local`.
    pub configured: Option<Vec<StorageConfig>>,
    /// What the nodes told of their storages in the last minutes. `None`: pmxcfs could not be asked.
    pub seen: Option<Vec<StorageSeen>>,
    /// Jobs that copy a guest's disks to another node. `None`: they could not be read.
    pub replication: Option<Vec<ReplicationJob>>,
    /// How this node's jobs went. `None`: that could not be read.
    pub replicated: Option<Vec<ReplicationState>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageConfig {
    pub id: String,
    pub kind: StorageKind,
    /// `images`, `rootdir`, `iso`, `backup`.
    pub content: Vec<String>,
    /// The nodes that have it; `None`: all.
    pub nodes: Option<Vec<NodeName>>,
    pub disabled: bool,
    /// As written; see [`Self::is_shared`].
    pub shared: Option<bool>,
    /// Where it is, if it is not on the node: it can be out of reach.
    pub server: Option<String>,
    pub path: Option<String>,
    /// It is active only if something is mounted at its path (`is_mountpoint`).
    pub needs_mount: bool,
}

impl StorageConfig {
    /// Do all nodes that have it see the same? `None`: of a kind that is not known here, it is not said.
    pub fn is_shared(&self) -> Option<bool> {
        match &self.kind {
            StorageKind::Other(_) => self.shared,
            kind if kind.is_remote() => Some(true),
            _ => Some(self.shared == Some(true)),
        }
    }

    pub fn is_for(&self, node: &NodeName) -> bool {
        !self.disabled && self.nodes.as_ref().is_none_or(|nodes| nodes.contains(node))
    }
}

/// One line of pmxcfs' `.rrd`: a node tells this of each storage that is active there, every 10 s or so, and pmxcfs
/// forgets it after five minutes. A storage that is missing here is not active there, or nobody there could tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageSeen {
    pub node: NodeName,
    pub storage: String,
    /// By the clock of that node.
    pub at: Option<Timestamp>,
    pub total_bytes: Option<u64>,
    pub used_bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationJob {
    /// `100-0`
    pub id: String,
    pub guest: Option<u32>,
    pub target: Option<NodeName>,
    pub source: Option<NodeName>,
    /// `None`: every 15 minutes.
    pub schedule: Option<String>,
    pub disabled: bool,
    /// It is being taken away.
    pub removed: bool,
}

/// What a node holds of a job that it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationState {
    pub guest: u32,
    /// `local/pve-02`: the kind of job and its target node.
    pub target: String,
    /// The start of the newest one that went well; `None`: there was none.
    pub last_sync: Option<Timestamp>,
    pub last_try: Option<Timestamp>,
    /// How often in a row it has failed.
    pub fail_count: Option<u32>,
    pub error: Option<String>,
    /// It runs, if this process still does.
    pub pid: Option<u32>,
}

words! {
    pub enum StorageKind {
        Directory = "dir",
        Btrfs = "btrfs",
        Lvm = "lvm",
        LvmThin = "lvmthin",
        Zfs = "zfspool",
        Nfs = "nfs",
        Cifs = "cifs",
        Glusterfs = "glusterfs",
        Cephfs = "cephfs",
        Rbd = "rbd",
        Iscsi = "iscsi",
        IscsiDirect = "iscsidirect",
        ZfsOverIscsi = "zfs",
        BackupServer = "pbs",
        Esxi = "esxi",
    }
}

impl StorageKind {
    /// Of its nature the same for all nodes, whatever the file says.
    fn is_remote(&self) -> bool {
        !matches!(
            self,
            Self::Directory | Self::Btrfs | Self::Lvm | Self::LvmThin | Self::Zfs | Self::Other(_)
        )
    }
}
