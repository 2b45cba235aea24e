//! Room elsewhere for the services that HA takes away.

use super::*;
use crate::fact::ha_config::{HaRule, HaRuleKind};

/// Guest 100 of pve-03, which HA takes to another node, has so much memory.
fn failover(memory_gib: u64) -> World {
    let mut world = ordinary(3);
    let policy = ShutdownPolicy::Failover;
    with_service(&mut world, Some(&policy), &ServiceState::Started);
    edit_guest(&mut world, |config| {
        config.memory_mib = Some(memory_gib << 10);
    });
    world
}

fn edit_guest(world: &mut World, change: impl FnOnce(&mut GuestConfig)) {
    world.edit("pve-03", |report| {
        let guest = &mut value(&mut report.guests).here[0];
        change(guest.config.as_mut().unwrap());
    });
}

#[track_caller]
fn nowhere(world: &World) -> String {
    let verdict = reboot(world, "pve-03");
    expect(&verdict, Answer::Warn, Kind::FitsNowhere);
    let mut of_kind = verdict.reasons.into_iter();
    let found = of_kind.find(|reason| reason.kind == Kind::FitsNowhere);
    found.unwrap().sentence
}

#[test]
fn a_service_that_fits_elsewhere_is_a_note() {
    let verdict = reboot(&failover(8), "pve-03");
    assert_eq!(verdict.answer, Answer::Go, "{:#?}", verdict.reasons);
}

#[test]
fn a_service_that_is_larger_than_what_is_free_anywhere_is_a_warning() {
    let mut world = failover(64);
    world.edit("pve-02", |report| report.host = known(free_memory(40)));
    assert_eq!(
        nowhere(&world),
        "for vm:100 (64.0 GiB) no other node has free memory beside what comes to it before: pve-02 has most, 40.0 GiB"
    );
    world.edit_all(|_, report| report.host = Reading::NeverHeard);
    assert!(nowhere(&world).ends_with("no node that may run it tells how much it has"));
}

#[test]
fn what_comes_to_a_node_before_takes_its_room() {
    let mut world = failover(20);
    world.edit("pve-02", |report| report.host = known(free_memory(1)));
    assert_eq!(reboot(&world, "pve-03").answer, Answer::Go);
    world.edit_all(|_, report| {
        let ha = value(&mut report.ha);
        let manager = ha.manager.as_mut().unwrap();
        let services = manager.service_status.as_mut().unwrap();
        let another = services["vm:100"].clone();
        services.insert("vm:101".to_owned(), another);
    });
    world.edit("pve-03", |report| {
        let guests = value(&mut report.guests);
        let mut another = guests.here[0].clone();
        another.id = 101;
        guests.here.push(another);
    });
    assert!(nowhere(&world).starts_with("for vm:101 (20.0 GiB)"));
}

#[test]
fn a_service_that_is_tied_to_the_node_and_one_that_may_run_where_no_room_is_fit_nowhere() {
    let mut world = failover(8);
    edit_guest(&mut world, |config| {
        config.passthrough = vec![Passthrough {
            slot: "hostpci0".to_owned(),
            mapping: None,
            device: Some("0000:01:00.0".to_owned()),
        }];
    });
    let sentence = "no other node can run vm:100: it holds hostpci0 of the host";
    assert_eq!(nowhere(&world), sentence);

    let mut world = failover(8);
    world.edit("pve-02", |report| report.host = known(free_memory(4)));
    world.edit_all(|_, report| {
        let rule = HaRule {
            id: "pinned".to_owned(),
            kind: HaRuleKind::NodeAffinity,
            disabled: false,
            affinity: None,
            strict: true,
            resources: vec!["vm:100".to_owned()],
            nodes: vec![(name("pve-02"), None), (name("pve-03"), None)],
        };
        value(&mut report.ha).config.rules = Some(vec![rule]);
    });
    assert!(nowhere(&world).ends_with("pve-02 has most, 4.0 GiB"));
}
