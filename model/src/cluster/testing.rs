//! Eight healthy ordinary nodes for the tests of rules and hypotheses, and a way to spoil them.
//!
//! Each has eno1 and eno2 in bond0 (LACP, to sw-a and sw-b, which are one MLAG pair), vmbr0 on it with its address
//! 10.0.0.N, and eno3 with 10.1.0.N at sw-b; corosync has link 0 on the first network and link 1 on the second.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that is wrong ends"
)]
#![allow(clippy::missing_panics_doc, reason = "a test that is wrong ends")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Cluster, Held, Now, Seen};
use crate::fact::bond::{Bond, BondMode, BondPort, Churn, Duplex, Lacp, LacpRate, MiiStatus};
use crate::fact::bridge::{Bridge, BridgePort, VlanRange};
use crate::fact::corosync::{Corosync, LinkPeer, LinkStatus, Member};
use crate::fact::corosync_conf::{ConfNode, CorosyncConf, CorosyncConfFiles};
use crate::fact::hardware_address::HardwareAddress;
use crate::fact::link::{Address, AddressFamily, Link, OperState};
use crate::fact::lldp::{Chassis, IdKind, Identifier, Neighbour};
use crate::fleet::Hearing;
use crate::gate::CephAnswer;
use crate::lease::Leases;
use crate::name::{IfaceName, LinkNumber, NodeName, VlanId};
use crate::reading::Reading;
use crate::report::{Family, NodeReport};
use crate::rule::{Scene, Thresholds};
use crate::topology::Site;

#[derive(Debug)]
pub struct World {
    pub cluster: Cluster,
    pub thresholds: Thresholds,
    pub site: Site,
    pub now: Now,
    pub leases: Option<Leases>,
    /// What Ceph was asked.
    pub ceph_answers: Vec<CephAnswer>,
    reports: BTreeMap<NodeName, NodeReport>,
    hearing: BTreeMap<NodeName, Hearing>,
    boot_ids: BTreeMap<NodeName, String>,
}

pub fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

pub fn iface(text: &str) -> IfaceName {
    IfaceName::new(text).unwrap()
}

pub fn known<T>(value: T) -> Reading<T> {
    Reading::Known {
        value,
        at: Timestamp::UNIX_EPOCH,
        problems: Vec::new(),
    }
}

/// What is known of a reading, to be changed.
pub fn value<T>(reading: &mut Reading<T>) -> &mut T {
    match reading {
        Reading::Known { value, .. } => value,
        Reading::Failed { .. } | Reading::Absent | Reading::NeverHeard => panic!("not known"),
    }
}

impl World {
    /// pve-01 to pve-08, all well.
    pub fn healthy() -> Self {
        Self::of(8)
    }

    pub fn of(nodes: u32) -> Self {
        let mut world = Self {
            cluster: Cluster::default(),
            thresholds: Thresholds::default(),
            site: Site::default(),
            now: Now {
                mono_ms: 3_600_000,
                unix_ms: 1_800_000_000_000,
            },
            leases: Some(Leases::default()),
            ceph_answers: Vec::new(),
            reports: BTreeMap::new(),
            hearing: BTreeMap::new(),
            boot_ids: BTreeMap::new(),
        };
        for id in 1..=nodes {
            let report = report(id, nodes);
            let name = node_name(id);
            world.hearing.insert(name.clone(), Hearing::Connected);
            world.reports.insert(name, report);
        }
        world.apply();
        world
    }

    /// What the node tells is another thing now.
    pub fn edit(&mut self, node: &str, change: impl FnOnce(&mut NodeReport)) -> &mut Self {
        change(self.reports.get_mut(&name(node)).unwrap());
        self.apply();
        self
    }

    pub fn edit_all(&mut self, change: impl Fn(&NodeName, &mut NodeReport)) -> &mut Self {
        for (name, report) in &mut self.reports {
            change(name, report);
        }
        self.apply();
        self
    }

    pub fn hearing(&mut self, node: &str, hearing: Hearing) -> &mut Self {
        self.hearing.insert(name(node), hearing);
        self.apply();
        self
    }

    /// It and its peers do not have each other among the members any more.
    pub fn leave(&mut self, id: u32) -> &mut Self {
        let gone = node_name(id);
        self.edit_all(|node, report| {
            let corosync = value(&mut report.corosync);
            let is_gone = *node == gone;
            let members = corosync.members.as_mut().unwrap();
            members.retain(|member| (member.node_id == id) == is_gone);
            if is_gone {
                corosync.quorate = Some(false);
            }
        })
    }

    /// All have all among the members.
    pub fn all_are_members(&mut self) -> &mut Self {
        let nodes = u32::try_from(self.reports.len()).unwrap();
        let whole = value(&mut report(1, nodes).corosync).members.clone();
        self.edit_all(|_, report| {
            let corosync = value(&mut report.corosync);
            corosync.members.clone_from(&whole);
            corosync.quorate = Some(true);
        })
    }

    /// The node runs another kernel now.
    pub fn reboot(&mut self, node: &str) -> &mut Self {
        self.boot_ids.insert(name(node), "second".to_owned());
        self.apply();
        self
    }

    /// Time passes, and all that are heard look anew and find the same.
    pub fn advance_s(&mut self, seconds: u64) -> &mut Self {
        self.now.mono_ms += seconds * 1_000;
        self.now.unix_ms += seconds.cast_signed() * 1_000;
        self.apply();
        self
    }

    pub fn scene(&self) -> Scene<'_> {
        Scene::new(&self.cluster, self.now, &self.thresholds, &self.site)
            .with_leases(self.leases.as_ref())
            .with_ceph_answers(&self.ceph_answers)
    }

    /// What a rule says of it, a line each: `critical pve-03/bond0: …`.
    pub fn found(&self, rule: &str) -> Vec<String> {
        let rule = crate::rule::named(rule).unwrap();
        let findings = rule.look(&self.scene()).into_iter();
        let line = |found: crate::finding::Finding| {
            format!("{} {}: {}", found.severity, found.subject, found.sentence)
        };
        findings.map(line).collect()
    }

    fn apply(&mut self) {
        for (name, report) in &self.reports {
            let hearing = self.hearing[name];
            let before = self.cluster.nodes.get(name).map(|node| node.seen.clone());
            let is_heard = hearing == Hearing::Connected;
            let mut seen = before.clone().unwrap_or_else(Seen::never_heard);
            seen.hearing = hearing;
            if is_heard {
                seen.heard_at_ms = Some(self.now.mono_ms);
                let boot_id = self.boot_ids.get(name);
                seen.boot_id = boot_id.map_or_else(|| "first".to_owned(), String::clone);
                for family in Family::ALL {
                    let fact = report.fact(*family);
                    let held = before.as_ref().and_then(|seen| seen.facts.get(family));
                    let same = held.filter(|held| *held.fact == fact);
                    let fact = same.map_or_else(|| Arc::new(fact), |held| Arc::clone(&held.fact));
                    let read_at_ms = self.now.mono_ms.cast_signed();
                    seen.facts.insert(*family, Held { fact, read_at_ms });
                }
            }
            self.cluster.apply(name, seen, self.now);
        }
    }
}

pub fn node_name(id: u32) -> NodeName {
    name(&format!("pve-{id:02}"))
}

fn report(id: u32, nodes: u32) -> NodeReport {
    let mut report = NodeReport::never_heard();
    report.bonds = known(vec![bond(id)]);
    report.links = known(links(id));
    report.bridges = known(vec![bridge()]);
    report.corosync = known(corosync(id, nodes));
    report.corosync_conf = known(corosync_conf(nodes));
    report.lldp = known(vec![
        neighbour("eno1", "sw-a", "00:1c:73:aa:01:10"),
        neighbour("eno2", "sw-b", "00:1c:73:aa:01:11"),
        neighbour("eno3", "sw-b", "00:1c:73:aa:01:11"),
    ]);
    report
}

/// The system that both switches of the MLAG pair call themselves.
pub const MLAG: &str = "02:1c:73:aa:01:00";

pub fn mac(text: &str) -> HardwareAddress {
    text.parse().unwrap()
}

fn bond(id: u32) -> Bond {
    let port = |name: &str| BondPort {
        name: iface(name),
        mii_status: Some(MiiStatus::Up),
        speed_mbps: Some(10_000),
        speed_unknown: false,
        duplex: Some(Duplex::Full),
        failures: Some(0),
        permanent_mac: None,
        queue_id: Some(0),
        aggregator_id: Some(1),
        partner_mac: Some(mac(MLAG)),
        actor_churn: Some(Churn::None),
        partner_churn: Some(Churn::None),
        actor_churned_count: Some(0),
        partner_churned_count: Some(0),
        actor_pdu: None,
        partner_pdu: None,
    };
    Bond {
        name: iface("bond0"),
        driver_version: None,
        mode: Some(BondMode::Ieee8023ad),
        fail_over_mac: None,
        transmit_hash_policy: Some("layer3+4 (1)".to_owned()),
        primary_slave: None,
        primary_reselect: None,
        active_slave: None,
        mii_status: Some(MiiStatus::Up),
        mii_polling_ms: Some(100),
        up_delay_ms: Some(0),
        down_delay_ms: Some(0),
        peer_notification_delay_ms: Some(0),
        arp_polling_ms: None,
        arp_missed_max: None,
        monitor_targets: Vec::new(),
        lacp: Some(Lacp {
            rate: Some(LacpRate::Fast),
            system_mac: Some(mac(&format!("02:00:00:00:00:{id:02x}"))),
            ..Lacp::default()
        }),
        partner_mac: Some(mac(MLAG)),
        slaves: vec![port("eno1"), port("eno2")],
    }
}

fn links(id: u32) -> Vec<Link> {
    let up = |name: &str| Link {
        admin_up: Some(true),
        carrier: Some(true),
        operstate: Some(OperState::Up),
        mtu_bytes: Some(1_500),
        link_type: Some("ether".to_owned()),
        addresses: Some(Vec::new()),
        ..Link::named(iface(name))
    };
    let port = |name: &str, master: Option<&str>| Link {
        speed_mbps: Some(10_000),
        duplex: Some(Duplex::Full),
        master: master.map(iface),
        driver: Some("ixgbe".to_owned()),
        parent_bus: Some("pci".to_owned()),
        ..up(name)
    };
    let address = |text: String| Address {
        family: AddressFamily::Inet,
        address: text.parse().unwrap(),
        prefix_len: Some(24),
        peer: None,
        broadcast: None,
        scope: Some("global".to_owned()),
        flags: Vec::new(),
        protocol: None,
        label: None,
        valid: None,
        preferred: None,
    };
    vec![
        port("eno1", Some("bond0")),
        port("eno2", Some("bond0")),
        Link {
            addresses: Some(vec![address(format!("10.1.0.{id}"))]),
            ..port("eno3", None)
        },
        Link {
            kind: Some("bond".to_owned()),
            master: Some(iface("vmbr0")),
            ..up("bond0")
        },
        Link {
            kind: Some("bridge".to_owned()),
            addresses: Some(vec![address(format!("10.0.0.{id}"))]),
            ..up("vmbr0")
        },
    ]
}

fn bridge() -> Bridge {
    let vlan = |id| VlanId::new(id).unwrap();
    let all = vec![
        VlanRange {
            first: vlan(1),
            last: vlan(1),
            pvid: true,
            untagged: true,
        },
        VlanRange {
            first: vlan(2),
            last: vlan(4094),
            pvid: false,
            untagged: false,
        },
    ];
    Bridge {
        name: Some(iface("vmbr0")),
        operstate: Some(OperState::Up),
        vlan_filtering: Some(true),
        vlan_protocol: None,
        default_pvid: Some(1),
        stp_state: Some(0),
        forward_delay_ms: Some(0),
        vlans: None,
        ports: vec![BridgePort {
            name: iface("bond0"),
            state: Some(crate::fact::link::BridgePortState::Forwarding),
            vlans: Some(all),
        }],
        seen: None,
    }
}

fn corosync(id: u32, nodes: u32) -> Corosync {
    let member = |other: u32| Member {
        node_id: other,
        votes: Some(1),
        name: Some(node_name(other).to_string()),
        local: Some(other == id),
        ..Member::default()
    };
    let link = |link: LinkNumber| LinkStatus {
        link,
        address: Some(format!("10.{link}.0.{id}")),
        peers: Some((1..=nodes).filter(|other| *other != id).map(peer).collect()),
        ..LinkStatus::default()
    };
    Corosync {
        cluster_name: Some("lab".to_owned()),
        config_version: Some(8),
        quorate: Some(true),
        node_id: Some(id),
        ring_id: Some("1.19".to_owned()),
        expected_votes: Some(nodes),
        highest_expected: Some(nodes),
        total_votes: Some(nodes),
        quorum: Some(nodes / 2 + 1),
        activity_blocked: Some(false),
        flags: Some(vec!["Quorate".to_owned()]),
        node_count: Some(nodes),
        members: Some((1..=nodes).map(member).collect()),
        links: Some(vec![link(0), link(1)]),
        ..Corosync::default()
    }
}

fn peer(node_id: u32) -> LinkPeer {
    LinkPeer {
        node_id,
        connected: Some(true),
        enabled: Some(true),
        ..LinkPeer::default()
    }
}

fn corosync_conf(nodes: u32) -> CorosyncConfFiles {
    let mut conf = CorosyncConf::default();
    conf.totem.cluster_name = Some("lab".to_owned());
    conf.totem.config_version = Some(8);
    conf.quorum.provider = Some("corosync_votequorum".to_owned());
    conf.nodes = (1..=nodes)
        .map(|id| ConfNode {
            name: Some(node_name(id).to_string()),
            node_id: Some(id),
            votes: Some(1),
            addresses: [(0, format!("10.0.0.{id}")), (1, format!("10.1.0.{id}"))].into(),
        })
        .collect();
    CorosyncConfFiles {
        cluster: Some(conf.clone()),
        local: Some(conf),
    }
}

fn neighbour(port: &str, switch: &str, chassis: &str) -> Neighbour {
    Neighbour {
        interface: Some(iface(port)),
        chassis: Chassis {
            id: Some(Identifier {
                kind: Some(IdKind::Mac),
                value: Some(chassis.to_owned()),
            }),
            name: Some(switch.to_owned()),
            ..Chassis::default()
        },
        ..Neighbour::default()
    }
}
