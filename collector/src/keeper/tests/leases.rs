//! The lease: to one of those who ask, from when it is on the disk, and over a restart.

use std::collections::BTreeSet;

use model::gate::{Action, Answer, Kind};
use model::lease::healthy::Reboot;
use model::lease::{Lease, State};

use super::*;
use crate::keeper::core::{Begin, LeaseAsk, Told};

/// The nodes of these tests tell nothing, so a lease is taken against UNKNOWN.
fn begin(node: &str, owner: &str) -> LeaseAsk {
    LeaseAsk::Begin(Begin {
        nodes: BTreeSet::from([name(node)]),
        action: Action::Reboot,
        owner: owner.to_owned(),
        reason: "new kernel".to_owned(),
        planned_s: 600,
        overrides: true,
        waits_for_end: false,
        request_id: String::new(),
        ceph: Vec::new(),
    })
}

impl World {
    fn lease(&mut self, ask: &LeaseAsk) -> Option<Told> {
        self.streams += 1;
        let question = self.streams;
        if let Err(told) = self.core.lease(question, ask, self.now) {
            return Some(*told);
        }
        self.work();
        self.told(question)
    }

    /// What was answered to this question, if it was.
    fn told(&mut self, question: u64) -> Option<Told> {
        let place = self.leased.iter().position(|(to, _)| *to == question)?;
        Some(self.leased.remove(place).1)
    }

    fn held(&mut self) -> Option<Lease> {
        let leases = self.view().leases;
        leases.and_then(|leases| leases.current().cloned())
    }
}

fn world() -> World {
    let mut world = World::new();
    world.core.enrolled(&name("pve-01"));
    world.core.enrolled(&name("pve-02"));
    world
}

fn kinds(told: &Told) -> Vec<Kind> {
    told.verdict
        .reasons
        .iter()
        .map(|reason| reason.kind)
        .collect()
}

#[test]
fn of_two_who_ask_one_gets_it_and_the_other_hears_who_has_it() {
    let mut world = world();
    let first = world.lease(&begin("pve-01", "root@pve-01")).unwrap();
    assert_eq!(first.lease.unwrap().grant.owner, "root@pve-01");
    let second = world.lease(&begin("pve-02", "root@pve-02")).unwrap();
    assert_eq!(second.verdict.answer, Answer::NoGo);
    assert!(kinds(&second).contains(&Kind::LeaseHeld));
    assert!(
        second.verdict.sentence.contains("by root@pve-01"),
        "{}",
        second.verdict.sentence
    );
    // Also the same one again.
    let again = world.lease(&begin("pve-01", "root@pve-01")).unwrap();
    assert!(kinds(&again).contains(&Kind::LeaseHeld));
}

#[test]
fn who_was_not_answered_asks_again_by_the_same_id_and_has_the_one_lease() {
    let of = |id: &str, owner: &str| match begin("pve-01", owner) {
        LeaseAsk::Begin(begin) => LeaseAsk::Begin(Begin {
            request_id: id.to_owned(),
            ..begin
        }),
        other => other,
    };
    let mut world = world();
    world.is_stuck = true;
    assert_eq!(world.lease(&of("a1", "anna")), None, "it is on its way");
    let first = world.streams;
    assert_eq!(
        world.lease(&of("a1", "anna")),
        None,
        "and promised to nobody"
    );
    let second = world.streams;
    world.unstick();
    let (one, other) = (world.told(first).unwrap(), world.told(second).unwrap());
    assert!(one.is_done && other.is_done);
    assert_eq!(one.lease, other.lease);
    let later = world.lease(&of("a1", "anna")).unwrap();
    assert_eq!(later.lease, one.lease);
    assert!(later.is_done);
    for (id, owner) in [("a1", "berta"), ("a2", "anna"), ("", "anna")] {
        let told = world.lease(&of(id, owner)).unwrap();
        assert!(kinds(&told).contains(&Kind::LeaseHeld), "{id} {owner}");
        assert!(!told.is_done);
    }
    let LeaseAsk::Begin(same) = of("a1", "anna") else {
        panic!("it is a beginning");
    };
    let nodes = BTreeSet::from([name("pve-02")]);
    let other = world.lease(&LeaseAsk::Begin(Begin { nodes, ..same }));
    assert!(!other.unwrap().is_done, "the id of another question");
}

#[test]
fn without_an_override_what_is_not_known_gives_no_lease() {
    let mut world = world();
    let LeaseAsk::Begin(asked) = begin("pve-01", "anna") else {
        panic!("it is a beginning");
    };
    let told = world
        .lease(&LeaseAsk::Begin(Begin {
            overrides: false,
            ..asked
        }))
        .unwrap();
    assert_eq!((told.verdict.answer, told.lease), (Answer::Unknown, None));
    let nobody = world.lease(&begin("pve-09", "anna")).unwrap();
    assert_eq!(nobody.lease, None, "an override makes no node");
    assert_eq!(world.held(), None);
}

#[test]
fn nobody_hears_of_a_lease_that_is_not_on_the_disk() {
    let mut world = world();
    world.is_stuck = true;
    assert_eq!(world.lease(&begin("pve-01", "anna")), None);
    assert_eq!(world.held(), None);
    let second = world.lease(&begin("pve-02", "berta")).unwrap();
    assert!(
        kinds(&second).contains(&Kind::LeaseHeld),
        "it may be kept any moment"
    );
    world.unstick();
    assert_eq!(world.leased.len(), 1);
    assert_eq!(world.held().unwrap().grant.owner, "anna");
}

#[test]
fn a_ledger_in_trouble_gives_none_and_the_watching_goes_on() {
    let mut world = world();
    world.is_stuck = true;
    assert_eq!(world.lease(&begin("pve-01", "anna")), None);
    world.advance(20_000);
    let told = world.lease(&begin("pve-02", "berta")).unwrap();
    assert_eq!(
        (told.verdict.answer, kinds(&told)),
        (Answer::Unknown, vec![Kind::NotRecorded])
    );
}

#[test]
fn a_lease_outlives_the_collector_and_is_ended_by_none_of_its_deaths() {
    let mut world = world();
    world.lease(&begin("pve-01", "anna")).unwrap();
    let before = world.held();
    let mut again = World::with(Arc::clone(&world.ledger), 2);
    assert_eq!(again.held(), before);
    again.core.enrolled(&name("pve-02"));
    again.advance(120_000);
    assert_eq!(again.held().unwrap().state, State::Granted);
    let told = again.lease(&begin("pve-02", "berta")).unwrap();
    assert!(kinds(&told).contains(&Kind::LeaseHeld));
}

#[test]
fn a_second_writer_never_makes_a_second_lease() {
    let mut one = world();
    let mut other = World::with(Arc::clone(&one.ledger), 2);
    other.core.enrolled(&name("pve-02"));
    one.lease(&begin("pve-01", "anna")).unwrap();
    // The other one has not read since.
    let told = other.lease(&begin("pve-02", "berta")).unwrap();
    assert_eq!(
        (told.verdict.answer, kinds(&told), told.lease),
        (Answer::Unknown, vec![Kind::NotRecorded], None)
    );
    assert_eq!(other.held().unwrap().grant.owner, "anna");
}

#[test]
fn it_is_given_back_when_all_is_well_and_broken_with_a_reason() {
    let mut world = world();
    world.lease(&begin("pve-01", "anna")).unwrap();
    let end = |reboot| LeaseAsk::End {
        node: name("pve-01"),
        by: "anna".to_owned(),
        reboot,
    };
    let told = world.lease(&end(Reboot::AsPlanned)).unwrap();
    assert_eq!(
        told.verdict.sentence,
        "NO-GO - the lease of pve-01 is not over: nothing is heard of the agent of pve-01"
    );
    let told = world.lease(&end(Reboot::NotDone)).unwrap();
    assert_eq!(told.verdict.answer, Answer::NoGo);
    let told = world
        .lease(&LeaseAsk::Break {
            node: name("pve-01"),
            by: "operator anna".to_owned(),
            reason: "the mainboard is dead".to_owned(),
        })
        .unwrap();
    assert_eq!(told.verdict.answer, Answer::Go);
    let lease = told.lease.unwrap();
    assert_eq!(
        (lease.state, lease.words.as_str()),
        (
            State::Broken,
            "broken by operator anna: the mainboard is dead"
        )
    );
    assert!(
        world
            .lease(&begin("pve-02", "berta"))
            .unwrap()
            .lease
            .is_some()
    );
}

#[test]
fn a_certificate_that_is_sent_away_frees_nothing() {
    let mut world = world();
    world.lease(&begin("pve-01", "anna")).unwrap();
    world.core.revoked(&name("pve-01"));
    world.core.forgotten(&name("pve-01"));
    world.advance(10_000);
    assert_eq!(world.held().unwrap().state, State::Granted);
    let berta = LeaseAsk::Break {
        node: name("pve-01"),
        by: "operator berta".to_owned(),
        reason: "it is sold".to_owned(),
    };
    assert!(world.lease(&berta).unwrap().is_done);
    assert_eq!(world.held(), None);
}

#[test]
fn nobody_ends_what_another_is_at() {
    let mut world = world();
    world.lease(&begin("pve-01", "anna")).unwrap();
    let told = world
        .lease(&LeaseAsk::End {
            node: name("pve-01"),
            by: "berta".to_owned(),
            reboot: Reboot::NotDone,
        })
        .unwrap();
    assert!(!told.is_done);
    assert_eq!(
        told.verdict.reasons[0].sentence,
        "it is held by anna, who may still be at it"
    );
}
