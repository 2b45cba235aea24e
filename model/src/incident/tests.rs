use super::*;
use crate::cluster::testing::{World, value};
use crate::fact::bond::MiiStatus;
use crate::fleet::Hearing;
use crate::rule;

/// A world whose incidents are watched.
struct Watched {
    world: World,
    watch: Watch,
    incidents: Incidents,
    written: Vec<Transition>,
}

impl Watched {
    fn healthy() -> Self {
        Self {
            world: World::healthy(),
            watch: Watch::default(),
            incidents: Incidents::default(),
            written: Vec::new(),
        }
    }

    /// The rules look, and again once what they found has settled.
    fn look(&mut self) -> Vec<Transition> {
        let mut steps = self.look_once();
        self.world.advance_s(3);
        steps.extend(self.look_once());
        steps
    }

    /// The rules look, and what comes of it is written down.
    fn look_once(&mut self) -> Vec<Transition> {
        let scene = self.world.scene();
        // What else is worth telling of eight healthy nodes is not what these tests are about.
        let mut found = rule::findings(&scene);
        found.retain(|finding| finding.rule.starts_with("bond-"));
        let steps = self.watch.look(&self.incidents, &found, &scene);
        for step in &steps {
            self.incidents.fold(step);
        }
        self.written.extend(steps.clone());
        steps
    }

    fn port(&mut self, status: MiiStatus) {
        self.world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves[1].mii_status = Some(status);
        });
    }

    /// Looks every ten seconds.
    fn wait_s(&mut self, seconds: u64) {
        for _ in 0..seconds / 10 {
            self.world.advance_s(10);
            self.look_once();
        }
    }

    fn open(&self) -> Vec<(Number, String)> {
        let open = self.incidents.open();
        open.map(|open| (open.number, open.rule.clone())).collect()
    }
}

#[test]
fn a_finding_opens_an_incident_once_and_closes_it_after_a_calm() {
    let mut watched = Watched::healthy();
    assert!(watched.look().is_empty());
    watched.port(MiiStatus::Down);
    assert_eq!(watched.look().len(), 1);
    assert!(watched.look().is_empty());
    watched.port(MiiStatus::Up);
    watched.wait_s(20);
    assert_eq!(watched.open().len(), 1);
    watched.wait_s(20);
    assert!(watched.open().is_empty());
    assert_eq!(watched.incidents.closed().count(), 1);
}

#[test]
fn silence_never_closes_an_incident() {
    let mut watched = Watched::healthy();
    watched.port(MiiStatus::Down);
    watched.look();
    watched.world.hearing("pve-03", Hearing::Silent);
    watched.wait_s(3_600);
    assert_eq!(watched.open(), [(1, "bond-degraded".to_owned())]);
}

#[test]
fn a_family_that_cannot_be_read_any_more_does_not_close_an_incident() {
    let mut watched = Watched::healthy();
    watched.port(MiiStatus::Down);
    watched.look();
    watched.world.edit("pve-03", |report| {
        report.bonds = crate::reading::Reading::Failed {
            why: "permission denied".to_owned(),
        };
    });
    watched.wait_s(600);
    assert_eq!(watched.open().len(), 1);
}

#[test]
fn a_node_that_left_the_cluster_takes_its_incidents_with_it() {
    let mut watched = Watched::healthy();
    watched.port(MiiStatus::Down);
    watched.look();
    let gone = crate::cluster::testing::name("pve-03");
    watched.world.cluster.forget(&gone);
    let steps = watched.look_once();
    let expect = Step::Closed {
        why: Closing::NodeGone,
    };
    assert_eq!(steps.last().map(|last| &last.step), Some(&expect));
}

#[test]
fn what_comes_back_is_the_same_incident_and_what_flaps_stays_open() {
    let mut watched = Watched::healthy();
    for _ in 0..4 {
        watched.port(MiiStatus::Down);
        watched.look();
        watched.port(MiiStatus::Up);
        watched.wait_s(50);
    }
    let numbers: Vec<Number> = watched
        .open()
        .into_iter()
        .map(|(number, _)| number)
        .collect();
    assert_eq!(numbers, [1], "it came back three times, and is still open");
    watched.wait_s(700);
    assert!(watched.open().is_empty());
}

#[test]
fn a_collector_that_starts_anew_neither_closes_nor_doubles_an_incident() {
    let mut watched = Watched::healthy();
    watched.port(MiiStatus::Down);
    watched.look();
    let mut again = Watched::healthy();
    for step in &watched.written {
        again.incidents.fold(step);
    }
    assert_eq!(again.incidents, watched.incidents);
    again.world.cluster = crate::cluster::Cluster::default();
    assert!(again.look_once().is_empty(), "no node is heard yet");
    again.port(MiiStatus::Down);
    assert!(again.look().is_empty());
    assert_eq!(again.open(), [(1, "bond-degraded".to_owned())]);
}

#[test]
fn of_many_that_are_over_those_that_may_come_back_keep_their_numbers() {
    let said = Said {
        severity: crate::finding::Severity::Warning,
        sentence: "it is wrong".to_owned(),
        rests_on: BTreeSet::new(),
        is_over_by_any: false,
        recalls: BTreeSet::new(),
    };
    let mut incidents = Incidents::default();
    let mut is_over = |number: Number, at_unix_ms: i64| {
        let rule = "bond-degraded".to_owned();
        let subject = Thing::Guest(u32::try_from(number).unwrap());
        let said = said.clone();
        let why = Closing::NotFoundAnyMore;
        for step in [
            Step::Opened {
                rule,
                subject,
                said,
            },
            Step::Closed { why },
        ] {
            incidents.fold(&Transition {
                number,
                at_unix_ms,
                step,
            });
        }
        (
            incidents.closed().count(),
            incidents.about("bond-degraded", &Thing::Guest(1)).is_some(),
        )
    };
    let many = MAX_CLOSED as Number * 2;
    for number in 1..many {
        is_over(number, 0);
    }
    assert_eq!(is_over(many, RETURN_MS - 1), (MAX_CLOSED * 2, true));
    assert_eq!(is_over(many + 1, RETURN_MS), (MAX_CLOSED, false));
}

#[test]
fn what_is_gone_before_it_has_settled_is_nothing() {
    let mut watched = Watched::healthy();
    watched.port(MiiStatus::Down);
    assert!(watched.look_once().is_empty());
    watched.world.advance_s(2);
    assert!(watched.look_once().is_empty());
    watched.port(MiiStatus::Up);
    assert!(watched.look().is_empty());
    watched.port(MiiStatus::Down);
    assert!(watched.look_once().is_empty(), "it began anew");
}
