//! A collector on a rack, and simulated agents for it.

use std::collections::BTreeMap;
use std::path::Path;

use quorate_tests::{Collector, Disk, PATIENCE, Program, Rack, wait_until};
use serde_json::Value;

pub(crate) const FLEET: &str = env!("CARGO_BIN_EXE_fleet");
const PER_CLUSTER: &str = "16";

/// Cluster, node, and the spool's id.
pub(crate) type Spool = (String, String, String);
/// How many events are kept of each, and the number of the last.
pub(crate) type Kept = BTreeMap<Spool, (u64, u64)>;

pub(crate) struct Stage {
    pub(crate) rack: Rack,
    pub(crate) collector: Collector,
    /// The agents' certificates.
    identities: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn set() -> Self {
        let mut rack = Rack::new(1, 1).unwrap();
        let collector = Collector::start(&mut rack, 1).unwrap();
        Self::of(rack, collector)
    }

    /// What the collector keeps lies on a disk of its own.
    pub(crate) fn set_on_disk(mib: u32) -> (Self, Disk) {
        let mut rack = Rack::new(1, 1).unwrap();
        let (collector, disk) = Collector::start_on_disk(&mut rack, 1, mib).unwrap();
        (Self::of(rack, collector), disk)
    }

    fn of(rack: Rack, collector: Collector) -> Self {
        let identities = tempfile::tempdir().unwrap();
        Self {
            rack,
            collector,
            identities,
        }
    }

    /// Starts simulated agents that go on until they are told to end, and waits until all are answered.
    pub(crate) fn start(&self, agents: usize, more: &[&str]) -> Program {
        let words = self.words(agents, more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let station = self.collector.station();
        let fleet = self.rack.start(station, FLEET, &words).unwrap();
        fleet.expect_line("all", is("all_answered")).unwrap();
        fleet
    }

    pub(crate) fn words(&self, agents: usize, more: &[&str]) -> Vec<String> {
        let (agents, dir) = (agents.to_string(), self.identities.path().to_string_lossy());
        let fixed = ["--agents", &agents, "--per-cluster", PER_CLUSTER];
        let place = ["--identities", &dir];
        let all = fixed.iter().chain(&place).chain(more);
        all.map(|word| (*word).to_owned()).collect()
    }

    /// Runs simulated agents for some seconds; gives the lines that they printed.
    pub(crate) fn fleet(&self, agents: usize, seconds: u32, more: &[&str]) -> Vec<Value> {
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

    pub(crate) fn enrol(&self, agents: usize) -> Vec<Value> {
        let uses = agents.to_string();
        let invitation = self.collector.token(&self.rack, &["--uses", &uses]);
        let invitation = invitation.unwrap();
        let (enrolment, token) = (&invitation.enrolment, &invitation.token);
        self.fleet(agents, 3, &["--enrolment", enrolment, "--token", token])
    }

    /// What the collector has kept.
    pub(crate) fn kept(&self) -> Kept {
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

    /// Waits until the status says something of the kind, or does not any more.
    pub(crate) fn wait_for_finding(&self, words: &str, is_said: bool) {
        let mut last = Value::Null;
        let found = wait_until("the status to say it", PATIENCE, || {
            last = self.collector.status(&self.rack)?;
            let found = last["clusters"][0]["findings"].to_string().contains(words);
            Ok((found == is_said).then_some(()))
        });
        assert!(found.is_ok(), "{words} ({is_said}): {last:#}");
    }

    pub(crate) fn wait_for_connected(&self, agents: usize) {
        let all = wait_until("all to be connected", PATIENCE, || {
            Ok(self.are_connected(agents).then_some(()))
        });
        all.unwrap();
    }

    /// Whether the collector calls this many nodes connected.
    pub(crate) fn are_connected(&self, agents: usize) -> bool {
        let status = self.collector.status(&self.rack).unwrap();
        let clusters = status["clusters"].as_array().unwrap().iter();
        let nodes = clusters.flat_map(|cluster| cluster["nodes"].as_array().unwrap());
        let connected = nodes.filter(|node| node["standing"] == "connected");
        connected.count() == agents
    }
}

pub(crate) fn spool(line: &Value) -> (String, String, String) {
    let word = |key: &str| line[key].as_str().unwrap().to_owned();
    (word("cluster"), word("node"), word("spool"))
}

pub(crate) fn of<'a>(lines: &'a [Value], event: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| line["event"] == event)
}

pub(crate) fn is(event: &'static str) -> impl Fn(&Value) -> bool {
    move |line| line["event"] == event
}

/// The number up to which each spool was told that its events are kept.
pub(crate) fn acknowledged(lines: &str) -> BTreeMap<Spool, u64> {
    let lines = lines.lines().filter(|line| !line.is_empty());
    let lines = lines.map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let acks = of(&lines, "ack").map(|ack| (spool(ack), ack["up_to"].as_u64().unwrap()));
    acks.collect()
}
