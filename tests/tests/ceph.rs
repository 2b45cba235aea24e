//! The gate asks Ceph, on a real cluster with real agents. The rack has no Ceph: a `ceph` on each node is a fake that says what
//! the test wants, in the words of ceph 16.2.15 (`model/fixtures/ceph`).
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use quorate_tests::truth::{Stage, UNHURRIED};
use quorate_tests::{PATIENCE, Plan, wait_until};
use serde_json::Value;

const TOKEN_MS: u32 = 2_000;
const EXTERNAL: &str = "[[dependency]]\nservice = \"collector\"\non = \"external\"\n";

/// A monitor and an OSD on each of three nodes.
const FAKE: &str = r#"#!/bin/sh
# A fake: it says what Ceph would say.
case "$*" in
  *quorum_status*) echo '{"quorum":[0,1,2],"quorum_names":["pve-01","pve-02","pve-03"],"monmap":{"epoch":1,"mons":[{"rank":0,"name":"pve-01"},{"rank":1,"name":"pve-02"},{"rank":2,"name":"pve-03"}]}}' ;;
  *"node ls"*) echo '{"mon":{"pve-01":["pve-01"],"pve-02":["pve-02"],"pve-03":["pve-03"]},"osd":{"pve-01":[0],"pve-02":[1],"pve-03":[2]},"mds":{},"mgr":{"pve-01":["pve-01"]}}' ;;
  *"health detail"*) echo '{"status":"HEALTH_OK","checks":{},"mutes":[]}' ;;
  *"status -f json"*) echo '{"health":{"status":"HEALTH_OK","checks":{},"mutes":[]},"osdmap":{"epoch":18,"num_osds":3,"num_up_osds":3,"num_in_osds":3}}' ;;
  *"mon ok-to-stop pve-03"*) echo 'quorum should be preserved (pve-01,pve-02) after stopping [pve-03]' >&2 ;;
  *"osd ok-to-stop 2"*)
    if [ -e /run/osd-is-needed ]; then
      echo '{"ok_to_stop":false,"osds":[2],"num_ok_pgs":14,"num_not_ok_pgs":1,"bad_become_inactive":["1.0"]}'
      echo 'Error EBUSY: unsafe to stop osd(s) at this time (1 PGs are or would become offline)' >&2
      exit 16
    fi
    echo '{"ok_to_stop":true,"osds":[2],"num_ok_pgs":15,"num_not_ok_pgs":0}' ;;
  *) echo 'Error EINVAL: invalid command' >&2; exit 22 ;;
esac
"#;

fn ask(stage: &Stage, args: &[&str]) -> Output {
    stage.collector.asked(&stage.rack, args).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn kinds(verdict: &Value, weight: &str) -> Vec<String> {
    let reasons = verdict["reasons"].as_array().unwrap().iter();
    let of_weight = reasons.filter(|reason| reason["weight"] == weight);
    of_weight
        .map(|reason| reason["kind"].as_str().unwrap().to_owned())
        .collect()
}

fn check(stage: &Stage) -> Value {
    json(&ask(stage, &["check", "pve-03", "--json"]))
}

fn begin(stage: &Stage) -> Value {
    let args = ["maintenance", "begin", "pve-03", "--reason", "new kernel"];
    json(&ask(stage, &[args.as_slice(), &["--json"]].concat()))
}

/// On every node, whose agents begin anew with it.
fn install(stage: &mut Stage, ceph: &Path) {
    for agent in &mut stage.agents {
        stage.rack.install(agent.node(), ceph).unwrap();
        let conf = stage.rack.path(agent.node(), "/etc/pve/ceph.conf").unwrap();
        std::fs::write(conf, "[global]\n").unwrap();
        agent.kill().unwrap();
        agent.start(&stage.rack).unwrap();
    }
}

fn osd_is_needed(stage: &Stage, is_needed: bool) {
    for node in stage.rack.nodes() {
        let path = stage.rack.path(node, "/run/osd-is-needed").unwrap();
        if is_needed {
            std::fs::write(path, "").unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_node_with_ceph_may_be_rebooted_when_ceph_says_so_and_not_before() {
    let plan = Plan::new(3, 2).token_ms(TOKEN_MS).playing_boot();
    let mut stage = Stage::set(plan, &format!("{UNHURRIED}{EXTERNAL}")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ceph = dir.path().join("ceph");
    std::fs::write(&ceph, FAKE).unwrap();
    std::fs::set_permissions(&ceph, std::fs::Permissions::from_mode(0o755)).unwrap();
    osd_is_needed(&stage, true);
    install(&mut stage, &ceph);

    wait_until("Ceph's no to be told", PATIENCE, || {
        let verdict = check(&stage);
        let is_told = kinds(&verdict, "blocker") == ["ceph-not-ok"];
        Ok(is_told.then_some(()))
    })
    .unwrap();
    let plain = ask(&stage, &["check", "pve-03"]);
    let text = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert_eq!(plain.status.code(), Some(2), "{text}");
    let sentence = "NO-GO - pve-03 must not be rebooted: Ceph says that OSD 2 on pve-03 must not be stopped now: placement \
                    groups that would wait: 1.0";
    assert!(text.starts_with(sentence), "{text}");
    let refused = begin(&stage);
    assert_eq!(refused["is_done"], false, "{refused:#}");
    assert_eq!(kinds(&refused["verdict"], "blocker"), ["ceph-not-ok"]);

    // The no is shared for a while by all who ask.
    osd_is_needed(&stage, false);
    wait_until("Ceph's yes to be told", PATIENCE, || {
        let verdict = check(&stage);
        let notes = kinds(&verdict, "note");
        let yes = notes.iter().filter(|kind| *kind == "ceph-ok").count();
        let may = ["GO", "WARN"].map(Value::from).contains(&verdict["answer"]);
        Ok((yes == 2 && may).then_some(()))
    })
    .unwrap();
    let granted = begin(&stage);
    assert_eq!(granted["is_done"], true, "{granted:#}");
}
