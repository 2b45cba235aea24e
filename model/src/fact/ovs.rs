//! Open vSwitch, as `ovs-vsctl show` prints its configuration database.
//!
//! That database says what is *configured*, and what ovs-vswitchd wrote back into it (`error`, `is_connected`,
//! `bfd_status`): it does not say which member of a bond carries traffic.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::word::words;

/// One Open vSwitch instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ovs {
    /// Of this database; another one after it was made anew (as Proxmox VE does at each boot).
    pub uuid: Option<String>,
    /// Written by ovs-vswitchd when it starts: unknown where it never ran on this database.
    pub version: Option<String>,
    pub managers: Vec<OvsTarget>,
    pub bridges: Vec<OvsBridge>,
    /// Every other column as it was written.
    pub other: BTreeMap<String, String>,
}

/// A manager (OVSDB) or a controller (OpenFlow).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsTarget {
    /// `tcp:10.0.0.9:6653`
    pub target: Option<String>,
    /// `ovs-vsctl show` prints it only while it is true.
    pub is_connected: Option<bool>,
    pub other: BTreeMap<String, String>,
}

/// A bridge; its name is unknown only where the line that holds it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsBridge {
    pub name: Option<String>,
    pub fail_mode: Option<FailMode>,
    /// `netdev` (user space) or `system` (kernel); the latter where the text is silent.
    pub datapath_type: Option<String>,
    pub controllers: Vec<OvsTarget>,
    pub ports: Vec<OvsPort>,
    pub other: BTreeMap<String, String>,
}

/// A port of a bridge: one interface, or a bond of several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsPort {
    pub name: Option<String>,
    /// The access (or native) VLAN, 0 to 4095. Without tag and trunks a port carries all VLANs.
    pub tag: Option<u16>,
    /// The VLANs of a trunk, 0 to 4095. `None`: the text does not limit them. A list of which an element could
    /// not be read holds the others.
    pub trunks: Option<Vec<u16>>,
    /// More than one: this port is a bond.
    pub interfaces: Vec<OvsInterface>,
    pub other: BTreeMap<String, String>,
}

/// An interface of a port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsInterface {
    /// Not always a network device of the kernel: patch ports have names of any length.
    pub name: Option<String>,
    /// A device of the system where the text is silent.
    pub kind: Option<OvsInterfaceKind>,
    /// `peer` of a patch port, `remote_ip` of a tunnel.
    pub options: BTreeMap<String, String>,
    /// Why ovs-vswitchd could not open it: the port is configured, but carries nothing.
    pub error: Option<String>,
    /// Bidirectional forwarding detection of a tunnel: `state`, `forwarding`.
    pub bfd_status: BTreeMap<String, String>,
    pub other: BTreeMap<String, String>,
}

words! {
    /// What a bridge does when no controller is connected.
    pub enum FailMode { Standalone = "standalone", Secure = "secure" }
}

words! {
    pub enum OvsInterfaceKind {
        System = "system",
        Internal = "internal",
        Patch = "patch",
        Tap = "tap",
        Vxlan = "vxlan",
        Gre = "gre",
        Geneve = "geneve",
        Stt = "stt",
        Lisp = "lisp",
        Dpdk = "dpdk",
    }
}
