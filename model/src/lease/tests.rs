//! What a lease goes through, from what is seen.

use super::healthy::Before;
use super::testing::{granted, step, take};
use super::*;
use crate::cluster::testing::{World, known, name};
use crate::fact::power::{Power, PowerState};
use crate::rule;

fn world() -> World {
    let mut world = World::of(5);
    world.edit_all(|_, report| {
        report.power = known(Power {
            state: PowerState::Running,
            ..Power::default()
        })
    });
    world
}

/// The names of the steps that come of a look, and they are taken in.
fn look(world: &mut World, watch: &mut Watch) -> Vec<&'static str> {
    let leases = world.leases.clone().unwrap();
    let scene = world.scene();
    let found = rule::findings(&scene);
    let steps = watch.look(&leases, &found, &scene);
    let names = steps.iter().map(|one| one.step.name()).collect();
    let leases = world.leases.as_mut().unwrap();
    steps.iter().for_each(|step| leases.fold(step));
    names
}

#[test]
fn a_reboot_goes_from_granted_to_ended_by_itself() {
    let mut world = world();
    let mut watch = Watch::default();
    take(&mut world, "pve-02");
    assert_eq!(look(&mut world, &mut watch), [""; 0]);
    world.leave(2);
    assert_eq!(look(&mut world, &mut watch), ["departed"]);
    assert_eq!(look(&mut world, &mut watch), [""; 0]);
    world.all_are_members();
    world.reboot("pve-02");
    assert_eq!(look(&mut world, &mut watch), ["back"]);
    world.advance_s(29);
    assert_eq!(look(&mut world, &mut watch), [""; 0]);
    world.advance_s(1);
    assert_eq!(look(&mut world, &mut watch), ["settled", "ended"]);
    let leases = world.leases.unwrap();
    assert!(leases.current().is_none());
    assert_eq!(
        leases.over().next().unwrap().words,
        "pve-02 is back and healthy"
    );
}

#[test]
fn a_node_that_never_leaves_holds_its_lease_and_is_overdue() {
    let mut world = world();
    let mut watch = Watch::default();
    take(&mut world, "pve-02");
    world.advance_s(599);
    assert_eq!(look(&mut world, &mut watch), [""; 0]);
    world.advance_s(1);
    assert_eq!(look(&mut world, &mut watch), ["overdue"]);
    world.advance_s(3_600);
    assert_eq!(look(&mut world, &mut watch), [""; 0]);
    assert!(world.leases.unwrap().current().unwrap().is_overdue);
}

#[test]
fn a_lease_whose_ground_falls_away_before_the_node_has_left_is_withdrawn() {
    let mut world = world();
    let mut watch = Watch::default();
    take(&mut world, "pve-02");
    world.leave(4);
    assert_eq!(look(&mut world, &mut watch), [""; 0]);
    world.advance_s(6);
    assert_eq!(look(&mut world, &mut watch), ["withdrawn"]);
    let lease = world.leases.as_ref().unwrap().current().unwrap();
    assert_eq!(
        lease.words,
        "pve-04 is not in the membership: two nodes would be missing at once"
    );
    // It leaves all the same: then it is waited for.
    world.leave(2);
    assert_eq!(look(&mut world, &mut watch), ["departed"]);
}

#[test]
fn what_was_known_when_it_was_taken_withdraws_nothing_and_what_is_news_does() {
    let mut world = world();
    let mut watch = Watch::default();
    world.leave(4);
    let mut step = granted(&world, 1, "pve-02");
    let Step::Granted(grant) = &mut step.step else {
        panic!("it is a grant");
    };
    grant.overrode = Some("NO-GO - pve-02 must not be rebooted".to_owned());
    grant.stood_against = BTreeSet::from([(Kind::NodeDown, Thing::Node(name("pve-04")))]);
    world.leases.as_mut().unwrap().fold(&step);
    for _ in 0..3 {
        assert_eq!(look(&mut world, &mut watch), [""; 0]);
        world.advance_s(6);
    }
    world.leave(5);
    assert_eq!(look(&mut world, &mut watch), [""; 0]);
    world.advance_s(6);
    assert_eq!(look(&mut world, &mut watch), ["withdrawn"]);
}

#[test]
fn of_a_set_all_must_have_rebooted_before_it_ends_by_itself() {
    let mut world = world();
    let mut watch = Watch::default();
    let (first, second) = (granted(&world, 1, "pve-02"), granted(&world, 1, "pve-03"));
    let (Step::Granted(mut grant), Step::Granted(other)) = (first.step, second.step) else {
        panic!("they are grants");
    };
    grant.action = Action::Upgrade;
    grant.nodes.extend(other.nodes);
    grant.before.extend(other.before);
    let step = Transition {
        step: Step::Granted(grant),
        ..granted(&world, 1, "pve-02")
    };
    world.leases.as_mut().unwrap().fold(&step);
    world.reboot("pve-02");
    assert_eq!(look(&mut world, &mut watch), ["departed"]);
    assert_eq!(look(&mut world, &mut watch), ["back"]);
    world.advance_s(60);
    assert_eq!(look(&mut world, &mut watch), ["settled"]);
    world.reboot("pve-03");
    assert_eq!(look(&mut world, &mut watch), [""; 0]);
}

#[test]
fn there_are_never_two() {
    let mut world = world();
    take(&mut world, "pve-02");
    let before = world.leases.clone();
    let second = granted(&world, 2, "pve-03");
    world.leases.as_mut().unwrap().fold(&second);
    assert_eq!(world.leases, before);
    let broken = Transition {
        number: 1,
        at_unix_ms: 0,
        step: Step::Broken {
            by: "operator anna".to_owned(),
            reason: "power supply died".to_owned(),
        },
    };
    let leases = world.leases.as_mut().unwrap();
    leases.fold(&broken);
    // A number is not given again.
    leases.fold(&granted(&World::of(5), 1, "pve-03"));
    assert!(leases.current().is_none());
    leases.fold(&second);
    assert_eq!(leases.current().unwrap().number, 2);
}

#[test]
fn only_what_was_granted_and_not_used_yet_is_told_again() {
    let mut world = world();
    take(&mut world, "pve-02");
    let awaits = |world: &World, owner: &str, node: &str, action| {
        let lease = world.leases.as_ref().unwrap().current().unwrap();
        lease.awaits(owner, &BTreeSet::from([name(node)]), action)
    };
    let (owner, reboot) = ("root@pve-02", Action::Reboot);
    assert!(awaits(&world, owner, "pve-02", reboot));
    assert!(!awaits(&world, "anna", "pve-02", reboot));
    assert!(!awaits(&world, owner, "pve-01", reboot));
    assert!(!awaits(&world, owner, "pve-02", Action::Upgrade));
    let why = "pve-03 is not in the membership".to_owned();
    step(&mut world, Step::Withdrawn { why });
    assert!(!awaits(&world, owner, "pve-02", reboot));
}

#[test]
fn the_table_of_states_is_that_of_the_document() {
    let page = include_str!("../../../docs/architecture.md");
    for (from, step, to) in TABLE {
        let row = format!("| {from} | {step} | {to} |");
        assert!(page.contains(&row), "docs/architecture.md lacks {row}");
    }
    let states = page.lines().filter(|line| {
        let mut cells = line.split(" | ");
        let first = cells.next().unwrap_or_default().trim_start_matches("| ");
        TABLE.iter().any(|(from, ..)| from.to_string() == first) && cells.count() == 2
    });
    assert_eq!(states.count(), TABLE.len());
}

#[test]
fn a_lease_survives_its_json() {
    let transition = granted(&world(), 1, "pve-02");
    let text = serde_json::to_string(&transition).unwrap();
    let again: Transition = serde_json::from_str(&text).unwrap();
    assert_eq!(again, transition);
    let Step::Granted(grant) = again.step else {
        panic!("not a grant");
    };
    assert_ne!(grant.before[&name("pve-02")], Before::default());
}
