//! Stories of clusters that broke, as the findings tell them: the cause stands alone, and what follows from it is hidden.

use jiff::Timestamp;

use crate::cluster::testing::{World, iface, known, mac, value};
use crate::fact::bond::{Churn, LacpPdu, MiiStatus};
use crate::fact::cmap::Cmap;
use crate::fact::journal::{Journal, JournalEvent, JournalTime};
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
    check(
        &world,
        &["bond-ports-missing"],
        &["bond-no-active-port", "node-would-not-return"],
    );
}

#[test]
fn a_hung_card_takes_its_corosync_link_and_the_other_nodes_view_of_it() {
    let mut world = World::healthy();
    world.edit("pve-03", |report| {
        let hang = crate::fact::journal::Event::NicHang {
            iface: iface("eno3"),
            driver: Some("e1000e".to_owned()),
        };
        let text = "e1000e 0000:00:1f.6 eno3: Detected Hardware Unit Hang:";
        report.journal = known(Journal {
            events: vec![JournalEvent {
                time: Some(JournalTime::Exact(Timestamp::UNIX_EPOCH)),
                boot_id: None,
                cursor: None,
                hostname: None,
                identifier: Some("kernel".to_owned()),
                unit: None,
                pid: None,
                priority: Some(3),
                repeated: None,
                message: text.to_owned(),
                event: hang,
            }],
            ..Journal::default()
        });
    });
    // pve-03 sends nothing: pve-01 has lost it, and it still hears pve-01.
    world.edit("pve-01", |report| {
        let links = value(&mut report.corosync).links.as_mut().unwrap();
        let peers = links[1].peers.as_mut().unwrap();
        let peer = peers.iter_mut().find(|peer| peer.node_id == 3);
        peer.unwrap().connected = Some(false);
    });
    let findings = super::findings(&world.scene());
    let named = |rule: &str| findings.iter().find(|found| found.rule == rule).unwrap();
    assert!(named("link-hung").explains(named("corosync-one-way-link")));
}

#[test]
fn jumbo_frames_that_one_switch_drops_are_one_finding_of_the_network() {
    let mut world = World::healthy();
    world.edit_all(|_, report| {
        report.cmap = known(Cmap::default());
        value(&mut report.links)[2].mtu_bytes = Some(9_000);
        let links = value(&mut report.corosync).links.as_mut().unwrap();
        for peer in links[1].peers.as_mut().unwrap() {
            peer.mtu_bytes = Some(1_397);
        }
    });
    check(&world, &["mtu-path-smaller"], &[]);
}
