//! A capture, and what a snapshot makes of it.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may stop at once, as tests do"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn agent(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate-agent"))
        .args(args)
        .output()
        .unwrap()
}

fn path(dir: &Path) -> &str {
    dir.to_str().unwrap()
}

/// What changes between two looks, and what a tree cannot hold: how full a file system is, what a directory lacks.
const NOT_COMPARED: &[&str] = &[
    "at",
    "statistics",
    "valid",
    "preferred",
    // What the kernel tells of a live node, and an older iproute2 or a capture does not: netlink.rs compares all of it.
    "protocol",
    "allmulti",
    "seen",
    "booted_at",
    "network_pending",
    "installed",
    "size_mib",
    "used_percent",
    "used_inodes_percent",
];
/// The journal grows between the two, and log files are read in a capture only; the others are measured anew.
const NEVER_THE_SAME: &[&str] = &["journal", "time", "host"];

/// The values of a report that are compared.
fn facts(report: &Value) -> Value {
    match report {
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| !NOT_COMPARED.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), facts(value)))
            .collect(),
        Value::Array(items) => items.iter().map(facts).collect(),
        plain => plain.clone(),
    }
}

#[test]
fn a_captured_node_says_what_the_live_one_says() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("node");
    let captured = agent(&["capture", "--out", path(&out)]);
    let said = String::from_utf8(captured.stdout).unwrap();
    assert_eq!(captured.status.code(), Some(0), "{said}");
    let hint = format!(
        "examine it with: quorate-agent snapshot --root {}\n",
        path(&out)
    );
    assert!(said.ends_with(&hint), "{said}");

    let live = agent(&["snapshot", "--json"]);
    let from_tree = agent(&["snapshot", "--json", "--root", path(&out)]);
    assert_eq!(live.status.code(), from_tree.status.code());
    let live: Value = serde_json::from_slice(&live.stdout).unwrap();
    let from_tree: Value = serde_json::from_slice(&from_tree.stdout).unwrap();
    for (family, reading) in live.as_object().unwrap() {
        // What the agent says of itself: in a tree it is another one's.
        if family == "agent" {
            continue;
        }
        // A tool's error holds a time.
        if !NEVER_THE_SAME.contains(&family.as_str()) && !reading["failed"].is_string() {
            assert_eq!(facts(reading), facts(&from_tree[family]), "{family}");
        }
        assert_eq!(
            reading.is_string(),
            from_tree[family].is_string(),
            "{family}"
        );
    }
}

#[test]
fn a_capture_is_for_its_owner_alone_and_says_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a/b");
    assert_eq!(
        agent(&["capture", "--out", path(&out)]).status.code(),
        Some(0)
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&out), 0o700);
    assert_eq!(mode(&out.join("capture.json")), 0o600);
    let contents: Value =
        serde_json::from_slice(&fs::read(out.join("capture.json")).unwrap()).unwrap();
    let taken = contents["taken"].as_array().unwrap();
    let mut paths = BTreeSet::new();
    for taken in taken {
        let path = taken["path"].as_str().unwrap();
        assert!(paths.insert(path.to_owned()), "{path} was taken twice");
        assert_eq!(mode(&out.join(path)), 0o600);
    }
    assert!(contents["skipped"].as_array().is_some());
    assert!(contents["kernel"].is_string());
}

#[test]
fn a_directory_into_which_others_may_write_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let open_to_all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(dir.path(), open_to_all).unwrap();
    let refused = agent(&["capture", "--out", path(dir.path())]);
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("others may write into it"), "{said}");
    let mode = fs::metadata(dir.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o777);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_capture_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine");
    fs::write(&file, "precious").unwrap();
    let word = "is no empty directory";
    for out in [dir.path(), &file] {
        let refused = agent(&["capture", "--out", path(out)]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
