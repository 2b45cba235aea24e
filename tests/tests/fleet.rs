//! Simulated agents and the client in Python, against a stand-in of a collector: they speak as the wire says.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod stand_in;

use std::process::Command;

use quorate_tests::python;
use serde_json::{Value, json};
use stand_in::StandIn;

/// Runs a program to its end, with the lines of JSON that it printed.
async fn lines(mut command: Command) -> Vec<Value> {
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn fleet(dir: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    command.args(["--agents", "40", "--per-cluster", "16", "--seconds", "3"]);
    command.arg("--identities").arg(dir).args(args);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_agents_enrol_once_are_welcomed_and_their_events_are_acknowledged() {
    let collector = StandIn::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let enrolment = collector.enrolment.to_string();
    let invited = ["--enrolment", &enrolment, "--token", &collector.token];
    let first = lines(fleet(dir.path(), &invited)).await;
    let has = |lines: &[Value], event: &str| lines.iter().any(|line| line["event"] == event);
    for event in ["enrolled", "all_welcomed", "all_answered", "summary"] {
        assert!(has(&first, event), "no {event}: {first:#?}");
    }
    assert!(!has(&first, "error"), "{first:#?}");
    let words = ["--events-per-second", "20", "--flap", "--print-acks"];
    let second = lines(fleet(dir.path(), &words)).await;
    assert!(!has(&second, "enrolled"), "{second:#?}");
    assert!(has(&second, "ack"), "{second:#?}");
    let summary = second.last().unwrap();
    assert!(summary["events_kept"].as_u64() > Some(0), "{summary}");
    assert!(summary["deltas"].as_u64() > Some(0), "{summary}");
    assert_eq!(summary["errors"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_another_make_finds_all_services() {
    let collector = StandIn::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let operator = dir.path().join("operator.json");
    std::fs::write(&operator, collector.operator.to_string()).unwrap();
    let mut client = Command::new(python::interpreter().unwrap());
    client.arg(python::client());
    client.arg("--protos").arg(python::protos());
    client.args(["--enrolment", &collector.enrolment.to_string()]);
    client.args(["--token", &collector.token]);
    client.arg("--operator").arg(&operator);
    let lines = lines(client).await;
    python::check(lines.last().unwrap()).unwrap();
}
