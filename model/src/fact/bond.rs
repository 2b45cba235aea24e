//! A bond and its ports. The kernel's driver calls ports "slaves"; the JSON keeps that word, because it is the
//! one in `/proc/net/bonding` and in everybody's scripts.

use serde::{Deserialize, Serialize};

use crate::fact::hardware_address::HardwareAddress;
use crate::name::IfaceName;
use crate::word::words;

/// One bond, as `/proc/net/bonding/<bond>` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bond {
    pub name: IfaceName,
    /// `v3.7.1`, or a kernel release on newer kernels.
    pub driver_version: Option<String>,
    pub mode: Option<BondMode>,
    pub fail_over_mac: Option<String>,
    pub transmit_hash_policy: Option<String>,
    pub primary_slave: Option<IfaceName>,
    pub primary_reselect: Option<String>,
    /// The port that carries traffic, in modes that have one; `None` also where the kernel says "None".
    pub active_slave: Option<IfaceName>,
    pub mii_status: Option<MiiStatus>,
    /// Zero means that the carrier is not watched (ARP monitoring, or none at all).
    pub mii_polling_ms: Option<u32>,
    pub up_delay_ms: Option<u32>,
    pub down_delay_ms: Option<u32>,
    pub peer_notification_delay_ms: Option<u32>,
    pub arp_polling_ms: Option<u32>,
    pub arp_missed_max: Option<u32>,
    /// IPv4 ARP targets and IPv6 neighbour targets of link monitoring.
    pub monitor_targets: Vec<String>,
    /// Only in mode 802.3ad.
    pub lacp: Option<Lacp>,
    /// The system on the other side of the active aggregator; all zero when nobody answers LACP.
    /// `None` without LACP, without an active aggregator, or for a reader without CAP_NET_ADMIN.
    pub partner_mac: Option<HardwareAddress>,
    pub slaves: Vec<BondPort>,
}

/// LACP as the whole bond sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacp {
    /// `on` or `off` (since kernel 5.14): does this side start to speak?
    pub active: Option<String>,
    pub rate: Option<LacpRate>,
    pub min_links: Option<u32>,
    pub selection_policy: Option<String>,
    pub system_priority: Option<u32>,
    pub system_mac: Option<HardwareAddress>,
    pub active_aggregator: Option<Aggregator>,
    /// The kernel said so in words: "bond bond0 has no active aggregator".
    pub no_active_aggregator: bool,
}

/// The aggregator that carries the traffic of an 802.3ad bond.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregator {
    pub id: Option<u32>,
    pub ports: Option<u32>,
    pub actor_key: Option<u32>,
    pub partner_key: Option<u32>,
    pub partner_mac: Option<HardwareAddress>,
}

/// One port of a bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondPort {
    pub name: IfaceName,
    pub mii_status: Option<MiiStatus>,
    /// A port that is down can go on showing its last speed: judge it by `mii_status` first.
    pub speed_mbps: Option<u32>,
    /// The kernel printed `Speed: Unknown`, which is not the same as printing nothing.
    pub speed_unknown: bool,
    pub duplex: Option<Duplex>,
    /// How often the link was lost since the port joined the bond.
    pub failures: Option<u64>,
    pub permanent_mac: Option<HardwareAddress>,
    pub queue_id: Option<u32>,
    /// `None` where the kernel prints `N/A` too.
    pub aggregator_id: Option<u32>,
    /// The system this port hears LACP from; all zero when it hears nothing.
    pub partner_mac: Option<HardwareAddress>,
    pub actor_churn: Option<Churn>,
    pub partner_churn: Option<Churn>,
    pub actor_churned_count: Option<u32>,
    pub partner_churned_count: Option<u32>,
    pub actor_pdu: Option<LacpPdu>,
    pub partner_pdu: Option<LacpPdu>,
}

impl BondPort {
    /// Is its link up? What is not known is not up.
    pub fn is_up(&self) -> bool {
        self.mii_status == Some(MiiStatus::Up)
    }
}

impl LacpPdu {
    /// Whether this side takes part in the group and passes frames: 63, or 61 with the long timeout. `None`: unknown.
    pub fn is_passing(&self) -> Option<bool> {
        self.port_state.map(is_passing)
    }
}

/// The same of a bare [`LacpPdu::port_state`].
pub fn is_passing(port_state: u32) -> bool {
    const GROUPED: u32 = 4 | 8 | 16 | 32;
    const UNANSWERED: u32 = 64 | 128;
    port_state & GROUPED == GROUPED && port_state & UNANSWERED == 0
}

/// What one side says of itself in LACP (`details actor lacp pdu`, `details partner lacp pdu`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LacpPdu {
    pub system_priority: Option<u32>,
    pub system_mac: Option<HardwareAddress>,
    /// `port key` of the actor, `oper key` of the partner.
    pub key: Option<u32>,
    pub port_priority: Option<u32>,
    pub port_number: Option<u32>,
    /// A bit field: 1 active, 2 short timeout, 4 aggregation, 8 in sync, 16 collecting, 32 distributing,
    /// 64 defaulted, 128 expired. 63 and 61 are healthy.
    pub port_state: Option<u32>,
}

words! {
    /// How a bond spreads traffic, in the words of iproute2 and `/etc/network/interfaces`.
    pub enum BondMode {
        BalanceRr = "balance-rr" | "load balancing (round-robin)",
        ActiveBackup = "active-backup" | "fault-tolerance (active-backup)",
        BalanceXor = "balance-xor" | "load balancing (xor)",
        Broadcast = "broadcast" | "fault-tolerance (broadcast)",
        Ieee8023ad = "802.3ad" | "IEEE 802.3ad Dynamic link aggregation",
        BalanceTlb = "balance-tlb" | "transmit load balancing",
        BalanceAlb = "balance-alb" | "adaptive load balancing",
    }
}

words! {
    pub enum MiiStatus {
        Up = "up",
        Down = "down",
        /// Down delay is running.
        GoingDown = "going down",
        /// Up delay is running.
        GoingBack = "going back",
    }
}

words! {
    pub enum Duplex { Full = "full", Half = "half", Unknown = "unknown" }
}

words! {
    pub enum LacpRate { Slow = "slow", Fast = "fast" }
}

words! {
    /// IEEE 802.1AX churn detection: a port that cannot agree with its partner for 60 s is churned.
    pub enum Churn { None = "none", Monitoring = "monitoring", Churned = "churned" }
}
