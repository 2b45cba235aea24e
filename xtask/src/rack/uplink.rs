//! An agent's link to a real collector, and the bytes that go over it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use quorate_tests::{Collector, PATIENCE, Rack, give_cluster_id, wait_until};
use serde_json::Value;

use crate::shell;

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const SOCKET: &str = "/run/quorate/agent.sock";
/// What comes before IP; what the counters of a card count with it.
const ETHERNET_HEADER_BYTES: u64 = 14;

/// A collector on the switches of a rack, which only its streams speak with.
#[derive(Debug)]
pub(super) struct Uplink {
    collector: Collector,
}

/// What came and went at the collector's cards so far, with all headers from IP on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes {
    pub(super) to_collector: u64,
    pub(super) to_agents: u64,
}

impl Uplink {
    /// Starts the collector, and enrols the node with it.
    pub(super) fn begin(rack: &mut Rack, links: usize, node: &str, agent: &str) -> Result<Self> {
        if std::env::var_os("QUORATE_COLLECTOR").is_none() {
            let mut build = Command::new("cargo");
            shell::run(build.args(["build", "--locked", "--quiet", "-p", "quorate-collector"]))?;
        }
        give_cluster_id(rack, CLUSTER)?;
        let collector = Collector::start(rack, links)?;
        let invitation = collector.token(rack, &[])?;
        let mut join = rack.command(node, agent)?;
        let (enrolment, token) = (&invitation.enrolment, &invitation.token);
        shell::output(join.args(["join", enrolment, "--token", token]))?;
        Ok(Self { collector })
    }

    /// Waits until the running agent is connected.
    pub(super) fn wait(&self, rack: &Rack, node: &str) -> Result<()> {
        wait_until("the agent to be connected", PATIENCE, || {
            let mut socket = UnixStream::connect(rack.path(node, SOCKET)?)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            writeln!(socket, "uplinks")?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            let standings: Value = serde_json::from_str(&answer)?;
            let mut all = standings.as_object().into_iter().flatten();
            let is_connected = all.any(|(_, standing)| !standing["connected_to"].is_null());
            Ok(is_connected.then_some(()))
        })
    }

    pub(super) fn bytes(&self, rack: &Rack) -> Result<Bytes> {
        let mut ip = rack.command(self.collector.station(), "ip")?;
        let shown = shell::output(ip.args(["-json", "-statistics", "link", "show"]))?;
        let cards: Vec<Value> = serde_json::from_str(&shown)?;
        let sum = |direction: &str| -> Result<u64> {
            let mut sum = 0;
            for card in cards.iter().filter(|card| card["ifname"] != "lo") {
                let counted = |what: &str| {
                    let number = card.pointer(&format!("/stats64/{direction}/{what}"));
                    number.and_then(Value::as_u64)
                };
                let both = counted("bytes").zip(counted("packets"));
                let (bytes, packets) = both.context("a card has no counters")?;
                sum += bytes.saturating_sub(packets * ETHERNET_HEADER_BYTES);
            }
            Ok(sum)
        };
        ensure!(cards.len() > 1, "the collector has no card");
        Ok(Bytes {
            to_collector: sum("rx")?,
            to_agents: sum("tx")?,
        })
    }
}

impl Bytes {
    /// A sentence on what came and went since.
    pub(super) fn since(self, before: Self, seconds: f64) -> String {
        let to_collector = (self.to_collector - before.to_collector) as f64 / seconds;
        let to_agents = (self.to_agents - before.to_agents) as f64 / seconds;
        format!(
            "uplink: {:.1} bytes a second at IP level, {to_collector:.1} of them to the collector and {to_agents:.1} back",
            to_collector + to_agents
        )
    }
}
