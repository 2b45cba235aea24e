//! `quorate events -f` on a rack while its collector is killed again and again: what is followed is all that is kept, each
//! event once and in one order; and what `quorate status` and `quorate incidents` say of the same rack.
//!
//! Needs root, corosync, iproute2, util-linux and systemd's journald.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this is tests"
)]

use std::collections::BTreeMap;

use quorate_tests::{
    Agent, Collector, Journal, PATIENCE, Program, Rack, Speaker, give_cluster_id, terminal_binary,
    wait_until,
};
use serde_json::Value;

const NODES: usize = 3;
const LINKS: usize = 2;
const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
/// The agent listens to it, and nothing on a rack speaks in its name.
const SPEAKER: &str = "pmxcfs";
const KILLS: usize = 5;

struct Stage {
    rack: Rack,
    collector: Collector,
    agents: Vec<Agent>,
    _journals: Vec<Journal>,
}

impl Stage {
    fn set() -> Self {
        let mut rack = Rack::new(NODES, LINKS).unwrap();
        give_cluster_id(&rack, CLUSTER).unwrap();
        let collector = Collector::start(&mut rack, LINKS).unwrap();
        let agents = Agent::on_every_node(&rack, &collector).unwrap();
        let (journals, agents): (Vec<_>, Vec<_>) = agents.into_iter().unzip();
        Self {
            rack,
            collector,
            agents,
            _journals: journals,
        }
    }

    /// A command of the terminal, running in the collector's room.
    fn start(&self, args: &[&str]) -> Program {
        let (identity, _) = self.collector.operator(&self.rack).unwrap();
        let args = [args, &["--json", "--identity", identity]].concat();
        let terminal = terminal_binary().unwrap();
        let station = self.collector.station();
        self.rack
            .start(station, &terminal.to_string_lossy(), &args)
            .unwrap()
    }

    /// Waits until the first cluster of `quorate status` is as it is wanted.
    fn wait_for_status(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait_until(what, PATIENCE, || {
            last = self.collector.status(&self.rack)?;
            Ok(is_it(&last["clusters"][0]).then(|| last["clusters"][0].clone()))
        });
        found.unwrap_or_else(|error| panic!("{error:#}: {last:#}"))
    }
}

/// Of all ways between different nodes, how many are of each kind.
fn ways(cluster: &Value) -> BTreeMap<String, usize> {
    let mut ways = BTreeMap::new();
    for link in cluster["link_matrix"]["links"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let rows = link["ways"].as_array().into_iter().flatten();
        for way in rows.flat_map(|row| row.as_array().into_iter().flatten()) {
            if let Some(way) = way.as_str() {
                *ways.entry(way.to_owned()).or_default() += 1;
            }
        }
    }
    ways
}

/// What a follower printed so far.
struct Followed {
    program: Program,
    lines: Vec<Value>,
}

impl Followed {
    /// Waits until it has printed what is wanted.
    fn wait(&mut self, what: &str, is_there: impl Fn(&[Value]) -> bool) {
        let there = wait_until(what, PATIENCE, || {
            let text = self.program.stdout.rest();
            let lines = text.lines().map(serde_json::from_str);
            self.lines.extend(lines.collect::<Result<Vec<Value>, _>>()?);
            Ok(is_there(&self.lines).then_some(()))
        });
        let (count, last) = (self.lines.len(), self.lines.last());
        assert!(
            there.is_ok(),
            "{there:?} in {count} lines, the last is {last:?}"
        );
    }

    fn wait_for_notice(&self, words: &str) {
        let is_it = |line: &quorate_tests::Line| line.text.contains(words);
        self.program.stderr.expect(words, PATIENCE, is_it).unwrap();
    }
}

/// The numbers of the speakers' lines, node by node.
fn heard(lines: &[Value]) -> BTreeMap<String, Vec<u64>> {
    let mut heard: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["source"] == SPEAKER) {
        let sentence = line["sentence"].as_str().unwrap();
        let number = sentence.rsplit(' ').next().unwrap().parse().unwrap();
        let node = line["node"].as_str().unwrap().to_owned();
        heard.entry(node).or_default().push(number);
    }
    heard
}

#[test]
fn whoever_follows_gets_every_event_once_while_the_collector_is_killed() {
    let mut stage = Stage::set();
    let nodes: Vec<String> = stage.rack.nodes().map(str::to_owned).collect();
    let speakers: Vec<Speaker> = nodes
        .iter()
        .map(|node| Speaker::start(&stage.rack, node, SPEAKER).unwrap())
        .collect();
    let mut followed = Followed {
        program: stage.start(&["events", "-f", "-n", "all"]),
        lines: Vec::new(),
    };
    for _ in 0..KILLS {
        let before = followed.lines.len();
        followed.wait("more events", |lines| lines.len() > before);
        stage.collector.kill().unwrap();
        followed.wait_for_notice("the collector is gone");
        stage.collector.run(&stage.rack).unwrap();
        followed.wait_for_notice("answers again");
    }
    let written: BTreeMap<String, u64> = nodes
        .into_iter()
        .zip(speakers.into_iter().map(|speaker| speaker.stop().unwrap()))
        .collect();
    let last = |lines: &[Value]| -> BTreeMap<String, u64> {
        let last = |(node, numbers): (String, Vec<u64>)| Some((node, *numbers.last()?));
        heard(lines).into_iter().filter_map(last).collect()
    };
    followed.wait("the last event of each speaker", |lines| {
        last(lines) == written
    });
    for (node, numbers) in heard(&followed.lines) {
        let expected: Vec<u64> = (1..=written[&node]).collect();
        assert_eq!(numbers, expected, "each line of {node} once, in order");
    }
    // And the places tell the same: whoever goes on behind one leaves nothing out.
    let place = |line: &Value, of: &str| line["place"][of].as_u64().unwrap();
    for pair in followed.lines.windows(2) {
        let steps = place(&pair[1], "step") - place(&pair[0], "step");
        let events = place(&pair[1], "event") - place(&pair[0], "event");
        assert!(
            steps <= 1 && steps + events >= 1,
            "{} then {}",
            pair[0],
            pair[1]
        );
    }
    assert!(stage.agents.iter().all(|agent| agent.program().is_ok()));
}

#[test]
fn a_cut_link_and_a_lost_node_are_seen_at_a_glance() {
    let mut stage = Stage::set();
    let all = NODES * (NODES - 1) * LINKS;
    let healthy = stage.wait_for_status("all ways to be connected", |cluster| {
        ways(cluster) == BTreeMap::from([("connected".to_owned(), all)])
    });
    assert_eq!(
        healthy["votes"][0]["sentence"],
        "quorate: 3 of 3 votes, 2 needed, 1 may be lost"
    );
    let node = stage.rack.nodes().last().unwrap().to_owned();

    stage.rack.cut_cable(&node, 1).unwrap();
    // Both directions of two pairs, on one link.
    stage.wait_for_status(
        "the ways over the cut cable to be disconnected",
        |cluster| {
            ways(cluster)
                == BTreeMap::from([
                    ("connected".to_owned(), all - 4),
                    ("disconnected".to_owned(), 4),
                ])
        },
    );
    stage.wait_for_status("an incident about it", |cluster| {
        let incidents = cluster["incidents"].as_array();
        incidents.is_some_and(|incidents| !incidents.is_empty())
    });
    stage.rack.plug_cable(&node, 1).unwrap();

    stage.rack.stop_node(&node).unwrap();
    let lost = stage.wait_for_status("the node to be lost", |cluster| {
        cluster["votes"][0]["votes"] == 2
            && ways(cluster).get("unknown") == Some(&((NODES - 1) * LINKS))
    });
    assert_eq!(
        lost["votes"][0]["sentence"],
        "quorate: 2 of 3 votes, 2 needed, none may be lost"
    );
}
