//! Simulated agents against a real collector: they enrol, come back after it was killed, and are refused for what they
//! say of themselves that is not so; the collector's disk fills up or fails; one of them never stops talking.
//!
//! Needs root, corosync, iproute2, util-linux and e2fsprogs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

mod disk;
mod flood;
mod stage;

use nix::sys::signal::Signal;
use serde_json::json;

use stage::{Stage, is, of, spool};

/// A tenth of what `cargo xtask rack fleet` starts.
const MANY: usize = 200;

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
    let fleet = stage.start(MANY, &["--events-per-second", "0.5"]);
    stage.collector.kill().unwrap();
    stage.collector.run(&stage.rack).unwrap();
    fleet.expect_line("all", is("all_answered")).unwrap();
    stage.wait_for_connected(MANY);
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
