//! A bridge and the VLANs of its ports: `bridge vlan show`, joined with what the links say of masters and settings.

use serde::{Deserialize, Serialize};

use crate::fact::link::{BridgePortState, OperState};
use crate::name::{IfaceName, VlanId};

/// One bridge. `bridge vlan show` does not say which bridge a port belongs to; only the links do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// `None`: these ports have VLANs, but nothing says what bridge they are in (or that one is a bridge itself).
    /// At most one such entry, the last.
    pub name: Option<IfaceName>,
    pub operstate: Option<OperState>,
    /// Off: VLAN tags are ignored, and the VLANs below are without effect.
    pub vlan_filtering: Option<bool>,
    pub vlan_protocol: Option<String>,
    /// The VLAN that a new port gets untagged; zero means none.
    pub default_pvid: Option<u16>,
    /// 0 off, 1 the kernel's STP, 2 a daemon's.
    pub stp_state: Option<u32>,
    pub forward_delay_ms: Option<u64>,
    /// The VLANs in which the host itself takes part (`bridge vlan add … self`). `None`: nothing was said of them.
    pub vlans: Option<Vec<VlanRange>>,
    pub ports: Vec<BridgePort>,
    /// How many hardware addresses the bridge has learnt from frames, by port and VLAN: what is really on the wire.
    /// A port or VLAN from which nothing came has no row. `None`: it was not asked, or could not be read.
    pub seen: Option<Vec<Seen>>,
}

/// Hardware addresses that a bridge learnt on one port in one VLAN, and has not forgotten yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub port: IfaceName,
    /// `None`: the bridge does not tell VLANs apart.
    pub vlan: Option<VlanId>,
    pub addresses: u32,
}

/// A port of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePort {
    pub name: IfaceName,
    pub state: Option<BridgePortState>,
    /// In order and without overlap. `None`: the VLAN table was not read, or does not list this port. (iproute2
    /// leaves out a port without any VLAN.)
    pub vlans: Option<Vec<VlanRange>>,
}

/// VLANs of a port that follow each other and are treated alike: `1 <= first <= last <= 4094`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanRange {
    pub first: VlanId,
    pub last: VlanId,
    /// Frames that arrive untagged belong to this VLAN.
    pub pvid: bool,
    /// Frames leave untagged.
    pub untagged: bool,
}

/// One port, or a bridge itself, in the VLAN table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortVlans {
    pub name: IfaceName,
    /// In order and without overlap.
    pub vlans: Vec<VlanRange>,
}
