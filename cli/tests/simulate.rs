//! `quorate simulate` as its users meet it: answers, errors that say what to do, and exit codes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const EIGHT: &str = "../model/fixtures/corosync_conf/pve-8-nodes-2-links.conf";

fn quorate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(args)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(args: &[&str]) -> serde_json::Value {
    let output = quorate(args);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    serde_json::from_str(&out(&output)).unwrap()
}

/// A refused or unreadable question: its exit code, and words that the message must hold.
#[track_caller]
fn check_refused(args: &[&str], code: i32, says: &[&str]) {
    let output = quorate(args);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for words in says {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn conf_with(dir: &Path, quorum: &str) -> String {
    let node =
        |id: u32| format!("  node {{\n    nodeid: {id}\n    ring0_addr: 10.0.0.{id}\n  }}\n");
    let nodes: String = (1..=4).map(node).collect();
    let path: PathBuf = dir.join("corosync.conf");
    let provider = "  provider: corosync_votequorum\n";
    std::fs::write(
        &path,
        format!("nodelist {{\n{nodes}}}\nquorum {{\n{provider}{quorum}}}\n"),
    )
    .unwrap();
    path.display().to_string()
}

#[test]
fn the_json_holds_one_entry_for_the_start_and_one_for_each_step() {
    let answer = json(&[
        "simulate",
        "--config",
        EIGHT,
        "--down",
        "1,2,3",
        "--split",
        "4,5/6,7,8",
        "--join",
        "--up",
        "1",
        "--json",
    ]);
    let steps = answer["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 5);
    assert_eq!(steps[0]["partitions"][0]["votes"], 8);
    assert_eq!(
        steps[1]["partitions"][0]["nodes"],
        serde_json::json!([4, 5, 6, 7, 8])
    );
    assert_eq!(steps[1]["partitions"][0]["quorate"], true);
    assert_eq!(steps[2]["partitions"].as_array().unwrap().len(), 2);
    assert_eq!(
        steps[2]["partitions"][1]["nodes"],
        serde_json::json!([6, 7, 8])
    );
    assert_eq!(steps[2]["partitions"][1]["quorate"], false);
    assert_eq!(steps[2]["partitions"][1]["expected"], 8);
    assert_eq!(steps[2]["partitions"][1]["quorum"], 5);
    assert_eq!(
        steps[4]["partitions"][0]["nodes"],
        serde_json::json!([1, 4, 5, 6, 7, 8])
    );
}

#[test]
fn steps_are_taken_in_the_order_in_which_they_stand() {
    let early = json(&[
        "simulate", "--config", EIGHT, "--up", "1", "--down", "1", "--json",
    ]);
    assert_eq!(early["steps"][2]["partitions"][0]["votes"], 7);
    let late = json(&[
        "simulate", "--config", EIGHT, "--down", "1", "--up", "1", "--json",
    ]);
    assert_eq!(late["steps"][2]["partitions"][0]["votes"], 8);
}

#[test]
fn the_table_says_why_a_partition_is_not_quorate() {
    let output = quorate(&["simulate", "--config", EIGHT, "--split", "1,2,3,4/5,6,7,8"]);
    assert_eq!(output.status.code(), Some(0));
    let table = out(&output);
    assert!(table.contains("4 of 8 votes; 5 are needed"), "{table}");
    assert!(table.contains("1 pve-01"), "{table}");
    assert!(
        !table.contains('\u{1b}'),
        "colours only on a terminal: {table}"
    );
}

#[test]
fn nodes_can_be_given_by_name() {
    let answer = json(&[
        "simulate", "--config", EIGHT, "--down", "pve-03,8", "--json",
    ]);
    let nodes = &answer["steps"][1]["partitions"][0]["nodes"];
    assert_eq!(*nodes, serde_json::json!([1, 2, 4, 5, 6, 7]));
}

#[test]
fn nobody_left_is_an_answer_too() {
    let answer = json(&[
        "simulate",
        "--config",
        EIGHT,
        "--down",
        "1,2,3,4,5,6,7,8",
        "--json",
    ]);
    assert_eq!(answer["steps"][1]["partitions"], serde_json::json!([]));
}

#[test]
fn the_window_of_last_man_standing_passes_between_steps_unless_they_are_fast() {
    let dir = tempfile::tempdir().unwrap();
    let conf = conf_with(dir.path(), "  last_man_standing: 1\n");
    let steps = ["--down", "1", "--down", "2", "--json"];
    let slow = json(&[&["simulate", "--config", &conf], &steps[..]].concat());
    assert_eq!(slow["steps"][2]["partitions"][0]["quorate"], true);
    let fast = json(&[&["simulate", "--config", &conf, "--fast"], &steps[..]].concat());
    assert_eq!(fast["steps"][2]["partitions"][0]["quorate"], false);
}

#[test]
fn exit_3_when_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().display().to_string();
    check_refused(
        &["simulate", "--config", "/no/such/file"],
        3,
        &["/no/such/file", "no such file"],
    );
    check_refused(
        &["simulate", "--config", &here],
        3,
        &["is a directory", "corosync.conf"],
    );
    check_refused(
        &["simulate", "--config", EIGHT, "--down", "9"],
        3,
        &["no node 9", "1, 2, 3"],
    );
    check_refused(
        &["simulate", "--config", EIGHT, "--down", "pve-09"],
        3,
        &["\"pve-09\"", "pve-01 (1)"],
    );
    check_refused(
        &["simulate", "--config", EIGHT, "--qdevice", "on"],
        3,
        &["no qdevice"],
    );
    let two = conf_with(
        dir.path(),
        "  two_node: 1\n  device {\n    model: net\n  }\n",
    );
    check_refused(
        &["simulate", "--config", &two],
        3,
        &["two_node", "quorum.device"],
    );
    let word = conf_with(dir.path(), "  two_node: yes\n");
    check_refused(
        &["simulate", "--config", &word],
        3,
        &["line 21", "two_node: yes", "0 or 1"],
    );
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    check_refused(
        &["simulate", "--config", &empty.display().to_string()],
        3,
        &["nothing in it"],
    );
    // Bytes that are no text at all.
    std::fs::write(&empty, [0u8, 159, 146, 150, b'\n', 255]).unwrap();
    check_refused(
        &["simulate", "--config", &empty.display().to_string()],
        3,
        &["no corosync.conf"],
    );
}

#[test]
fn exit_3_and_json_for_a_question_without_an_answer() {
    let output = quorate(&["simulate", "--config", "/no/such/file", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let answer: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert!(answer["error"].as_str().unwrap().contains("/no/such/file"));
}

#[test]
fn exit_3_for_help_and_version_of_a_command_because_they_are_no_answer() {
    for args in [
        &["simulate", "--help"][..],
        &["simulate", "-h"],
        &["help", "simulate"],
    ] {
        assert_eq!(quorate(args).status.code(), Some(3), "{args:?}");
    }
    assert_eq!(quorate(&["--help", "simulate"]).status.code(), Some(3));
    assert_eq!(quorate(&["--help"]).status.code(), Some(0));
    assert_eq!(quorate(&["--version"]).status.code(), Some(0));
}

#[test]
fn exit_64_for_wrong_usage() {
    check_refused(&[], 64, &["Usage"]);
    check_refused(&["simulate"], 64, &["--config"]);
    check_refused(
        &["simulate", "--config", EIGHT, "--dwon", "1"],
        64,
        &["--dwon", "--down"],
    );
    check_refused(&["simulate", "--config", EIGHT, "--down"], 64, &["--down"]);
    check_refused(
        &["simulate", "--config", EIGHT, "--down", ""],
        64,
        &["names no node"],
    );
    check_refused(
        &["simulate", "--config", EIGHT, "--down", "0"],
        64,
        &["\"0\" is not a node id"],
    );
    check_refused(
        &["simulate", "--config", EIGHT, "--split", "1,2"],
        64,
        &["1,2/3,4"],
    );
    check_refused(
        &["simulate", "--config", EIGHT, "--expected", "1=many"],
        64,
        &["number of votes"],
    );
    check_refused(&["explode"], 64, &["explode"]);
    // Before the file is even looked for.
    check_refused(
        &["simulate", "--config", "/no/such/file", "--split", "1"],
        64,
        &["no split"],
    );
}

#[test]
fn a_reader_who_goes_away_is_met_with_silence_and_not_with_0() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["simulate", "--config", EIGHT])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(err(&output), "");
    assert_eq!(output.status.code(), Some(3));
}
