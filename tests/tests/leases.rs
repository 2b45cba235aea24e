//! The lease on a real cluster, at the terminal: one of many who ask gets it, it outlives the collector, what its node does is
//! filed under it, and `guard` says how it ended. Nodes of a rack have no systemd and never reboot, so that every lease here is
//! taken against UNKNOWN and broken in the end; the life of a whole one is for the model's tests to show.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::process::{Child, Output, Stdio};

use quorate_tests::truth::Stage;
use quorate_tests::{PATIENCE, Plan, wait_until};
use serde_json::Value;

const TOKEN_MS: u32 = 2_000;
/// So many ask at the same moment.
const ASKERS: usize = 10;

fn ask(stage: &Stage, args: &[&str]) -> Output {
    stage.collector.asked(&stage.rack, args).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
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

fn held(stage: &Stage) -> Option<Value> {
    let list = json(&ask(stage, &["maintenance", "list", "--json"]));
    let leases = list["leases"].as_array().unwrap();
    let held = |lease: &&Value| lease["state"] != "ended" && lease["state"] != "broken";
    assert!(leases.iter().filter(held).count() <= 1, "{list:#}");
    leases.iter().find(held).cloned()
}

/// The numbers of those who were told that they have it.
fn all_ask_at_once(stage: &Stage) -> Vec<u64> {
    let nodes = ["pve-01", "pve-02", "pve-03"];
    let reasons: Vec<String> = (0..ASKERS).map(|asker| format!("asker {asker}")).collect();
    let askers: Vec<Child> = reasons
        .iter()
        .enumerate()
        .map(|(asker, reason)| {
            let args = begin(nodes[asker % nodes.len()], reason);
            let mut command = stage.collector.asking(&stage.rack, &args).unwrap();
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut told = Vec::new();
    for (asker, reason) in askers.into_iter().zip(&reasons) {
        let answer = json(&asker.wait_with_output().unwrap());
        if answer["is_done"] == true {
            assert_eq!(answer["lease"]["reason"], reason.as_str());
            told.push(answer["lease"]["number"].as_u64().unwrap());
        }
    }
    told
}

#[test]
fn one_gets_the_lease_it_outlives_the_collector_and_its_node_is_expected_to_be_away() {
    let mut stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();

    let plain = ["maintenance", "begin", "pve-03", "--reason", "new kernel"];
    let refused = ask(&stage, &plain);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert_eq!(held(&stage), None);
    let slip = [&plain[..], &["--override", "pve-02"]].concat();
    assert_eq!(ask(&stage, &slip).status.code(), Some(3));
    assert_eq!(held(&stage), None);

    for _ in 0..3 {
        let told = all_ask_at_once(&stage);
        assert_eq!(told.len(), 1, "{told:?}");
        let lease = held(&stage).unwrap();
        assert_eq!(lease["number"], told[0]);
        let node = lease["nodes"][0].as_str().unwrap();
        let give_up = ["maintenance", "break", node, "--reason", "the next round"];
        assert_eq!(ask(&stage, &give_up).status.code(), Some(0));
    }

    let taken = ask(&stage, &begin("pve-03", "new kernel"));
    assert_eq!(
        (taken.status.code(), &json(&taken)["is_done"]),
        (Some(3), &true.into())
    );
    let lease = held(&stage).unwrap();
    stage.collector.kill().unwrap();
    stage.collector.run(&stage.rack).unwrap();
    stage.wait_until_seen().unwrap();
    let after = held(&stage).unwrap();
    assert_eq!(
        (&after["number"], &after["owner"], &after["began"]),
        (&lease["number"], &lease["owner"], &lease["began"])
    );
    let second = ask(
        &stage,
        &["maintenance", "begin", "pve-02", "--reason", "me"],
    );
    assert_eq!(second.status.code(), Some(2), "{}", text(&second));
    assert!(text(&second).contains("new kernel"), "{}", text(&second));
    let early = ask(&stage, &["maintenance", "end", "pve-03"]);
    assert_eq!(early.status.code(), Some(2), "{}", text(&early));
    assert!(
        text(&early).contains("pve-03 still runs the kernel of before"),
        "{}",
        text(&early)
    );

    stage.rack.stop_node("pve-03").unwrap();
    wait_until("the node to have left", PATIENCE, || {
        Ok(held(&stage).filter(|lease| lease["state"] == "departed"))
    })
    .unwrap();
    wait_until("what its leaving means to be told", PATIENCE, || {
        let told = json(&ask(&stage, &["incidents", "--all", "--json"]));
        let all = told["clusters"][0]["incidents"].as_array().unwrap().clone();
        let of = |rule: &str| all.iter().find(|one| one["rule"] == rule).cloned();
        let (Some(planned), Some(left)) = (of("node-in-maintenance"), of("corosync-node-left"))
        else {
            return Ok(None);
        };
        // Nobody is called for it.
        assert_eq!(planned["severity"], "info");
        Ok((left["cause"] == planned["number"]).then_some(()))
    })
    .unwrap();
}

#[test]
fn guard_refuses_waits_and_says_how_it_ended() {
    let stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();
    let guard = |args: &[&str]| {
        let args = [&["guard", "pve-03"], args].concat();
        ask(&stage, &args)
    };
    let code = |output: &Output| output.status.code();

    // Not all is known on a rack.
    let unknown = guard(&["--", "touch", "/tmp/guarded"]);
    assert_eq!(code(&unknown), Some(68), "{}", text(&unknown));
    assert_eq!(held(&stage), None);

    ask(&stage, &begin("pve-02", "disk"));
    let over = guard(&["--override", "pve-03", "--", "true"]);
    assert_eq!(code(&over), Some(69), "{}", text(&over));
    ask(
        &stage,
        &["maintenance", "break", "pve-02", "--reason", "done"],
    );

    // It runs, and the node never reboots: the lease stays and keeps the next one back.
    let args = ["--override", "pve-03", "--for", "4s", "--json", "--", "sh"];
    let stays = guard(&[&args[..], &["-c", "exit 5"]].concat());
    assert_eq!(code(&stays), Some(70), "{}", text(&stays));
    let outcome = json(&stays);
    assert_eq!(
        (&outcome["command_code"], &outcome["is_lease_held"]),
        (&5.into(), &true.into())
    );
    let lease = held(&stage).unwrap();
    assert_eq!(
        (&lease["reason"], &lease["state"]),
        (&"sh -c exit 5".into(), &"granted".into())
    );
    wait_until("the lease to be overdue", PATIENCE, || {
        Ok(held(&stage).filter(|lease| lease["is_overdue"] == true))
    })
    .unwrap();
    let next = ask(
        &stage,
        &["maintenance", "begin", "pve-01", "--reason", "me"],
    );
    assert_eq!(code(&next), Some(2), "{}", text(&next));
}
