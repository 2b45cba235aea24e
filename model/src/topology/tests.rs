//! Stacks and switches of eight ordinary nodes, and of odd ones.

use super::*;
use crate::cluster::testing::{World, iface, name, value};
use crate::fact::bond::MiiStatus;

const SW_A: &str = "00:1c:73:aa:01:10";
const SW_B: &str = "00:1c:73:aa:01:11";

fn topology(world: &World) -> Topology {
    Topology::of(&world.cluster, world.now, &Site::default())
}

fn declared(rows: &[(&str, &str)]) -> Site {
    let switches = rows.iter().map(|(name, ports)| DeclaredSwitch {
        name: (*name).to_owned(),
        ports: vec![PortPattern::new(ports).unwrap()],
    });
    Site {
        switches: switches.collect(),
        ..Site::default()
    }
}

fn known(id: &str) -> SwitchOf {
    SwitchOf::Known(SwitchId(id.to_owned()))
}

#[test]
fn an_address_stands_on_its_bridge_its_bond_and_its_ports() {
    let topology = topology(&World::healthy());
    let stack = topology.stacks[&(name("pve-03"), 0)].as_ref().unwrap();
    assert_eq!(stack.through, [iface("vmbr0"), iface("bond0")]);
    assert_eq!(stack.ports, [iface("eno1"), iface("eno2")]);
    let Gathered::Bond(bond) = &stack.gathered else {
        panic!("{:?}", stack.gathered);
    };
    assert_eq!((&bond.failover, bond.at_least), (&Failover::LacpFast, 1));
}

#[test]
fn a_container_on_the_bridge_is_no_way_out_of_the_node() {
    let mut world = World::healthy();
    world.edit("pve-03", |report| {
        value(&mut report.links).push(Link {
            kind: Some("veth".to_owned()),
            link_type: Some("ether".to_owned()),
            master: Some(iface("vmbr0")),
            ..Link::named(iface("veth100i0"))
        });
    });
    let topology = topology(&world);
    let stack = topology.stacks[&(name("pve-03"), 0)].as_ref().unwrap();
    assert_eq!(stack.ports, [iface("eno1"), iface("eno2")]);
    assert!(matches!(stack.gathered, Gathered::Bond(_)));
    assert!(
        !topology
            .ports
            .contains_key(&(name("pve-03"), iface("veth100i0")))
    );
}

#[test]
fn lldp_tells_the_two_switches_of_an_mlag_pair_apart() {
    let topology = topology(&World::healthy());
    assert_eq!(
        *topology.switch_of(&name("pve-03"), &iface("eno1")),
        known(SW_A)
    );
    assert_eq!(
        *topology.switch_of(&name("pve-03"), &iface("eno2")),
        known(SW_B)
    );
    let switch = &topology.switches[&SwitchId(SW_A.to_owned())];
    assert_eq!((switch.label.as_str(), switch.ports.len()), ("sw-a", 8));
}

#[test]
fn a_node_without_lldp_is_in_one_of_the_switches_of_its_lacp_system() {
    let mut world = World::healthy();
    world.edit("pve-08", |report| value(&mut report.lldp).clear());
    let topology = topology(&world);
    let either = SwitchOf::OneOf(vec![SwitchId(SW_A.to_owned()), SwitchId(SW_B.to_owned())]);
    assert_eq!(*topology.switch_of(&name("pve-08"), &iface("eno1")), either);
    assert_eq!(
        *topology.switch_of(&name("pve-08"), &iface("eno3")),
        SwitchOf::Unknown
    );
}

#[test]
fn a_port_that_is_down_keeps_the_lacp_system_that_it_had() {
    let mut world = World::healthy();
    world.edit_all(|_, report| value(&mut report.lldp).clear());
    world.edit("pve-01", |report| {
        let port = &mut value(&mut report.bonds)[0].slaves[0];
        port.mii_status = Some(MiiStatus::Down);
        port.partner_mac = Some(crate::cluster::testing::mac("00:00:00:00:00:00"));
    });
    let topology = topology(&world);
    let system = SwitchOf::System(SwitchId(crate::cluster::testing::MLAG.to_owned()));
    let port = &topology.ports[&(name("pve-01"), iface("eno1"))];
    assert_eq!((port.standing, &port.switch), (Standing::Down, &system));
}

#[test]
fn a_declaration_comes_first_and_is_noted_where_lldp_contradicts_it() {
    let world = World::healthy();
    let site = declared(&[("left", "*/eno1"), ("right", "*/eno[23]")]);
    let topology = Topology::of(&world.cluster, world.now, &site);
    assert_eq!(
        *topology.switch_of(&name("pve-03"), &iface("eno1")),
        known("left")
    );
    assert_eq!(contradicted(&world, &site), Vec::<String>::new());
}

fn contradicted(world: &World, site: &Site) -> Vec<String> {
    let found = contradictions(&world.cluster, world.now, site).into_iter();
    found.map(|found| found.sentence).collect()
}

#[test]
fn declarations_that_lldp_contradicts_are_told_once_each() {
    let world = World::healthy();
    let site = declared(&[("left", "*/eno[12]"), ("right", "*/eno3")]);
    assert_eq!(
        contradicted(&world, &site),
        [
            "switch left is declared as one, but LLDP shows 2 chassis behind its ports: 00:1c:73:aa:01:10 at pve-01/eno1 and \
             7 more, 00:1c:73:aa:01:11 at pve-01/eno2 and 7 more",
        ]
    );
    let site = declared(&[("left", "*/eno1"), ("up", "*/eno2"), ("right", "*/eno3")]);
    assert_eq!(
        contradicted(&world, &site),
        [
            "the switches right, up are declared as different ones, but LLDP shows the same chassis 00:1c:73:aa:01:11 \
             behind them"
        ]
    );
    let site = declared(&[("left", "*/eno1"), ("all", "pve-03/*")]);
    assert_eq!(
        contradicted(&world, &site),
        ["pve-03/eno1 is declared for switch left and for switch all; the first of them holds"]
    );
}

#[test]
fn a_cable_in_the_wrong_switch_is_told_of_the_switch_that_it_was_declared_for() {
    let mut world = World::healthy();
    world.edit("pve-03", |report| {
        let neighbours = value(&mut report.lldp);
        for neighbour in neighbours {
            let other = match neighbour.interface.as_ref().map(IfaceName::as_str) {
                Some("eno1") => "eno2",
                Some("eno2") => "eno1",
                _ => continue,
            };
            neighbour.interface = Some(iface(other));
        }
    });
    let site = declared(&[("left", "*/eno1"), ("right", "*/eno[23]")]);
    assert_eq!(
        contradicted(&world, &site),
        [
            "switch left is declared as one, but LLDP shows 2 chassis behind its ports: 00:1c:73:aa:01:10 at pve-01/eno1 and \
             6 more, 00:1c:73:aa:01:11 at pve-03/eno1",
            "switch right is declared as one, but LLDP shows 2 chassis behind its ports: 00:1c:73:aa:01:11 at pve-01/eno2 \
             and 14 more, 00:1c:73:aa:01:10 at pve-03/eno2",
        ]
    );
}

#[test]
fn an_address_of_no_interface_and_a_silent_node_have_no_stack() {
    let mut world = World::healthy();
    world.edit("pve-01", |report| {
        value(&mut report.links).retain(|link| link.name != iface("eno3"));
    });
    world.hearing("pve-02", crate::fleet::Hearing::Silent);
    let topology = topology(&world);
    let why = |node: &str| {
        topology.stacks[&(name(node), 1)]
            .clone()
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        why("pve-01"),
        "no interface of pve-01 has the address 10.1.0.1 of corosync link 1"
    );
    assert_eq!(
        why("pve-02"),
        "pve-02 is not heard, so that what its corosync link 1 stands on is not known"
    );
}
