//! What the agent of a node reads in the machine room, as facts.

use std::sync::Arc;

use jiff::Timestamp;
use model::fact::bond::{
    Aggregator, Bond, BondMode, BondPort, Churn, Duplex, Lacp, LacpRate, MiiStatus,
};
use model::fact::bridge::{Bridge, BridgePort, VlanRange};
use model::fact::cmap::{Cmap, CmapValue};
use model::fact::corosync::{Corosync, LinkPeer, LinkStatus, Member, Qdevice};
use model::fact::corosync_conf::{ConfNode, CorosyncConf, CorosyncConfFiles, Device};
use model::fact::ha::{
    Ha, HaNodeState, HaService, LrmMode, LrmState, LrmStatus, ManagerStatus, ServiceState,
};
use model::fact::ha_config::HaConfig;
use model::fact::hardware_address::HardwareAddress;
use model::fact::interfaces::{ConfBond, ConfBridge, Configuration, Interface, Interfaces};
use model::fact::journal::Journal;
use model::fact::link::{Address, AddressFamily, BridgePortState, Link, OperState, VlanDetails};
use model::fact::lldp::{Chassis, IdKind, Identifier, Neighbour};
use model::fact::power::{Power, PowerState};
use model::name::{IfaceName, NodeId, NodeName, VlanId};
use model::reading::Reading;
use model::report::{Family, NodeReport};

use crate::ring::Ring;
use crate::site::{BondShape, Card, Node, Site};

/// LLDP is forgotten so long after it was heard last.
const LLDP_MS: u64 = 120_000;

pub(crate) fn node_name(id: u32) -> NodeName {
    NodeName::new(format!("pve-{id:02}")).unwrap()
}

fn iface(name: &str) -> IfaceName {
    IfaceName::new(name).unwrap()
}

fn mac(text: &str) -> HardwareAddress {
    text.parse().unwrap()
}

fn known<T>(value: T, now_unix_ms: i64) -> Reading<T> {
    let at = Timestamp::from_millisecond(now_unix_ms).unwrap();
    Reading::Known {
        value,
        at,
        problems: Vec::new(),
    }
}

pub(crate) struct Moment {
    pub(crate) ms: u64,
    pub(crate) unix_ms: i64,
}

pub(crate) fn report(site: &Site, ring: &Ring, node: &Node, now: &Moment) -> NodeReport {
    // A fact is news when it says something else, and not when it was read again.
    let read = 0;
    let mut report = NodeReport::never_heard();
    let cards: Vec<&Card> = node.cards.values().collect();
    report.links = known(links(site, node), read);
    report.bonds = known(
        site.shape
            .bonds
            .iter()
            .map(|bond| bond_of(site, node, bond, now))
            .collect(),
        read,
    );
    report.bridges = known(bridges(site, node), read);
    report.interfaces = known(interfaces(site, node), read);
    report.corosync_conf = known(
        CorosyncConfFiles {
            cluster: Some(conf(site, node.config_version)),
            local: Some(conf(site, node.config_version)),
        },
        read,
    );
    if node.corosync_runs {
        report.corosync = known(corosync(site, ring, node), read);
        report.cmap = known(cmap(site, ring, node), read);
    } else {
        let why = "Cannot initialize CMAP service: corosync does not run".to_owned();
        report.corosync = Reading::Failed { why: why.clone() };
        report.cmap = Reading::Failed { why };
    }
    report.lldp = if site.has_lldp {
        known(
            cards
                .iter()
                .filter_map(|card| neighbour(site, card, now))
                .collect(),
            read,
        )
    } else {
        Reading::Absent
    };
    report.journal = known(
        Journal {
            events: node.journal.clone(),
            ..Journal::default()
        },
        read,
    );
    let state = match node.power {
        crate::site::Power::Stopping { .. } => PowerState::ShuttingDown,
        _ => PowerState::Running,
    };
    report.power = known(
        Power {
            state,
            boot_id: Some(boot_id(node)),
            booted_at: None,
            scheduled: None,
            systemd: None,
            announced: None,
        },
        read,
    );
    report.ha = if site.nodes.iter().any(|node| node.is_armed) {
        // Its files are a minute old at most, and without quorum they are those of before.
        known(
            ha(
                site,
                now.unix_ms - (now.ms - node.pve_written_ms).cast_signed(),
            ),
            now.unix_ms - now.unix_ms.rem_euclid(30_000),
        )
    } else {
        Reading::Absent
    };
    report
}

pub(crate) fn boot_id(node: &Node) -> String {
    format!("boot {} of {}", node.boot, node.name())
}

fn bond_of(site: &Site, node: &Node, shape: &BondShape, now: &Moment) -> Bond {
    let is_lacp = shape.mode == BondMode::Ieee8023ad;
    let cards: Vec<&Card> = shape
        .ports
        .iter()
        .filter(|port| !node.lacking.contains(*port))
        .filter_map(|port| node.cards.get(port))
        .collect();
    // A port that was renamed is not among them any more: the configuration names another.
    let cards: Vec<&Card> = cards
        .into_iter()
        .filter(|card| shape.ports.contains(&card.name))
        .collect();
    let system = |card: &Card| -> String {
        let far = site.plugged(card);
        far.map_or_else(String::new, |(port, switch)| {
            port.system.clone().unwrap_or_else(|| switch.system.clone())
        })
    };
    let first = cards
        .iter()
        .find(|card| card.carrier && card.is_answered)
        .map(|card| system(card));
    let zero = "00:00:00:00:00:00";
    let port = |(place, card): (usize, &&Card)| {
        let answered = card.carrier && card.is_answered;
        let is_with = answered && Some(system(card)) == first;
        let since = now
            .ms
            .saturating_sub(card.carrier_since_ms.max(card.answered_since_ms));
        let churn = match (answered, since < 60_000) {
            (true, _) => Churn::None,
            (false, true) => Churn::Monitoring,
            (false, false) => Churn::Churned,
        };
        BondPort {
            name: iface(&card.name),
            mii_status: Some(if card.carrier {
                MiiStatus::Up
            } else {
                MiiStatus::Down
            }),
            speed_mbps: card.carrier.then_some(card.mbps),
            speed_unknown: !card.carrier,
            duplex: card.carrier.then_some(Duplex::Full),
            failures: Some(0),
            permanent_mac: None,
            queue_id: Some(0),
            aggregator_id: is_lacp.then_some(if is_with || first.is_none() && place == 0 {
                1
            } else {
                place as u32 + 2
            }),
            partner_mac: is_lacp.then(|| {
                if answered {
                    mac(&system(card))
                } else {
                    mac(zero)
                }
            }),
            actor_churn: is_lacp.then(|| churn.clone()),
            partner_churn: is_lacp.then_some(churn),
            actor_churned_count: Some(0),
            partner_churned_count: Some(0),
            actor_pdu: None,
            partner_pdu: None,
        }
    };
    let slaves: Vec<BondPort> = cards.iter().enumerate().map(port).collect();
    let partner = first.unwrap_or_else(|| zero.to_owned());
    let up = cards.iter().any(|card| card.carrier);
    let active = node
        .active
        .get(&shape.name)
        .filter(|_| up && shape.mode == BondMode::ActiveBackup);
    Bond {
        name: iface(&shape.name),
        driver_version: None,
        mode: Some(shape.mode.clone()),
        fail_over_mac: None,
        transmit_hash_policy: Some("layer3+4 (1)".to_owned()),
        primary_slave: None,
        primary_reselect: None,
        active_slave: active.map(|port| iface(port)),
        mii_status: Some(if up { MiiStatus::Up } else { MiiStatus::Down }),
        mii_polling_ms: Some(100),
        up_delay_ms: Some(0),
        down_delay_ms: Some(0),
        peer_notification_delay_ms: Some(0),
        arp_polling_ms: None,
        arp_missed_max: None,
        monitor_targets: Vec::new(),
        lacp: is_lacp.then(|| Lacp {
            rate: Some(if shape.is_fast {
                LacpRate::Fast
            } else {
                LacpRate::Slow
            }),
            system_mac: Some(mac(&format!("02:00:00:00:00:{:02x}", node.id))),
            active_aggregator: Some(Aggregator {
                id: Some(1),
                ..Aggregator::default()
            }),
            ..Lacp::default()
        }),
        partner_mac: is_lacp.then(|| mac(&partner)),
        slaves,
    }
}

fn links(site: &Site, node: &Node) -> Vec<Link> {
    let shape = &site.shape;
    let base = |name: &str, carrier: bool| Link {
        admin_up: Some(true),
        carrier: Some(carrier),
        operstate: Some(if carrier {
            OperState::Up
        } else {
            OperState::Down
        }),
        mtu_bytes: Some(1_500),
        link_type: Some("ether".to_owned()),
        addresses: Some(addresses(site, node, name)),
        ..Link::named(iface(name))
    };
    let master = |name: &str| {
        let bond = shape.bonds.iter().find(|bond| {
            bond.ports
                .iter()
                .any(|port| port == name && !node.lacking.contains(port))
        });
        let bridge = || {
            shape
                .bridges
                .iter()
                .find(|(_, on, _)| on == name)
                .map(|(bridge, ..)| bridge)
        };
        bond.map(|bond| &bond.name)
            .or_else(bridge)
            .map(|name| iface(name))
    };
    let mut all: Vec<Link> = node
        .cards
        .values()
        .map(|card| Link {
            speed_mbps: card.carrier.then_some(card.mbps),
            duplex: card.carrier.then_some(Duplex::Full),
            driver: Some("ixgbe".to_owned()),
            parent_bus: Some("pci".to_owned()),
            mtu_bytes: Some(card.mtu_bytes),
            master: master(&card.name),
            ..base(&card.name, card.carrier)
        })
        .collect();
    let mtu = |name: &str| {
        let below = |card: &&Card| {
            shape
                .bonds
                .iter()
                .any(|bond| bond.name == name && bond.ports.contains(&card.name))
        };
        node.cards.values().find(below).map(|card| card.mtu_bytes)
    };
    let carries = |name: &str| carries(site, node, name);
    for bond in &shape.bonds {
        let kind = Some("bond".to_owned());
        let mtu_bytes = mtu(&bond.name);
        all.push(Link {
            kind,
            master: master(&bond.name),
            mtu_bytes,
            ..base(&bond.name, carries(&bond.name))
        });
    }
    for (name, below) in &shape.vlans {
        let id = name
            .rsplit('.')
            .next()
            .and_then(|id| id.parse::<u64>().ok());
        let vlan = VlanDetails {
            id: id.and_then(|id| VlanId::new(id).ok()),
            ..VlanDetails::default()
        };
        let (kind, link) = (Some("vlan".to_owned()), Some(iface(below)));
        let mtu_bytes = mtu(below);
        all.push(Link {
            kind,
            link,
            mtu_bytes,
            vlan: Some(vlan),
            master: master(name),
            ..base(name, carries(below))
        });
    }
    for (name, below, _) in &shape.bridges {
        let mtu_bytes = mtu(below);
        all.push(Link {
            kind: Some("bridge".to_owned()),
            mtu_bytes,
            ..base(name, carries(below))
        });
    }
    if let Some((link, name)) = &node.captured {
        let address = address_of(site, 200, *link).parse().unwrap();
        let tunnel = base(name, true);
        all.push(Link {
            kind: Some("tun".to_owned()),
            addresses: Some(vec![in_network(address)]),
            ..tunnel
        });
    }
    all
}

fn carries(site: &Site, node: &Node, name: &str) -> bool {
    let shape = &site.shape;
    if let Some(bond) = shape.bonds.iter().find(|bond| bond.name == name) {
        let has = |port: &String| {
            node.cards
                .get(port)
                .is_some_and(|card| card.carrier && card.name == *port)
        };
        return bond
            .ports
            .iter()
            .filter(|port| !node.lacking.contains(*port))
            .any(has);
    }
    if let Some((_, below)) = shape.vlans.iter().find(|(vlan, _)| vlan == name) {
        return carries(site, node, below);
    }
    node.cards
        .values()
        .any(|card| card.name == name && card.carrier)
}

fn address_of(site: &Site, id: u32, link: u8) -> String {
    let is_v6 = site
        .shape
        .links
        .iter()
        .any(|shape| shape.number == link && shape.is_v6);
    if is_v6 {
        format!("fd00:{link:x}::{id:x}")
    } else {
        format!("10.{link}.0.{id}")
    }
}

fn addresses(site: &Site, node: &Node, name: &str) -> Vec<Address> {
    let here = site.shape.links.iter().filter(|shape| shape.iface == name);
    here.map(|shape| in_network(address_of(site, node.id, shape.number).parse().unwrap()))
        .collect()
}

fn in_network(address: std::net::IpAddr) -> Address {
    Address {
        family: if address.is_ipv6() {
            AddressFamily::Inet6
        } else {
            AddressFamily::Inet
        },
        prefix_len: Some(if address.is_ipv6() { 64 } else { 24 }),
        address,
        peer: None,
        broadcast: None,
        scope: Some("global".to_owned()),
        flags: Vec::new(),
        protocol: None,
        label: None,
        valid: None,
        preferred: None,
    }
}

fn bridges(site: &Site, node: &Node) -> Vec<Bridge> {
    let range = |first: u64, last: u64| VlanRange {
        first: VlanId::new(first).unwrap(),
        last: VlanId::new(last).unwrap(),
        pvid: last == 1,
        untagged: last == 1,
    };
    let of = |(name, below, is_aware): &(String, String, bool)| {
        let mut vlans = vec![range(1, 1)];
        let mut first = 2;
        for (_, from, to) in node.vlans_missing.iter().filter(|(on, ..)| on == below) {
            vlans.push(range(first, u64::from(*from) - 1));
            first = u64::from(*to) + 1;
        }
        vlans.push(range(first, 4094));
        let port = BridgePort {
            name: iface(below),
            state: Some(if carries(site, node, below) {
                BridgePortState::Forwarding
            } else {
                BridgePortState::Disabled
            }),
            vlans: is_aware.then_some(vlans),
        };
        let has_port = site.shape.bonds.iter().any(|bond| bond.name == *below)
            || site.shape.vlans.iter().any(|(vlan, _)| vlan == below)
            || node.cards.values().any(|card| card.name == *below);
        Bridge {
            name: Some(iface(name)),
            operstate: Some(OperState::Up),
            vlan_filtering: Some(*is_aware),
            vlan_protocol: None,
            default_pvid: Some(1),
            stp_state: Some(0),
            forward_delay_ms: Some(0),
            vlans: None,
            ports: if has_port { vec![port] } else { Vec::new() },
            seen: None,
        }
    };
    site.shape.bridges.iter().map(of).collect()
}

fn interfaces(site: &Site, _: &Node) -> Interfaces {
    let plain = |name: &str| Interface {
        name: name.to_owned(),
        auto: true,
        ..Interface::default()
    };
    let bonds = site.shape.bonds.iter().map(|bond| Interface {
        bond: Some(ConfBond {
            slaves: bond.ports.clone(),
            ..ConfBond::default()
        }),
        ..plain(&bond.name)
    });
    let bridges = site.shape.bridges.iter().map(|(name, below, _)| Interface {
        bridge: Some(ConfBridge {
            ports: vec![below.clone()],
            ..ConfBridge::default()
        }),
        ..plain(name)
    });
    Interfaces {
        current: Some(Configuration {
            interfaces: bonds.chain(bridges).collect(),
            ..Configuration::default()
        }),
        pending: None,
        not_sourced: None,
    }
}

pub(crate) fn conf(site: &Site, version: u64) -> CorosyncConf {
    let mut conf = CorosyncConf::default();
    conf.totem.cluster_name = Some("lab".to_owned());
    conf.totem.config_version = Some(version);
    conf.quorum.provider = Some("corosync_votequorum".to_owned());
    conf.quorum.two_node = (site.nodes.len() == 2 && site.qdevice.is_none()).then_some(true);
    conf.quorum.device = site.qdevice.is_some().then(|| Device {
        model: Some("net".to_owned()),
        votes: Some(1),
        algorithm: Some("ffsplit".to_owned()),
        host: Some("10.0.0.250".to_owned()),
        ..Device::default()
    });
    let entry = |node: &Node| ConfNode {
        name: Some(node.name()),
        node_id: Some(node.id),
        votes: Some(1),
        addresses: site
            .shape
            .links
            .iter()
            .map(|link| (link.number, address_of(site, node.id, link.number)))
            .collect(),
    };
    conf.nodes = site.nodes.iter().map(entry).collect();
    conf
}

fn corosync(site: &Site, ring: &Ring, node: &Node) -> Corosync {
    let id = NodeId::new(node.id).unwrap();
    let voter = ring.votes.voter(id);
    let members = ring.members.get(&node.id);
    let has_device = site.qdevice.is_some();
    let votes_now = voter.map(|voter| voter.total_votes());
    let cast = votes_now.unwrap_or_default() > members.map_or(0, |members| members.len() as u32);
    let flags = if cast { "A,V,NMW" } else { "A,NV,NMW" };
    let member = |other: &u32| Member {
        node_id: *other,
        votes: Some(1),
        name: Some(node_name(*other).to_string()),
        local: Some(*other == node.id),
        qdevice_flags: has_device.then(|| flags.to_owned()),
        ..Member::default()
    };
    let link = |shape: &crate::site::LinkShape| {
        let peers = site
            .nodes
            .iter()
            .filter(|peer| peer.id != node.id)
            .map(|peer| LinkPeer {
                node_id: peer.id,
                connected: Some(ring.is_up((node.id, peer.id, shape.number))),
                enabled: Some(true),
                mtu_bytes: Some(
                    (site.largest(&shape.iface, node, peer).min(card_mtu(
                        site,
                        node,
                        &shape.iface,
                    ))) - 103,
                ),
                ..LinkPeer::default()
            });
        LinkStatus {
            link: shape.number,
            address: Some(address_of(site, node.id, shape.number)),
            peers: Some(peers.collect()),
            ..LinkStatus::default()
        }
    };
    let quorate = voter.map(|voter| voter.is_quorate());
    Corosync {
        cluster_name: Some("lab".to_owned()),
        config_version: Some(node.running_version),
        quorate,
        node_id: Some(node.id),
        ring_id: Some(format!("1.{:x}", ring.sequence)),
        expected_votes: voter.map(|voter| voter.expected_votes()),
        highest_expected: voter.map(|voter| voter.expected_votes()),
        total_votes: votes_now,
        quorum: voter.map(|voter| voter.needed_votes()),
        activity_blocked: quorate.map(|quorate| !quorate),
        flags: Some(if quorate == Some(true) {
            vec!["Quorate".to_owned()]
        } else {
            Vec::new()
        }),
        node_count: members.map(|members| members.len() as u32),
        members: members.map(|members| members.iter().map(member).collect()),
        qdevice: has_device.then(|| Qdevice {
            votes: Some(u32::from(cast)),
            votes_if_cast: Some(1),
            name: Some("Qdevice".to_owned()),
            flags: None,
        }),
        links: Some(site.shape.links.iter().map(link).collect()),
        ..Corosync::default()
    }
}

fn card_mtu(site: &Site, node: &Node, name: &str) -> u32 {
    links(site, node)
        .iter()
        .find(|link| link.name.as_str() == name)
        .and_then(|link| link.mtu_bytes)
        .unwrap_or(1_500)
}

fn cmap(site: &Site, ring: &Ring, node: &Node) -> Cmap {
    let mut keys = std::collections::BTreeMap::new();
    let mut set = |key: String, value: u64| keys.insert(key, CmapValue::U64(value));
    set("runtime.config.totem.token".to_owned(), site.token_ms);
    set(
        "runtime.config.totem.consensus".to_owned(),
        site.consensus_ms,
    );
    set("stats.srp.mcast_retx".to_owned(), node.retransmits);
    for shape in &site.shape.links {
        for peer in site.nodes.iter().filter(|peer| peer.id != node.id) {
            let key = format!("stats.knet.node{}.link{}.connected", peer.id, shape.number);
            set(key, ring.is_up((node.id, peer.id, shape.number)).into());
        }
    }
    Cmap { keys }
}

fn neighbour(site: &Site, card: &Card, now: &Moment) -> Option<Neighbour> {
    let (_, switch) = site.plugged(card)?;
    // With the link goes the neighbour; a switch that says nothing more is forgotten in its time.
    let is_forgotten = switch.is_mute && now.ms > card.answered_since_ms + LLDP_MS;
    let name = site.ports.get(&card.plug).map(|port| port.switch.clone());
    (card.carrier && !is_forgotten).then(|| Neighbour {
        interface: Some(iface(&card.name)),
        chassis: Chassis {
            id: Some(Identifier {
                kind: Some(IdKind::Mac),
                value: Some(switch.chassis.clone()),
            }),
            name,
            ..Chassis::default()
        },
        ..Neighbour::default()
    })
}

fn ha(site: &Site, written_unix_ms: i64) -> Ha {
    let written =
        Timestamp::from_millisecond(written_unix_ms - written_unix_ms.rem_euclid(30_000)).ok();
    let lrm = |node: &Node| {
        let status = LrmStatus {
            mode: Some(LrmMode::Active),
            state: Some(if node.is_armed {
                LrmState::Active
            } else {
                LrmState::WaitForAgentLock
            }),
            timestamp: written,
            ..LrmStatus::default()
        };
        (node_name(node.id), status)
    };
    let service = |node: &Node| {
        let service = HaService {
            node: Some(node_name(node.id)),
            state: Some(ServiceState::Started),
            ..HaService::default()
        };
        (format!("vm:{}", 100 + node.id), service)
    };
    Ha {
        status: None,
        lrm: site.nodes.iter().map(lrm).collect(),
        manager: Some(ManagerStatus {
            master_node: Some(node_name(1)),
            timestamp: written,
            node_status: site
                .nodes
                .iter()
                .map(|node| (node_name(node.id), HaNodeState::Online))
                .collect(),
            service_status: Some(
                site.nodes
                    .iter()
                    .filter(|node| node.is_armed)
                    .map(service)
                    .collect(),
            ),
            ..ManagerStatus::default()
        }),
        config: HaConfig::default(),
    }
}

/// The report, with every family that says the same as before shared with it.
pub(crate) fn shared(
    report: &NodeReport,
    before: &std::collections::BTreeMap<Family, model::cluster::Held>,
    read_at_ms: i64,
) -> std::collections::BTreeMap<Family, model::cluster::Held> {
    let held = |family: &Family| {
        let fact = report.fact(*family);
        let same = before.get(family).filter(|held| *held.fact == fact);
        let fact = same.map_or_else(|| Arc::new(fact), |held| Arc::clone(&held.fact));
        (*family, model::cluster::Held { fact, read_at_ms })
    };
    Family::ALL.iter().map(held).collect()
}
