//! One agent and two collectors, one that decides and an observer: each gets everything, and has a place of its own in the
//! agent's spool. A second one that decides is refused.
//!
//! Needs root, corosync, iproute2, util-linux and systemd's journald.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use proto::v1::event::Event as Kind;
use quorate_tests::{
    Agent, Collector, Journal, PATIENCE, Rack, Speaker, give_cluster_id, spoken, wait_until,
};
use serde_json::Value;

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
/// The agent listens to it, and nothing on a rack speaks in its name.
const SPEAKER: &str = "pmxcfs";

/// The numbers of the speaker's lines that came last without a gap, in the collector's order.
fn heard(collector: &Collector, rack: &Rack) -> Vec<u64> {
    let events = collector.events(rack, CLUSTER).unwrap().into_iter();
    let lines = events.filter_map(|kept| match kept.event?.event? {
        Kind::JournalJson(json) => spoken(&json, SPEAKER).unwrap(),
        _ => None,
    });
    lines.collect()
}

fn cluster(collector: &Collector, rack: &Rack) -> Value {
    let status = collector.status(rack).unwrap();
    status["clusters"][0].clone()
}

/// Waits until the collector hears the node.
fn wait_for_agent(collector: &Collector, rack: &Rack) {
    wait_until("the agent to be connected", PATIENCE, || {
        let cluster = cluster(collector, rack);
        let is_heard = cluster["nodes"][0]["standing"] == "connected";
        Ok(is_heard.then_some(()))
    })
    .unwrap();
}

fn wait_for_lines(collector: &Collector, rack: &Rack, expect: &[u64]) {
    let mut last = Vec::new();
    let all = wait_until("all lines to arrive", PATIENCE, || {
        last = heard(collector, rack);
        Ok((last == expect).then_some(()))
    });
    assert!(all.is_ok(), "{all:?}: {last:?} instead of {expect:?}");
}

#[test]
fn two_collectors_get_everything_and_exactly_one_decides() {
    let mut rack = Rack::new(2, 1).unwrap();
    give_cluster_id(&rack, CLUSTER).unwrap();
    let decides = Collector::start(&mut rack, 1).unwrap();
    let mut observer = Collector::start_observer(&mut rack, 1).unwrap();
    let second = Collector::start_second(&mut rack, 1, "second").unwrap();
    let node = rack.nodes().next().unwrap().to_owned();
    let _journal = Journal::start(&rack, &node).unwrap();

    let invitation = decides.token(&rack, &[]).unwrap();
    let mut agent = Agent::join(&rack, &node, &invitation.enrolment, &invitation.token).unwrap();
    let invitation = observer.token(&rack, &[]).unwrap();
    agent
        .join_also(&rack, &invitation.enrolment, &invitation.token)
        .unwrap();
    let invitation = second.token(&rack, &[]).unwrap();
    let refused = agent.join_also(&rack, &invitation.enrolment, &invitation.token);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("would be a second one"), "{refused}");
    assert_eq!(
        second.status(&rack).unwrap()["clusters"],
        Value::Array(vec![])
    );

    agent.start(&rack).unwrap();
    wait_for_agent(&decides, &rack);
    wait_for_agent(&observer, &rack);
    let (own, seen) = (cluster(&decides, &rack), cluster(&observer, &rack));
    assert_eq!(
        (&own["is_authority"], &own["is_observer"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        (&seen["is_authority"], &seen["is_observer"]),
        (&false.into(), &true.into())
    );
    assert_eq!(
        own["authority"], seen["authority"],
        "the agent handed it on"
    );
    assert!(own["authority"]["collector"].is_string());

    // One of them is away while more is said: it goes on at its own place.
    let speaker = Speaker::start(&rack, &node, SPEAKER).unwrap();
    wait_until("both to hear something", PATIENCE, || {
        let is_heard = |collector| !heard(collector, &rack).is_empty();
        Ok((is_heard(&decides) && is_heard(&observer)).then_some(()))
    })
    .unwrap();
    observer.kill().unwrap();
    let said = &agent.program().unwrap().stderr;
    let broke = said.expect("what happened", PATIENCE, |line| {
        line.text.contains("the connection broke off")
    });
    let broke = broke.unwrap().text;
    assert!(!broke.contains("h2"), "{broke}");
    let before = heard(&decides, &rack).len();
    wait_until("the other one to go on", PATIENCE, || {
        Ok((heard(&decides, &rack).len() > before).then_some(()))
    })
    .unwrap();
    let lines = speaker.stop().unwrap();
    let all: Vec<u64> = (1..=lines).collect();
    wait_for_lines(&decides, &rack, &all);
    observer.run(&rack).unwrap();
    wait_for_lines(&observer, &rack, &all);
    wait_for_lines(&decides, &rack, &all);
}
