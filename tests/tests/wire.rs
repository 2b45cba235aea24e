//! What the wire promises, on a rack: collector and agents are killed and come back, cables and switches fail, and at the
//! end every event is there exactly once, and the collector's state is the nodes' own.
//!
//! `QUORATE_RESTARTS` says how often the collector is killed, and as often an agent; docs/testing.md names the full volume.
//! Needs root, corosync, iproute2, util-linux and systemd's journald.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use model::measure;
use model::report::Family;
use proto::v1::event::Event as Kind;
use proto::v1::fact::State;
use quorate_tests::{
    Agent, Collector, Journal, PATIENCE, Rack, Speaker, give_cluster_id, spoken, wait_until,
};
use serde_json::Value;

const NODES: usize = 8;
const LINKS: usize = 2;
const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const RESTARTS: u32 = 20;
/// The agent listens to it, and nothing on a rack speaks in its name.
const SPEAKER: &str = "pmxcfs";
/// So often it is waited for that all are back: what is always killed gets nowhere.
const ROUNDS_BETWEEN_RESTS: u32 = 5;
const LONGEST_PAUSE_MS: u64 = 1_500;
/// Families whose facts hold still once the cluster does. Their measures never do: `model::measure` names them, and nothing
/// else is left out.
const COMPARED: &[Family] = &[
    Family::Bonds,
    Family::Links,
    Family::Bridges,
    Family::Interfaces,
    Family::Corosync,
    Family::CorosyncConf,
    Family::Members,
    Family::Ha,
    Family::Guests,
    Family::Boot,
];

struct Stage {
    rack: Rack,
    collector: Collector,
    agents: Vec<Agent>,
    _journals: Vec<Journal>,
    speakers: Vec<Speaker>,
    random: fastrand::Rng,
}

impl Stage {
    fn set(seed: u64) -> Self {
        let mut rack = Rack::new(NODES, LINKS).unwrap();
        give_cluster_id(&rack, CLUSTER).unwrap();
        let collector = Collector::start(&mut rack, LINKS).unwrap();
        let invitation = collector.token(&rack, &[]).unwrap();
        let nodes: Vec<String> = rack.nodes().map(str::to_owned).collect();
        let (mut agents, mut journals, mut speakers) = (Vec::new(), Vec::new(), Vec::new());
        for node in &nodes {
            journals.push(Journal::start(&rack, node).unwrap());
            let (enrolment, token) = (&invitation.enrolment, &invitation.token);
            let mut agent = Agent::join(&rack, node, enrolment, token).unwrap();
            agent.start(&rack).unwrap();
            agents.push(agent);
            speakers.push(Speaker::start(&rack, node, SPEAKER).unwrap());
        }
        let stage = Self {
            rack,
            collector,
            agents,
            _journals: journals,
            speakers,
            random: fastrand::Rng::with_seed(seed),
        };
        stage.rest();
        stage
    }

    /// Waits until the collector hears every node.
    fn rest(&self) {
        let mut last = Value::Null;
        let all = wait_until("all nodes to be connected", PATIENCE, || {
            last = self.collector.status(&self.rack)?;
            let nodes = last["clusters"][0]["nodes"].as_array();
            let connected = nodes.into_iter().flatten();
            let connected = connected.filter(|node| node["standing"] == "connected");
            Ok((connected.count() == NODES).then_some(()))
        });
        assert!(all.is_ok(), "{all:?}: {last:#}");
    }

    /// A random moment.
    fn pause(&mut self) {
        std::thread::sleep(Duration::from_millis(self.random.u64(0..LONGEST_PAUSE_MS)));
    }

    fn kill_an_agent(&mut self) {
        let which = self.random.usize(0..self.agents.len());
        self.agents[which].kill().unwrap();
        self.pause();
        self.agents[which].start(&self.rack).unwrap();
    }

    fn kill_the_collector(&mut self) {
        self.collector.kill().unwrap();
        self.pause();
        self.collector.run(&self.rack).unwrap();
    }

    /// Pulls the cable of a node or of the collector, or kills a switch, for a moment.
    fn cut(&mut self) {
        let link = self.random.usize(0..LINKS);
        let who = self.random.usize(0..self.agents.len() + 2);
        let station = match self.agents.get(who) {
            Some(agent) => agent.node().to_owned(),
            None => self.collector.station().to_owned(),
        };
        if who > self.agents.len() {
            self.rack.kill_switch(link).unwrap();
            self.pause();
            self.rack.revive_switch(link).unwrap();
        } else {
            self.rack.cut_cable(&station, link).unwrap();
            self.pause();
            self.rack.plug_cable(&station, link).unwrap();
        }
    }

    /// Ends the speakers, and gives for each node how many lines it wrote.
    fn silence(&mut self) -> BTreeMap<String, u64> {
        let nodes = self.agents.iter().map(|agent| agent.node().to_owned());
        let speakers = self.speakers.drain(..);
        nodes
            .zip(speakers)
            .map(|(node, speaker)| (node, speaker.stop().unwrap()))
            .collect()
    }

    fn check_events(&self, written: &BTreeMap<String, u64>) {
        let mut heard = BTreeMap::new();
        let complete = wait_until("all events to arrive", PATIENCE, || {
            heard = self.heard();
            let is_complete = written.iter().all(|(node, lines)| {
                let last = heard.get(node).and_then(|heard| heard.last());
                *lines == 0 || last == Some(lines)
            });
            Ok(is_complete.then_some(()))
        });
        assert!(complete.is_ok(), "{complete:?}");
        for (node, lines) in written {
            let expected: Vec<u64> = (1..=*lines).collect();
            assert_eq!(
                heard.get(node),
                Some(&expected),
                "of {node} each line comes once, in order"
            );
        }
    }

    /// The numbers of the speakers' lines, node by node, in the collector's order.
    fn heard(&self) -> BTreeMap<String, Vec<u64>> {
        let mut heard: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut keys = BTreeMap::new();
        let mut place = 0;
        for kept in self.collector.events(&self.rack, CLUSTER).unwrap() {
            assert!(kept.place > place, "places go up");
            place = kept.place;
            let event = kept.event.unwrap();
            let key = (kept.node.clone(), kept.spool_id, event.number);
            let before = keys.insert(key.clone(), kept.place);
            assert_eq!(before, None, "{key:?} is there twice");
            let Some(Kind::JournalJson(json)) = event.event else {
                let is_lost = matches!(event.event, Some(Kind::Missing(_)));
                assert!(!is_lost, "events of {} are missing", kept.node);
                continue;
            };
            if let Some(number) = spoken(&json, SPEAKER).unwrap() {
                heard.entry(kept.node).or_default().push(number);
            }
        }
        heard
    }

    fn check_state(&self) {
        for agent in &self.agents {
            let (mut own, mut known) = (BTreeMap::new(), BTreeMap::new());
            let same = wait_until("the state to be the node's own", PATIENCE, || {
                own = own_facts(&agent.report(&self.rack)?);
                known = self.known_facts(agent.node());
                Ok((own == known).then_some(()))
            });
            assert!(same.is_ok(), "{}: {own:#?}\n{known:#?}", agent.node());
        }
    }

    fn known_facts(&self, node: &str) -> BTreeMap<&'static str, Value> {
        let facts = self.collector.report(&self.rack, CLUSTER, node).unwrap();
        let mut known = BTreeMap::new();
        for aged in facts {
            let fact = aged.fact.unwrap();
            let family = proto::fact::family(fact.family).unwrap();
            if !COMPARED.contains(&family) {
                continue;
            }
            let value = match fact.state.unwrap() {
                State::Known(known) => {
                    measure::without(family, &serde_json::from_str(&known.json).unwrap())
                }
                State::Failed(why) => Value::String(why),
                State::Absent(_) => Value::String("absent".to_owned()),
            };
            known.insert(family.key(), value);
        }
        known
    }
}

/// The same of the agent's own snapshot.
fn own_facts(report: &Value) -> BTreeMap<&'static str, Value> {
    let value = |family: &Family| {
        let reading = &report[family.key()];
        let value = ["known", "failed"].iter().find_map(|key| reading.get(key));
        let value = measure::without(*family, value.unwrap_or(reading));
        (family.key(), value)
    };
    COMPARED.iter().map(value).collect()
}

#[test]
fn every_event_is_there_exactly_once_and_the_state_is_the_nodes_own() {
    let restarts = std::env::var("QUORATE_RESTARTS").map_or(RESTARTS, |text| text.parse().unwrap());
    let seed = std::env::var("QUORATE_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    eprintln!("seed {seed}");
    let mut stage = Stage::set(seed);
    for round in 1..=restarts {
        stage.pause();
        stage.kill_the_collector();
        stage.pause();
        stage.kill_an_agent();
        stage.pause();
        stage.cut();
        if round % ROUNDS_BETWEEN_RESTS == 0 {
            stage.rest();
        }
    }
    let written = stage.silence();
    stage.rack.wait_for_cluster().unwrap();
    stage.rest();
    stage.check_events(&written);
    stage.check_state();
    let lines: u64 = written.values().sum();
    eprintln!(
        "{restarts} times the collector and {restarts} times an agent killed: {lines} events of {NODES} nodes, each once"
    );
}
