//! Simulated agents against a real collector: they enrol, come back after it was killed, and are refused for what they
//! say of themselves that is not so.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::signal::Signal;
use quorate_tests::{Collector, PATIENCE, Rack, wait_until};
use serde_json::{Value, json};

const FLEET: &str = env!("CARGO_BIN_EXE_fleet");
/// A tenth of what `cargo xtask rack fleet` starts.
const MANY: usize = 200;
const PER_CLUSTER: &str = "16";

struct Stage {
    rack: Rack,
    collector: Collector,
    /// The agents' certificates.
    identities: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let mut rack = Rack::new(1, 1).unwrap();
        let collector = Collector::start(&mut rack, 1).unwrap();
        let identities = tempfile::tempdir().unwrap();
        Self {
            rack,
            collector,
            identities,
        }
    }

    fn words(&self, agents: usize, more: &[&str]) -> Vec<String> {
        let (agents, dir) = (agents.to_string(), self.identities.path().to_string_lossy());
        let fixed = ["--agents", &agents, "--per-cluster", PER_CLUSTER];
        let place = ["--identities", &dir];
        let all = fixed.iter().chain(&place).chain(more);
        all.map(|word| (*word).to_owned()).collect()
    }

    /// Runs simulated agents for some seconds; gives the lines that they printed.
    fn fleet(&self, agents: usize, seconds: u32, more: &[&str]) -> Vec<Value> {
        let seconds = seconds.to_string();
        let mut words = self.words(agents, more);
        words.extend(["--seconds".to_owned(), seconds]);
        self.lines(&words)
    }

    fn lines(&self, words: &[String]) -> Vec<Value> {
        let mut command = self.rack.command(self.collector.station(), FLEET).unwrap();
        let output = command.args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    fn enrol(&self, agents: usize) -> Vec<Value> {
        let uses = agents.to_string();
        let invitation = self.collector.token(&self.rack, &["--uses", &uses]);
        let invitation = invitation.unwrap();
        let (enrolment, token) = (&invitation.enrolment, &invitation.token);
        self.fleet(agents, 3, &["--enrolment", enrolment, "--token", token])
    }

    /// What the collector has kept, by cluster, node and spool: how many events, and the number of the last.
    fn kept(&self) -> BTreeMap<(String, String, String), (u64, u64)> {
        let (operator, _) = self.collector.operator(&self.rack).unwrap();
        assert!(Path::new(operator).is_absolute());
        let lines = self.lines(&["--audit".to_owned(), operator.to_owned()]);
        let of = |line: &Value| {
            let count = line["count"].as_u64().unwrap();
            let (first, last) = (&line["first"], line["last"].as_u64().unwrap());
            assert_eq!(*first, 1, "{line}");
            assert_eq!(
                count, last,
                "none is missing and none is there twice: {line}"
            );
            (spool(line), (count, last))
        };
        lines.iter().map(of).collect()
    }

    /// Whether the collector calls this many nodes connected.
    fn are_connected(&self, agents: usize) -> bool {
        let status = self.collector.status(&self.rack).unwrap();
        let clusters = status["clusters"].as_array().unwrap().iter();
        let nodes = clusters.flat_map(|cluster| cluster["nodes"].as_array().unwrap());
        let connected = nodes.filter(|node| node["standing"] == "connected");
        connected.count() == agents
    }
}

fn spool(line: &Value) -> (String, String, String) {
    let word = |key: &str| line[key].as_str().unwrap().to_owned();
    (word("cluster"), word("node"), word("spool"))
}

fn of<'a>(lines: &'a [Value], event: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| line["event"] == event)
}

#[test]
fn simulated_agents_enrol_once_are_welcomed_and_what_is_acknowledged_is_kept() {
    let stage = Stage::set();
    let first = stage.enrol(40);
    for event in ["enrolled", "all_welcomed", "all_answered", "summary"] {
        assert_eq!(of(&first, event).count(), 1, "{event}: {first:#?}");
    }
    assert_eq!(of(&first, "error").count(), 0, "{first:#?}");
    let second = stage.fleet(
        40,
        5,
        &["--events-per-second", "5", "--flap", "--print-acks"],
    );
    assert_eq!(of(&second, "enrolled").count(), 0, "{second:#?}");
    let summary = second.last().unwrap();
    assert_eq!(summary["errors"], json!({}), "{summary}");
    assert!(summary["deltas"].as_u64() > Some(0), "{summary}");
    let kept = stage.kept();
    assert!(of(&second, "ack").count() > 0, "{summary}");
    for ack in of(&second, "ack") {
        let last = kept.get(&spool(ack)).map(|(_, last)| *last);
        assert!(last >= ack["up_to"].as_u64(), "{ack}: {last:?}");
    }
}

#[test]
fn all_come_back_after_the_collector_was_killed_and_nothing_is_lost_or_doubled() {
    let mut stage = Stage::set();
    stage.enrol(MANY);
    let words = stage.words(MANY, &["--events-per-second", "0.5"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let station = stage.collector.station();
    let fleet = stage.rack.start(station, FLEET, &words).unwrap();
    let is = |event: &'static str| move |line: &Value| line["event"] == event;
    fleet.expect_line("all", is("all_answered")).unwrap();
    stage.collector.kill().unwrap();
    stage.collector.run(&stage.rack).unwrap();
    fleet.expect_line("all", is("all_answered")).unwrap();
    let all = wait_until("all to be connected", PATIENCE, || {
        Ok(stage.are_connected(MANY).then_some(()))
    });
    all.unwrap();
    fleet.signal(Signal::SIGTERM).unwrap();
    let summary = fleet.expect_line("summary", is("summary")).unwrap();
    let summary = summary.json().unwrap();
    let kept: u64 = stage.kept().values().map(|(count, _)| count).sum();
    assert!(Some(kept) >= summary["events_kept"].as_u64(), "{summary}");
}

#[test]
fn an_agent_that_speaks_as_another_node_is_refused() {
    let stage = Stage::set();
    stage.enrol(1);
    let lines = stage.fleet(1, 3, &["--claim-node", "pve-02"]);
    let summary = lines.last().unwrap();
    assert_eq!(summary["streams"], 0, "{summary}");
    let errors = summary["errors"].to_string();
    for word in ["pve-01", "pve-02"] {
        assert!(errors.contains(word), "{errors}");
    }
    // And the one that is so is welcome afterwards.
    let lines = stage.fleet(1, 3, &[]);
    assert_eq!(lines.last().unwrap()["welcomed"], 1, "{lines:#?}");
}

#[test]
fn agents_up_to_two_minor_versions_older_and_one_newer_are_welcome_and_others_are_refused_by_name()
{
    let stage = Stage::set();
    stage.enrol(1);
    let own = env!("CARGO_PKG_VERSION").split('.');
    let own: Vec<u64> = own.map(|number| number.parse().unwrap()).collect();
    let (major, minor) = (own[0], own[1]);
    let taken = minor.saturating_sub(2)..=minor + 1;
    for said in minor.saturating_sub(3)..=minor + 2 {
        let version = format!("{major}.{said}.0");
        let lines = stage.fleet(1, 3, &["--agent-version", &version]);
        let summary = lines.last().unwrap();
        let is_taken = taken.contains(&said);
        assert_eq!(summary["welcomed"] == 1, is_taken, "{version}: {summary}");
        let errors = summary["errors"].to_string();
        let is_named = errors.contains(&version) && errors.contains(env!("CARGO_PKG_VERSION"));
        assert_eq!(is_named, !is_taken, "{version}: {errors}");
    }
}
