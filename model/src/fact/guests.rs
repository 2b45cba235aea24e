//! The guests of this node, as their files below `/etc/pve/nodes/NODE` say they will run, and whether they run now.
//!
//! What decides whether a guest can move is here as it is written: where its disks are, which bridges and VLANs it wants,
//! which of the host's devices it holds. Whether a disk's storage is shared, the storage's own fact says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fact::hardware_address::HardwareAddress;
use crate::name::{NodeName, VlanId};
use crate::word::words;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guests {
    /// Those of this node, by their ids.
    pub here: Vec<Guest>,
    /// How many guests each node of the cluster has, this one too; `None` where pmxcfs' list could not be had.
    pub of_nodes: Option<BTreeMap<NodeName, u32>>,
    /// How many guests of this node were not read, because there are more than are kept.
    pub left_out: usize,
    /// The guest of this node that corosync.conf's qnetd is in: this node's neighbour table has qnetd's address with the
    /// hardware address of one of the guest's network cards. `None`: not found, which does not say that it is elsewhere.
    pub with_qnetd: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    pub id: u32,
    pub kind: GuestKind,
    /// Does it run now? `None`: not known, as in a captured tree.
    pub running: Option<bool>,
    /// `None`: its file could not be read.
    pub config: Option<GuestConfig>,
}

impl Guest {
    /// Of its network cards.
    pub fn hardware_addresses(&self) -> impl Iterator<Item = &HardwareAddress> {
        let nets = self.config.iter().flat_map(|config| &config.nets);
        nets.filter_map(|net| net.hardware_address.as_ref())
    }
}

/// A guest's file, up to its first section: what stands below `[name]` is a snapshot or a change that waits for the
/// next start, and not the guest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestConfig {
    /// A machine's `name`, a container's `hostname`.
    pub name: Option<String>,
    pub memory_mib: Option<u64>,
    pub sockets: Option<u32>,
    /// For each socket of a machine, all together for a container.
    pub cores: Option<u32>,
    /// The model of processor that a machine sees; `host` ties it to nodes with the same one.
    pub cpu: Option<String>,
    /// Is it started with the node?
    pub on_boot: Option<bool>,
    /// In which order, and how long its stop may take: `order=1,up=30,down=120`.
    pub startup: Option<String>,
    /// What is being done to it: nothing else may be meanwhile.
    pub lock: Option<Lock>,
    pub template: bool,
    pub protection: Option<bool>,
    /// A script that is run at start and stop; it lies on a storage that the target of a migration needs too.
    pub hookscript: Option<String>,
    pub disks: Vec<Disk>,
    pub nets: Vec<GuestNet>,
    pub passthrough: Vec<Passthrough>,
    /// Options of QEMU itself (`args`) or of LXC (`lxc.…`) are set. What they say is not kept.
    pub raw_options: bool,
    pub snapshots: u32,
    /// Changes wait for the next start.
    pub pending: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// `scsi0`, `rootfs`, `mp1`, `efidisk0`, `unused0`.
    pub slot: String,
    /// The storage that it lies on; `None` for a device or a directory of the node itself, and for an empty drive.
    pub storage: Option<String>,
    /// What it is on its storage, or the device or directory of the node.
    pub volume: Option<String>,
    pub cdrom: bool,
    /// The operator says that a device or a directory is the same on every node.
    pub shared: bool,
    /// `None`: not said, which means yes.
    pub replicate: Option<bool>,
    pub backup: Option<bool>,
    /// As written: `32G`.
    pub size: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestNet {
    /// `net0`
    pub slot: String,
    pub hardware_address: Option<HardwareAddress>,
    /// `None`: QEMU's own user network.
    pub bridge: Option<String>,
    pub vlan: Option<VlanId>,
    /// The VLANs that the guest tags itself: `10;20-30`.
    pub trunks: Option<String>,
    pub mtu: Option<u32>,
    pub link_down: bool,
    pub firewall: bool,
}

/// A device of the host that a guest holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passthrough {
    /// `hostpci0`, `usb1`, `serial0`, `dev0`.
    pub slot: String,
    /// The name of a mapping of the cluster, which can name a device on each node.
    pub mapping: Option<String>,
    /// Or the device of this node: `0000:01:00.0`, `1234:5678`, `/dev/dri/renderD128`.
    pub device: Option<String>,
}

words! {
    pub enum GuestKind {
        Machine = "qemu",
        Container = "lxc",
    }
}

words! {
    /// Who holds a guest.
    pub enum Lock {
        Backup = "backup",
        Clone = "clone",
        Create = "create",
        /// It is on its way to this node or from it: a migration is a task of the node that it leaves.
        Migrate = "migrate",
        Rollback = "rollback",
        Snapshot = "snapshot",
        SnapshotDelete = "snapshot-delete",
        Suspending = "suspending",
        Suspended = "suspended",
        Disk = "disk",
        Mounted = "mounted",
        Destroyed = "destroyed",
        Fstrim = "fstrim",
    }
}

/// `/etc/pve/.vmlist`: which guest is on which node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestList {
    /// Counts the changes of the list and of every guest's file since pmxcfs started.
    pub version: Option<u64>,
    pub guests: BTreeMap<u32, ListedGuest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedGuest {
    pub node: NodeName,
    pub kind: GuestKind,
    /// Another one after each write to the guest's file, and never the same again while pmxcfs runs.
    pub version: Option<u64>,
}
