//! Stories of clusters that broke, as the findings tell them: the cause stands alone, and what follows from it is hidden.

use crate::cluster::testing::{World, iface, mac, value};
use crate::fact::bond::{Churn, LacpPdu, MiiStatus};
use crate::finding::Finding;
use crate::report::NodeReport;

/// The rules whose findings no other explains, and those that are hidden.
#[track_caller]
fn check(world: &World, causes: &[&str], hidden: &[&str]) {
    let findings = super::findings(&world.scene());
    let is_of_a_network = |found: &&Finding| !found.rule.starts_with("corosync");
    let (explained, standing): (Vec<&Finding>, Vec<&Finding>) = findings
        .iter()
        .filter(is_of_a_network)
        .partition(|found| findings.iter().any(|cause| cause.explains(found)));
    let names = |found: &[&Finding]| found.iter().map(|found| found.rule).collect::<Vec<_>>();
    assert_eq!(
        (names(&standing), names(&explained)),
        (causes.to_vec(), hidden.to_vec())
    );
}

fn port_down(report: &mut NodeReport, place: usize, is_down: bool) {
    let port = &mut value(&mut report.bonds)[0].slaves[place];
    port.mii_status = Some(if is_down {
        MiiStatus::Down
    } else {
        MiiStatus::Up
    });
    value(&mut report.links)[place].carrier = Some(!is_down);
}

#[test]
fn two_ports_drop_together_and_one_comes_back_at_100_mbps() {
    let mut world = World::healthy();
    world.edit("pve-03", |report| {
        port_down(report, 0, true);
        port_down(report, 1, true);
        value(&mut report.links)[3].carrier = Some(false);
    });
    check(&world, &["bond-no-active-port"], &[]);
    world.advance_s(20);
    world.edit("pve-03", |report| {
        port_down(report, 0, false);
        port_down(report, 1, false);
        value(&mut report.links)[3].carrier = Some(true);
        value(&mut report.links)[1].speed_mbps = Some(100);
        let port = &mut value(&mut report.bonds)[0].slaves[1];
        port.speed_mbps = Some(100);
        port.aggregator_id = Some(2);
        port.actor_churn = Some(Churn::Churned);
        port.actor_pdu = Some(LacpPdu {
            port_state: Some(7),
            ..LacpPdu::default()
        });
    });
    check(
        &world,
        &["link-slower-than-before"],
        &["bond-speeds-differ"],
    );
}

#[test]
fn a_port_that_nobody_answers_is_told_once_although_it_is_churned_and_apart() {
    let mut world = World::healthy();
    world.edit("pve-03", |report| {
        let port = &mut value(&mut report.bonds)[0].slaves[1];
        port.partner_mac = Some(mac("00:00:00:00:00:00"));
        port.aggregator_id = Some(2);
        port.actor_churn = Some(Churn::Churned);
        port.actor_pdu = Some(LacpPdu {
            port_state: Some(69),
            ..LacpPdu::default()
        });
    });
    check(&world, &["bond-no-lacp-partner"], &[]);
}

#[test]
fn a_switch_that_bounces_all_ports_of_a_bond_is_one_story() {
    let mut world = World::healthy();
    for is_down in [true, false].repeat(3) {
        world.edit("pve-03", |report| {
            port_down(report, 0, is_down);
            port_down(report, 1, is_down);
            value(&mut report.links)[3].carrier = Some(!is_down);
        });
        world.advance_s(5);
    }
    check(
        &world,
        &["bond-flapping"],
        &["link-flapping", "link-flapping"],
    );
}

#[test]
fn a_bond_that_lost_its_renamed_ports_is_the_one_cause() {
    let mut world = World::healthy();
    let rename = |report: &mut NodeReport| {
        value(&mut report.bonds)[0].slaves.clear();
        let links = value(&mut report.links);
        links[0].master = None;
        links[0].name = iface("enp1s0f0");
        links[1].master = None;
        links[1].name = iface("enp1s0f1");
    };
    world.edit("pve-03", rename);
    // Nothing says what ports it should have.
    check(&world, &["bond-no-active-port"], &[]);
    world.edit("pve-03", |report| {
        super::ordinary::conf(report, &["eno1", "eno2"])
    });
    check(&world, &["bond-ports-missing"], &["bond-no-active-port"]);
}
