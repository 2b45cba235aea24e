use super::*;
use crate::cluster::testing::{World, iface, name, value};
use crate::fact::bond::MiiStatus;
use crate::finding::Finding;
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
        // What else is worth telling of eight healthy nodes is not what these tests are about.
        let mut found = rule::findings(&self.world.scene());
        found.retain(|finding| finding.rule.starts_with("bond-"));
        self.look_at(&found)
    }

    fn look_at(&mut self, found: &[Finding]) -> Vec<Transition> {
        let scene = self.world.scene();
        let steps = self.watch.look(&self.incidents, found, &scene);
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

    /// These are found every second, for so long.
    fn found_for_s(&mut self, seconds: u64, found: &[Finding]) {
        for _ in 0..seconds {
            self.look_at(found);
            self.world.advance_s(1);
        }
    }

    /// Rules of what is open, and the incident that each is under.
    fn placed(&self) -> Vec<(Number, &str, Option<Number>)> {
        let open = self.incidents.open();
        open.map(|open| (open.number, open.rule.as_str(), open.under))
            .collect()
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
    let gone = name("pve-03");
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
        severity: Severity::Warning,
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

/// A switch that takes two ports, and the bonds that have them.
fn switch_and_bonds() -> (Finding, [Finding; 2]) {
    let port = |of: &str| Thing::Iface(name(of), iface("eno1"));
    let bond = |of: &str| {
        let bond = Thing::Iface(name(of), iface("bond0"));
        let found = Finding::new(Severity::Warning, bond, format!("a port of {of} is down"));
        let found = found.is_loss_of([port(of)]);
        Finding {
            rule: "bond-degraded",
            ..found.seen_in(&name(of), Family::Bonds, "down")
        }
    };
    let switch = Thing::Switch("a".to_owned());
    let found = Finding::new(Severity::Critical, switch, "the switch is down".to_owned());
    let found = found.takes([port("pve-01"), port("pve-02")]);
    let switch = Finding {
        rule: "switch-down",
        ..found.seen_in(&name("pve-01"), Family::Bonds, "down")
    };
    (switch, [bond("pve-01"), bond("pve-02")])
}

#[test]
fn what_its_cause_left_behind_is_under_it_also_when_it_is_told_in_other_words() {
    let mut watched = Watched::healthy();
    let (switch, [one, other]) = switch_and_bonds();
    let both = one.symptoms.union(&other.symptoms).cloned();
    let both = Finding {
        subject: Thing::Cluster,
        ..one.clone().is_loss_of(both)
    };
    watched.found_for_s(5, &[switch.clone(), both]);
    watched.found_for_s(10, std::slice::from_ref(&other));
    let expect = [
        (1, "switch-down", None),
        (2, "bond-degraded", Some(1)),
        (3, "bond-degraded", Some(1)),
    ];
    assert_eq!(watched.placed(), expect);
    watched.found_for_s(25, &[other]);
    assert_eq!(
        watched.placed(),
        [(3, "bond-degraded", None)],
        "it stands by itself then"
    );
}

#[test]
fn what_began_after_its_cause_was_gone_stands_by_itself_at_once() {
    let mut watched = Watched::healthy();
    let (switch, [one, other]) = switch_and_bonds();
    watched.found_for_s(5, &[switch, one]);
    watched.found_for_s(1, &[]);
    watched.found_for_s(4, &[other]);
    assert!(watched.placed().contains(&(3, "bond-degraded", None)));
}

#[test]
fn what_was_told_before_its_cause_and_is_told_in_other_words_goes_under_it() {
    let mut watched = Watched::healthy();
    let (switch, [one, _]) = switch_and_bonds();
    let again = Finding {
        subject: Thing::Cluster,
        ..one.clone()
    };
    watched.found_for_s(5, &[one]);
    watched.found_for_s(5, &[switch.clone(), again]);
    let expect = [
        (1, "bond-degraded", Some(2)),
        (2, "switch-down", None),
        (3, "bond-degraded", Some(2)),
    ];
    assert_eq!(watched.placed(), expect);
}

#[test]
fn what_is_over_when_another_cause_of_it_appears_was_not_of_that() {
    let mut watched = Watched::healthy();
    let (switch, [one, other]) = switch_and_bonds();
    watched.found_for_s(5, &[one]);
    watched.found_for_s(5, &[switch, other]);
    assert!(watched.placed().contains(&(1, "bond-degraded", None)));
}

/// Guests that are found and not found, and take each other in ever new ways.
fn by_chance(chance: &mut fastrand::Rng) -> Vec<Finding> {
    const GUESTS: u32 = 5;
    let found = |guest| {
        let is_lost = Finding::new(Severity::Warning, Thing::Guest(guest), "it is lost".into());
        let is_lost = is_lost.seen_in(&name("pve-01"), Family::Bonds, "down");
        Finding {
            rule: "ha-service-error",
            ..is_lost
        }
    };
    let mut findings: Vec<Finding> = (0..GUESTS).filter(|_| chance.bool()).map(found).collect();
    for finding in &mut findings {
        let takes = (0..GUESTS).filter(|_| chance.u8(..3) == 0);
        finding.takes = takes.map(Thing::Guest).collect();
    }
    findings
}

#[test]
fn however_causes_change_nothing_is_hidden_by_what_is_hidden_under_it() {
    for seed in 0..200 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut watched = Watched::healthy();
        for _ in 0..50 {
            let found = by_chance(&mut chance);
            watched.found_for_s(chance.u64(1..20), &found);
            let under: BTreeMap<Number, Option<Number>> = watched
                .incidents
                .open()
                .map(|open| (open.number, open.under))
                .collect();
            for number in under.keys() {
                let above = |below: &Number| under.get(below).copied().flatten();
                let steps = std::iter::successors(Some(*number), above).take(under.len() + 1);
                assert!(
                    steps.count() <= under.len(),
                    "seed {seed}: {:#?}",
                    watched.placed()
                );
            }
        }
    }
}
