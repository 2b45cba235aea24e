//! The lease on a real cluster, at the terminal: one of many who ask gets it, it outlives the collector, what its node does is
//! filed under it, and `guard` says how it ended. Nodes of a rack have no systemd and never reboot, so that every lease here is
//! taken against UNKNOWN and broken in the end; the life of a whole one is for the model's tests to show.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

use std::process::{Child, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use quorate_tests::truth::Stage;
use quorate_tests::{Collector, PATIENCE, Plan, Rack, children, wait_until};
use serde_json::Value;

const TOKEN_MS: u32 = 2_000;
/// So many ask at the same moment, so often; `QUORATE_ASKERS` and `QUORATE_ROUNDS` say otherwise.
const ASKERS: usize = 10;
const ROUNDS: usize = 3;

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |many| many.parse().unwrap())
}

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

/// Somebody who asks for the lease, and why.
struct Asker {
    reason: String,
    process: Child,
}

/// All of them at once, of these collectors in turn.
fn all_ask(rack: &Rack, collectors: &[&Collector]) -> Vec<Asker> {
    let nodes = ["pve-01", "pve-02", "pve-03"];
    let ask = |asker: usize| {
        let reason = format!("asker {asker}");
        let args = begin(nodes[asker % nodes.len()], &reason);
        let collector = collectors[asker % collectors.len()];
        let mut command = collector.asking(rack, &args).unwrap();
        let process = command.stdout(Stdio::piped()).spawn().unwrap();
        Asker { reason, process }
    };
    (0..number("QUORATE_ASKERS", ASKERS)).map(ask).collect()
}

/// The numbers of those who were told that they have it.
fn told(askers: Vec<Asker>) -> Vec<u64> {
    let mut told = Vec::new();
    for asker in askers {
        let answer = json(&asker.process.wait_with_output().unwrap());
        if answer["is_done"] == true {
            assert_eq!(answer["lease"]["reason"], asker.reason.as_str());
            told.push(answer["lease"]["number"].as_u64().unwrap());
        }
    }
    told
}

fn give_up(stage: &Stage, lease: &Value) {
    let node = lease["nodes"][0].as_str().unwrap();
    let args = ["maintenance", "break", node, "--reason", "the next round"];
    assert_eq!(ask(stage, &args).status.code(), Some(0));
}

/// The collector is killed at some moment while they ask, and some ask one that only looks on. Who was told that he has the
/// lease has it, though he may not have been told.
#[test]
fn never_two_get_it_whenever_the_collector_is_killed() {
    let mut stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();
    let observer = Collector::start_observer(&mut stage.rack, 2).unwrap();
    let invitation = observer.token(&stage.rack, &[]).unwrap();
    for agent in &stage.agents {
        let (enrolment, token) = (&invitation.enrolment, &invitation.token);
        agent.join_also(&stage.rack, enrolment, token).unwrap();
    }
    let (mut given, mut silently) = (0, 0);
    let rounds = number("QUORATE_ROUNDS", ROUNDS);
    for _ in 0..rounds {
        let askers = all_ask(&stage.rack, &[&stage.collector, &observer]);
        sleep(Duration::from_millis(fastrand::u64(0..400)));
        stage.collector.kill().unwrap();
        stage.collector.run(&stage.rack).unwrap();
        let told = told(askers);
        assert!(told.len() <= 1, "{told:?}");
        stage.wait_until_seen().unwrap();
        let held = held(&stage);
        if let Some(number) = told.first() {
            let lease = held.as_ref().unwrap();
            assert_eq!(lease["number"], *number);
        }
        if let Some(lease) = held {
            given += 1;
            silently += usize::from(told.is_empty());
            give_up(&stage, &lease);
        }
    }
    eprintln!(
        "{rounds} rounds: the lease was given {given} times, {silently} times to somebody who did not hear of it"
    );
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

    for _ in 0..number("QUORATE_ROUNDS", ROUNDS) {
        let told = told(all_ask(&stage.rack, &[&stage.collector]));
        assert_eq!(told.len(), 1, "{told:?}");
        let lease = held(&stage).unwrap();
        assert_eq!(lease["number"], told[0]);
        give_up(&stage, &lease);
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
    give_up(&stage, &lease);

    // Whoever ends it from outside leaves a lease that says so.
    let args = [
        "guard",
        "pve-03",
        "--override",
        "pve-03",
        "--",
        "sleep",
        "60",
    ];
    let mut command = stage.collector.asking(&stage.rack, &args).unwrap();
    let process = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What is started in a room is the child of who enters it.
    let guard = wait_until("the command to run", PATIENCE, || {
        let entered = Pid::from_raw(process.id().cast_signed());
        let Some(guard) = children(entered)?.first().copied() else {
            return Ok(None);
        };
        let runs = held(&stage).is_some() && !children(guard)?.is_empty();
        Ok(runs.then_some(guard))
    })
    .unwrap();
    kill(guard, Signal::SIGTERM).unwrap();
    let interrupted = process.wait_with_output().unwrap();
    assert_eq!(code(&interrupted), Some(70), "{}", text(&interrupted));
    let lease = held(&stage).unwrap();
    let words = lease["words"].as_str().unwrap();
    let expect = "its guard was interrupted by SIGTERM while its command ran, ";
    assert!(words.starts_with(expect), "{words}");
}

#[test]
fn a_node_that_is_away_for_good_can_be_accepted_until_it_is_there_again() {
    let mut stage = Stage::declared(Plan::new(3, 2).token_ms(TOKEN_MS)).unwrap();
    let accept = |node: &str| {
        let args = [
            "accept",
            "node-down",
            node,
            "--until",
            "30d",
            "--reason",
            "sold",
        ];
        ask(&stage, &args)
    };
    let early = accept("pve-03");
    assert_eq!(early.status.code(), Some(2), "{}", text(&early));
    stage.rack.stop_node("pve-03").unwrap();
    let weight = |stage: &Stage| {
        let verdict = json(&ask(stage, &["check", "pve-02", "--json"]));
        let reasons = verdict["reasons"].as_array().unwrap().iter();
        let mut down = reasons.filter(|reason| reason["kind"] == "node-down");
        down.next().map(|reason| reason["weight"].clone())
    };
    wait_until("the node to be missed", PATIENCE, || {
        Ok(weight(&stage).filter(|weight| *weight == "blocker"))
    })
    .unwrap();
    let args = [
        "accept",
        "node-down",
        "pve-03",
        "--until",
        "30d",
        "--reason",
        "sold",
    ];
    let accepted = ask(&stage, &args);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted));
    let list = |stage: &Stage| json(&ask(stage, &["accept", "--json"]))["accepted"].clone();
    assert_eq!(list(&stage)[0]["reason"], "sold");
    stage.collector.kill().unwrap();
    stage.collector.run(&stage.rack).unwrap();
    wait_until("what is accepted to be a note", PATIENCE, || {
        Ok(weight(&stage).filter(|weight| *weight == "note"))
    })
    .unwrap();

    // How it came to be can be asked for afterwards, and comes out the same.
    let verdict = json(&ask(&stage, &["check", "pve-02", "--json"]));
    let id = verdict["id"].as_str().unwrap();
    let replayed = ask(&stage, &["replay", id, "--json"]);
    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed));
    assert_eq!(json(&replayed)["again"]["sentence"], verdict["sentence"]);
    let listed = json(&ask(&stage, &["replay", "--json"]));
    assert_eq!(listed["verdicts"][0]["id"], id);
    let taken = json(&ask(&stage, &begin("pve-02", "disk")));
    let id = taken["verdict"]["id"].as_str().unwrap();
    let replayed = ask(&stage, &["replay", id]);
    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed));
    give_up(&stage, &held(&stage).unwrap());

    stage.rack.start_node("pve-03").unwrap();
    wait_until("it to be over", PATIENCE, || {
        Ok(list(&stage).as_array().unwrap().is_empty().then_some(()))
    })
    .unwrap();
}
