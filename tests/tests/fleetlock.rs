//! FleetLock on a real cluster, asked by curl as its clients ask: the slot is the cluster's one lease, given and ended by the
//! gate. Reboots are played: the node loses its power, and gets it again with another boot id.
//!
//! Needs root, corosync, iproute2, util-linux and curl.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::time::Duration;

use quorate_tests::truth::{Stage, UNHURRIED, declaration};
use quorate_tests::{Collector, PATIENCE, Plan, Rack, wait_until};
use serde_json::Value;

const TOKEN_MS: u32 = 2_000;
const PORT: u16 = 7462;
/// What curl says where nobody listens.
const NOBODY_LISTENS: i32 = 7;
/// As a machine calls itself that has no node's name.
const UUID: &str = "c988d2509fdf4cdcbed39037c56406fb";
/// The lease's time to settle, a boot, and a slow machine.
const LONGEST: Duration = Duration::from_secs(180);

/// Answered on the first network alone.
fn stage() -> Stage {
    let plan = Plan::new(3, 2).token_ms(TOKEN_MS).playing_boot();
    let network = "10.20.0.0/24";
    let toml = format!(
        "{UNHURRIED}flaps = 1000\n{}[[dependency]]\nservice = \"collector\"\non = \"external\"\n\
         [fleetlock]\nlisten = \"0.0.0.0:{PORT}\"\nnetworks = [\"{network}\"]\n\
         [[fleetlock.client]]\nid = \"{UUID}\"\nnode = \"pve-02\"\n",
        declaration(&plan)
    );
    let stage = Stage::set(plan, &toml).unwrap();
    wait_until("the gate to say GO to a healthy cluster", PATIENCE, || {
        let check = ["check", "pve-01", "--json"];
        let said = stage.collector.asked(&stage.rack, &check)?;
        Ok((said.status.code() == Some(0)).then_some(()))
    })
    .unwrap();
    stage
}

/// The code and the body that curl is answered with on this node.
#[derive(Debug)]
struct Answer {
    exit: Option<i32>,
    code: u16,
    kind: String,
    value: String,
}

fn curl(rack: &Rack, node: &str, link: usize, path: &str, more: &[&str]) -> Answer {
    let address = rack.address("collector", link).unwrap();
    let url = format!("http://{address}:{PORT}/v1/{path}");
    let mut curl = rack.command(node, "curl").unwrap();
    curl.args([
        "--silent",
        "--max-time",
        "30",
        "--write-out",
        "\n%{http_code}",
    ]);
    let output = curl.args(more).arg(url).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (body, code) = said.rsplit_once('\n').unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    Answer {
        exit: output.status.code(),
        code: code.parse().unwrap(),
        kind: text("kind"),
        value: text("value"),
    }
}

fn ask_over(stage: &Stage, node: &str, link: usize, path: &str, id: &str) -> Answer {
    let body = format!("{{\"client_params\": {{\"id\": \"{id}\", \"group\": \"default\"}}}}");
    let more = ["-H", "fleet-lock-protocol: true", "-d", &body];
    curl(&stage.rack, node, link, path, &more)
}

fn ask(stage: &Stage, node: &str, path: &str, id: &str) -> Answer {
    ask_over(stage, node, 0, path, id)
}

#[track_caller]
fn check_refused(answer: &Answer, code: u16, kind: &str, words: &str) {
    assert_eq!(
        (answer.code, answer.kind.as_str()),
        (code, kind),
        "{answer:?}"
    );
    assert!(answer.value.contains(words), "{answer:?}");
}

fn lease(stage: &Stage) -> Value {
    let list = ["maintenance", "list", "--json"];
    let said = stage.collector.asked(&stage.rack, &list).unwrap();
    let list: Value = serde_json::from_slice(&said.stdout).unwrap();
    list["leases"][0].clone()
}

fn wait_for_lease(stage: &Stage, state: &str) -> Value {
    wait_until(&format!("the lease to be {state}"), LONGEST, || {
        Ok(Some(lease(stage)).filter(|lease| lease["state"] == state))
    })
    .unwrap()
}

#[test]
fn by_default_nobody_listens() {
    let mut rack = Rack::new(1, 1).unwrap();
    let _collector = Collector::start(&mut rack, 1).unwrap();
    let answer = curl(&rack, "pve-01", 0, "pre-reboot", &["-d", "{}"]);
    assert_eq!(answer.exit, Some(NOBODY_LISTENS), "{answer:?}");
}

#[test]
fn the_slot_is_the_lease_given_once_and_ended_when_the_node_is_back_and_healthy() {
    let mut stage = stage();
    refuses_who_may_not_ask(&stage);
    gives_it_once(&stage);
    ends_when_the_node_is_back(&mut stage);
    takes_its_yes_back(&mut stage);
}

fn refuses_who_may_not_ask(stage: &Stage) {
    let outside = ask_over(stage, "pve-01", 1, "pre-reboot", "pve-01");
    check_refused(&outside, 403, "outside_networks", "not for this address");
    let stranger = ask(stage, "pve-01", "pre-reboot", "pve-09");
    check_refused(&stranger, 403, "unknown_client", "no node is known");
    let body = "{\"client_params\": {\"id\": \"pve-01\", \"group\": \"default\"}}";
    let no_header = curl(&stage.rack, "pve-01", 0, "pre-reboot", &["-d", body]);
    check_refused(&no_header, 400, "bad_request", "fleet-lock-protocol");
    let large = ask(stage, "pve-01", "pre-reboot", &"a".repeat(10_000));
    check_refused(&large, 413, "too_large", "4096 bytes");
    assert!(lease(stage).is_null());
}

fn gives_it_once(stage: &Stage) {
    assert_eq!(ask(stage, "pve-01", "steady-state", "pve-01").code, 200);
    assert_eq!(ask(stage, "pve-01", "pre-reboot", "pve-01").code, 200);
    let owner = format!(
        "fleetlock pve-01 at {}",
        stage.rack.address("pve-01", 0).unwrap()
    );
    let held = lease(stage);
    assert_eq!(
        (&held["owner"], &held["state"], &held["action"]),
        (&owner.clone().into(), &"granted".into(), &"reboot".into())
    );
    assert_eq!(ask(stage, "pve-01", "pre-reboot", "pve-01").code, 200);
    assert_eq!(lease(stage)["number"], held["number"]);

    // Who holds it, and why.
    let second = ask(stage, "pve-02", "pre-reboot", UUID);
    check_refused(&second, 409, "lease_held", &owner);
    assert!(
        second.value.contains("FleetLock, group default"),
        "{second:?}"
    );
    assert_eq!(ask(stage, "pve-02", "steady-state", UUID).code, 200);
    // The same id from elsewhere is somebody else.
    let other = ask(stage, "pve-03", "pre-reboot", "pve-01");
    check_refused(&other, 409, "lease_held", &owner);
    assert_eq!(ask(stage, "pve-03", "steady-state", "pve-01").code, 200);
    assert_eq!(lease(stage)["state"], "granted");
}

fn ends_when_the_node_is_back(stage: &mut Stage) {
    let early = ask(stage, "pve-01", "steady-state", "pve-01");
    check_refused(&early, 409, "not_back", "it has not rebooted");
    stage.restart("pve-01").unwrap();
    wait_for_lease(stage, "back");
    let settling = ask(stage, "pve-01", "steady-state", "pve-01");
    check_refused(
        &settling,
        409,
        "not_back",
        "the lease of pve-01 is not over",
    );
    // One lease is for one reboot.
    let again = ask(stage, "pve-01", "pre-reboot", "pve-01");
    check_refused(
        &again,
        409,
        "lease_held",
        "another maintenance is under way",
    );
    wait_until("the slot to be taken back", LONGEST, || {
        let answer = ask(stage, "pve-01", "steady-state", "pve-01");
        Ok((answer.code == 200).then_some(()))
    })
    .unwrap();
    assert_eq!(lease(stage)["state"], "ended");
    assert_eq!(ask(stage, "pve-01", "steady-state", "pve-01").code, 200);
}

fn takes_its_yes_back(stage: &mut Stage) {
    assert_eq!(ask(stage, "pve-02", "pre-reboot", UUID).code, 200);
    stage.rack.stop_node("pve-03").unwrap();
    stage.bury_agents();
    // At once, by the verdict; withdrawn it is after a while.
    let refused = wait_until("the holder to be refused, too", LONGEST, || {
        let answer = ask(stage, "pve-02", "pre-reboot", UUID);
        Ok(Some(answer).filter(|answer| answer.code == 409))
    })
    .unwrap();
    check_refused(
        &refused,
        409,
        "no_go",
        "NO-GO - pve-02 must not be rebooted",
    );
    wait_for_lease(stage, "withdrawn");
    let withdrawn = ask(stage, "pve-02", "pre-reboot", UUID);
    check_refused(&withdrawn, 409, "lease_held", "was withdrawn");
    // What was withdrawn was not used: it can be given back as it is.
    assert_eq!(ask(stage, "pve-02", "steady-state", UUID).code, 200);
    let no_go = ask(stage, "pve-02", "pre-reboot", UUID);
    check_refused(&no_go, 409, "no_go", "NO-GO - pve-02 must not be rebooted");
    assert_eq!(lease(stage)["state"], "ended");
}
