//! What people say of alerts, at the terminal of a real cluster: it stands with the incident, and outlives the collector.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::process::Output;

use quorate_tests::truth::Stage;
use quorate_tests::{PATIENCE, Plan, wait_until};
use serde_json::Value;

const TOKEN_MS: u32 = 2_000;

fn ask(stage: &Stage, args: &[&str]) -> Output {
    stage.collector.asked(&stage.rack, args).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[track_caller]
fn check(output: &Output, code: i32, begins: &str) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.starts_with(begins), "{said}");
}

/// The first incident that is open and nobody's effect, as soon as this is so.
fn incident(stage: &Stage, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_until("an incident", PATIENCE, || {
        let told = json(&ask(stage, &["incidents", "--json"]));
        let all = told["clusters"][0]["incidents"].as_array().unwrap();
        let mut open = all.iter().filter(|one| one["cause"].is_null());
        Ok(open.find(|one| is_so(one)).cloned())
    })
    .unwrap()
}

#[test]
fn an_incident_is_acknowledged_and_silenced_until_somebody_ends_it() {
    let mut stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();
    stage.rack.stop_node("pve-03").unwrap();
    let open = incident(&stage, |one| one["severity"] != "info");
    assert_eq!(
        (&open["acknowledged"], &open["silenced"]),
        (&Value::Null, &Value::Null)
    );
    let number = open["number"].to_string();

    let known = ask(&stage, &["ack", &number, "--reason", "on it"]);
    check(&known, 0, &format!("DONE - #{number} is known to "));
    let add = ["silence", "add", "--incident", &number, "--until", "8h"];
    let made = ask(&stage, &[&add[..], &["--reason", "sold"]].concat());
    check(&made, 0, &format!("DONE - silence 1: incident #{number}: "));
    let refused = ask(&stage, &["ack", "4711", "--reason", "on it"]);
    check(&refused, 2, "REFUSED - there is no incident #4711");

    stage.collector.kill().unwrap();
    stage.collector.run(&stage.rack).unwrap();
    let said = incident(&stage, |one| one["number"] == open["number"]);
    assert_eq!(said["acknowledged"]["reason"], "on it", "{said:#}");
    assert_eq!(said["silenced"]["id"], 1, "{said:#}");
    let shown = ask(&stage, &["status"]);
    let shown = text(&shown)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(shown.contains("(acknowledged) (silenced)"), "{shown}");
    assert!(!shown.contains("receiver "), "{shown}");

    let ended = ask(&stage, &["silence", "expire", "1"]);
    check(&ended, 0, "DONE - silence 1: ");
    let again = ask(&stage, &["silence", "expire", "1"]);
    check(&again, 2, "REFUSED - there is no silence 1 that holds");
    let list = json(&ask(&stage, &["silence", "list", "--json"]));
    assert_eq!(list["silences"][0]["holds"], false, "{list:#}");
    assert_eq!(list["acknowledgements"][0]["reason"], "on it", "{list:#}");
    incident(&stage, |one| {
        one["number"] == open["number"] && one["silenced"].is_null()
    });
}
