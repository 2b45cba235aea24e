//! A network interface as the kernel has it now: what rtnetlink says, or `ip addr` and `ip link` in a captured tree; and
//! what only `/sys/class/net` says.
//!
//! Everything but the name is `None` where the source is silent: without `-d` there are no details, without `-s` no
//! statistics, and `ip link` knows nothing of addresses.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::fact::bond::{Aggregator, BondMode, Duplex, LacpRate, MiiStatus};
use crate::fact::hardware_address::HardwareAddress;
use crate::name::{IfaceName, VlanId};
use crate::word::words;

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub name: IfaceName,
    /// The kernel's number; a new one each time the interface is made.
    pub ifindex: Option<u32>,
    /// What this interface stands on: `bond0` of `bond0.30@bond0`, or the other end of a veth in this namespace.
    pub link: Option<IfaceName>,
    /// The same by number, where it lives in another network namespace (`eth0@if5`).
    pub link_index: Option<u32>,
    /// The namespace in which `link_index` counts: a number, or the name that `ip netns` knows.
    pub link_netns: Option<String>,
    /// As written: `BROADCAST`, `UP`, `LOWER_UP`, `NO-CARRIER`, …
    pub flags: Option<Vec<String>>,
    /// Was it set up by the administrator (flag `UP`)? That says nothing of the cable.
    pub admin_up: Option<bool>,
    /// Is there a carrier (flag `LOWER_UP`)? `None` while it is not set up: the kernel then does not tell.
    pub carrier: Option<bool>,
    pub operstate: Option<OperState>,
    pub mtu_bytes: Option<u32>,
    pub min_mtu_bytes: Option<u32>,
    /// Zero: the driver names no limit.
    pub max_mtu_bytes: Option<u32>,
    pub qdisc: Option<String>,
    /// The bond, bridge, VRF or Open vSwitch datapath that it is a port of.
    pub master: Option<IfaceName>,
    pub group: Option<String>,
    pub tx_queue_length: Option<u32>,
    /// `ether`, `loopback`, `infiniband`, `none`, …
    pub link_type: Option<String>,
    /// `None` also for tunnels, whose "hardware address" is an IP address.
    pub mac: Option<HardwareAddress>,
    pub broadcast_mac: Option<HardwareAddress>,
    /// Printed only where it differs from `mac`: a port of a bond wears the bond's address.
    pub permanent_mac: Option<HardwareAddress>,
    pub alias: Option<String>,
    pub altnames: Vec<String>,
    pub promiscuity: Option<u32>,
    pub allmulti: Option<u32>,
    /// The switch driver holds the port down (`protodown on`).
    pub proto_down: Option<bool>,
    pub parent_bus: Option<String>,
    /// The device behind it: a PCI address, `virtio1`, …
    pub parent_device: Option<String>,
    pub phys_port_name: Option<String>,
    pub phys_port_id: Option<String>,
    pub phys_switch_id: Option<String>,
    /// From `/sys/class/net`, of NICs and bonds only. `None` also while the kernel does not know it: a port without a
    /// link has no speed. A driver can go on telling the last one: judge it by `carrier` first.
    pub speed_mbps: Option<u32>,
    /// As `speed_mbps`.
    pub duplex: Option<Duplex>,
    /// The driver of the device behind it, of NICs only.
    pub driver: Option<String>,
    /// `bond`, `bridge`, `vlan`, `veth`, `tun`, `openvswitch`, …; `None` for a NIC, and where `-d` was not given.
    pub kind: Option<String>,
    /// What it is a port of: `bond`, `bridge`, `openvswitch`, `vrf`, …
    pub slave_kind: Option<String>,
    pub vlan: Option<VlanDetails>,
    pub vxlan: Option<VxlanDetails>,
    pub bond: Option<BondDetails>,
    pub bond_slave: Option<BondSlaveDetails>,
    pub bridge: Option<BridgeDetails>,
    pub bridge_slave: Option<BridgeSlaveDetails>,
    /// `None`: the text says nothing of addresses. Empty: it has none.
    pub addresses: Option<Vec<Address>>,
    /// Counters since the interface was made, or its driver loaded.
    pub statistics: Option<Statistics>,
    /// The virtual functions of an SR-IOV NIC.
    pub virtual_functions: Vec<VirtualFunction>,
}

/// How many flags of one interface are kept.
const MAX_FLAGS: usize = 64;

impl Link {
    /// An interface of which nothing but the name is known.
    pub fn named(name: IfaceName) -> Self {
        Self {
            name,
            ifindex: None,
            link: None,
            link_index: None,
            link_netns: None,
            flags: None,
            admin_up: None,
            carrier: None,
            operstate: None,
            mtu_bytes: None,
            min_mtu_bytes: None,
            max_mtu_bytes: None,
            qdisc: None,
            master: None,
            group: None,
            tx_queue_length: None,
            link_type: None,
            mac: None,
            broadcast_mac: None,
            permanent_mac: None,
            alias: None,
            altnames: Vec::new(),
            promiscuity: None,
            allmulti: None,
            proto_down: None,
            parent_bus: None,
            parent_device: None,
            phys_port_name: None,
            phys_port_id: None,
            phys_switch_id: None,
            speed_mbps: None,
            duplex: None,
            driver: None,
            kind: None,
            slave_kind: None,
            vlan: None,
            vxlan: None,
            bond: None,
            bond_slave: None,
            bridge: None,
            bridge_slave: None,
            addresses: None,
            statistics: None,
            virtual_functions: Vec::new(),
        }
    }

    /// Notes the flags and what they say.
    pub fn set_flags<'a>(&mut self, flags: impl Iterator<Item = &'a str>) {
        let flags: Vec<String> = flags
            .filter(|flag| !flag.is_empty())
            .take(MAX_FLAGS)
            .map(str::to_owned)
            .collect();
        let has = |flag: &str| flags.iter().any(|set| set == flag);
        let up = has("UP");
        self.admin_up = Some(up);
        // A link that waits for 802.1X has `NO-CARRIER` (it does not run) and `LOWER_UP` (the cable is good).
        self.carrier = match (has("LOWER_UP"), up || has("NO-CARRIER")) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        self.flags = Some(flags);
    }
}

/// An 802.1Q or 802.1ad interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanDetails {
    pub id: Option<VlanId>,
    /// `802.1Q` or `802.1ad`.
    pub protocol: Option<String>,
    /// `REORDER_HDR`, `GVRP`, `LOOSE_BINDING`, …
    pub flags: Vec<String>,
}

/// A VXLAN tunnel (Proxmox VE's SDN makes them).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VxlanDetails {
    pub vni: Option<u32>,
    pub local: Option<IpAddr>,
    pub remote: Option<IpAddr>,
    pub group: Option<IpAddr>,
    pub udp_port: Option<u16>,
    /// The interface that the tunnel is bound to.
    pub device: Option<IfaceName>,
}

/// A bond, as netlink shows it. Unlike `/proc/net/bonding` it names the LACP partner to every reader.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondDetails {
    pub mode: Option<BondMode>,
    /// The port that carries traffic, in modes that have one.
    pub active_slave: Option<IfaceName>,
    pub primary_slave: Option<IfaceName>,
    pub primary_reselect: Option<String>,
    pub fail_over_mac: Option<String>,
    pub transmit_hash_policy: Option<String>,
    /// Zero: the carrier is not watched.
    pub mii_polling_ms: Option<u32>,
    pub up_delay_ms: Option<u32>,
    pub down_delay_ms: Option<u32>,
    pub peer_notification_delay_ms: Option<u32>,
    pub arp_polling_ms: Option<u32>,
    pub arp_targets: Vec<String>,
    pub arp_validate: Option<String>,
    pub min_links: Option<u32>,
    pub lacp_active: Option<String>,
    pub lacp_rate: Option<LacpRate>,
    pub ad_select: Option<String>,
    /// The aggregator that carries the traffic; only in mode 802.3ad.
    pub active_aggregator: Option<Aggregator>,
    pub system_priority: Option<u32>,
    pub system_mac: Option<HardwareAddress>,
}

/// A port of a bond.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondSlaveDetails {
    pub state: Option<BondSlaveState>,
    pub mii_status: Option<MiiStatus>,
    /// How often the link was lost since the port joined the bond.
    pub failures: Option<u64>,
    pub permanent_mac: Option<HardwareAddress>,
    pub queue_id: Option<u32>,
    pub priority: Option<i64>,
    pub aggregator_id: Option<u32>,
    /// LACP's bit field; see [`crate::fact::bond::LacpPdu::port_state`].
    pub actor_port_state: Option<u32>,
    pub partner_port_state: Option<u32>,
}

/// A bridge's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeDetails {
    /// Off: the bridge ignores VLAN tags and its VLAN table is without effect.
    pub vlan_filtering: Option<bool>,
    pub vlan_protocol: Option<String>,
    /// The VLAN that a new port gets untagged; zero means none.
    pub vlan_default_pvid: Option<u16>,
    /// 0 off, 1 the kernel's STP, 2 a daemon's.
    pub stp_state: Option<u32>,
    pub forward_delay_ms: Option<u64>,
    pub hello_time_ms: Option<u64>,
    pub max_age_ms: Option<u64>,
    pub ageing_time_ms: Option<u64>,
    pub priority: Option<u32>,
    /// As printed, which is without leading zeros: `8000.82:f9:af:51:f:c8`.
    pub bridge_id: Option<String>,
    pub root_id: Option<String>,
    /// Zero: this bridge is the root.
    pub root_port: Option<u32>,
    pub root_path_cost: Option<u32>,
    pub topology_change: Option<bool>,
    pub multicast_snooping: Option<bool>,
}

/// A port of a bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeSlaveDetails {
    pub state: Option<BridgePortState>,
    pub priority: Option<u32>,
    pub cost: Option<u32>,
    pub port_number: Option<u32>,
    pub designated_bridge: Option<String>,
    pub designated_root: Option<String>,
    pub hairpin: Option<bool>,
    pub bpdu_guard: Option<bool>,
    pub root_block: Option<bool>,
    pub learning: Option<bool>,
    pub flood: Option<bool>,
    pub isolated: Option<bool>,
    pub locked: Option<bool>,
    pub vlan_tunnel: Option<bool>,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub family: AddressFamily,
    pub address: IpAddr,
    pub prefix_len: Option<u8>,
    /// The other end of a point-to-point address; the prefix is then the peer's.
    pub peer: Option<IpAddr>,
    pub broadcast: Option<IpAddr>,
    /// `global`, `link`, `host`, `site`, or a number.
    pub scope: Option<String>,
    /// `dynamic`, `secondary`, `temporary`, `tentative`, `dadfailed`, `deprecated`, `noprefixroute`, …
    pub flags: Vec<String>,
    /// Who set it (since iproute2 5.18): `kernel_ll`, `kernel_ra`, …
    pub protocol: Option<String>,
    pub label: Option<String>,
    pub valid: Option<Lifetime>,
    pub preferred: Option<Lifetime>,
}

/// How much longer an address lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    Forever,
    Seconds(u32),
}

/// Counters, as the driver keeps them. Which of `rx_over_errors` and `rx_missed_errors` is printed without `-s -s`
/// depends on the version of iproute2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    pub rx_bytes: Option<u64>,
    pub rx_packets: Option<u64>,
    pub rx_errors: Option<u64>,
    pub rx_dropped: Option<u64>,
    pub rx_over_errors: Option<u64>,
    pub rx_missed_errors: Option<u64>,
    pub rx_multicast: Option<u64>,
    pub rx_length_errors: Option<u64>,
    pub rx_crc_errors: Option<u64>,
    pub rx_frame_errors: Option<u64>,
    pub rx_fifo_errors: Option<u64>,
    pub rx_nohandler: Option<u64>,
    pub tx_bytes: Option<u64>,
    pub tx_packets: Option<u64>,
    pub tx_errors: Option<u64>,
    pub tx_dropped: Option<u64>,
    pub tx_carrier_errors: Option<u64>,
    pub tx_collisions: Option<u64>,
    pub tx_aborted_errors: Option<u64>,
    pub tx_fifo_errors: Option<u64>,
    pub tx_window_errors: Option<u64>,
    pub tx_heartbeat_errors: Option<u64>,
    /// How often the carrier came or went since the interface was made.
    pub carrier_changes: Option<u64>,
}

/// A virtual function of an SR-IOV NIC. Its counters are a guest's and are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualFunction {
    pub number: Option<u32>,
    pub mac: Option<HardwareAddress>,
    /// `None`: no VLAN is forced upon it.
    pub vlan: Option<VlanId>,
    pub spoof_checking: Option<bool>,
    /// `auto`, `enable`, `disable`.
    pub link_state: Option<String>,
    pub trust: Option<bool>,
}

words! {
    /// RFC 2863's operational state, in the spelling of iproute2.
    pub enum OperState {
        Up = "UP",
        Down = "DOWN",
        /// The driver does not tell: usual for `lo` and tunnels, and no sign of trouble.
        Unknown = "UNKNOWN",
        /// What it stands on is down.
        LowerLayerDown = "LOWERLAYERDOWN",
        Dormant = "DORMANT",
        NotPresent = "NOTPRESENT",
        Testing = "TESTING",
    }
}

words! {
    /// Does the bond use this port?
    pub enum BondSlaveState { Active = "ACTIVE", Backup = "BACKUP" }
}

words! {
    /// STP's state of a bridge's port; without STP it is `forwarding` or `disabled`.
    pub enum BridgePortState {
        Disabled = "disabled",
        Listening = "listening",
        Learning = "learning",
        Forwarding = "forwarding",
        Blocking = "blocking",
    }
}

words! {
    pub enum AddressFamily { Inet = "inet", Inet6 = "inet6" }
}
