//! One agent never stops talking: the others do not notice, the collector does not grow, and in the end it shows what
//! is so.

use std::collections::BTreeMap;

use model::report::Family;
use nix::sys::signal::Signal;
use proto::v1::fact::State;
use quorate_tests::{PATIENCE, Program, wait_until};
use serde_json::Value;

use crate::stage::{Stage, acknowledged, is};

const AGENTS: usize = 8;
/// The first cluster of the fleet.
const CLUSTER: &str = "f1ee7000-0000-4000-8000-000000000000";
const FLAPPING: &str = "pve-01";
/// Of each of the quiet ones, until the flood is over.
const EVENTS_WANTED: u64 = 100;
/// What the mailbox and the socket of one stream hold, several times over.
const MOST_GROWN_MIB: u64 = 96;

fn rss_mib(collector: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", collector.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        >> 10
}

/// The last number that each node was told is kept.
fn by_node(lines: &str) -> BTreeMap<String, u64> {
    let acks = acknowledged(lines).into_iter();
    acks.map(|((_, node, _), up_to)| (node, up_to)).collect()
}

fn carrier(stage: &Stage, link: usize) -> Option<bool> {
    let facts = stage
        .collector
        .report(&stage.rack, CLUSTER, FLAPPING)
        .unwrap();
    let links = facts.into_iter().find_map(|aged| {
        let fact = aged.fact?;
        (proto::fact::family(fact.family).ok()? == Family::Links).then_some(fact.state?)
    });
    let Some(State::Known(known)) = links else {
        return None;
    };
    let links: Value = serde_json::from_str(&known.json).unwrap();
    links[link]["carrier"].as_bool()
}

#[test]
fn an_agent_that_flaps_10_000_times_a_second_delays_nobody_and_its_last_state_is_shown() {
    let stage = Stage::set();
    stage.enrol(AGENTS);
    let tell = ["--events-per-second", "20", "--print-acks"];
    // So many are acknowledged to each without a flood in the same time.
    let calm = stage.fleet(AGENTS, 10, &tell);
    let calm: Vec<String> = calm.iter().map(Value::to_string).collect();
    let calm = by_node(&calm.join("\n"));
    let collector = stage.collector.program().unwrap();
    let before_mib = rss_mib(collector);
    let flood = ["--flap", "--flap-for", "10"];
    let fleet = stage.start(AGENTS, &[&tell[..], &flood[..]].concat());
    let (mut most_mib, mut lines) = (before_mib, String::new());
    let over = wait_until("the flood to be over", PATIENCE, || {
        most_mib = most_mib.max(rss_mib(collector));
        let more = fleet.stdout.rest();
        lines.push_str(&more);
        lines.push('\n');
        Ok(more.contains("\"flapped\"").then_some(()))
    });
    over.unwrap();
    let (during, rest) = lines.split_at(lines.find("\"flapped\"").unwrap());
    let (during, _) = during.rsplit_once('\n').unwrap();
    let heard = by_node(during);
    for node in calm.keys().filter(|node| *node != FLAPPING) {
        let (calm, flooded) = (calm[node], heard.get(node).copied().unwrap_or_default());
        assert!(
            flooded * 2 > calm,
            "{node}: {flooded} events acknowledged, and {calm} without a flood"
        );
        assert!(flooded >= EVENTS_WANTED, "{node}: {flooded}");
    }
    let grown_mib = most_mib - before_mib;
    assert!(
        grown_mib <= MOST_GROWN_MIB,
        "{before_mib} MiB, and {most_mib} in the flood"
    );
    let last = rest.lines().next().unwrap();
    let is_up = last.contains("\"carrier\":true");
    let shown = wait_until("the last state to be shown", PATIENCE, || {
        Ok((carrier(&stage, 2) == Some(is_up)).then_some(()))
    });
    shown.unwrap();
    let left_out = |line: Value| line["deltas_left_out"].as_u64().unwrap_or_default();
    let states = lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    if states.map(left_out).max() > Some(0) {
        wait_until("what was left out to be counted", PATIENCE, || {
            let status = stage.collector.status(&stage.rack)?;
            let mut nodes = status["clusters"][0]["nodes"]
                .as_array()
                .into_iter()
                .flatten();
            let flapping = nodes.find(|node| node["node"] == FLAPPING);
            let merged = flapping.and_then(|node| node["dropped"]["announcements"].as_u64());
            Ok((merged > Some(0)).then_some(()))
        })
        .unwrap();
    }
    fleet.signal(Signal::SIGTERM).unwrap();
    let summary = fleet.expect_line("summary", is("summary")).unwrap();
    let summary = summary.json().unwrap();
    assert_eq!(summary["errors"], serde_json::json!({}), "{summary}");
    assert!(summary["deltas"].as_u64() >= Some(1_000), "{summary}");
    eprintln!("{summary}; {before_mib} MiB, {most_mib} MiB in the flood; {heard:?}");
}
