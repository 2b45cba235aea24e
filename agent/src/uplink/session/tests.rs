//! What one stream says, and when.

mod idle;
mod lossy;

use std::sync::Arc;

use jiff::Timestamp;
use model::fact::host::{HostLoad, LoadAverage};
use model::fact::lldp::Neighbour;
use model::fact::members::Members;
use model::reading::Reading;
use model::report::Fact;
use serde_json::Value;

use super::*;
use crate::spool::{Kind, Record};

const SPOOL: [u8; 16] = [7; 16];

fn at(seconds: f64) -> Now {
    let monotonic = Duration::from_secs_f64(seconds);
    Now {
        monotonic,
        boottime_ms: 1_000_000 + monotonic.as_millis() as u64,
        unix_ms: 1_700_000_000_000 + monotonic.as_millis() as i64,
    }
}

fn hello(next: u64) -> v1::Hello {
    v1::Hello {
        node: "pve-01".to_owned(),
        spool_id: SPOOL.to_vec(),
        spool_first: 1,
        spool_next: next,
        ..v1::Hello::default()
    }
}

fn said(message: Said) -> v1::CollectorMessage {
    v1::CollectorMessage {
        message: Some(message),
    }
}

fn welcome(up_to: u64) -> v1::CollectorMessage {
    said(Said::Welcome(v1::Welcome {
        heartbeat_ms: 2000,
        events_kept_up_to: up_to,
        ..v1::Welcome::default()
    }))
}

fn kept(up_to: u64) -> v1::CollectorMessage {
    said(Said::EventsKept(v1::EventsKept {
        spool_id: SPOOL.to_vec(),
        up_to,
    }))
}

fn known<T>(value: T) -> Reading<T> {
    Reading::Known {
        value,
        at: Timestamp::from_second(1_700_000_000).unwrap(),
        problems: Vec::new(),
    }
}

fn read(fact: Fact, now: Now) -> Arc<ReadFact> {
    Arc::new(ReadFact {
        fact: Arc::new(fact),
        read_at_boottime_ms: now.boottime_ms,
    })
}

/// A fact with a number in it.
fn neighbours(number: u32) -> Fact {
    let mut neighbour = Neighbour::default();
    neighbour.port.ttl_seconds = Some(number);
    neighbour.chassis.name = Some("switch-1".to_owned());
    Fact::Lldp(known(vec![neighbour]))
}

fn load(load: f64) -> Fact {
    let load = LoadAverage {
        over_1_min: load,
        ..LoadAverage::default()
    };
    Fact::Host(known(HostLoad {
        load: Some(load),
        ..HostLoad::default()
    }))
}

/// A session that was welcomed at second 0.
fn open(next: u64, up_to: u64) -> Session {
    let mut session = Session::new(hello(next), at(0.0));
    assert!(matches!(
        message(&mut session, 0.0),
        Some(Message::Hello(_))
    ));
    assert_eq!(
        message(&mut session, 0.0).map(drop),
        None,
        "waits for Welcome"
    );
    let effect = session.take(welcome(up_to), at(0.0)).unwrap();
    assert!(matches!(effect, Some(Effect::Welcomed(_))));
    session
}

fn message(session: &mut Session, seconds: f64) -> Option<Message> {
    let had = session.has_something(at(seconds));
    let message = session
        .next(at(seconds))
        .and_then(|message| message.message);
    assert!(had || message.is_none(), "it said that it had nothing");
    message
}

#[track_caller]
fn report(session: &mut Session, seconds: f64) -> v1::Report {
    match message(session, seconds) {
        Some(Message::Report(report)) => report,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn delta(session: &mut Session, seconds: f64) -> v1::Delta {
    match message(session, seconds) {
        Some(Message::Delta(delta)) => delta,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn heartbeat(session: &mut Session, seconds: f64) -> v1::Heartbeat {
    match message(session, seconds) {
        Some(Message::Heartbeat(heartbeat)) => heartbeat,
        other => panic!("{other:?}"),
    }
}

fn record(number: u64) -> Item {
    Item::Record(Record {
        number,
        kind: Kind::Journal,
        cursor: None,
        json: format!("{{\"number\":{number}}}"),
    })
}

fn numbers(message: Option<Message>) -> Vec<u64> {
    match message {
        Some(Message::Events(events)) => events.events.iter().map(|event| event.number).collect(),
        None => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn patch(change: &v1::FactChange) -> Value {
    match &change.change {
        Some(v1::fact_change::Change::Patch(patch)) => {
            serde_json::from_str(&patch.json_patch).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_report_comes_first_and_then_what_changed_as_a_patch() {
    let mut session = open(1, 0);
    session.heard(read(neighbours(1), at(0.0)));
    let first = report(&mut session, 0.0);
    assert_eq!((first.revision, first.facts.len()), (1, 1));
    assert!(message(&mut session, 0.0).is_none());
    // Read again, and the same.
    session.heard(read(neighbours(1), at(1.0)));
    assert!(message(&mut session, 1.0).is_none());
    session.heard(read(neighbours(2), at(1.5)));
    let change = delta(&mut session, 1.5);
    assert_eq!((change.base, change.revision), (1, 2));
    let path = "/0/port/ttl_seconds";
    let expected = serde_json::json!([{"op": "replace", "path": path, "value": 2}]);
    assert_eq!(patch(&change.changes[0]), expected);
    // A family that was not read before, and one that cannot be read any more.
    session.heard(read(Fact::Members(known(Members::default())), at(1.6)));
    let failed = model::report::Family::Lldp.failed("gone 1".to_owned());
    session.heard(read(failed, at(1.6)));
    assert_eq!(delta(&mut session, 1.6).changes.len(), 2);
    let failed = model::report::Family::Lldp.failed("gone 2".to_owned());
    session.heard(read(failed, at(1.7)));
    assert!(message(&mut session, 1.7).is_none(), "the same complaint");
}

#[test]
fn what_changes_ten_times_while_nothing_can_be_sent_goes_once() {
    let mut session = open(1, 0);
    session.heard(read(neighbours(1), at(0.0)));
    report(&mut session, 0.0);
    for number in 2..12 {
        session.heard(read(neighbours(number), at(1.0)));
    }
    let change = delta(&mut session, 1.0);
    assert_eq!(patch(&change.changes[0])[0]["value"], 11);
    assert!(message(&mut session, 1.0).is_none());
    // There and back is nothing.
    session.heard(read(neighbours(3), at(1.1)));
    session.heard(read(neighbours(11), at(1.2)));
    assert!(message(&mut session, 1.2).is_none());
}

#[test]
fn measures_wait_for_their_minute_and_go_together() {
    let mut session = open(1, 0);
    session.heard(read(load(0.2), at(0.0)));
    report(&mut session, 0.0);
    session.heard(read(load(3.0), at(1.0)));
    assert!(message(&mut session, 1.0).is_none());
    for beat in 1..30 {
        heartbeat(&mut session, f64::from(beat) * 2.0);
    }
    heartbeat(&mut session, 60.0);
    assert_eq!(delta(&mut session, 60.0).changes.len(), 1);
    session.heard(read(load(5.0), at(61.0)));
    assert!(message(&mut session, 61.0).is_none());
    assert!(session.wakes_at() <= Duration::from_secs(62));
}

#[test]
fn the_journals_entries_do_not_travel_in_facts() {
    use model::fact::journal::{Event, Journal, JournalEvent};
    let event = JournalEvent {
        time: None,
        boot_id: None,
        cursor: None,
        hostname: None,
        identifier: None,
        unit: None,
        pid: None,
        priority: None,
        repeated: None,
        message: "secret of the journal".to_owned(),
        event: Event::Other,
    };
    let mut session = open(1, 0);
    let journal = Journal {
        events: vec![event],
        ..Journal::default()
    };
    session.heard(read(Fact::Journal(known(journal)), at(0.0)));
    let report = format!("{:?}", report(&mut session, 0.0));
    assert!(report.contains("entries_read") && !report.contains("secret"));
}

#[test]
fn a_report_that_is_asked_for_comes_but_not_in_a_flood() {
    let mut session = open(1, 0);
    session.heard(read(neighbours(1), at(0.0)));
    report(&mut session, 0.0);
    session.heard(read(neighbours(2), at(1.0)));
    let ask = || said(Said::SendReport(v1::SendReport::default()));
    session.take(ask(), at(1.0)).unwrap();
    let again = report(&mut session, 1.0);
    assert_eq!((again.revision, again.facts.len()), (2, 1));
    session.take(ask(), at(1.1)).unwrap();
    assert!(message(&mut session, 1.1).is_none());
    assert_eq!(session.wakes_at(), Duration::from_secs(2));
    session.heard(read(neighbours(3), at(1.2)));
    let change = delta(&mut session, 1.2);
    assert_eq!((change.base, change.revision), (2, 3));
    assert_eq!(report(&mut session, 2.0).revision, 4);
}

#[test]
fn events_go_on_behind_what_the_collector_has_and_within_a_window() {
    let mut session = open(5000, 10);
    report(&mut session, 0.0);
    let (mut sent, mut wanted) = (10, Vec::new());
    while let Some(from) = session.wants_events(at(0.1)) {
        assert_eq!(session.wants_events(at(0.1)), None, "asked for once");
        wanted.push(from);
        session.found((from..from + 256).map(record).collect());
        for number in numbers(message(&mut session, 0.1)) {
            assert_eq!(number, sent + 1);
            sent = number;
        }
    }
    assert_eq!(wanted[..2], [11, 267]);
    assert_eq!(sent, 10 + 2048, "the window is full");
    let effect = session.take(kept(300), at(0.2)).unwrap();
    assert_eq!(effect, Some(Effect::Kept { up_to: 300 }));
    assert_eq!(session.wants_events(at(0.2)), Some(sent + 1));
    session.not_found(at(0.3));
    assert_eq!(session.wants_events(at(0.4)), None);
    assert_eq!(session.wants_events(at(5.3)), Some(sent + 1));
}

#[test]
fn big_events_are_cut_into_messages_and_gaps_are_told() {
    let mut session = open(100, 3);
    report(&mut session, 0.0);
    assert_eq!(session.wants_events(at(0.1)), Some(4));
    let big = |number| {
        Item::Record(Record {
            number,
            kind: Kind::Change,
            cursor: None,
            json: "x".repeat(60_000),
        })
    };
    let gap = Item::Missing {
        from: 4,
        to: 10,
        count: 7,
    };
    session.found(vec![gap, big(11), big(12), big(13), big(14)]);
    assert_eq!(numbers(message(&mut session, 0.1)), [4, 11, 12, 13]);
    assert_eq!(numbers(message(&mut session, 0.1)), [14]);
    assert_eq!(session.dropped().events, 7);
    let dropped = heartbeat(&mut session, 2.0).dropped.unwrap();
    assert_eq!(dropped.events, 7);
    assert_eq!(heartbeat(&mut session, 4.0).dropped, None, "told once");
}

#[test]
fn heartbeats_keep_time_carry_ages_and_measure_the_way() {
    let mut session = open(1, 0);
    session.heard(read(neighbours(1), at(0.0)));
    report(&mut session, 0.0);
    assert_eq!(session.wakes_at(), Duration::from_secs(2));
    for number in 1..=10_u32 {
        let seconds = f64::from(number) * 2.0;
        assert!(message(&mut session, seconds - 0.01).is_none());
        let beat = heartbeat(&mut session, seconds);
        assert_eq!((beat.number, beat.revision), (u64::from(number), 1));
        assert_eq!(beat.unix_ms, at(seconds).unix_ms);
        match number {
            5 => assert_eq!(beat.age_s, [10]),
            10 => assert_eq!(beat.age_s, [20]),
            _ => assert!(beat.age_s.is_empty()),
        }
        match number {
            2 => {
                assert_eq!(beat.unanswered_ms, 4000);
                let answer = v1::HeartbeatAnswer { number: 2 };
                let answer = said(Said::HeartbeatAnswer(answer));
                session.take(answer, at(seconds + 0.25)).unwrap();
            }
            3 => assert_eq!((beat.round_trip_us, beat.unanswered_ms), (250_000, 1750)),
            _ => {}
        }
    }
    // A late one is not followed by a burst.
    heartbeat(&mut session, 31.0);
    assert!(message(&mut session, 31.9).is_none());
    assert_eq!(session.silent_for(at(34.0)), None);
    assert!(session.silent_for(at(34.25)).is_some());
}

#[test]
fn ages_are_rounded_up() {
    let mut session = open(1, 0);
    session.heard(read(neighbours(1), at(0.0)));
    report(&mut session, 0.0);
    session.heard(read(neighbours(1), at(3.5)));
    for number in 1..5 {
        heartbeat(&mut session, f64::from(number) * 2.0);
    }
    assert_eq!(heartbeat(&mut session, 10.0).age_s, [7]);
}

#[test]
fn what_is_not_known_here_is_ignored() {
    let mut session = open(1, 0);
    let unknown = v1::CollectorMessage { message: None };
    assert_eq!(session.take(unknown, at(0.0)), Ok(None));
}

#[test]
fn nonsense_is_refused_by_name() {
    let early = Session::new(hello(5), at(0.0)).take(kept(1), at(0.0));
    assert_eq!(early, Err(Nonsense::BeforeWelcome));
    let mut session = open(5, 0);
    let taken = session.take(kept(5), at(0.0));
    assert_eq!(taken, Err(Nonsense::KeptUnmade { up_to: 5 }));
    assert_eq!(
        session.take(welcome(0), at(0.0)),
        Err(Nonsense::WelcomeTwice)
    );
    let other = said(Said::EventsKept(v1::EventsKept {
        spool_id: vec![1; 16],
        up_to: 0,
    }));
    assert_eq!(session.take(other, at(0.0)), Err(Nonsense::OtherSpool));
    let answer = said(Said::HeartbeatAnswer(v1::HeartbeatAnswer { number: 1 }));
    let taken = session.take(answer, at(0.0));
    assert_eq!(taken, Err(Nonsense::AnswerUnsent { number: 1 }));
    let mut session = Session::new(hello(5), at(0.0));
    session.next(at(0.0));
    let taken = session.take(welcome(5), at(0.0));
    assert_eq!(taken, Err(Nonsense::KeptBeyondSpool { up_to: 5, next: 5 }));
}

#[test]
fn questions_are_answered_and_a_flood_of_them_is_turned_back() {
    let mut session = open(1, 0);
    report(&mut session, 0.0);
    let probe = |id| v1::Probe {
        id,
        question: Some(v1::probe::Question::PvecmStatus(v1::PvecmStatus {})),
    };
    for id in 0..8 {
        let effect = session.take(said(Said::Probe(probe(id))), at(0.0)).unwrap();
        assert_eq!(effect, Some(Effect::Probe(probe(id))));
    }
    for id in 8..1000 {
        let effect = session.take(said(Said::Probe(probe(id))), at(0.0)).unwrap();
        assert_eq!(effect, None);
    }
    assert_eq!(session.answers.len(), 16);
    session.answer(v1::ProbeAnswer {
        id: 0,
        answer: Some(v1::probe_answer::Answer::Json("{}".to_owned())),
    });
    let mut answered = Vec::new();
    while let Some(Message::ProbeAnswer(answer)) = message(&mut session, 0.1) {
        answered.push(answer.id);
    }
    assert_eq!((answered.len(), answered.last()), (17, Some(&0)));
}

#[test]
fn a_fact_that_is_too_large_is_not_sent_but_told() {
    let mut session = open(1, 0);
    let mut neighbour = Neighbour::default();
    neighbour.chassis.description = Some("x".repeat(2 << 20));
    session.heard(read(Fact::Lldp(known(vec![neighbour])), at(0.0)));
    let report = report(&mut session, 0.0);
    assert!(
        matches!(&report.facts[0].state, Some(v1::fact::State::Failed(why)) if why.contains("too large"))
    );
}
