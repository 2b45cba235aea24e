//! Reading the history page by page, against a ledger in memory.

use std::collections::BTreeSet;

use model::finding::{Severity, Thing};
use model::incident::{Closing, Said, Transition};
use model::report::Family;

use super::*;
use crate::ledger::decision::{Decision, DecisionId, Revision, SpoolId, TakenEvent};
use crate::ledger::memory::Memory;

fn cluster() -> ClusterId {
    ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// A ledger that grows by one decision at a time.
struct World {
    ledger: Arc<Memory>,
    revision: u64,
}

impl World {
    fn new() -> Self {
        Self {
            ledger: Arc::new(Memory::new()),
            revision: 0,
        }
    }

    fn append(&mut self, events: Vec<TakenEvent>, transitions: Vec<Transition>) {
        let id = DecisionId {
            writer: 1,
            number: self.revision,
        };
        let decision = Arc::new(Decision {
            id,
            events,
            transitions,
            leases: vec![],
            alerts: vec![],
        });
        let expected = Revision(self.revision);
        self.ledger.append_now(&cluster(), expected, 1, &decision);
        self.revision += 1;
    }

    fn event(&mut self, of: &str, number: u64, kept_unix_ms: i64) {
        let json = format!(r#"{{"family":"links","sentence":"{of} event {number}"}}"#);
        let body = v1::Event {
            number,
            event: Some(Kind::ChangeJson(json)),
        };
        let event = TakenEvent {
            node: node(of),
            spool: SpoolId([1; 16]),
            number,
            last: number,
            kept_unix_ms,
            body: body.encode_to_vec(),
        };
        self.append(vec![event], vec![]);
    }

    fn step(&mut self, number: u64, at_unix_ms: i64, step: Step) {
        let transition = Transition {
            number,
            at_unix_ms,
            step,
        };
        self.append(vec![], vec![transition]);
    }

    fn open(&mut self, number: u64, of: &str, at_unix_ms: i64) {
        let said = Said {
            severity: Severity::Warning,
            sentence: format!("about {of}"),
            rests_on: BTreeSet::from([(node(of), Family::Bonds)]),
            is_over_by_any: false,
            recalls: BTreeSet::new(),
        };
        let step = Step::Opened {
            rule: "bond-degraded".to_owned(),
            subject: Thing::Node(node(of)),
            said,
        };
        self.step(number, at_unix_ms, step);
    }

    /// What a reader is sent, and where he stands then.
    async fn read(&self, wanted: Wanted) -> (Vec<String>, v1::HistoryPlace) {
        let (parts, mut answered) = mpsc::channel(10_000);
        let reading = Reading {
            ledger: Arc::clone(&self.ledger) as Arc<dyn Ledger>,
            cluster: cluster(),
            wanted,
            parts,
        };
        let Ok(place) = reading.start().await else {
            panic!("no start");
        };
        let Ok(_) = reading.some(place).await else {
            panic!("not read");
        };
        drop(reading);
        let (mut lines, mut stands) = (Vec::new(), place);
        while let Some(part) = answered.recv().await {
            let part = part.unwrap();
            stands = part.place.unwrap();
            lines.push(part.entry.unwrap().sentence);
        }
        (lines, stands)
    }
}

fn all() -> Wanted {
    Wanted {
        node: None,
        since_unix_ms: None,
        last: None,
        follow: false,
        after: None,
    }
}

fn two_nodes() -> World {
    let mut world = World::new();
    world.event("pve-01", 1, 1_000);
    world.event("pve-02", 1, 2_000);
    world.open(1, "pve-01", 2_000);
    world.event("pve-01", 2, 3_000);
    let why = Closing::NotFoundAnyMore;
    world.step(1, 4_000, Step::Closed { why });
    world
}

const TOLD: [&str; 5] = [
    "pve-01 event 1",
    "pve-02 event 1",
    "#1 opened, warning: about pve-01",
    "pve-01 event 2",
    "#1 is over: about pve-01",
];

#[tokio::test]
async fn events_and_steps_stand_in_the_order_in_which_they_were_kept() {
    let (lines, place) = two_nodes().read(all()).await;
    assert_eq!(lines, TOLD);
    assert_eq!((place.event, place.step), (3, 2));
}

#[tokio::test]
async fn the_newest_are_counted_over_both() {
    let world = two_nodes();
    for last in 0..=6 {
        let wanted = Wanted {
            last: Some(last),
            ..all()
        };
        let (lines, _) = world.read(wanted).await;
        assert_eq!(lines, TOLD[5 - last.min(5)..], "{last}");
    }
}

#[tokio::test]
async fn a_node_has_its_events_and_the_incidents_about_it() {
    let world = two_nodes();
    let of = |name: &str| Wanted {
        node: Some(node(name)),
        ..all()
    };
    let (lines, _) = world.read(of("pve-02")).await;
    assert_eq!(lines, TOLD[1..2]);
    let (lines, _) = world.read(of("pve-01")).await;
    assert_eq!(lines, [TOLD[0], TOLD[2], TOLD[3], TOLD[4]]);
}

#[tokio::test]
async fn what_was_kept_before_the_time_is_left_out() {
    let world = two_nodes();
    let since = |unix_ms| Wanted {
        since_unix_ms: Some(unix_ms),
        ..all()
    };
    assert_eq!(world.read(since(2_000)).await.0, TOLD[1..]);
    assert_eq!(world.read(since(2_001)).await.0, TOLD[3..]);
    assert!(world.read(since(5_000)).await.0.is_empty());
}

#[tokio::test]
async fn whoever_goes_on_behind_any_part_gets_the_rest_once() {
    let mut world = World::new();
    for number in 1..=1_200 {
        world.event("pve-01", number, i64::try_from(number).unwrap());
    }
    world.open(1, "pve-01", 700);
    let (lines, _) = world.read(all()).await;
    assert_eq!(lines.len(), 1_201);
    assert_eq!(lines[700], "#1 opened, warning: about pve-01");
    for stop in [0, 499, 500, 700, 701, 1_200] {
        let wanted = Wanted {
            after: Some(v1::HistoryPlace {
                event: stop,
                step: u64::from(stop > 700),
            }),
            ..all()
        };
        let (rest, _) = world.read(wanted).await;
        let from = usize::try_from(stop).unwrap() + usize::from(stop > 700);
        assert_eq!(rest, lines[from..], "{stop}");
    }
}

#[tokio::test]
async fn a_place_that_the_ledger_does_not_reach_is_refused() {
    let world = two_nodes();
    let (parts, _answered) = mpsc::channel(1);
    let reading = Reading {
        ledger: Arc::clone(&world.ledger) as Arc<dyn Ledger>,
        cluster: cluster(),
        wanted: Wanted {
            after: Some(v1::HistoryPlace { event: 9, step: 0 }),
            ..all()
        },
        parts,
    };
    let Err(Ended::Told(status)) = reading.start().await else {
        panic!("begun");
    };
    assert_eq!(status.code(), tonic::Code::OutOfRange);
    assert!(
        status.message().contains("put back from a copy"),
        "{status}"
    );
}
