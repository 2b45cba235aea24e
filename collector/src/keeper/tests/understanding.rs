//! What the rules find, on its way into the ledger and over a restart.

use std::collections::BTreeSet;

use super::*;

const BOND: &str = r#"[{"name":"bond0","monitor_targets":[],"slaves":[
    {"name":"eno1","mii_status":"up","speed_unknown":false},
    {"name":"eno2","mii_status":"down","speed_unknown":false}]}]"#;
const RULE: &str = "bond-degraded";
/// What is found has settled by then, and the rules have looked again.
const SETTLED_MS: u64 = 5_500;
/// It is decided, and the ledger is not looked into again yet.
const ON_ITS_WAY_MS: u64 = 4_000;

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
    world.advance(SETTLED_MS);
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
    again.advance(SETTLED_MS);
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
    world.advance(SETTLED_MS);
    assert!(is_found(&mut world));
    assert!(open(&mut world).is_empty());
    assert!(world.view().steps_waiting > 0);
    // What does not answer for so long is called a ledger that cannot be written; the node is heard all the while.
    world.say(stream, FromAgent::Heartbeat(heartbeat(1, 1)));
    world.advance(4_000);
    world.says(
        "bond0 of pve-01 runs on 1 of 2 ports: eno2 is down (seen now, and not written down)",
    );
    world.unstick();
    world.does_not_say("not written down");
    assert_eq!(open(&mut world).len(), 1);
    assert_eq!(world.view().steps_waiting, 0);
}

/// A healthy bond, or one with a port down, of this node.
fn say_bond(world: &mut World, stream: StreamId, revision: u64, is_good: bool) {
    let json = if is_good {
        BOND.replace("down", "up")
    } else {
        BOND.to_owned()
    };
    let bond = known(v1::Family::Bonds, &json, UP_MS + world.now.mono_ms);
    world.say(stream, report(revision, vec![bond]));
}

/// Two numbers for one subject, or one number for two.
fn check_numbers(incidents: &model::incident::Incidents, seed: u64) {
    let all = || incidents.open().chain(incidents.closed());
    let numbers: BTreeSet<u64> = all().map(|one| one.number).collect();
    assert_eq!(numbers.len(), all().count(), "seed {seed}");
    let subjects: BTreeSet<_> = all()
        .map(|one| (one.rule.clone(), one.subject.clone()))
        .collect();
    assert_eq!(subjects.len(), all().count(), "seed {seed}");
    assert!(numbers.last().is_none_or(|last| *last <= incidents.last()));
}

#[test]
fn what_a_former_run_decided_and_comes_late_is_not_decided_again_under_another_number() {
    let faults = Faults {
        unknown_late: 1_000,
        ..Faults::default()
    };
    let ledger = Arc::new(Memory::nasty(1, faults));
    let mut before = World::with(Arc::clone(&ledger), 1);
    let stream = before.open(hello("pve-01"));
    say_bond(&mut before, stream, 1, false);
    before.advance(ON_ITS_WAY_MS);
    assert!(
        open(&mut before).is_empty(),
        "nobody knows what became of it"
    );
    drop(before);

    // The next run hears another node first, and gives it the number that is on its way to the first.
    let mut world = World::with(Arc::clone(&ledger), 2);
    ledger.set_faults(Faults::default());
    let stream = world.open(hello("pve-02"));
    say_bond(&mut world, stream, 1, false);
    world.say(stream, events(1..=3));
    world.advance(SETTLED_MS);
    assert_eq!(open(&mut world), [1, 2]);
    let incidents = world.ledger.snapshot_now(&cluster()).unwrap();
    let incidents = incidents.kept.incidents;
    let sentence = |number| &incidents.get(number).unwrap().said.sentence;
    assert!(sentence(1).contains("pve-01"), "{}", sentence(1));
    assert!(sentence(2).contains("pve-02"), "{}", sentence(2));
    assert_eq!(world.kept_numbers("pve-02"), [1, 2, 3]);
    assert_eq!(world.told_kept(stream).last(), Some(&3));
}

#[test]
fn in_a_nasty_ledger_and_over_restarts_no_incident_is_doubled_and_no_number_given_twice() {
    const NODES: [&str; 3] = ["pve-01", "pve-02", "pve-03"];
    for seed in 0..60 {
        let faults = Faults {
            conflict: 60,
            unknown_done: 100,
            unknown_lost: 100,
            unknown_late: 150,
            unreadable: 100,
            not_leader: 0,
        };
        let ledger = Arc::new(Memory::nasty(seed, faults));
        let mut chance = fastrand::Rng::with_seed(seed);
        for life in 1..=6 {
            let mut world = World::with(Arc::clone(&ledger), life);
            let streams = NODES.map(|node| world.open(hello(node)));
            for round in 1..=4 {
                let which = chance.usize(0..streams.len());
                say_bond(&mut world, streams[which], round, chance.bool());
                world.advance(chance.u64(0..9_000));
                check_numbers(&world.view().incidents, seed);
            }
            if chance.bool() {
                ledger.power_cut();
            }
        }
        ledger.set_faults(Faults::default());
        let mut world = World::with(Arc::clone(&ledger), 99);
        for node in NODES {
            let stream = world.open(hello(node));
            say_bond(&mut world, stream, 1, false);
        }
        world.advance(10_000);
        assert_eq!(open(&mut world).len(), NODES.len(), "seed {seed}");
        check_numbers(&world.view().incidents, seed);
    }
}

#[test]
fn a_node_that_is_gone_or_sent_away_takes_its_incidents_with_it_and_one_not_heard_yet_does_not() {
    let mut world = World::new();
    for (revision, node) in (1..).zip(["pve-01", "pve-02", "pve-03"]) {
        let stream = world.open(hello(node));
        say_bond(&mut world, stream, revision, false);
    }
    world.advance(SETTLED_MS);
    assert_eq!(open(&mut world), [1, 2, 3]);

    let mut again = World::with(Arc::clone(&world.ledger), 2);
    again.core.forgotten(&name("pve-01"));
    again.core.revoked(&name("pve-02"));
    again.core.enrolled(&name("pve-03"));
    again.advance(60_000);
    assert_eq!(open(&mut again), [3]);
    let view = again.view();
    let over: Vec<_> = view.incidents.closed().collect();
    for over in over {
        let last = over.lines.back().unwrap();
        assert_eq!(
            last.sentence,
            "over: the node is not part of the cluster any more"
        );
    }
    // Welcome again, it is heard again.
    again.core.enrolled(&name("pve-02"));
    let stream = again.open(hello("pve-02"));
    say_bond(&mut again, stream, 1, false);
    again.advance(SETTLED_MS);
    assert_eq!(open(&mut again), [2, 3]);
}
