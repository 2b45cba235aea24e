//! What `/etc/network/interfaces` says shall be: not what is running, but what the next `ifreload` or boot makes of
//! it. Names here are plain texts, because Proxmox VE 9 allows alternative names (`altname`) in the file, and those
//! may be longer than an interface name.

use core::net::IpAddr;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fact::bond::{BondMode, LacpRate};
use crate::fact::hardware_address::HardwareAddress;
use crate::name::VlanId;
use crate::word::words;

/// The configurations of a node's network: the one in force and the one that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interfaces {
    /// `/etc/network/interfaces` and the files that it names; `None` if it is not there or cannot be read.
    pub current: Option<Configuration>,
    /// `/etc/network/interfaces.new` and the files that it names. Proxmox VE puts it in the place of `interfaces`
    /// when it is applied in the GUI, and *at the next boot* if nobody does. `None`: nothing waits, or the file cannot
    /// be read (then a problem says so).
    pub pending: Option<Configuration>,
    /// Files in `/etc/network/interfaces.d` that no `source` line of the current configuration names: they are
    /// not in force. Where `current` is `None`, whether they are is unknown.
    pub not_sourced: Option<Configuration>,
}

/// What one or several files say together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The files, below the root, in the order in which they were read.
    pub files: Vec<String>,
    /// One for each name, in the order in which the names are first mentioned.
    pub interfaces: Vec<Interface>,
    pub sources: Vec<Source>,
    pub mappings: Vec<Mapping>,
    /// Lines that are in no stanza. A line at the left margin behind a blank line is listed here too, because
    /// Proxmox VE's own editor takes it for one, although ifupdown gives it to the stanza above.
    pub outside: Vec<String>,
    /// Comments that are in no stanza, without the `#`.
    pub comments: Vec<String>,
}

impl Configuration {
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|known| known.name == name)
    }
}

/// `source PATTERN` or `source-directory DIR`, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file that holds the line, below the root.
    pub file: String,
    /// Counted from 1.
    pub line_number: usize,
    /// `source-directory`, which ifupdown knows and ifupdown2 does not.
    pub directory: bool,
    pub pattern: String,
}

/// `mapping PATTERN...` of ifupdown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    pub patterns: Vec<String>,
    pub options: Vec<ConfOption>,
}

/// Everything that the files say about one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub name: String,
    /// `auto` or `allow-auto`: it comes up at boot.
    pub auto: bool,
    /// The classes of its other `allow-CLASS` lines: `hotplug`, `ovs`, `vmbr0`.
    pub allow: BTreeSet<String>,
    /// `iface` stanzas in the order of the files. None: it is only mentioned in an `auto` or `allow-` line.
    pub stanzas: Vec<Stanza>,
    pub mtu_bytes: Option<u32>,
    pub addresses: Vec<ConfAddress>,
    pub gateways: Vec<IpAddr>,
    /// `hwaddress`; `None` also for `hwaddress random`.
    pub mac: Option<HardwareAddress>,
    /// `pre-up`, `post-up` and their like, in the order of the files.
    pub commands: Vec<Hook>,
    pub bond: Option<ConfBond>,
    /// `bond-master`, by which a port names its bond (ifenslave).
    pub bond_master: Option<String>,
    pub bridge: Option<ConfBridge>,
    /// On a bridge: the VLANs of every port that has none of its own. On a port: its own.
    pub bridge_vlans: Option<ConfBridgeVlans>,
    pub vlan: Option<ConfVlan>,
    pub ovs: Option<ConfOvs>,
}

/// One `iface` stanza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stanza {
    /// The file that holds it, below the root.
    pub file: String,
    /// `None` where ifupdown2's short form `iface NAME` stands.
    pub family: Option<Family>,
    pub method: Option<Method>,
    pub inherits: Option<String>,
    /// Every option in the order of the file, those that are read into the fields of [`Interface`] too. Keys are
    /// written with `-`: ifupdown takes `bridge_ports` and `bridge-ports` for the same.
    pub options: Vec<ConfOption>,
    /// Comment lines among the options, without the `#`; Proxmox VE shows them as the interface's comment.
    pub comments: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfOption {
    pub key: String,
    pub value: String,
}

/// A command that runs when the interface goes up or down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// `pre-up`, `up`, `post-up`, `pre-down`, `down`, `post-down`
    pub phase: String,
    pub command: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfAddress {
    pub address: IpAddr,
    /// From `address X/24` or from `netmask`.
    pub prefix_length: Option<u8>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfBond {
    /// Empty also where `bond-slaves none` stands, as ifenslave wants it.
    pub slaves: Vec<String>,
    /// `bond-slaves regex eno.*`: which ports these are is only known on the machine.
    pub slave_patterns: Vec<PortPattern>,
    pub mode: Option<BondMode>,
    pub mii_polling_ms: Option<u32>,
    pub up_delay_ms: Option<u32>,
    pub down_delay_ms: Option<u32>,
    pub arp_polling_ms: Option<u32>,
    pub arp_targets: Vec<IpAddr>,
    /// In words (`layer3+4`), also where the file has the kernel's number.
    pub transmit_hash_policy: Option<String>,
    pub primary: Option<String>,
    pub lacp_rate: Option<LacpRate>,
    pub min_links: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfBridge {
    pub ports: Vec<String>,
    /// `bridge-ports regex eth.*`, `glob`, `all`: which ports these are is only known on the machine.
    pub port_patterns: Vec<PortPattern>,
    /// `bridge-ports none`: it is meant to have no port.
    pub no_ports: bool,
    pub vlan_aware: Option<bool>,
    pub stp: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortPattern {
    /// `regex`, `glob` or `all`
    pub kind: String,
    pub pattern: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfBridgeVlans {
    /// `bridge-vids 2-4094`
    pub vids: Vec<VlanRange>,
    pub pvid: Option<VlanId>,
    /// `bridge-access`: the port carries this one, untagged.
    pub access: Option<VlanId>,
}

/// `first <= last`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanRange {
    pub first: VlanId,
    pub last: VlanId,
}

/// A VLAN interface: `bond0.30`, `vmbr0.5`, or `vlan30` with a `vlan-raw-device`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfVlan {
    pub id: Option<VlanId>,
    /// What it stands on.
    pub raw_device: Option<String>,
    /// `802.1q` where the file is silent.
    pub protocol: Option<String>,
}

/// An interface that Open vSwitch makes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfOvs {
    pub kind: Option<OvsKind>,
    /// The bridge that it belongs to.
    pub bridge: Option<String>,
    /// `ovs_bonds`: the ports of an OVS bond.
    pub bonds: Vec<String>,
    /// `ovs_ports`: the ports of an OVS bridge.
    pub ports: Vec<String>,
    /// `ovs_options bond_mode=active-backup lacp=off tag=5`
    pub settings: Vec<ConfOption>,
    /// `tag=` of the settings.
    pub tag: Option<VlanId>,
    /// `bond_mode=` of the settings, in the words of Open vSwitch, which are not the kernel's.
    pub bond_mode: Option<String>,
    /// `lacp=` of the settings: `off`, `active`, `passive`.
    pub lacp: Option<String>,
}

words! {
    pub enum Family { Inet = "inet", Inet6 = "inet6" }
}

words! {
    pub enum Method {
        Static = "static",
        Manual = "manual",
        Loopback = "loopback",
        Dhcp = "dhcp",
        Dhcp6 = "dhcp6",
        Auto = "auto",
        Tunnel = "tunnel",
        Ppp = "ppp",
    }
}

words! {
    pub enum OvsKind {
        Bridge = "OVSBridge",
        Bond = "OVSBond",
        Port = "OVSPort",
        IntPort = "OVSIntPort",
        Tunnel = "OVSTunnel",
        PatchPort = "OVSPatchPort",
    }
}
