//! What a chat hears of incidents that begin, change, hide each other, end and come back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Weekday;
use jiff::tz::{Offset, TimeZone};

use super::*;
use crate::finding::Thing;
use crate::incident::{self, Closing, Incidents, Said};
use crate::name::{IfaceName, NodeName};

const BEGIN: i64 = 1_800_000_000_000;
const MIN: i64 = 60_000;

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn bond(of: &str) -> Thing {
    Thing::Iface(node(of), IfaceName::new("bond0").unwrap())
}

fn route(to: &[&str]) -> Route {
    Route {
        to: to.iter().map(|name| (*name).to_owned()).collect(),
        severity: Severity::Warning,
        rules: vec![],
        nodes: vec![],
        clusters: vec![],
        times: None,
        grouping: Grouping::Incident,
        repeat_ms: None,
        tells_end: true,
    }
}

fn patterns(texts: &[&str]) -> Vec<crate::pattern::Pattern> {
    let patterns = texts
        .iter()
        .map(|text| crate::pattern::Pattern::new(text).unwrap());
    patterns.collect()
}

/// A cluster whose incidents a test makes, and what is owed because of them.
struct World {
    incidents: Incidents,
    alerts: Alerts,
    policy: Policy,
    now: i64,
    /// Receiver, kind, incident, in this order.
    heard: Vec<(String, Kind, Number)>,
    delivers: bool,
    owed_since: Vec<Owed>,
}

impl World {
    fn new(routes: Vec<Route>) -> Self {
        let receivers = routes.iter().flat_map(|route| route.to.clone()).collect();
        Self {
            incidents: Incidents::default(),
            alerts: Alerts::default(),
            policy: Policy {
                receivers,
                routes,
                page: String::new(),
            },
            now: BEGIN,
            heard: vec![],
            delivers: true,
            owed_since: vec![],
        }
    }

    fn one() -> Self {
        Self::new(vec![route(&["chat"])])
    }

    fn step(&mut self, number: Number, step: incident::Step) {
        self.incidents.fold(&incident::Transition {
            number,
            at_unix_ms: self.now,
            step,
        });
    }

    fn opens(&mut self, number: Number, rule: &str, subject: Thing, severity: Severity) {
        let said = said(severity, &format!("{rule} of {subject}"));
        let rule = rule.to_owned();
        self.step(
            number,
            incident::Step::Opened {
                rule,
                subject,
                said,
            },
        );
    }

    fn degrades(&mut self, number: Number, of: &str) {
        self.opens(number, "bond-degraded", bond(of), Severity::Warning);
    }

    fn closes(&mut self, number: Number) {
        let why = Closing::NotFoundAnyMore;
        self.step(number, incident::Step::Closed { why });
    }

    fn comes_back(&mut self, number: Number) {
        let said = said(Severity::Warning, "it is there again");
        self.step(number, incident::Step::CameBack { said });
    }

    fn under(&mut self, number: Number, cause: Number) {
        let cause = Some(cause);
        self.step(number, incident::Step::Under { cause });
    }

    fn fold(&mut self, step: Step) {
        self.alerts.fold(&Transition {
            at_unix_ms: self.now,
            step,
        });
    }

    /// Time passes, and what is owed then arrives.
    fn after(&mut self, ms: i64) -> &mut Self {
        self.now += ms;
        self.look();
        self
    }

    fn look(&mut self) {
        for round in 0.. {
            assert!(round < 4, "there is always more to say");
            let sight = Sight {
                incidents: &self.incidents,
                findings: &[],
                cluster_name: "pve",
                cluster_id: "0b9d3a52-6a36",
                quorum: "quorate: 8 of 8 votes, 5 needed, 3 may be lost",
                unix_ms: self.now,
            };
            let steps = decide(&self.alerts, &self.policy, &sight);
            if steps.is_empty() {
                return;
            }
            for step in &steps {
                self.alerts.fold(step);
                if let Step::Owed(owed) = &step.step {
                    self.hears(owed);
                }
            }
        }
    }

    fn hears(&mut self, owed: &Owed) {
        self.owed_since.push(owed.clone());
        for receiver in &owed.to {
            let message = &owed.message;
            self.heard
                .push((receiver.clone(), message.kind, message.incident));
            if self.delivers {
                self.fold(Step::Delivered {
                    id: owed.id,
                    receiver: receiver.clone(),
                    receipt: Some(owed.id.to_string()),
                });
            }
        }
    }

    /// What was heard since this was asked last.
    #[track_caller]
    fn check(&mut self, expect: &[(Kind, Number)]) {
        let heard = std::mem::take(&mut self.heard);
        let heard: Vec<(Kind, Number)> = heard
            .into_iter()
            .map(|(_, kind, number)| (kind, number))
            .collect();
        assert_eq!(heard, expect);
    }
}

fn said(severity: Severity, sentence: &str) -> Said {
    Said {
        severity,
        sentence: sentence.to_owned(),
        rests_on: BTreeSet::from([(node("pve-09"), crate::report::Family::Bonds)]),
        is_over_by_any: false,
        recalls: BTreeSet::new(),
    }
}

#[test]
fn an_incident_is_told_once_and_its_end_once() {
    let mut world = World::one();
    world.degrades(1, "pve-01");
    world.after(0).after(5 * MIN).check(&[(Kind::Opened, 1)]);
    world.closes(1);
    world.after(0).after(MIN).check(&[(Kind::Over, 1)]);
}

#[test]
fn what_comes_back_is_told_again_and_its_next_end_is_held_back() {
    let mut world = World::one();
    world.degrades(1, "pve-01");
    world.after(0);
    world.closes(1);
    world
        .after(MIN)
        .check(&[(Kind::Opened, 1), (Kind::Over, 1)]);
    world.comes_back(1);
    world.after(MIN).check(&[(Kind::Again, 1)]);
    for _ in 0..3 {
        world.closes(1);
        world.after(2 * MIN);
        world.comes_back(1);
        world.after(MIN);
    }
    world.check(&[]);
    world.closes(1);
    world.after(4 * MIN).check(&[]);
    world.after(2 * MIN).check(&[(Kind::Over, 1)]);
}

#[test]
fn an_effect_is_not_told_and_a_cause_that_comes_later_goes_on_with_its_thread() {
    let mut world = World::one();
    world.degrades(1, "pve-01");
    world.degrades(2, "pve-02");
    world
        .after(0)
        .check(&[(Kind::Opened, 1), (Kind::Opened, 2)]);
    let switch = Thing::Switch("sw-a".to_owned());
    world.opens(3, "switch-down", switch, Severity::Warning);
    world.under(1, 3);
    world.under(2, 3);
    world
        .after(1_000)
        .check(&[(Kind::Changed, 3), (Kind::Joined, 2)]);
    let thread = world.alerts.thread("chat", 1).unwrap();
    assert_eq!(thread.members, BTreeSet::from([1, 3]));
    world.degrades(4, "pve-04");
    world.under(4, 3);
    world.after(10_000).check(&[]);
    // By and by the message says how much it explains.
    world.after(MIN).check(&[(Kind::Changed, 3)]);
    for number in [1, 2, 4, 3] {
        world.closes(number);
    }
    world.after(1_000).check(&[(Kind::Over, 3)]);
}

#[test]
fn a_cause_that_is_worse_calls_again() {
    let mut world = World::one();
    world.degrades(1, "pve-01");
    world.after(0);
    let switch = Thing::Switch("sw-a".to_owned());
    world.opens(2, "switch-down", switch, Severity::Critical);
    world.under(1, 2);
    world.after(0).check(&[(Kind::Opened, 1), (Kind::Worse, 2)]);
}

#[test]
fn what_a_lease_takes_under_itself_ends_quietly_and_is_told_again_if_it_outlives_the_lease() {
    let mut world = World::one();
    world.degrades(1, "pve-01");
    world.after(0);
    let plan = Thing::Node(node("pve-01"));
    world.opens(2, "node-in-maintenance", plan, Severity::Info);
    world.under(1, 2);
    world
        .after(MIN)
        .check(&[(Kind::Opened, 1), (Kind::Joined, 1)]);
    world.closes(2);
    world.after(0).check(&[(Kind::Again, 1)]);
}

#[test]
fn a_silence_holds_until_its_end_and_then_what_is_still_there_is_told() {
    let mut world = World::one();
    world.fold(Step::Silenced(Silence {
        id: 1,
        rule: None,
        subject: Some(crate::pattern::Pattern::new("pve-01").unwrap()),
        incident: None,
        from_unix_ms: BEGIN,
        until_unix_ms: BEGIN + 10 * MIN,
        by: "anna".to_owned(),
        reason: "new cables".to_owned(),
        ended_by: None,
    }));
    world.degrades(1, "pve-01");
    world.degrades(2, "pve-02");
    world.after(9 * MIN).check(&[(Kind::Opened, 2)]);
    world.after(MIN).check(&[(Kind::Opened, 1)]);
}

#[test]
fn what_somebody_knows_of_is_not_repeated_and_survives_a_blip_and_worse_is_told() {
    let hourly = Route {
        repeat_ms: Some(60 * MIN),
        ..route(&["chat"])
    };
    let mut world = World::new(vec![hourly]);
    world.degrades(1, "pve-01");
    world.after(0).after(61 * MIN);
    world.check(&[(Kind::Opened, 1), (Kind::Reminder, 1)]);
    world.fold(Step::Acknowledged(Acknowledged {
        incident: 1,
        severity: Severity::Warning,
        at_unix_ms: world.now,
        by: "anna".to_owned(),
        reason: "a new cable comes".to_owned(),
    }));
    world.after(61 * MIN).after(61 * MIN).check(&[]);
    world.closes(1);
    world.after(MIN).check(&[(Kind::Over, 1)]);
    world.comes_back(1);
    world.after(MIN).check(&[]);
    let said = said(Severity::Critical, "now it is worse");
    world.step(1, incident::Step::Changed { said });
    world.after(MIN).check(&[(Kind::Again, 1)]);
    world.closes(1);
    world.after(30 * MIN);
    assert!(world.alerts.acknowledged(1).is_none());
}

#[test]
fn routes_choose_by_severity_rule_node_cluster_and_hour() {
    let of = |rules: &[&str], nodes: &[&str], clusters: &[&str]| Route {
        rules: patterns(rules),
        nodes: patterns(nodes),
        clusters: patterns(clusters),
        ..route(&[])
    };
    let mut incidents = World::one();
    incidents.degrades(1, "pve-03");
    let incident = incidents.incidents.get(1).unwrap();
    let fits = |route: &Route| route.fits(incident, ["pve", "0b9d"], BEGIN);
    assert!(fits(&of(&["bond-*"], &["pve-0[1-4]"], &["pve"])));
    assert!(fits(&of(&[], &[], &["0b9d"])));
    assert!(!fits(&of(&["link-*"], &[], &[])));
    assert!(!fits(&of(&[], &["pve-0[5-8]"], &[])));
    assert!(!fits(&of(&[], &[], &["lab"])));
    let critical = Route {
        severity: Severity::Critical,
        ..of(&[], &[], &[])
    };
    assert!(!fits(&critical));
}

#[test]
fn hours_are_those_of_their_zone_and_a_night_belongs_to_the_day_on_which_it_begins() {
    let night = Times {
        days: vec![Weekday::Friday],
        from_min: 22 * 60,
        to_min: 6 * 60,
        zone: TimeZone::fixed(Offset::constant(1)),
    };
    let at = |text: &str| {
        let at: jiff::Timestamp = text.parse().unwrap();
        night.hold_at(at.as_millisecond())
    };
    // 2026-11-20 is a Friday.
    assert!(!at("2026-11-20T20:59:00Z"));
    assert!(at("2026-11-20T21:00:00Z"));
    assert!(at("2026-11-21T04:59:00Z"));
    assert!(!at("2026-11-21T05:00:00Z"));
    assert!(!at("2026-11-21T21:30:00Z"));
}

#[test]
fn incidents_of_one_group_share_a_message_until_the_last_is_over() {
    let together = Route {
        grouping: Grouping::Cluster,
        ..route(&["chat"])
    };
    let mut world = World::new(vec![together]);
    world.degrades(1, "pve-01");
    world.degrades(2, "pve-02");
    world.after(0).check(&[(Kind::Opened, 1)]);
    let others = |world: &World| world.alerts.thread("chat", 1).unwrap().last.others.clone();
    assert_eq!(others(&world), ["bond-degraded of pve-02/bond0"]);
    world.degrades(3, "pve-03");
    world.after(0).check(&[(Kind::More, 1)]);
    assert_eq!(others(&world).len(), 2);
    world.closes(1);
    world.closes(3);
    world.after(MIN).check(&[(Kind::Changed, 2)]);
    world.closes(2);
    world.after(MIN).check(&[(Kind::Over, 2)]);
}

#[test]
fn late_history_is_told_and_not_ended() {
    let mut world = World::one();
    let rule = crate::incident::late::RULE;
    world.opens(1, rule, Thing::Cluster, Severity::Critical);
    world.after(0).check(&[(Kind::Opened, 1)]);
    world.closes(1);
    world.after(MIN).check(&[(Kind::Closed, 1)]);
}

#[test]
fn a_receiver_that_is_new_is_told_of_what_is_open_and_the_others_are_not_told_again() {
    let mut world = World::one();
    world.degrades(1, "pve-01");
    world.after(0);
    world.policy.receivers.insert("mail".to_owned());
    world.policy.routes.push(route(&["mail"]));
    world.after(MIN);
    let expect = [
        ("chat".to_owned(), Kind::Opened, 1),
        ("mail".to_owned(), Kind::Opened, 1),
    ];
    assert_eq!(world.heard, expect);
}

#[test]
fn what_is_owed_is_in_order_and_a_changed_word_gives_way_to_a_newer_one() {
    let mut world = World::one();
    world.delivers = false;
    world.degrades(1, "pve-01");
    world.after(0);
    for sentence in ["one", "two"] {
        let said = said(Severity::Warning, sentence);
        world.step(1, incident::Step::Changed { said });
        world.after(MIN);
    }
    world.closes(1);
    world.after(MIN);
    let owed: Vec<Kind> = world
        .alerts
        .owed_to("chat")
        .map(|owed| owed.message.kind)
        .collect();
    assert_eq!(owed, [Kind::Opened, Kind::Over]);
    assert_eq!(world.alerts.overtaken("chat").count(), 2);
}

#[test]
fn a_silence_of_everything_in_the_past_or_for_ever_is_refused() {
    let world = World::one();
    let silence = |subject: Option<&str>, until_unix_ms| {
        let asked = Ask::Silence(Silence {
            id: 0,
            rule: None,
            subject: subject.map(|text| crate::pattern::Pattern::new(text).unwrap()),
            incident: None,
            from_unix_ms: 0,
            until_unix_ms,
            by: String::new(),
            reason: String::new(),
            ended_by: None,
        });
        asked.step(&world.alerts, &world.incidents, BEGIN)
    };
    assert_eq!(silence(None, BEGIN + 1), Err(Refused::OfEverything));
    assert_eq!(silence(Some("pve-01"), BEGIN), Err(Refused::Past));
    let long = silence(Some("pve-01"), i64::MAX);
    assert!(matches!(long, Err(Refused::TooLong { .. })));
    assert!(silence(Some("pve-01"), BEGIN + 1).is_ok());
    let expired = Ask::Expire {
        id: 7,
        by: String::new(),
    };
    let refused = expired.step(&world.alerts, &world.incidents, BEGIN);
    assert_eq!(refused, Err(Refused::NoSilence { id: 7 }));
}

/// Numbers that look drawn, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// Each thread of each receiver begins with a first word, and after its end there is nothing but that it is there again.
fn check_order(world: &World, seed: u64, heard: &mut BTreeMap<(String, Number), bool>) {
    for owed in &world.owed_since {
        for receiver in &owed.to {
            let is_open = heard.get(&(receiver.clone(), owed.head)).copied();
            let kind = owed.message.kind;
            let fits = match kind {
                // What ended long ago is told as if it were new.
                Kind::Opened => is_open != Some(true),
                Kind::Again => is_open == Some(false),
                _ => is_open == Some(true),
            };
            assert!(
                fits,
                "seed {seed}: {kind:?} of #{} to {receiver}",
                owed.head
            );
            heard.insert((receiver.clone(), owed.head), !kind.is_end());
        }
    }
}

#[test]
fn whatever_happens_every_thread_begins_goes_on_and_ends() {
    for seed in 1..=400_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let grouped = Route {
            grouping: Grouping::Node,
            repeat_ms: Some(20 * MIN),
            ..route(&["mail", "pager"])
        };
        let mut world = World::new(vec![route(&["chat", "pager"]), grouped]);
        let mut heard = BTreeMap::new();
        let mut numbers = 0;
        for _ in 0..80 {
            world.draws(&mut dice, &mut numbers);
            let pause = i64::try_from(dice.below(4)).unwrap();
            world.after(pause * 40_000);
            check_order(&world, seed, &mut heard);
            world.owed_since.clear();
        }
        for number in 1..=numbers {
            world.closes(number);
        }
        world.after(30 * MIN);
        check_order(&world, seed, &mut heard);
        let open: Vec<_> = heard.iter().filter(|(_, is_open)| **is_open).collect();
        assert!(open.is_empty(), "seed {seed}: never ended: {open:?}");
    }
}

impl World {
    /// Something happens to some incident.
    fn draws(&mut self, dice: &mut Dice, numbers: &mut Number) {
        let some = 1 + dice.below((*numbers).max(1));
        let is_open = |number| {
            let known = self.incidents.get(number);
            known.map(incident::Incident::is_open)
        };
        match (dice.below(7), is_open(some)) {
            (0 | 1, _) if *numbers < 12 => {
                *numbers += 1;
                let of = format!("pve-{:02}", dice.below(4));
                let severity = [Severity::Info, Severity::Warning, Severity::Critical]
                    [usize::try_from(dice.below(3)).unwrap()];
                self.opens(*numbers, "bond-degraded", bond(&of), severity);
            }
            (2, Some(true)) => self.closes(some),
            (2 | 3, Some(false)) => {
                let closed = self.incidents.get(some).unwrap().closed_unix_ms.unwrap();
                if self.now < closed + crate::incident::RETURN_MS {
                    self.comes_back(some);
                }
            }
            (4, Some(true)) => {
                let severity = [Severity::Warning, Severity::Critical]
                    [usize::try_from(dice.below(2)).unwrap()];
                let said = said(severity, &format!("sentence {}", dice.below(3)));
                self.step(some, incident::Step::Changed { said });
            }
            (5, Some(true)) => {
                let cause = 1 + dice.below(*numbers);
                let is_root = self.incidents.get(cause).is_some_and(|cause| {
                    cause.is_open() && cause.under.is_none() && cause.number != some
                });
                if is_root && self.incidents.under(some).count() == 0 {
                    self.under(some, cause);
                }
            }
            (6, Some(true)) => self.step(some, incident::Step::Under { cause: None }),
            _ => {}
        }
    }
}
