//! A neighbour on the wire, as lldpd heard it (LLDP, and CDP and its kin where they are switched on).
//!
//! Everything here is what the *neighbour* said of itself. lldpd keeps a neighbour until its time to live has run
//! out, so one can stay in the list for two minutes after the cable was pulled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{IfaceName, VlanId};
use crate::word::words;

/// One neighbour on one of this node's interfaces; an interface can hear several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// This node's own interface, on which the neighbour is heard.
    pub interface: Option<IfaceName>,
    pub via: Option<Protocol>,
    /// lldpd's own number of the neighbour: the same system on several interfaces has the same one.
    pub remote_id: Option<u32>,
    /// How long it has been heard, in lldpcli's words: `0 day, 00:01:39`.
    pub age: Option<String>,
    pub chassis: Chassis,
    pub port: NeighbourPort,
    /// The VLANs that the neighbour announced. Empty: it announced none, or the answer was asked for without
    /// `details` and does not show them; never "the port carries no VLAN".
    pub vlans: Vec<NeighbourVlan>,
    /// The VLAN of untagged frames, where the neighbour announced it.
    pub pvid: Option<VlanId>,
    /// Everything else that was said, as it was said: `lldp-med`, `ppvid`, `unknown-tlvs`.
    pub other: BTreeMap<String, Value>,
}

/// The system on the other side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chassis {
    pub id: Option<Identifier>,
    /// Its system name, if it sent one.
    pub name: Option<String>,
    pub description: Option<String>,
    pub management_addresses: Vec<String>,
    pub capabilities: Vec<Capability>,
    pub other: BTreeMap<String, Value>,
}

/// What kind of system it is, and whether it acts as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// `Bridge`, `Router`, `Wlan`, `Station`, …
    pub kind: String,
    pub enabled: Option<bool>,
}

/// The port on the other side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourPort {
    pub id: Option<Identifier>,
    pub description: Option<String>,
    /// How long the announcement holds; the neighbour renews it about four times as often.
    pub ttl_seconds: Option<u32>,
    /// The largest frame that the port takes, headers included (so about MTU + 18 or + 22).
    pub max_frame_bytes: Option<u32>,
    /// The port's aggregate (LAG) on the other side; only ports that are in one announce it.
    pub aggregation_id: Option<u32>,
    pub other: BTreeMap<String, Value>,
}

/// A chassis or a port by the name it gives itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    /// What `value` is: `mac`, `ifname`, `local`, `ip`, `ifalias`, …
    pub kind: Option<IdKind>,
    pub value: Option<String>,
}

/// A VLAN that the neighbour announced; a value that could not be read is unknown, and the VLAN is still listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourVlan {
    pub id: Option<VlanId>,
    pub name: Option<String>,
    /// Are untagged frames of this VLAN?
    pub pvid: Option<bool>,
}

words! {
    /// The protocol in which the neighbour spoke.
    pub enum Protocol {
        Lldp = "LLDP",
        CdpV1 = "CDPv1",
        CdpV2 = "CDPv2",
        Edp = "EDP",
        Fdp = "FDP",
        Sonmp = "SONMP",
    }
}

words! {
    /// The subtypes of IEEE 802.1AB, in lldpcli's words.
    pub enum IdKind {
        Mac = "mac",
        IfName = "ifname",
        IfAlias = "ifalias",
        Local = "local",
        Ip = "ip",
        Component = "component",
        Port = "port",
        CircuitId = "circuit",
        Unhandled = "unhandled",
    }
}
