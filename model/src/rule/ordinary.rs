//! Ordinary clusters, and odd ones that are legal: no rule may have anything to say of them.

use crate::cluster::Past;
use crate::cluster::testing::{World, iface, known, value};
use crate::fact::bond::{BondMode, BondPort};
use crate::fact::bridge::{Bridge, BridgePort};
use crate::fact::interfaces::{ConfBond, ConfBridge, Configuration, Interface, Interfaces};
use crate::fact::link::{Link, Statistics};
use crate::finding::Severity;
use crate::reading::Reading;
use crate::report::NodeReport;

/// Of these families not even a remark is right.
const FAMILIES: &[&str] = &["bond-", "link-", "mtu-", "vlan-", "bridge-"];

#[track_caller]
fn check(world: &mut World) {
    for wait_s in [0, 120, 3_600] {
        world.advance_s(wait_s);
        let findings = super::findings(&world.scene()).into_iter();
        let is_told = |found: &crate::finding::Finding| {
            found.severity > Severity::Info
                || FAMILIES.iter().any(|family| found.rule.starts_with(family))
        };
        let told: Vec<String> = findings
            .filter(is_told)
            .map(|found| format!("{}: {}", found.rule, found.sentence))
            .collect();
        assert!(told.is_empty(), "{told:#?}");
    }
}

/// A collector that has begun just now: what was edited before is no change to it.
fn begun_anew(world: &mut World) {
    world
        .cluster
        .nodes
        .values_mut()
        .for_each(|node| node.past = Past::default());
}

pub(super) fn conf(report: &mut NodeReport, slaves: &[&str]) {
    let texts = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let interface = |name: &str| Interface {
        name: name.to_owned(),
        auto: true,
        ..Interface::default()
    };
    let bond = Interface {
        bond: Some(ConfBond {
            slaves: texts(slaves),
            ..ConfBond::default()
        }),
        ..interface("bond0")
    };
    let bridge = Interface {
        bridge: Some(ConfBridge {
            ports: texts(&["bond0"]),
            ..ConfBridge::default()
        }),
        ..interface("vmbr0")
    };
    report.interfaces = known(Interfaces {
        current: Some(Configuration {
            interfaces: vec![bond, bridge, interface("eno3")],
            ..Configuration::default()
        }),
        pending: None,
        not_sourced: None,
    });
}

fn port(report: &mut NodeReport, place: usize) -> (&mut BondPort, &mut Link) {
    let port = &mut value(&mut report.bonds)[0].slaves[place];
    (port, &mut value(&mut report.links)[place])
}

#[test]
fn eight_healthy_nodes_are_nothing() {
    check(&mut World::healthy());
    let mut world = World::healthy();
    world.edit_all(|_, report| conf(report, &["eno1", "eno2"]));
    check(&mut world);
    for nodes in 1..=4 {
        check(&mut World::of(nodes));
    }
}

#[test]
fn other_bonds_on_single_nodes_are_nothing() {
    let mut world = World::healthy();
    world.edit("pve-01", |report| {
        // A lab of virtual machines: nobody knows the speed of a virtio card.
        value(&mut report.bonds)[0].mode = Some(BondMode::ActiveBackup);
        for place in 0..2 {
            let (port, link) = port(report, place);
            (port.speed_mbps, port.speed_unknown, port.duplex) = (None, true, None);
            (port.partner_mac, port.aggregator_id) = (None, None);
            link.speed_mbps = None;
            link.driver = Some("virtio_net".to_owned());
        }
    });
    world.edit("pve-02", |report| {
        conf(report, &["eno1"]);
        value(&mut report.bonds)[0].slaves.pop();
        value(&mut report.links)[1].master = None;
    });
    world.edit("pve-03", |report| {
        let bond = &mut value(&mut report.bonds)[0];
        bond.mode = Some(BondMode::ActiveBackup);
        bond.lacp = None;
        bond.partner_mac = None;
        for port in &mut bond.slaves {
            (port.partner_mac, port.aggregator_id) = (None, None);
        }
        let (port, link) = port(report, 1);
        (port.speed_mbps, link.speed_mbps) = (Some(1_000), Some(1_000));
        link.driver = Some("igb".to_owned());
    });
    begun_anew(&mut world);
    check(&mut world);
}

#[test]
fn other_hardware_and_another_agent_are_nothing() {
    let mut world = World::healthy();
    world.edit("pve-04", |report| {
        let link = &mut value(&mut report.links)[2];
        link.speed_mbps = Some(1_000);
        link.driver = Some("tg3".to_owned());
    });
    // Without lldpd, without leave to read partners, without a table of VLANs.
    world.edit("pve-05", |report| {
        report.lldp = Reading::Absent;
        for port in &mut value(&mut report.bonds)[0].slaves {
            (port.partner_mac, port.aggregator_id) = (None, None);
        }
        value(&mut report.bridges)[0].ports[0].vlans = None;
    });
    world.edit("pve-06", |report| {
        value(&mut report.links)[0].statistics = Some(Statistics {
            rx_dropped: Some(1_000_000),
            rx_crc_errors: Some(12),
            carrier_changes: Some(9),
            ..Statistics::default()
        });
    });
    begun_anew(&mut world);
    check(&mut world);
}

#[test]
fn internal_bridges_guests_ports_and_a_storage_vlan_with_jumbo_frames_are_nothing() {
    let mut world = World::healthy();
    world.edit_all(|name, report| {
        let links = value(&mut report.links);
        for link in &mut links[..4] {
            if link.name.as_str() != "eno3" {
                link.mtu_bytes = Some(9_000);
            }
        }
        let of_kind = |name: &str, kind: &str, mtu| Link {
            kind: Some(kind.to_owned()),
            mtu_bytes: Some(mtu),
            admin_up: Some(true),
            ..Link::named(iface(name))
        };
        links.push(of_kind("vmbr1", "bridge", 1_500));
        links.push(Link {
            link: Some(iface("bond0")),
            ..of_kind("bond0.40", "vlan", 9_000)
        });
        if name.as_str() == "pve-02" {
            links.push(Link {
                master: Some(iface("vmbr0")),
                carrier: Some(false),
                ..of_kind("tap100i0", "tun", 1_400)
            });
            links.push(of_kind("fwbr100i0", "bridge", 1_500));
        }
        let mut internal: Bridge = value(&mut report.bridges)[0].clone();
        internal.name = Some(iface("vmbr1"));
        internal.ports.clear();
        value(&mut report.bridges).push(internal);
        if name.as_str() == "pve-02" {
            value(&mut report.bridges)[0].ports.push(BridgePort {
                name: iface("tap100i0"),
                state: None,
                vlans: None,
            });
        }
    });
    begun_anew(&mut world);
    check(&mut world);
}

#[test]
fn nodes_of_which_little_is_known_are_nothing() {
    let mut world = World::healthy();
    let why = || "not allowed".to_owned();
    world.edit("pve-01", |report| {
        report.bonds = Reading::Failed { why: why() }
    });
    world.edit("pve-02", |report| {
        report.links = Reading::Failed { why: why() }
    });
    world.edit("pve-03", |report| report.bridges = Reading::NeverHeard);
    world.edit("pve-04", |report| {
        report.interfaces = Reading::Failed { why: why() }
    });
    let findings = super::findings(&world.scene());
    let told = findings
        .iter()
        .filter(|found| FAMILIES.iter().any(|family| found.rule.starts_with(family)));
    assert_eq!(told.count(), 0);
}
