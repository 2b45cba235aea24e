//! What root on a node can ask, without a file of his own: the node's agent passes it on, and the collector hears who asks.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::process::Output;
use std::thread::sleep;
use std::time::{Duration, Instant};

use quorate_tests::truth::Stage;
use quorate_tests::{Plan, agent_binary, terminal_binary};
use serde_json::Value;

const TOKEN_MS: u32 = 2_000;
/// An agent looks every 15 s whether it is to guard.
const PATIENCE: Duration = Duration::from_secs(60);

/// Root of this node asks.
fn ask(stage: &Stage, node: &str, args: &[&str]) -> Output {
    let binary = terminal_binary().unwrap();
    let mut command = stage.rack.command(node, &binary.to_string_lossy()).unwrap();
    // Nobody's file is found there.
    let command = command.env("HOME", "/run").env_remove("QUORATE_IDENTITY");
    command.args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn begin<'a>(node: &'a str, reason: &'a str) -> [&'a str; 8] {
    [
        "maintenance",
        "begin",
        node,
        "--reason",
        reason,
        "--override",
        node,
        "--json",
    ]
}

#[test]
fn root_on_a_node_asks_over_its_agent_for_any_node_and_takes_the_lease_of_his_own_alone() {
    let mut stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();

    let status = ask(&stage, "pve-02", &["status", "--json"]);
    assert!(status.status.success(), "{}", text(&status));
    let other = ask(&stage, "pve-02", &["check", "pve-01", "--json"]);
    let verdict: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(other.status.code(), Some(3), "{verdict:#}");
    assert!(
        verdict["sentence"]
            .as_str()
            .unwrap()
            .contains("whether pve-01 may be rebooted"),
        "{verdict:#}"
    );

    let foreign = ask(&stage, "pve-02", &begin("pve-01", "not mine"));
    assert_eq!(foreign.status.code(), Some(3), "{}", text(&foreign));
    assert!(
        text(&foreign).contains("for itself alone"),
        "{}",
        text(&foreign)
    );
    let own = ask(&stage, "pve-02", &begin("pve-02", "new kernel"));
    let answer: Value = serde_json::from_slice(&own.stdout).unwrap();
    assert_eq!(answer["is_done"], true, "{answer:#}");
    assert_eq!(answer["lease"]["owner"], "root@pve-02");
    let take = ["maintenance", "break", "pve-02", "--reason", "mine now"];
    let broken = ask(&stage, "pve-02", &take);
    assert_eq!(broken.status.code(), Some(3), "{}", text(&broken));

    stage.collector.kill().unwrap();
    let gone = ask(&stage, "pve-02", &["check", "pve-02"]);
    assert_eq!(gone.status.code(), Some(3), "{}", text(&gone));
    assert!(
        text(&gone).contains("the agent of this node"),
        "{}",
        text(&gone)
    );
    by_its_own_word(&stage);
}

/// Without a collector its own agent is asked, which is never better than WARN; a rack's node does not tell how it boots.
fn by_its_own_word(stage: &Stage) {
    let local = ask(stage, "pve-02", &["check", "--local", "--json"]);
    assert_eq!(local.status.code(), Some(3), "{}", text(&local));
    let verdict: Value = serde_json::from_slice(&local.stdout).unwrap();
    let reasons = verdict["reasons"].as_array().unwrap();
    let of_kind = |kind: &str| reasons.iter().find(|reason| reason["kind"] == kind);
    assert!(of_kind("votes").is_some(), "{verdict:#}");
    let votes = of_kind("votes").unwrap()["sentence"].as_str().unwrap();
    assert_eq!(votes, "2 of 3 votes stay, and 2 are needed");
    assert!(of_kind("own-word-alone").is_some(), "{verdict:#}");
    let other = ask(stage, "pve-02", &["check", "--local", "pve-01"]);
    assert_eq!(other.status.code(), Some(64), "{}", text(&other));
}

#[test]
fn whoever_is_not_root_is_told_so_and_gets_nothing() {
    let stage = Stage::declared(Plan::new(2, 1).token_ms(TOKEN_MS)).unwrap();
    let binary = terminal_binary().unwrap();
    let binary = binary.to_string_lossy();
    let mut command = stage.rack.command("pve-01", "setpriv").unwrap();
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.env("HOME", "/run").env_remove("QUORATE_IDENTITY");
    let said = command.args([&binary, "status"]).output().unwrap();
    assert_eq!(said.status.code(), Some(3), "{}", text(&said));
    assert!(text(&said).contains("only root"), "{}", text(&said));
}

/// Whether it may be enabled on this machine (its systemd, its UPS) is for the command; what that leaves is enough here. A
/// rack's node does not tell how it boots, so that the answer is UNKNOWN, and nothing is blocked.
#[test]
fn an_agent_that_guards_reboots_asks_by_itself_and_is_answered() {
    let stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();
    let agent = agent_binary().unwrap();
    let run = |program: &str, args: &[&str]| {
        let mut command = stage.rack.command("pve-02", program).unwrap();
        text(&command.args(args).output().unwrap())
    };
    let status = || run(&agent.to_string_lossy(), &["guard-reboot", "status"]);
    assert!(status().starts_with("It is off"), "{}", status());
    run("touch", &["/var/lib/quorate/agent/guard-reboot"]);
    let asked = "No lock is held now: whether this node may be rebooted is UNKNOWN";
    let began = Instant::now();
    while !status().contains(asked) {
        assert!(began.elapsed() < PATIENCE, "{}", status());
        sleep(Duration::from_millis(500));
    }
}
