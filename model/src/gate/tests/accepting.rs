//! What operators accept is a note; what cannot be accepted stays what it is.

use super::*;
use crate::gate::{Accepting, accept, take_back};
use crate::lease::{Step, Transition, Watch};

const DAY_MS: i64 = 86_400_000;

fn wanted(world: &World, kind: &str, subject: &str) -> Accepting {
    Accepting {
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        until_unix_ms: world.now.unix_ms + 30 * DAY_MS,
        reason: "a spare, switched off".to_owned(),
        by: "operator anna".to_owned(),
    }
}

fn step(world: &mut World, step: Step) {
    let transition = Transition {
        number: 0,
        at_unix_ms: world.now.unix_ms,
        step,
    };
    world.leases.as_mut().unwrap().fold(&transition);
}

fn tried(world: &World, asked: &Accepting) -> Result<Step, Verdict> {
    let scene = world.scene();
    let found = rule::findings(&scene);
    let leases = world.leases.as_ref().unwrap();
    accept(&scene, &found, leases, asked).map(|one| Step::Accepted(Box::new(one)))
}

#[track_caller]
fn accepted(world: &mut World, kind: &str, subject: &str) {
    let asked = wanted(world, kind, subject);
    let decided = tried(world, &asked).unwrap();
    step(world, decided);
}

#[track_caller]
fn refused(world: &World, asked: &Accepting, sentence: &str) {
    let verdict = tried(world, asked).unwrap_err();
    assert_eq!(verdict.sentence, sentence);
    assert_eq!(verdict.answer, Answer::NoGo);
}

#[test]
fn a_node_that_is_off_for_good_keeps_nobody_back_once_that_is_accepted() {
    let mut world = ordinary(8);
    world.leave(8);
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::NodeDown);
    accepted(&mut world, "node-down", "pve-08");
    let verdict = reboot(&world, "pve-03");
    expect(&verdict, Answer::Go, Kind::NodeDown);
    let note = verdict.of_weight(Weight::Note);
    let sentences: Vec<&str> = note.map(|note| note.sentence.as_str()).collect();
    let expect_note = "pve-08 is not in the membership: two nodes would be missing at once; accepted until 2027-02-14 08:00 UTC by \
                       operator anna: a spare, switched off";
    assert!(sentences.contains(&expect_note), "{sentences:#?}");
    // Another one that is away is news, and votes are votes.
    world.leave(7);
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::NodeDown);
}

#[test]
fn what_was_accepted_is_over_with_its_time_or_when_the_node_is_there_again() {
    let mut world = ordinary(8);
    world.leave(8);
    accepted(&mut world, "node-down", "pve-08");
    let of = |world: &World| {
        world
            .leases
            .as_ref()
            .unwrap()
            .accepted()
            .at(world.now.unix_ms)
            .count()
    };
    let look = |world: &World| {
        let (leases, scene) = (world.leases.as_ref().unwrap(), world.scene());
        Watch::default().look(leases, &[], &scene)
    };
    assert_eq!(look(&world), []);
    let mut later = ordinary(8);
    later.leases = world.leases.clone();
    for over in look(&later) {
        later.leases.as_mut().unwrap().fold(&over);
    }
    assert_eq!(of(&later), 0);
    assert_eq!(of(&world), 1);
    world.now.unix_ms += 30 * DAY_MS;
    assert_eq!(of(&world), 0);
}

#[test]
fn only_what_is_there_now_can_be_accepted() {
    let mut world = ordinary(8);
    world.leave(8);
    let asked = wanted(&world, "node-down", "pve-07");
    let none = "NO-GO - there is no node-down of \"pve-07\" now; there is one of pve-08";
    refused(&world, &asked, none);
    let asked = wanted(&world, "redundancy", "pve-02/bond0");
    let none = "NO-GO - there is no redundancy of \"pve-02/bond0\" now; there is one of nothing";
    refused(&world, &asked, none);
    let asked = wanted(&world, "votes-short", "the cluster");
    let never = "NO-GO - \"votes-short\" cannot be accepted; what can be is node-down, redundancy, no-backup-seen";
    refused(&world, &asked, never);
    for until_unix_ms in [0, world.now.unix_ms, i64::MAX] {
        let asked = Accepting {
            until_unix_ms,
            ..wanted(&world, "node-down", "pve-08")
        };
        let sentence = tried(&world, &asked).unwrap_err().sentence;
        assert!(sentence.contains("at most 366 days away"), "{sentence}");
    }
}

fn told(rule: &'static str, sentence: &str) -> Finding {
    let subject = Thing::Switch("sw-a".to_owned());
    let severity = crate::finding::Severity::Warning;
    let mut finding = Finding::new(severity, subject, sentence.to_owned());
    finding.rule = rule;
    finding
}

fn heavy(world: &World, found: &Finding) -> bool {
    let request = request(&["pve-03"], Action::Reboot);
    let verdict = check(&world.scene(), std::slice::from_ref(found), &request);
    let mut heavy = verdict.of_weight(Weight::Warning);
    heavy.any(|reason| reason.rule == Some(found.rule))
}

#[test]
fn of_a_path_what_was_told_is_accepted_and_nothing_more() {
    let mut world = ordinary(8);
    let one = told("switch-down", "sw-a is down, and 2 ports with it");
    let more = told("switch-down", "sw-a is down, and 3 ports with it");
    assert!(heavy(&world, &one));
    let asked = wanted(&world, "redundancy", "switch sw-a");
    let leases = world.leases.clone().unwrap();
    let decide =
        |found: &Finding| accept(&world.scene(), std::slice::from_ref(found), &leases, &asked);
    for rule in ["corosync-expected-lowered", "ha-watchdog-expiring"] {
        assert!(decide(&told(rule, "it is so")).is_err(), "{rule}");
    }
    let decided = decide(&one).unwrap();
    step(&mut world, Step::Accepted(Box::new(decided)));
    assert!(!heavy(&world, &one));
    assert!(heavy(&world, &more));
}

#[test]
fn what_is_mended_for_a_while_is_not_accepted_any_more() {
    let mut world = ordinary(8);
    let one = told("switch-down", "sw-a is down");
    let asked = wanted(&world, "redundancy", "switch sw-a");
    let leases = world.leases.clone().unwrap();
    let decided = accept(&world.scene(), std::slice::from_ref(&one), &leases, &asked);
    step(&mut world, Step::Accepted(Box::new(decided.unwrap())));
    let mut watch = Watch::default();
    let mut look = |world: &World, found: &[Finding]| {
        let leases = world.leases.as_ref().unwrap();
        watch.look(leases, found, &world.scene()).len()
    };
    assert_eq!(look(&world, &[]), 0);
    world.advance_s(500);
    assert_eq!(look(&world, std::slice::from_ref(&one)), 0);
    world.advance_s(500);
    assert_eq!(look(&world, &[]), 0);
    world.advance_s(599);
    assert_eq!(look(&world, &[]), 0);
    world.advance_s(1);
    assert_eq!(look(&world, &[]), 1);
}

#[test]
fn a_guest_that_needs_no_backup_is_left_out_of_those_that_have_none() {
    let mut world = ordinary(3);
    world.edit("pve-02", |report| {
        value(&mut report.guests).here = vec![guest(104), guest(105)];
    });
    let warned = |world: &World| {
        let verdict = judged(world, &["pve-02"], Action::Upgrade);
        let of = verdict.of_weight(Weight::Warning);
        let of = of.filter(|reason| reason.kind == Kind::NoBackupSeen);
        of.map(|reason| reason.sentence.clone()).collect::<Vec<_>>()
    };
    let none = "no vzdump backup of the last 8 days was seen for";
    assert_eq!(
        warned(&world),
        [format!("{none} guests on pve-02: 104, 105")]
    );
    accepted(&mut world, "no-backup-seen", "104");
    assert_eq!(warned(&world), [format!("{none} one guest on pve-02: 105")]);
    accepted(&mut world, "no-backup-seen", "guest 105");
    assert_eq!(warned(&world), [""; 0]);
    let leases = world.leases.as_ref().unwrap();
    let back = |subject| take_back(leases, "no-backup-seen", subject, world.now.unix_ms);
    assert_eq!(back("105").unwrap().subject, Thing::Guest(105));
    assert!(back("106").is_err());
}
