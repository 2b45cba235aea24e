//! A node that is judged by its own word alone.

use super::*;
use crate::cluster::{Cluster, Now};
use crate::report::{Family, NodeReport};
use crate::rule::Thresholds;
use crate::topology::Site;

const NODE: &str = "pve-03";

/// What the node says, read a second ago.
fn word(world: &World) -> NodeReport {
    let mut report = NodeReport::never_heard();
    let at = Timestamp::from_millisecond(world.now.unix_ms - 1_000).unwrap();
    for (family, held) in &world.cluster.nodes[&name(NODE)].seen.facts {
        let fact = match held.fact.to_json() {
            Reading::Known {
                value, problems, ..
            } => family.known(&value.to_string(), at, problems).unwrap(),
            _ => (*held.fact).clone(),
        };
        report.replace(fact);
    }
    report
}

fn judged_alone(report: &NodeReport, now: Now) -> Verdict {
    let cluster = Cluster::of_one(&name(NODE), report, now);
    let (thresholds, site) = (Thresholds::default(), Site::default());
    let scene = Scene::new(&cluster, now, &thresholds, &site);
    check_local(&scene, &rule::findings(&scene), &name(NODE), Action::Reboot)
}

fn alone(world: &World) -> Verdict {
    judged_alone(&word(world), world.now)
}

#[test]
fn by_its_own_word_alone_a_healthy_node_is_a_warn() {
    let verdict = alone(&ordinary(8));
    expect(&verdict, Answer::Warn, Kind::OwnWordAlone);
    assert_eq!(
        verdict.sentence,
        "WARN - pve-03 may be rebooted, but this is pve-03's own word alone: whether somebody holds the lease, or another node \
         is on its way down, it does not know; 7 of 8 votes stay, and 5 are needed"
    );
}

#[test]
fn what_an_agent_prints_can_be_read_again() {
    let report = word(&ordinary(8));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<NodeReport>(&json).unwrap(), report);
}

#[test]
fn a_member_that_is_missing_and_votes_that_are_short_stand_against_it_alone_too() {
    let mut world = ordinary(8);
    world.leave(8);
    expect(&alone(&world), Answer::NoGo, Kind::NodeDown);
    for id in 5..8 {
        world.leave(id);
    }
    let verdict = alone(&world);
    assert_ne!(verdict.answer, Answer::Warn, "{}", verdict.sentence);
}

#[test]
fn what_it_does_not_know_of_itself_is_unknown() {
    let world = ordinary(8);
    let whole = word(&world);
    for family in [
        Family::Corosync,
        Family::CorosyncConf,
        Family::Power,
        Family::Boot,
        Family::Interfaces,
        Family::Links,
        Family::Tasks,
        Family::Guests,
        Family::Ha,
        Family::Ceph,
    ] {
        for spoiled in [family.failed("no".to_owned()), family.never_heard()] {
            let mut report = whole.clone();
            report.replace(spoiled);
            let verdict = judged_alone(&report, world.now);
            let is_as_bad = matches!(verdict.answer, Answer::Unknown | Answer::NoGo);
            assert!(is_as_bad, "{family:?}: {}", verdict.sentence);
        }
    }
}

#[test]
fn a_word_that_is_old_or_of_the_future_is_none() {
    let world = ordinary(8);
    let report = word(&world);
    for by_ms in [-60_000, 24 * 3_600_000] {
        let mut now = world.now;
        now.unix_ms += by_ms;
        let verdict = judged_alone(&report, now);
        assert_eq!(verdict.answer, Answer::Unknown, "{}", verdict.sentence);
    }
}
