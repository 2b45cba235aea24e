//! `quorate check` on real clusters: what is not known is never a GO, and what costs the quorum is a NO-GO. Nodes of a rack have
//! no systemd, so that nobody knows whether they are on their way down: a GO is for the model's tests to show.
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

fn check(stage: &Stage, args: &[&str]) -> Output {
    let args = [&["check"], args].concat();
    stage.collector.asked(&stage.rack, &args).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn kinds(verdict: &Value, weight: &str) -> Vec<String> {
    let reasons = verdict["reasons"].as_array().unwrap().iter();
    reasons
        .filter(|reason| reason["weight"] == weight)
        .map(|reason| reason["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_gate_says_unknown_no_go_and_why_at_the_terminal() {
    let mut stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();

    let plain = check(&stage, &["pve-03"]);
    assert_eq!(plain.status.code(), Some(3), "{}", text(&plain));
    let first = text(&plain).lines().next().unwrap().to_owned();
    assert!(
        first.starts_with("UNKNOWN - whether pve-03 may be rebooted"),
        "{first}"
    );
    let json = check(&stage, &["pve-03", "--json"]);
    let verdict: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (json.status.code(), &verdict["answer"]),
        (Some(3), &"UNKNOWN".into())
    );
    assert_eq!(verdict["sentence"], first);
    // Two of three votes are enough: nothing forbids it, and not all is known.
    assert_eq!(kinds(&verdict, "blocker"), Vec::<String>::new());
    assert!(kinds(&verdict, "missing").contains(&"return-unknown".to_owned()));
    assert!(
        kinds(&verdict, "note").contains(&"votes".to_owned()),
        "{verdict:#}"
    );

    let both = check(&stage, &["pve-02", "pve-03", "--action", "shutdown"]);
    assert_eq!(both.status.code(), Some(2), "{}", text(&both));
    let nobody = check(&stage, &["pve-09"]);
    assert_eq!(nobody.status.code(), Some(3), "{}", text(&nobody));
    assert_eq!(check(&stage, &[]).status.code(), Some(64));

    stage.rack.stop_node("pve-02").unwrap();
    wait_until("the loss of a node to be seen", PATIENCE, || {
        let verdict: Value = serde_json::from_slice(&check(&stage, &["pve-03", "--json"]).stdout)?;
        let blockers = kinds(&verdict, "blocker");
        let is_told = |kind: &str| blockers.iter().any(|told| told == kind);
        Ok((is_told("votes-short") && is_told("node-down")).then_some(()))
    })
    .unwrap();
    let refused = check(&stage, &["pve-03"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(
        text(&refused).starts_with("NO-GO - pve-03 must not be rebooted"),
        "{}",
        text(&refused)
    );

    stage.collector.kill().unwrap();
    let gone = check(&stage, &["pve-03"]);
    assert_eq!(gone.status.code(), Some(3));
    assert!(text(&gone).starts_with("UNKNOWN - "), "{}", text(&gone));
    // What was true a moment ago is shown, and changes nothing.
    let hint = text(&gone);
    assert!(
        hint.contains("says nothing of now: NO-GO - pve-03"),
        "{hint}"
    );
    let gone = check(&stage, &["pve-03", "--json"]);
    let verdict: Value = serde_json::from_slice(&gone.stdout).unwrap();
    assert_eq!(
        (gone.status.code(), &verdict["answer"]),
        (Some(3), &"UNKNOWN".into())
    );
}
