//! The core and the intake together, as the actor drives them, without a clock.

mod alerting;
mod late;
mod leases;
mod understanding;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::fact::lldp::Neighbour;
use model::fleet::{FleetFinding, Hearing};
use model::identity::ClusterId;
use model::name::NodeName;
use model::report::Family;
use proto::token::Fingerprint;
use proto::v1;
use v1::agent_message::Message as FromAgent;
use v1::collector_message::Message as ToAgent;

use super::core::{Core, Output, Wish};
use super::hello::{self, Greeting};
use super::intake::Intake;
use super::refusal::Refusal;
use super::view::{ClusterView, NodeView};
use super::{Now, Own, StreamId};
use crate::ledger::memory::{Faults, Memory};
use crate::ledger::{EventsWanted, Snapshot};

const COLLECTOR: &str = "11111111-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const OTHER: &str = "22222222-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const BOOT: &str = "33333333-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const SPOOL: [u8; 16] = [9; 16];
const VERSION: &str = "0.1.0";
/// The nodes booted so long before the collector started.
const UP_MS: u64 = 1_000_000;

fn cluster() -> ClusterId {
    ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap()
}

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn hello(node: &str) -> v1::Hello {
    v1::Hello {
        cluster: Some(v1::Cluster {
            id: cluster().to_string(),
            name: "pve".to_owned(),
        }),
        node: node.to_owned(),
        agent: Some(v1::Software {
            version: VERSION.to_owned(),
            capabilities: vec![],
        }),
        boot_id: BOOT.to_owned(),
        spool_id: SPOOL.to_vec(),
        spool_first: 1,
        spool_next: 1_000_000,
        authority: None,
        instance: b"one".to_vec(),
        trust: Vec::new(),
    }
}

fn check_hello(hello: v1::Hello) -> Result<Greeting, Refusal> {
    let message = v1::AgentMessage {
        boottime_ms: UP_MS,
        message: Some(FromAgent::Hello(hello)),
    };
    hello::check(message, &cluster(), &name("pve-01"), VERSION)
}

fn known(family: v1::Family, json: &str, read_at_boottime_ms: u64) -> v1::Fact {
    v1::Fact {
        family: family.into(),
        read_at_boottime_ms,
        state: Some(v1::fact::State::Known(v1::Known {
            json: json.to_owned(),
            at_unix_ms: 1_700_000_000_000,
            problems: vec![],
        })),
    }
}

fn neighbours(ports: &[&str]) -> String {
    let all: Vec<Neighbour> = ports
        .iter()
        .map(|port| Neighbour {
            age: Some((*port).to_owned()),
            ..Neighbour::default()
        })
        .collect();
    serde_json::to_string(&all).unwrap()
}

fn report(revision: u64, facts: Vec<v1::Fact>) -> FromAgent {
    FromAgent::Report(v1::Report { revision, facts })
}

fn heartbeat(number: u64, revision: u64) -> v1::Heartbeat {
    v1::Heartbeat {
        number,
        unix_ms: 1_700_000_000_000,
        revision,
        ..v1::Heartbeat::default()
    }
}

fn events(numbers: impl IntoIterator<Item = u64>) -> FromAgent {
    let event = |number| v1::Event {
        number,
        event: Some(v1::event::Event::ChangeJson(number.to_string())),
    };
    FromAgent::Events(v1::Events {
        spool_id: SPOOL.to_vec(),
        events: numbers.into_iter().map(event).collect(),
    })
}

/// One collector with its ledger; agents are the lines of a test.
struct World {
    core: Core,
    ledger: Arc<Memory>,
    intakes: BTreeMap<StreamId, Intake>,
    now: Now,
    sent: Vec<(StreamId, ToAgent)>,
    ended: Vec<(StreamId, Refusal)>,
    answers: Vec<Result<String, super::core::NoAnswer>>,
    leased: Vec<(u64, super::core::Told)>,
    alerted: Vec<(u64, super::core::AlertAnswer)>,
    /// The ledger does not answer as long as this is set.
    is_stuck: bool,
    stuck: Vec<Wish>,
    streams: u64,
}

fn own() -> Own {
    Own {
        collector: COLLECTOR.to_owned(),
        epoch: 3,
        is_authority: true,
    }
}

impl World {
    fn new() -> Self {
        Self::with(Arc::new(Memory::new()), 1)
    }

    fn with(ledger: Arc<Memory>, writer: u64) -> Self {
        let snapshot = loop {
            if let Ok(snapshot) = ledger.snapshot_now(&cluster()) {
                break snapshot;
            }
        };
        Self::from(ledger, writer, snapshot)
    }

    fn from(ledger: Arc<Memory>, writer: u64, snapshot: Snapshot) -> Self {
        Self {
            core: Core::new(cluster(), own(), VERSION, writer, snapshot),
            ledger,
            intakes: BTreeMap::new(),
            now: Now {
                mono_ms: 0,
                unix_ms: 1_700_000_000_000,
            },
            sent: vec![],
            ended: vec![],
            answers: vec![],
            leased: vec![],
            alerted: vec![],
            is_stuck: false,
            stuck: vec![],
            streams: 0,
        }
    }

    fn open(&mut self, hello: v1::Hello) -> StreamId {
        self.open_certified(hello, None)
    }

    fn open_certified(&mut self, hello: v1::Hello, ca: Option<Fingerprint>) -> StreamId {
        self.streams += 1;
        let stream = StreamId(self.streams);
        let node = name(&hello.node);
        let message = v1::AgentMessage {
            boottime_ms: UP_MS + self.now.mono_ms,
            message: Some(FromAgent::Hello(hello)),
        };
        let mut greeting = hello::check(message, &cluster(), &node, VERSION).unwrap();
        greeting.ca = ca;
        let intake = Intake::new(greeting.version.clone(), greeting.spool);
        self.intakes.insert(stream, intake);
        self.core.opened(stream, &greeting, self.now);
        self.work();
        stream
    }

    fn say(&mut self, stream: StreamId, message: FromAgent) {
        self.say_late(stream, message, 0);
    }

    /// It was on its way for so long.
    fn say_late(&mut self, stream: StreamId, message: FromAgent, late_ms: u64) {
        let message = v1::AgentMessage {
            boottime_ms: UP_MS + self.now.mono_ms - late_ms,
            message: Some(message),
        };
        let intake = self.intakes.get_mut(&stream).unwrap();
        match intake.take(message, self.now) {
            Ok(arrived) => self.core.message(stream, arrived, self.now),
            Err(refusal) => {
                self.ended.push((stream, refusal));
                self.core.closed(stream);
            }
        }
        self.work();
    }

    fn advance(&mut self, ms: u64) {
        let until = self.now.mono_ms + ms;
        while let Some(at) = self.core.deadline_ms().filter(|at| *at <= until) {
            self.set(at.max(self.now.mono_ms));
            self.core.tick(self.now);
            self.work();
            if self.core.deadline_ms() == Some(at) {
                break;
            }
        }
        self.set(until);
        self.core.tick(self.now);
        self.work();
    }

    fn set(&mut self, mono_ms: u64) {
        self.now.unix_ms += (mono_ms - self.now.mono_ms).cast_signed();
        self.now.mono_ms = mono_ms;
    }

    fn work(&mut self) {
        while let Some(output) = self.core.next_output() {
            match output {
                Output::Send { stream, message } => {
                    self.sent.push((stream, message.message.unwrap()));
                }
                Output::End { stream, refusal } => self.ended.push((stream, refusal)),
                Output::Answered { answer, .. } => self.answers.push(answer),
                Output::Leased { question, told } => self.leased.push((question, *told)),
                Output::Alerted { question, answer } => self.alerted.push((question, answer)),
                Output::Ledger(wish) if self.is_stuck => self.stuck.push(wish),
                Output::Ledger(wish) => self.ask(wish),
            }
        }
    }

    fn ask(&mut self, wish: Wish) {
        match wish {
            Wish::Append {
                expected,
                epoch,
                decision,
            } => {
                let appended = self
                    .ledger
                    .append_now(&cluster(), expected, epoch, &decision);
                self.core.appended(appended, self.now);
            }
            Wish::Read { after } => {
                let records = self.ledger.read_now(&cluster(), after);
                let read = records
                    .and_then(|records| Ok((records, self.ledger.snapshot_now(&cluster())?)));
                self.core
                    .read(read.map_err(|error| error.to_string()), self.now);
            }
        }
    }

    fn unstick(&mut self) {
        self.is_stuck = false;
        for wish in std::mem::take(&mut self.stuck) {
            self.ask(wish);
        }
        self.work();
    }

    fn view(&mut self) -> ClusterView {
        // Something may have changed since or not: it is the same picture.
        self.core.enrolled(&name("pve-08"));
        self.core.view(self.now).unwrap()
    }

    fn node(&mut self, node: &str) -> NodeView {
        NodeView::clone(&self.view().nodes[&name(node)])
    }

    fn age(&mut self, node: &str, family: Family) -> u64 {
        let now = self.now;
        self.node(node).facts[&family].age_ms(now)
    }

    fn kept_numbers(&self, node: &str) -> Vec<u64> {
        let wanted = EventsWanted {
            cluster: cluster(),
            node: Some(name(node)),
            after: 0,
            limit: 500,
        };
        let events = self.ledger.events_now(&wanted).unwrap();
        events.iter().map(|kept| kept.event.number).collect()
    }

    fn told_kept(&self, stream: StreamId) -> Vec<u64> {
        let told = self.sent.iter().filter(|(to, _)| *to == stream);
        told.filter_map(|(_, message)| match message {
            ToAgent::EventsKept(kept) => Some(kept.up_to),
            ToAgent::Welcome(welcome) => Some(welcome.events_kept_up_to),
            _ => None,
        })
        .collect()
    }

    fn asked_reports(&self) -> Vec<&str> {
        let asked = self.sent.iter().filter_map(|(_, message)| match message {
            ToAgent::SendReport(ask) => Some(ask.why.as_str()),
            _ => None,
        });
        asked.collect()
    }

    #[track_caller]
    fn says(&mut self, sentence: &str) {
        let findings: Vec<String> = self
            .view()
            .findings
            .iter()
            .map(FleetFinding::to_string)
            .collect();
        assert!(
            findings.iter().any(|found| found.contains(sentence)),
            "{findings:#?}"
        );
    }

    #[track_caller]
    fn does_not_say(&mut self, sentence: &str) {
        let findings: Vec<String> = self
            .view()
            .findings
            .iter()
            .map(FleetFinding::to_string)
            .collect();
        assert!(
            !findings.iter().any(|found| found.contains(sentence)),
            "{findings:#?}"
        );
    }
}

#[track_caller]
fn refuse(change: impl FnOnce(&mut v1::Hello), code: tonic::Code, why: &str) {
    let mut said = hello("pve-01");
    change(&mut said);
    let refusal = check_hello(said).unwrap_err();
    assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, why));
}

#[test]
fn a_hello_that_makes_no_sense_is_refused_by_name() {
    use tonic::Code::{FailedPrecondition, InvalidArgument, PermissionDenied};

    assert!(check_hello(hello("pve-01")).is_ok());
    let why = "the certificate is of node pve-01, and hello says \"pve-02\"";
    refuse(
        |hello| hello.node = "pve-02".to_owned(),
        PermissionDenied,
        why,
    );
    let why =
        "the certificate is of cluster 0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c, and hello says \"\"";
    refuse(|hello| hello.cluster = None, PermissionDenied, why);
    let why = "the agent has version 0.9.0 and the collector 0.1.0, which takes agents up to two minor versions older and \
               one newer: bring the collector up to date first";
    refuse(
        |hello| hello.agent.as_mut().unwrap().version = "0.9.0".to_owned(),
        FailedPrecondition,
        why,
    );
    let why = "hello.boot_id: \"x\\n\" is not a UUID in small letters";
    refuse(
        |hello| hello.boot_id = "x\n".to_owned(),
        InvalidArgument,
        why,
    );
    let why = "hello.spool_id: 3 bytes instead of 16";
    refuse(|hello| hello.spool_id = vec![1; 3], InvalidArgument, why);
    let why = "hello.spool_first: numbers count from 1";
    refuse(|hello| hello.spool_first = 0, InvalidArgument, why);
    let why = "hello.spool_next: 4 is before spool_first, 7";
    refuse(
        |hello| (hello.spool_first, hello.spool_next) = (7, 4),
        InvalidArgument,
        why,
    );
    let why = "hello.instance: 0 bytes instead of 1 to 64";
    refuse(|hello| hello.instance.clear(), InvalidArgument, why);
    let why = "hello.cluster.name: at most 255 bytes, and no control characters";
    refuse(
        |hello| hello.cluster.as_mut().unwrap().name = "a\tb".to_owned(),
        InvalidArgument,
        why,
    );
    let why = "hello.authority.collector: \"me\" is not a UUID in small letters";
    let me = v1::Authority {
        collector: "me".to_owned(),
        epoch: 1,
    };
    refuse(|hello| hello.authority = Some(me), InvalidArgument, why);
}

#[test]
fn what_makes_no_sense_later_ends_the_stream_by_name() {
    #[track_caller]
    fn check(message: FromAgent, why: &str) {
        let mut world = World::new();
        let stream = world.open(hello("pve-01"));
        world.say(stream, report(1, vec![]));
        world.say(stream, message);
        assert_eq!(world.ended.len(), 1);
        assert_eq!(world.ended[0].1.to_string(), why);
    }
    check(
        FromAgent::Hello(hello("pve-01")),
        "hello comes once, at the beginning of a stream",
    );
    check(
        FromAgent::Heartbeat(v1::Heartbeat {
            aged: vec![1, 2],
            age_s: vec![1],
            ..heartbeat(1, 1)
        }),
        "heartbeat.age_s: 1 ages of 2 families",
    );
    check(
        FromAgent::Heartbeat(v1::Heartbeat {
            unix_ms: i64::MAX,
            ..heartbeat(1, 1)
        }),
        "heartbeat.unix_ms: 9223372036854775807 ms since 1970 is no time",
    );
    check(
        FromAgent::Delta(v1::Delta {
            base: 1,
            revision: 1,
            changes: vec![],
        }),
        "delta.revision: 1 is not behind base, 1",
    );
    check(
        events([5]),
        "events.number: 5 where 1 must come; what is missing must be told as missing",
    );
    check(
        events([0]),
        "events.number: 0 to 0 are no numbers of a spool",
    );
    check(
        FromAgent::Events(v1::Events {
            spool_id: vec![1; 16],
            events: vec![],
        }),
        "events.spool_id: it is not the one in hello; begin a new stream for a new spool",
    );
}

#[test]
fn a_family_that_is_not_understood_has_failed_and_the_stream_goes_on() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    let bad = known(v1::Family::Links, r#"[{"mtu_bytes":"big"}]"#, UP_MS);
    let strange = known(v1::Family::Links, "{}", UP_MS);
    let strange = v1::Fact {
        family: 99,
        ..strange
    };
    let good = known(v1::Family::Lldp, "[]", UP_MS);
    world.say(stream, report(1, vec![bad, strange, good]));
    assert!(world.ended.is_empty());
    let node = world.node("pve-01");
    let failed = node.facts[&Family::Links].fact.fact.clone();
    let why = failed.standing().failed.unwrap().to_owned();
    let begin = "what the agent (version 0.1.0) says of links is not understood: [0]";
    assert!(why.starts_with(begin), "{why}");
    assert!(node.facts[&Family::Lldp].fact.fact.standing().known);
    world.says("what the agent of pve-01 (version 0.1.0) says of links is not understood");
    world.says("tells of 1 families of facts that this collector does not know");
}

#[test]
fn what_was_read_after_it_was_sent_is_refused_by_name() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    world.say(
        stream,
        report(1, vec![known(v1::Family::Lldp, "[]", UP_MS + 500)]),
    );
    let fact = world.node("pve-01").facts[&Family::Lldp].fact.fact.clone();
    assert_eq!(
        fact.standing().failed.unwrap(),
        "what the agent (version 0.1.0) says of lldp was read at 1000500 ms, after it was sent, at 1000000 ms"
    );
}

fn patch(base: u64, json_patch: &str) -> FromAgent {
    FromAgent::Delta(v1::Delta {
        base,
        revision: base + 1,
        changes: vec![v1::FactChange {
            change: Some(v1::fact_change::Change::Patch(v1::FactPatch {
                family: v1::Family::Lldp.into(),
                read_at_boottime_ms: UP_MS,
                at_unix_ms: 1_700_000_000_000,
                json_patch: json_patch.to_owned(),
            })),
        }],
    })
}

fn ports(world: &mut World) -> Option<Vec<String>> {
    let aged = world.node("pve-01").facts[&Family::Lldp].clone();
    let json = aged.fact.fact.to_json();
    let all: Vec<Neighbour> = serde_json::from_value(json.known()?.clone()).unwrap();
    Some(
        all.into_iter()
            .filter_map(|neighbour| neighbour.age)
            .collect(),
    )
}

#[test]
fn deltas_add_up() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    let fact = known(v1::Family::Lldp, &neighbours(&["a", "b"]), UP_MS);
    world.say(stream, report(7, vec![fact]));
    world.say(
        stream,
        patch(7, r#"[{"op":"replace","path":"/1/age","value":"c"}]"#),
    );
    world.say(stream, patch(8, r#"[{"op":"remove","path":"/0"}]"#));
    assert_eq!(ports(&mut world).unwrap(), ["c"]);
    assert!(world.asked_reports().is_empty());
}

#[test]
fn a_delta_on_another_revision_is_left_out_and_a_report_asked_for_once() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    let fact = known(v1::Family::Lldp, &neighbours(&["a"]), UP_MS);
    world.say(stream, report(7, vec![fact.clone()]));
    for base in [5, 6, 7] {
        world.say(stream, patch(base, r#"[{"op":"remove","path":"/0"}]"#));
    }
    assert_eq!(
        world.asked_reports(),
        ["a delta builds on revision 5, and revision 7 is here"]
    );
    assert_eq!(ports(&mut world).unwrap(), ["a"]);
    world.say(stream, report(9, vec![fact]));
    world.say(stream, patch(9, r#"[{"op":"remove","path":"/0"}]"#));
    assert!(ports(&mut world).unwrap().is_empty());
}

#[test]
fn a_patch_that_does_not_fit_makes_its_family_unknown_until_the_next_report() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    let fact = known(v1::Family::Lldp, &neighbours(&["a"]), UP_MS);
    world.say(stream, report(1, vec![fact]));
    world.say(stream, patch(1, r#"[{"op":"remove","path":"/5"}]"#));
    assert_eq!(ports(&mut world), None);
    assert_eq!(
        world.asked_reports(),
        ["the patch of lldp cannot be used: it does not fit"]
    );
}

#[test]
fn a_heartbeat_makes_unchanged_facts_young_again_but_not_those_of_another_revision() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    world.say(
        stream,
        report(1, vec![known(v1::Family::Lldp, "[]", UP_MS - 3_000)]),
    );
    assert_eq!(world.age("pve-01", Family::Lldp), 3_000);
    world.advance(5_000);
    assert_eq!(world.age("pve-01", Family::Lldp), 8_000);
    let aged = v1::Heartbeat {
        aged: vec![v1::Family::Lldp.into()],
        age_s: vec![2],
        ..heartbeat(1, 1)
    };
    world.say(stream, FromAgent::Heartbeat(aged.clone()));
    assert_eq!(world.age("pve-01", Family::Lldp), 2_000);
    world.advance(4_000);
    let other = v1::Heartbeat {
        revision: 2,
        ..aged
    };
    world.say(stream, FromAgent::Heartbeat(other));
    assert_eq!(world.age("pve-01", Family::Lldp), 6_000);
    assert_eq!(
        world.asked_reports(),
        ["a heartbeat is of revision 2, and revision 1 is here"]
    );
}

#[test]
fn no_age_is_ever_younger_than_true_however_late_a_message_comes() {
    for late_ms in [0, 1, 40, 3_000, 20_000] {
        let mut world = World::new();
        world.set(50_000);
        let stream = world.open(hello("pve-01"));
        world.say(stream, report(1, vec![]));
        for number in 1..=5 {
            world.advance(2_000);
            world.say_late(
                stream,
                FromAgent::Heartbeat(heartbeat(number, 0)),
                late_ms % 5,
            );
        }
        world.advance(3_000);
        // Read and sent at the same moment, `late_ms` ago.
        let read_at = UP_MS + world.now.mono_ms - late_ms;
        let message = report(1, vec![known(v1::Family::Lldp, "[]", read_at)]);
        world.say_late(stream, message, late_ms);
        let age = world.age("pve-01", Family::Lldp);
        assert!(
            (late_ms..=late_ms + 5).contains(&age),
            "{age} for {late_ms}"
        );
    }
}

#[test]
fn after_a_boot_what_was_said_before_is_not_known_any_more() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    world.say(
        stream,
        report(1, vec![known(v1::Family::Lldp, "[]", UP_MS)]),
    );
    world.open(hello("pve-01"));
    assert!(!world.node("pve-01").facts.is_empty());
    let mut booted = hello("pve-01");
    booted.boot_id = OTHER.to_owned();
    world.open(booted);
    assert!(world.node("pve-01").facts.is_empty());
}

#[test]
fn three_missed_heartbeats_are_silence_and_the_next_word_ends_it() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    world.advance(5_999);
    assert_eq!(world.node("pve-01").hearing, Hearing::Connected);
    world.advance(1);
    assert_eq!(world.node("pve-01").hearing, Hearing::Silent);
    world.says("nothing is heard of pve-01 any more");
    world.say(stream, FromAgent::Heartbeat(heartbeat(1, 0)));
    assert_eq!(world.node("pve-01").hearing, Hearing::Connected);
    world.advance(6_000);
    assert_eq!(world.node("pve-01").hearing, Hearing::Silent);
    world.advance(24_000);
    assert_eq!(
        world.ended[0].1.to_string(),
        "nothing was heard on this stream for 30 s"
    );
    assert_eq!(world.node("pve-08").hearing, Hearing::NeverHeard);
}

#[test]
fn an_agent_that_is_heard_but_hears_nothing_is_found() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    let deaf = v1::Heartbeat {
        unanswered_ms: 34_500,
        ..heartbeat(9, 0)
    };
    world.say(stream, FromAgent::Heartbeat(deaf));
    world.says("pve-01 is heard, but has not heard this collector for 34 s");
    assert_eq!(world.node("pve-01").hearing, Hearing::Connected);
    world.say(stream, FromAgent::Heartbeat(heartbeat(10, 0)));
    world.does_not_say("has not heard");
}

#[test]
fn heartbeats_are_answered_at_once_the_first_time_and_then_every_ten_seconds() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    for number in 1..=11 {
        world.say(stream, FromAgent::Heartbeat(heartbeat(number, 0)));
        world.advance(2_000);
    }
    let answered: Vec<u64> = world
        .sent
        .iter()
        .filter_map(|(_, message)| match message {
            ToAgent::HeartbeatAnswer(answer) => Some(answer.number),
            _ => None,
        })
        .collect();
    assert_eq!(answered, [1, 6, 11]);
}

#[test]
fn the_skew_of_a_clock_is_shown_and_said_from_a_second_on() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    let ahead = v1::Heartbeat {
        unix_ms: world.now.unix_ms + 2_490,
        round_trip_us: 20_000,
        ..heartbeat(1, 0)
    };
    world.say(stream, FromAgent::Heartbeat(ahead));
    assert_eq!(world.node("pve-01").skew_ms, Some(2_500));
    world.says("the clock of pve-01 is 2.5 s ahead of that of the collector");
}

#[test]
fn what_lay_in_a_queue_is_no_skew() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    world.say(stream, FromAgent::Heartbeat(heartbeat(1, 0)));
    world.advance(10_000);
    let late = v1::Heartbeat {
        unix_ms: world.now.unix_ms - 4_000,
        ..heartbeat(2, 0)
    };
    world.say_late(stream, FromAgent::Heartbeat(late), 4_000);
    assert_eq!(world.node("pve-01").skew_ms, Some(0));
    world.does_not_say("the clock of pve-01");
}

#[test]
fn the_newest_stream_wins_and_an_agent_that_is_started_anew_is_no_clone() {
    let mut world = World::new();
    let first = world.open(hello("pve-01"));
    for instance in [b"two", b"thr", b"fou", b"fiv"] {
        let mut again = hello("pve-01");
        again.instance = instance.to_vec();
        world.open(again);
    }
    assert_eq!(world.ended.len(), 4);
    assert_eq!(world.ended[0].0, first);
    assert_eq!(world.ended[0].1.code(), tonic::Code::Aborted);
    world.does_not_say("two agents");
    assert_eq!(world.node("pve-01").hearing, Hearing::Connected);
}

#[test]
fn two_agents_that_take_the_stream_from_each_other_are_a_cloned_identity() {
    let mut world = World::new();
    for instance in [b"one", b"two", b"one"] {
        let mut clone = hello("pve-01");
        clone.instance = instance.to_vec();
        world.open(clone);
        world.advance(1_000);
    }
    world.does_not_say("two agents");
    let mut clone = hello("pve-01");
    clone.instance = b"two".to_vec();
    world.open(clone);
    world.says("two agents speak with the certificate of pve-01: they took the stream from each other 3 times");
    world.advance(600_000);
    world.does_not_say("two agents");
}

#[test]
fn whoever_was_told_of_another_authority_takes_the_decision_from_this_one() {
    let mut world = World::new();
    world.open(hello("pve-01"));
    assert!(world.view().is_authority);
    for (collector, epoch, is_authority) in [
        (COLLECTOR, 3, true),
        (OTHER, 2, true),
        (OTHER, 3, false),
        (OTHER, 9, false),
        (COLLECTOR, 4, false),
        (COLLECTOR, 3, true),
    ] {
        let mut told = hello("pve-01");
        told.authority = Some(v1::Authority {
            collector: collector.to_owned(),
            epoch,
        });
        world.open(told);
        assert_eq!(
            world.view().is_authority,
            is_authority,
            "{collector} {epoch}"
        );
        if !is_authority {
            world.says(&format!(
                "pve-01 was told that collector {collector} (epoch {epoch})"
            ));
        }
    }
}

fn told_of(node: &str, collector: &str, epoch: u64) -> v1::Hello {
    let mut told = hello(node);
    told.authority = Some(v1::Authority {
        collector: collector.to_owned(),
        epoch,
    });
    told
}

/// What a stream was told of who decides after its Welcome.
fn told_authority(world: &World, stream: StreamId) -> Vec<bool> {
    let told = world.sent.iter().filter_map(|(to, message)| match message {
        ToAgent::AuthorityChanged(changed) if *to == stream => Some(changed.is_authority),
        _ => None,
    });
    told.collect()
}

/// Which CAs a stream was told to trust, and which of them signs.
fn told_trust(world: &World, stream: StreamId) -> Vec<v1::NewTrust> {
    let told = world.sent.iter().filter_map(|(to, message)| match message {
        ToAgent::NewTrust(trust) if *to == stream => Some(trust.clone()),
        _ => None,
    });
    told.collect()
}

#[test]
fn the_cas_are_told_to_all_who_are_connected_and_to_whoever_comes_with_others() {
    let (old, new) = (b"old".to_vec(), b"new".to_vec());
    let known_by = |ca: &[u8]| proto::token::fingerprint(ca);
    let trust = |cas: &[&Vec<u8>], signs: &[u8]| v1::NewTrust {
        trust: cas.iter().map(|ca| (*ca).clone()).collect(),
        signs: known_by(signs).to_vec(),
    };
    let mut world = World::new();
    let first = world.open(hello("pve-01"));
    let both = trust(&[&old, &new], &old);
    world.core.new_trust(both.clone());
    world.core.new_trust(both.clone());
    world.work();
    assert_eq!(
        told_trust(&world, first),
        std::slice::from_ref(&both),
        "once"
    );
    let mut knows = |node: &str, cas: &[&[u8]], certified: &[u8]| {
        let mut hello = hello(node);
        hello.trust = cas.iter().map(|ca| known_by(ca).to_vec()).collect();
        let stream = world.open_certified(hello, Some(known_by(certified)));
        told_trust(&world, stream).len()
    };
    assert_eq!(knows("pve-02", &[b"old"], b"old"), 1);
    assert_eq!(
        knows("pve-02", &[b"new", b"old"], b"old"),
        0,
        "in any order"
    );
    assert_eq!(
        knows("pve-02", &[b"new", b"old"], b"new"),
        1,
        "its certificate is of another one"
    );
    assert_eq!(
        knows("pve-03", &[], b"old"),
        1,
        "an older agent says nothing"
    );
}

#[test]
fn whoever_is_connected_is_told_that_it_is_not_settled_who_decides() {
    let mut world = World::new();
    let first = world.open(hello("pve-01"));
    world.open(told_of("pve-02", OTHER, 9));
    world.advance(100);
    assert_eq!(told_authority(&world, first), [false]);
    // Settled again: the one who was told of another was sent away.
    world.core.revoked(&name("pve-02"));
    world.advance(10_000);
    assert_eq!(told_authority(&world, first), [false, true]);
    assert!(world.view().is_authority);
}

#[test]
fn one_agent_that_changes_its_word_all_the_time_does_not_make_all_others_listen() {
    let mut world = World::new();
    let first = world.open(hello("pve-01"));
    for _ in 0..500 {
        world.open(told_of("pve-02", OTHER, 9));
        world.advance(10);
        world.open(hello("pve-02"));
        world.advance(10);
    }
    let told = told_authority(&world, first).len();
    assert!((1..=3).contains(&told), "{told} times in 10 s");
}

#[test]
fn an_observer_never_decides_and_knows_from_the_agents_who_does() {
    let mut world = World::new();
    let observer = Own {
        is_authority: false,
        ..own()
    };
    world.core = Core::new(cluster(), observer, "0.1.0", 1, Default::default());
    assert_eq!(world.view().authority, None);
    let stream = world.open(told_of("pve-01", OTHER, 9));
    let view = world.view();
    assert!(!view.is_authority && !view.own.is_authority);
    assert_eq!(view.authority.unwrap().collector, OTHER);
    world.does_not_say("decides");
    let welcome = world.sent.iter().find_map(|(to, message)| match message {
        ToAgent::Welcome(welcome) if *to == stream => Some(welcome),
        _ => None,
    });
    let welcome = welcome.unwrap();
    assert_eq!((&welcome.authority, welcome.is_authority), (&None, false));
    // Two that were told of different ones: it is not known.
    world.open(told_of("pve-02", COLLECTOR, 9));
    assert_eq!(world.view().authority, None);
    assert_eq!(told_authority(&world, stream), [false; 0]);
}

#[test]
fn events_are_acknowledged_only_when_they_are_kept() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    world.is_stuck = true;
    world.say(stream, events(1..=3));
    world.say(stream, events(4..=5));
    assert_eq!(world.told_kept(stream), [0]);
    world.unstick();
    assert_eq!(world.told_kept(stream), [0, 3, 5]);
    assert_eq!(world.kept_numbers("pve-01"), [1, 2, 3, 4, 5]);
    assert_eq!(world.node("pve-01").events_kept, 5);
}

#[test]
fn events_that_are_sent_again_are_kept_once() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    world.say(stream, events(1..=3));
    world.say(stream, events(1..=4));
    let again = world.open(hello("pve-01"));
    assert_eq!(world.told_kept(again), [4]);
    world.say(again, events(2..=6));
    // The collector is started anew, with the same ledger.
    let mut world = World::with(world.ledger, 2);
    let stream = world.open(hello("pve-01"));
    assert_eq!(world.told_kept(stream), [6]);
    world.say(stream, events(5..=7));
    assert_eq!(world.kept_numbers("pve-01"), [1, 2, 3, 4, 5, 6, 7]);
    assert!(world.ended.is_empty());
}

#[test]
fn a_row_of_missing_events_closes_a_gap_and_a_new_spool_begins_a_new_row() {
    let mut world = World::new();
    let mut late = hello("pve-01");
    late.spool_first = 40;
    let stream = world.open(late.clone());
    let missing = v1::Event {
        number: 1,
        event: Some(v1::event::Event::Missing(v1::MissingEvents {
            last: 39,
            count: 39,
        })),
    };
    let gap = FromAgent::Events(v1::Events {
        spool_id: SPOOL.to_vec(),
        events: vec![missing],
    });
    world.say(stream, gap);
    world.say(stream, events([40]));
    assert_eq!(world.told_kept(stream), [0, 39, 40]);
    assert_eq!(world.node("pve-01").events_kept, 1);
    late.spool_id = vec![4; 16];
    late.spool_first = 1;
    let stream = world.open(late);
    assert_eq!(world.told_kept(stream), [0]);
    assert!(
        world
            .ended
            .iter()
            .all(|(_, refusal)| matches!(refusal, Refusal::Newer { .. }))
    );
}

#[test]
fn a_spool_whose_numbers_go_back_is_found() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    world.say(stream, events(1..=9));
    let mut back = hello("pve-01");
    back.spool_next = 5;
    world.open(back);
    world.says("the spool of pve-01 was put back or copied: its next event would be number 5");
    world.open(hello("pve-01"));
    world.does_not_say("put back or copied");
}

#[test]
fn with_a_ledger_that_cannot_be_written_facts_go_on_and_nothing_is_acknowledged() {
    let broken = Faults {
        unknown_lost: 1_000,
        ..Faults::default()
    };
    let mut world = World::with(Arc::new(Memory::nasty(1, broken)), 1);
    let stream = world.open(hello("pve-01"));
    for number in 0..30 {
        world.say(stream, events(number * 100 + 1..=number * 100 + 100));
    }
    assert!(world.core.wants(stream, world.now));
    world.say(
        stream,
        report(1, vec![known(v1::Family::Lldp, "[]", UP_MS)]),
    );
    assert!(!world.node("pve-01").facts.is_empty());
    assert_eq!(world.told_kept(stream), [0]);
    world.says("the ledger cannot be written (no answer came in time)");
    world.says("events of pve-01 were not taken because the ledger could not be written");
    world.ledger.set_faults(Faults::default());
    world.advance(1_000);
    // What was left out cannot be asked for but by a new stream.
    let ended: Vec<&Refusal> = world.ended.iter().map(|(_, refusal)| refusal).collect();
    assert_eq!(ended, [&Refusal::EventsNotTaken]);
    let again = world.open(hello("pve-01"));
    let from = world.told_kept(again)[0] + 1;
    world.say(again, events(from..=3_000));
    assert_eq!(world.told_kept(again).last(), Some(&3_000));
    world.does_not_say("the ledger");
}

#[test]
fn a_stream_whose_events_wait_for_a_ledger_that_works_is_not_read_from() {
    let mut world = World::new();
    let flood = world.open(hello("pve-01"));
    let quiet = world.open(hello("pve-02"));
    world.is_stuck = true;
    for number in 0..21 {
        world.say(flood, events(number * 100 + 1..=number * 100 + 100));
    }
    assert!(!world.core.wants(flood, world.now));
    assert!(world.core.wants(quiet, world.now));
    world.say(quiet, events([1]));
    world.advance(2_000);
    world.unstick();
    assert!(world.core.wants(flood, world.now));
    assert_eq!(world.told_kept(quiet), [0, 1]);
    assert_eq!(world.told_kept(flood).last(), Some(&2_100));
}

#[test]
fn a_ledger_that_another_wrote_with_a_higher_epoch_ends_all_keeping() {
    let taken_over = Faults {
        not_leader: 1_000,
        ..Faults::default()
    };
    let ledger = Arc::new(Memory::nasty(1, taken_over));
    let mut world = World::with(Arc::clone(&ledger), 1);
    // The other is the first to write at all, and so its epoch is one; it goes on until it is higher.
    let stream = world.open(hello("pve-01"));
    for number in 1..=8 {
        world.say(stream, events([number]));
        world.advance(1_000);
        world.say(stream, FromAgent::Heartbeat(heartbeat(number, 0)));
    }
    world.says("another collector wrote to this cluster's ledger with epoch 4");
    assert!(!world.view().is_authority);
    assert_eq!(world.told_kept(stream), [0]);
}

#[test]
fn with_a_nasty_ledger_and_restarts_every_event_is_kept_exactly_once() {
    for seed in 0..100 {
        let faults = Faults {
            conflict: 100,
            unknown_done: 100,
            unknown_lost: 100,
            unknown_late: 100,
            unreadable: 100,
            not_leader: 0,
        };
        let ledger = Arc::new(Memory::nasty(seed, faults));
        let mut acknowledged = 0;
        for life in 1..=8 {
            let mut world = World::with(Arc::clone(&ledger), life);
            let stream = world.open(hello("pve-01"));
            let from = world.told_kept(stream)[0];
            assert!(from >= acknowledged, "seed {seed}");
            world.say(stream, events(from + 1..=from + 5));
            world.say(stream, events(from + 3..=from + 9));
            world.advance(seed % 3 * 1_000);
            acknowledged = world.told_kept(stream).last().copied().unwrap();
            if seed % 2 == 0 {
                ledger.power_cut();
            }
        }
        ledger.set_faults(Faults::default());
        let mut world = World::with(Arc::clone(&ledger), 99);
        let stream = world.open(hello("pve-01"));
        let from = world.told_kept(stream)[0];
        assert!(from >= acknowledged, "seed {seed}");
        world.say(stream, events(from + 1..=from + 3));
        // An append of a former life may have come late and brought more.
        let kept = world.kept_numbers("pve-01");
        assert!(kept.len() as u64 >= from + 3, "seed {seed}");
        let expect: Vec<u64> = (1..=kept.len() as u64).collect();
        assert_eq!(kept, expect, "seed {seed}");
    }
}

#[test]
fn a_revoked_node_is_cut_off_at_once_and_stays_out_until_it_is_enrolled_again() {
    let mut world = World::new();
    world.open(hello("pve-01"));
    world.core.revoked(&name("pve-01"));
    world.work();
    assert_eq!(
        world.ended[0].1.to_string(),
        "the certificate of pve-01 was revoked"
    );
    assert_eq!(world.node("pve-01").hearing, Hearing::Revoked);
    world.open(hello("pve-01"));
    assert_eq!(world.ended[1].1.code(), tonic::Code::PermissionDenied);
    world.core.enrolled(&name("pve-01"));
    world.open(hello("pve-01"));
    assert_eq!(world.node("pve-01").hearing, Hearing::Connected);
}

#[test]
fn a_question_gets_its_answer_or_the_reason_why_there_is_none() {
    let mut world = World::new();
    let question = || v1::probe::Question::PvecmStatus(v1::PvecmStatus {});
    let error = world
        .core
        .ask(&name("pve-01"), question(), world.now)
        .unwrap_err();
    assert_eq!(error.to_string(), "pve-01 is not connected");
    let stream = world.open(hello("pve-01"));
    let other = world.open(hello("pve-02"));
    let id = world
        .core
        .ask(&name("pve-01"), question(), world.now)
        .unwrap();
    let answer = |id| {
        FromAgent::ProbeAnswer(v1::ProbeAnswer {
            id,
            answer: Some(v1::probe_answer::Answer::Json("{}".to_owned())),
        })
    };
    world.say(other, answer(id));
    assert!(world.answers.is_empty());
    world.say(stream, answer(id));
    assert_eq!(world.answers, [Ok("{}".to_owned())]);
    world
        .core
        .ask(&name("pve-01"), question(), world.now)
        .unwrap();
    for number in 1..=6 {
        world.advance(5_000);
        world.say(stream, FromAgent::Heartbeat(heartbeat(number, 0)));
    }
    let late = world.answers[1].clone().unwrap_err();
    assert_eq!(late.to_string(), "pve-01 did not answer within 30 s");
    world
        .core
        .ask(&name("pve-01"), question(), world.now)
        .unwrap();
    world.core.closed(stream);
    world.work();
    let ended = world.answers[2].clone().unwrap_err();
    assert_eq!(
        ended.to_string(),
        "the stream of pve-01 ended before it answered"
    );
}
