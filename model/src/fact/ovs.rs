//! Open vSwitch: its configuration database, as `ovs-vsctl show` prints it, and what ovs-vswitchd knows of its bonds.
//!
//! The database says what is *configured*, and what ovs-vswitchd wrote back into it (`error`, `is_connected`,
//! `bfd_status`): only ovs-vswitchd itself knows which members of a bond carry traffic.

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
    /// As ovs-vswitchd says; `None` where it was not asked, or did not answer.
    #[serde(default)]
    pub bonds: Option<Vec<OvsBond>>,
    /// Every other column as it was written.
    pub other: BTreeMap<String, String>,
}

impl Ovs {
    /// Rows by their names, and `is_connected` only where it is true, as `ovs-vsctl show` prints it: for comparing what
    /// was read in different ways.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let only_true = |targets: &mut Vec<OvsTarget>| {
            for target in targets.iter_mut() {
                target.is_connected = target.is_connected.filter(|connected| *connected);
            }
            targets.sort_by(|a, b| a.target.cmp(&b.target));
        };
        only_true(&mut self.managers);
        self.bridges.sort_by(|a, b| a.name.cmp(&b.name));
        for bridge in &mut self.bridges {
            only_true(&mut bridge.controllers);
            bridge.ports.sort_by(|a, b| a.name.cmp(&b.name));
            for port in &mut bridge.ports {
                port.interfaces.sort_by(|a, b| a.name.cmp(&b.name));
            }
        }
        self
    }
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

/// A bond, as ovs-vswitchd runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsBond {
    pub name: String,
    pub mode: Option<OvsBondMode>,
    pub lacp_status: Option<OvsLacpStatus>,
    /// The one that carries what is not balanced; `None` where none does.
    pub active_member: Option<String>,
    pub members: Vec<OvsBondMember>,
}

impl OvsBond {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mode: None,
            lacp_status: None,
            active_member: None,
            members: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsBondMember {
    pub name: String,
    /// It carries traffic.
    pub enabled: Option<bool>,
    /// Carrier and LACP allow it to; it is enabled after the up delay.
    pub may_enable: Option<bool>,
}

words! {
    pub enum OvsBondMode {
        BalanceSlb = "balance-slb",
        BalanceTcp = "balance-tcp",
        ActiveBackup = "active-backup",
    }
}

words! {
    pub enum OvsLacpStatus {
        Off = "off",
        /// Nobody answers.
        Configured = "configured",
        Negotiated = "negotiated",
    }
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
