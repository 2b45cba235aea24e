//! Another CA takes the place of the collector's first one while its nodes stay enrolled: one agent is away while the new
//! one is made, the collector is killed in between, and at the end the old CA is good for nothing.
//!
//! Needs root, corosync, iproute2, util-linux and systemd's journald.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::fs;

use quorate_tests::{Agent, Collector, Journal, PATIENCE, Rack, give_cluster_id, wait_until};
use serde_json::Value;

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const NODES: usize = 3;
const AWAY: &str = "pve-03";
const COLLECTORS: &str = "/var/lib/quorate/agent/collectors";
const SECOND_FILE: &str = "/var/lib/quorate/second.json";
const BACKUP: &str = "/var/lib/quorate/backup.tar";

struct Stage {
    rack: Rack,
    collector: Collector,
    agents: Vec<Agent>,
    _journals: Vec<Journal>,
}

impl Stage {
    fn set() -> Self {
        let mut rack = Rack::new(NODES, 1).unwrap();
        give_cluster_id(&rack, CLUSTER).unwrap();
        let collector = Collector::start(&mut rack, 1).unwrap();
        let agents = Agent::on_every_node(&rack, &collector).unwrap();
        let (journals, agents) = agents.into_iter().unzip();
        Self {
            rack,
            collector,
            agents,
            _journals: journals,
        }
    }

    fn ca(&self, args: &[&str]) -> anyhow::Result<String> {
        self.collector
            .command(&self.rack, &[&["ca"], args].concat())
    }

    fn shown(&self) -> Value {
        serde_json::from_str(&self.ca(&["show", "--json"]).unwrap()).unwrap()
    }

    /// Who is in the way of the next step.
    fn not_ready(&self) -> Vec<String> {
        let shown = self.shown();
        let lost = shown["not_ready"].as_array().unwrap().iter();
        lost.map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[track_caller]
    fn wait_until_not_ready_are(&self, names: &[&str]) {
        let mut last = Vec::new();
        let waited = wait_until("who is not ready", PATIENCE, || {
            last = self.not_ready();
            Ok((last == names).then_some(()))
        });
        assert!(waited.is_ok(), "{last:?} instead of {names:?}");
    }

    fn agent(&mut self, node: &str) -> &mut Agent {
        let mut all = self.agents.iter_mut();
        all.find(|agent| agent.node() == node).unwrap()
    }

    /// The CAs in the only enrolment of a node.
    fn trusted_by(&self, node: &str) -> usize {
        let dir = self.rack.path(node, COLLECTORS).unwrap();
        let mut entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
        let link = entries.find(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        let trust = fs::read_to_string(link.unwrap().path().join("trust.pem")).unwrap();
        trust.matches("BEGIN CERTIFICATE").count()
    }

    fn operator(&self, out: &str) {
        let add = ["operator", "add", "anna", "--out", out];
        self.collector.command(&self.rack, &add).unwrap();
    }

    /// The new file takes the place of the one of before, which is handed out.
    fn exchange_operators_file(&self) -> Vec<u8> {
        let (_, path) = self.collector.operator(&self.rack).unwrap();
        let before = fs::read(&path).unwrap();
        let station = self.collector.station();
        fs::rename(self.rack.path(station, SECOND_FILE).unwrap(), path).unwrap();
        before
    }
}

#[test]
fn the_ca_is_replaced_and_every_node_stays_enrolled() {
    let mut stage = Stage::set();
    stage.collector.wait_for_agents(&stage.rack, NODES).unwrap();
    let token = stage.collector.token(&stage.rack, &[]).unwrap();
    stage.agent(AWAY).kill().unwrap();

    let said = stage.ca(&["rotate"]).unwrap();
    assert!(said.contains("anna"), "{said}");
    stage.wait_until_not_ready_are(&[AWAY, "anna"]);
    for node in ["pve-01", "pve-02"] {
        assert_eq!(stage.trusted_by(node), 2, "{node}");
    }
    assert_eq!(stage.trusted_by(AWAY), 1);
    let refused = stage.ca(&["switch"]).unwrap_err().to_string();
    assert!(
        refused.contains(&format!("{AWAY} has not confirmed")),
        "{refused}"
    );
    assert!(refused.contains("anna has a file"), "{refused}");
    stage.operator(SECOND_FILE);
    stage.wait_until_not_ready_are(&[AWAY]);

    // The collector is another process from here on, and knows the same.
    stage.collector.kill().unwrap();
    stage.collector.run(&stage.rack).unwrap();
    stage.wait_until_not_ready_are(&[AWAY]);
    assert!(stage.ca(&["switch"]).is_err());
    let Stage { rack, agents, .. } = &mut stage;
    let away = agents.iter_mut().find(|agent| agent.node() == AWAY);
    away.unwrap().start(rack).unwrap();
    stage.wait_until_not_ready_are(&[]);
    stage.collector.wait_for_agents(&stage.rack, NODES).unwrap();

    let said = stage.ca(&["switch"]).unwrap();
    assert!(said.contains("tokens are good for nothing"), "{said}");
    let old_file = stage.exchange_operators_file();
    let joined = stage.agents[0].join_also(&stage.rack, &token.enrolment, &token.token);
    assert!(joined.is_ok(), "it is enrolled already, and asks nobody");
    // Agents renew by themselves, each in its own moment, and open a stream with what they have then.
    stage.wait_until_not_ready_are(&[]);
    stage.collector.wait_for_agents(&stage.rack, NODES).unwrap();
    let said = stage
        .collector
        .command(&stage.rack, &["backup", BACKUP])
        .unwrap();
    assert!(said.contains("CA's key"), "{said}");

    stage.ca(&["retire"]).unwrap();
    stage.wait_until_not_ready_are(&[]);
    for node in stage.rack.nodes() {
        assert_eq!(stage.trusted_by(node), 1, "{node}");
    }
    stage.collector.wait_for_agents(&stage.rack, NODES).unwrap();
    check_old_file(&stage, &old_file);

    // All of it holds for whoever starts anew, on both ends.
    stage.collector.kill().unwrap();
    let Stage { rack, agents, .. } = &mut stage;
    for agent in agents {
        agent.kill().unwrap();
        agent.start(rack).unwrap();
    }
    stage.collector.run(&stage.rack).unwrap();
    stage.collector.wait_for_agents(&stage.rack, NODES).unwrap();
    assert_eq!(stage.shown()["cas"][0]["standing"], "retired");
}

/// A certificate of the old CA is refused, also by whoever is told to trust the new one.
fn check_old_file(stage: &Stage, old_file: &[u8]) {
    let (_, path) = stage.collector.operator(&stage.rack).unwrap();
    let good = fs::read(&path).unwrap();
    let mut old: Value = serde_json::from_slice(old_file).unwrap();
    let new: Value = serde_json::from_slice(&good).unwrap();
    old["trust_pem"] = new["trust_pem"].clone();
    fs::write(&path, serde_json::to_vec(&old).unwrap()).unwrap();
    assert!(stage.collector.status(&stage.rack).is_err());
    let said = &stage.collector.program().unwrap().stderr;
    let refused = said.expect("the refusal", PATIENCE, |line| {
        line.text
            .contains("its certificate is not from this collector's CA")
    });
    refused.unwrap();
    fs::write(&path, good).unwrap();
    stage.collector.status(&stage.rack).unwrap();
}
