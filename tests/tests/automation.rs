//! docs/automation.md as it stands there: the playbook is run by Ansible, the line as cron runs it, and `check` as a monitoring
//! plugin, on a real cluster. A reboot is a `systemctl` that is played, and then the node loses its power and gets it again with
//! another boot id. `QUORATE_NODES` says how many nodes the playbook restarts.
//!
//! Needs root, corosync, iproute2, util-linux, and python3-venv.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use quorate_tests::truth::{Stage, UNHURRIED, declaration};
use quorate_tests::{PATIENCE, Plan, Rack, python, terminal_binary, wait_until};
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/automation.md");
const TOKEN_MS: u32 = 2_000;
const RESTARTED: usize = 2;
/// The lease's time to settle, a boot, and a slow machine.
const LONGEST: Duration = Duration::from_secs(240);

/// The page's one block of this language.
fn block(language: &str) -> &'static str {
    let fence = format!("\n```{language}\n");
    let mut blocks = PAGE.split(&fence).skip(1);
    let block = blocks.next().unwrap().split("\n```\n").next().unwrap();
    assert_eq!(blocks.next(), None, "one block of {language}");
    block
}

fn stage() -> Stage {
    let plan = Plan::new(3, 2).token_ms(TOKEN_MS).playing_boot();
    let external = "[[dependency]]\nservice = \"collector\"\non = \"external\"\n";
    let toml = format!("{UNHURRIED}flaps = 1000\n{}{external}", declaration(&plan));
    let stage = Stage::set(plan, &toml).unwrap();
    let nodes: Vec<String> = stage.rack.nodes().map(str::to_owned).collect();
    for node in nodes {
        install(&stage.rack, &node);
    }
    stage
}

/// Where a package puts it.
fn install(rack: &Rack, node: &str) {
    rack.install(node, &terminal_binary().unwrap()).unwrap();
}

fn restart(stage: &mut Stage, node: &str) {
    stage.restart(node).unwrap();
    install(&stage.rack, node);
}

fn ask(stage: &Stage, args: &[&str]) -> Output {
    stage.collector.asked(&stage.rack, args).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// The newest lease.
fn lease(stage: &Stage) -> Value {
    let list = ask(stage, &["maintenance", "list", "--json"]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    list["leases"][0].clone()
}

fn wait_until_ended(stage: &Stage) -> Value {
    wait_until("the lease to end by itself", LONGEST, || {
        Ok(Some(lease(stage)).filter(|lease| lease["state"] == "ended"))
    })
    .unwrap()
}

/// Waits until `check` says so, and holds its code against its first line.
fn wait_for_state(stage: &Stage, node: &str, code: i32, word: &str) {
    let mut last = String::new();
    let came = wait_until(&format!("the answer {word}"), PATIENCE, || {
        let said = ask(stage, &["check", node]);
        last = text(&said);
        Ok((said.status.code() == Some(code)).then_some(()))
    });
    assert!(came.is_ok(), "{came:?}; the last answer was:\n{last}");
    let first = last.lines().next().unwrap();
    assert!(first.starts_with(&format!("{word} - ")), "{first}");
}

fn wait_for_reboot(stage: &Stage, node: &str) {
    let what = format!("{node} to be told to reboot");
    wait_until(&what, LONGEST, || {
        Ok(stage.rack.is_told_to_reboot(node)?.then_some(()))
    })
    .unwrap();
}

fn nobody_is_told_to_reboot(stage: &Stage) {
    for node in stage.rack.nodes() {
        assert!(!stage.rack.is_told_to_reboot(node).unwrap(), "{node}");
    }
}

/// As cron runs a line of /etc/cron.d: without a terminal, in cron's environment.
fn cron(stage: &Stage, node: &str) -> Child {
    let line = block("cron");
    // cron makes a new line of it.
    assert!(!line.contains(['%', '\n']), "{line}");
    let words: Vec<&str> = line.splitn(7, ' ').collect();
    assert_eq!(words[5], "root");
    let mut cron = stage.rack.command(node, "env").unwrap();
    cron.args(["-i", "HOME=/root", "LOGNAME=root", "SHELL=/bin/sh"]);
    cron.args([
        "PATH=/usr/bin:/bin",
        "setsid",
        "--wait",
        "/bin/sh",
        "-c",
        words[6],
    ]);
    cron.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    cron.spawn().unwrap()
}

/// A program for each node that enters it; a room that was opened anew has another number.
fn doors(rack: &Rack, dir: &Path) {
    for node in rack.running() {
        let enter = rack.command(node, "").unwrap();
        let words = enter.get_args().map(|word| word.to_string_lossy());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let program = enter.get_program().to_string_lossy();
        let text = format!("#!/bin/sh\nexec {program} {} \"$@\"\n", words.join(" "));
        let door = dir.join(node);
        // Never half written to who runs it.
        let half = dir.join("half");
        fs::write(&half, text).unwrap();
        fs::set_permissions(&half, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&half, &door).unwrap();
    }
}

/// The page's playbook, as it goes on these nodes.
fn ansible(dir: &Path, nodes: &[String]) -> Child {
    let python = python::ansible().unwrap();
    let inventory = format!(
        "[proxmox]\n{}\n[proxmox:vars]\nansible_connection=room\nansible_python_interpreter={}\n",
        nodes.join("\n"),
        python.display()
    );
    fs::write(dir.join("inventory"), inventory).unwrap();
    fs::write(dir.join("rolling-restart.yml"), block("yaml")).unwrap();
    let mut ansible = Command::new(python);
    ansible.args([
        "-m",
        "ansible",
        "playbook",
        "-i",
        "inventory",
        "rolling-restart.yml",
    ]);
    ansible.current_dir(dir);
    ansible.env("ANSIBLE_CONNECTION_PLUGINS", python::connection());
    ansible.env("ANSIBLE_HOME", dir.join("ansible"));
    ansible.env("QUORATE_ROOMS", dir).env("LC_ALL", "C.UTF-8");
    ansible.stdin(Stdio::null());
    ansible.stdout(Stdio::piped()).stderr(Stdio::piped());
    ansible.spawn().unwrap()
}

#[test]
fn what_the_page_on_automation_says_is_what_happens() {
    let mut stage = stage();
    exit_codes_and_first_lines_are_a_monitoring_plugins(&mut stage);
    nothing_is_restarted_while_somebody_else_has_the_lease(&stage);
    cron_restarts_its_own_node_on_a_go(&mut stage);
    ansible_restarts_one_node_after_the_other(&mut stage);
}

fn exit_codes_and_first_lines_are_a_monitoring_plugins(stage: &mut Stage) {
    wait_for_state(stage, "pve-01", 0, "GO");
    stage.rack.cut_cable("pve-03", 1).unwrap();
    wait_for_state(stage, "pve-01", 1, "WARN");
    stage.rack.plug_cable("pve-03", 1).unwrap();
    stage.wait_until_seen().unwrap();
    wait_for_state(stage, "pve-01", 0, "GO");
    wait_for_state(stage, "pve-09", 3, "UNKNOWN");
}

fn nothing_is_restarted_while_somebody_else_has_the_lease(stage: &Stage) {
    let begin = ["maintenance", "begin", "pve-03", "--reason", "a disk"];
    assert_eq!(ask(stage, &begin).status.code(), Some(0));
    wait_for_state(stage, "pve-01", 2, "NO-GO");

    let by_cron = cron(stage, "pve-02").wait_with_output().unwrap();
    assert_eq!(by_cron.status.code(), Some(2), "{}", text(&by_cron));
    assert!(text(&by_cron).contains("a disk"), "{}", text(&by_cron));

    let dir = tempfile::tempdir().unwrap();
    doors(&stage.rack, dir.path());
    let nodes: Vec<String> = stage.rack.nodes().map(str::to_owned).collect();
    let by_ansible = ansible(dir.path(), &nodes).wait_with_output().unwrap();
    assert_eq!(by_ansible.status.code(), Some(2), "{}", text(&by_ansible));
    let said = text(&by_ansible);
    assert!(said.contains("another maintenance is under way"), "{said}");
    // The first was refused, and nobody went on to the second.
    let recap = said.split("PLAY RECAP").nth(1).unwrap();
    assert!(
        recap.contains("pve-01") && !recap.contains("pve-02"),
        "{said}"
    );
    nobody_is_told_to_reboot(stage);

    let back = ["maintenance", "end", "pve-03", "--not-rebooted"];
    assert_eq!(ask(stage, &back).status.code(), Some(0));
}

fn cron_restarts_its_own_node_on_a_go(stage: &mut Stage) {
    wait_for_state(stage, "pve-02", 0, "GO");
    let by_cron = cron(stage, "pve-02");
    wait_for_reboot(stage, "pve-02");
    let held = lease(stage);
    assert_eq!(
        (&held["owner"], &held["reason"]),
        (&"root@pve-02".into(), &"weekly restart".into())
    );
    restart(stage, "pve-02");
    let killed = by_cron.wait_with_output().unwrap();
    assert!(!killed.status.success(), "{}", text(&killed));
    let ended = wait_until_ended(stage);
    assert_eq!(ended["number"], held["number"]);
}

fn ansible_restarts_one_node_after_the_other(stage: &mut Stage) {
    let many = std::env::var("QUORATE_NODES").map_or(RESTARTED, |many| many.parse().unwrap());
    let nodes: Vec<String> = stage.rack.nodes().take(many).map(str::to_owned).collect();
    wait_for_state(stage, &nodes[0], 0, "GO");
    let dir = tempfile::tempdir().unwrap();
    doors(&stage.rack, dir.path());
    let by_ansible = ansible(dir.path(), &nodes);
    let mut last = lease(stage)["number"].as_u64().unwrap();
    for node in &nodes {
        wait_for_reboot(stage, node);
        // There is a new lease, so that the last one is over; and nobody else is on his way.
        let held = lease(stage);
        assert_eq!(
            (&held["number"], &held["nodes"][0]),
            (&(last + 1).into(), &node.as_str().into())
        );
        let others = stage.rack.nodes().filter(|other| other != node);
        for other in others {
            assert!(!stage.rack.is_told_to_reboot(other).unwrap(), "{other}");
        }
        restart(stage, node);
        doors(&stage.rack, dir.path());
        last += 1;
    }
    let done = by_ansible.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let held = lease(stage);
    assert_eq!(
        (&held["number"], &held["state"]),
        (&last.into(), &"ended".into())
    );
}
