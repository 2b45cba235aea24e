//! The program as a user or a script meets it: a test for each row of the exit codes' table in docs/capture.md.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may stop at once, as tests do"
)]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ACTIVE_BACKUP: &str =
    include_str!("../../model/fixtures/bonding/lab-6.12-active-backup-healthy.txt");

fn agent(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-agent"));
    command.args(args).stdin(Stdio::null());
    command
}

#[track_caller]
fn check(args: &[&str], code: i32) -> Output {
    let output = agent(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    output
}

#[track_caller]
fn check_refusal(args: &[&str], words: &[&str]) {
    let output = check(args, 3);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: "), "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn one_bond() -> tempfile::TempDir {
    tree(&[("proc/net/bonding/bond0", ACTIVE_BACKUP)])
}

fn path(dir: &Path) -> &str {
    dir.to_str().unwrap()
}

#[test]
fn a_report_in_which_something_is_known_is_an_answer() {
    let dir = one_bond();
    let json = check(&["snapshot", "--root", path(dir.path()), "--json"], 0);
    let text = String::from_utf8(json.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "JSON stands in one line");
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["bonds"]["known"][0]["name"], "bond0");
    assert_eq!(report["ceph"], "absent");
    let summary = check(&["snapshot", "--root", path(dir.path())], 0);
    let text = String::from_utf8(summary.stdout).unwrap();
    assert!(text.contains("bond0: active-backup up"), "{text}");
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn where_everything_failed_the_report_is_printed_and_is_no_answer() {
    let dir = tree(&[(
        "commands/corosync-quorumtool_-s",
        "Cannot initialize QUORUM service\n",
    )]);
    let output = check(&["snapshot", "--json", "--root", path(dir.path())], 3);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let why = report["corosync"]["failed"].as_str().unwrap();
    assert!(why.contains("Cannot initialize QUORUM service"), "{why}");
    check(&["snapshot", "--root", path(dir.path())], 3);
}

#[test]
fn a_root_that_is_no_tree_is_refused_with_what_to_do() {
    let dir = one_bond();
    let missing = dir.path().join("no-such");
    let file = dir.path().join("proc/net/bonding/bond0");
    let empty = tempfile::tempdir().unwrap();
    let example = "proc/net/bonding/bond0";
    check_refusal(
        &["snapshot", "--root", path(&missing)],
        &["there is no directory", "docs/capture.md"],
    );
    check_refusal(
        &["snapshot", "--root", path(&file)],
        &["is not a directory", example, "docs/capture.md"],
    );
    check_refusal(
        &["snapshot", "--root", path(empty.path())],
        &["holds nothing", example, "docs/capture.md"],
    );
    let output = check(&["snapshot", "--json", "--root", path(&missing)], 3);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("there is no directory")
    );
}

#[test]
fn wrong_usage_has_a_code_of_its_own() {
    check(&[], 64);
    check(&["snapshto"], 64);
    check(&["snapshot", "--rot", "/"], 64);
    check(&["snapshot", "--root"], 64);
    check(&["capture"], 64);
}

#[test]
fn joining_fails_before_anything_is_done_where_it_was_asked_for_wrongly() {
    let root = tempfile::tempdir().unwrap();
    let root = path(root.path());
    check(&["join"], 64);
    check(&["join", "collector.example"], 64);
    check(&["join", "--found", "--token", "x"], 64);
    check(&["join", "a", "--token", "x", "--node", "a/b"], 64);
    let join = |address, token| ["join", "--root", root, address, "--token", token];
    check_refusal(&join("c", "hello"), &["this is not a join token"]);
    check_refusal(
        &join("c", "quorate1_AAAA"),
        &["cut short", "copy all of it"],
    );
}

#[test]
fn where_there_is_nothing_to_join_or_leave_it_is_so_already() {
    let root = tempfile::tempdir().unwrap();
    let found = check(&["join", "--found", "--root", path(root.path())], 0);
    assert_eq!((found.stdout.len(), found.stderr.len()), (0, 0));
    let left = check(&["leave", "--root", path(root.path())], 0);
    let said = String::from_utf8(left.stdout).unwrap();
    assert!(said.contains("enrolled with no collector"), "{said}");
    let left = check(&["leave", "--cluster", "--root", path(root.path())], 0);
    let said = String::from_utf8(left.stdout).unwrap();
    assert!(said.contains("no such invitation"), "{said}");
    check_refusal(
        &["leave", "3f0e", "--root", path(root.path())],
        &["enrolled with no collector"],
    );
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn guarding_reboots_is_off_until_it_is_enabled_and_refused_where_it_would_bind_nobody() {
    let root = tempfile::tempdir().unwrap();
    let root = path(root.path());
    check(&["guard-reboot"], 64);
    check(&["guard-reboot", "on"], 64);
    check(&["guard-reboot", "--help"], 3);
    let said = |what: &str| {
        let output = check(&["guard-reboot", what, "--root", root], 0);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said("status").starts_with("It is off"));
    assert!(said("disable").starts_with("It was not enabled"));
    // Nothing below this root says that it is systemd's.
    check_refusal(&["guard-reboot", "enable", "--root", root], &["systemd"]);
    assert!(said("status").starts_with("It is off"));
    let state = Path::new(root).join("var/lib/quorate/agent");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("guard-reboot"), "").unwrap();
    assert!(said("status").contains("It is on"));
    assert!(said("disable").starts_with("Disabled"));
    assert!(!state.join("guard-reboot").exists());
}

#[test]
fn help_is_an_answer_only_where_nothing_else_was_asked_for() {
    check(&["--help"], 0);
    let version = check(&["--version"], 0);
    assert!(version.stdout.starts_with(b"quorate-agent "));
    check(&["snapshot", "--help"], 3);
    check(&["capture", "-h"], 3);
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_complain() {
    let dir = one_bond();
    for flags in [vec![], vec!["--json"]] {
        let mut args = vec!["snapshot", "--root", path(dir.path())];
        args.extend(flags);
        let mut child = agent(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        child.wait().unwrap();
        assert_eq!(said, "");
    }
}

#[test]
fn an_answer_that_could_not_be_written_is_none() {
    let dir = one_bond();
    for flag in ["--json", "--root"] {
        let args = match flag {
            "--json" => vec!["snapshot", "--json", "--root", path(dir.path())],
            _ => vec!["snapshot", "--root", path(dir.path())],
        };
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = agent(&args).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("the output cannot be written"), "{said}");
    }
}

#[test]
fn no_file_of_a_tree_can_hang_or_break_the_program() {
    let dir = one_bond();
    let commands = dir.path().join("commands");
    fs::create_dir_all(commands.join("ip_addr")).unwrap();
    let pipe = commands.join("corosync-quorumtool_-s");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink("pvecm_status", commands.join("pvecm_status")).unwrap();
    fs::write(
        commands.join("bridge_vlan_show"),
        [0xff, 0x00, 0xc3].repeat(9999),
    )
    .unwrap();
    fs::write(commands.join("journalctl_-b"), "").unwrap();
    let output = check(&["snapshot", "--json", "--root", path(dir.path())], 0);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for family in ["links", "corosync", "bridges", "journal"] {
        assert!(
            report[family]["failed"].is_string(),
            "{family}: {}",
            report[family]
        );
    }
}
