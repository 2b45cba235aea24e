//! What the rules find, on its way into the ledger and over a restart.

use super::*;

const BOND: &str = r#"[{"name":"bond0","monitor_targets":[],"slaves":[
    {"name":"eno1","mii_status":"up","speed_unknown":false},
    {"name":"eno2","mii_status":"down","speed_unknown":false}]}]"#;
const RULE: &str = "bond-degraded";

/// A bond with one port up and one down, just read.
fn bond_of(world: &World) -> v1::Fact {
    known(v1::Family::Bonds, BOND, UP_MS + world.now.mono_ms)
}

/// The numbers of the open incidents of the rule.
fn open(world: &mut World) -> Vec<u64> {
    let view = world.view();
    let open = view.incidents.open().filter(|open| open.rule == RULE);
    open.map(|open| open.number).collect()
}

fn is_found(world: &mut World) -> bool {
    world.view().found.iter().any(|found| found.rule == RULE)
}

#[test]
fn an_incident_outlives_the_collector_under_its_number() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    let bond = bond_of(&world);
    world.say(stream, report(1, vec![bond]));
    world.advance(1_000);
    let numbers = open(&mut world);
    assert_eq!(numbers.len(), 1);

    let mut again = World::with(Arc::clone(&world.ledger), 2);
    assert_eq!(open(&mut again), numbers);
    again.advance(120_000);
    assert_eq!(
        open(&mut again),
        numbers,
        "nobody was heard: nothing is over"
    );
    let stream = again.open(hello("pve-01"));
    let bond = bond_of(&again);
    again.say(stream, report(1, vec![bond]));
    again.advance(1_000);
    assert_eq!(open(&mut again), numbers);
    assert!(is_found(&mut again));
}

#[test]
fn what_the_ledger_does_not_take_is_found_and_not_said_to_be_written() {
    let mut world = World::new();
    world.is_stuck = true;
    let stream = world.open(hello("pve-01"));
    let bond = bond_of(&world);
    world.say(stream, report(1, vec![bond]));
    world.advance(1_000);
    assert!(is_found(&mut world));
    assert!(open(&mut world).is_empty());
    assert!(world.view().steps_waiting > 0);
    world.unstick();
    assert_eq!(open(&mut world).len(), 1);
    assert_eq!(world.view().steps_waiting, 0);
}
