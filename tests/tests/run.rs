//! `quorate-agent run` as it lives on a node: who may ask it, what it gives up, and what it survives.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use quorate_tests::{PATIENCE, Program, Rack, wait_until};
use serde_json::Value;

const NODE: &str = "pve-01";
/// CAP_NET_ADMIN alone: the twelfth bit.
const NET_ADMIN: &str = "0000000000001000";

fn start(rack: &Rack) -> Program {
    let agent = rack.agent(NODE, &["run"]).unwrap();
    let ready = agent
        .stderr
        .expect("ready", PATIENCE, |line| line.text.contains("ready in"));
    ready.unwrap();
    agent
}

fn socket(rack: &Rack) -> PathBuf {
    rack.path(NODE, "/run/quorate/agent.sock").unwrap()
}

fn ask(rack: &Rack, question: &str) -> Value {
    let mut stream = UnixStream::connect(socket(rack)).unwrap();
    writeln!(stream, "{question}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// A value of `/proc/PID/status`.
fn status(agent: &Program, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

#[test]
fn it_gives_up_its_powers_answers_root_and_leaves_nothing_behind() {
    let rack = Rack::new(2, 1).unwrap();
    let agent = start(&rack);
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(status(&agent, set), NET_ADMIN, "{set}");
    }
    assert_eq!(status(&agent, "NoNewPrivs"), "1");
    let mode = fs::metadata(socket(&rack)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let report = ask(&rack, "report");
    assert_eq!(report["corosync"]["known"]["total_votes"], 2);
    // A rack has no logind of its own: whether the machine under it has one does not matter here.
    let blind_spots = report["agent"]["known"]["blind_spots"].as_array().unwrap();
    let is_of_logind =
        |spot: &serde_json::Value| spot.as_str().unwrap().starts_with("systemd-logind");
    assert!(blind_spots.iter().all(is_of_logind), "{blind_spots:?}");
    assert!(ask(&rack, "reboot")["error"].is_string());

    let second = rack.agent(NODE, &["run"]).unwrap();
    let refused = second
        .stderr
        .expect("refused", PATIENCE, |line| line.text.contains("error:"));
    assert!(refused.unwrap().text.contains("another"));
    assert_eq!(second.wait().unwrap().code(), Some(3));

    agent.signal(Signal::SIGTERM).unwrap();
    assert_eq!(agent.wait().unwrap().code(), Some(0));
    assert!(!socket(&rack).exists());
}

#[test]
fn killed_it_comes_back_with_the_same_spool() {
    let rack = Rack::new(1, 1).unwrap();
    let spool = |rack: &Rack| {
        let told = wait_until("the state of the spool", PATIENCE, || {
            let id = ask(rack, "report")["agent"]["known"]["spool"]["id"].clone();
            Ok(id.as_str().map(str::to_owned))
        });
        told.unwrap()
    };
    let agent = start(&rack);
    let before = spool(&rack);
    agent.signal(Signal::SIGKILL).unwrap();
    agent.wait().unwrap();
    assert!(socket(&rack).exists());
    let _again = start(&rack);
    assert_eq!(spool(&rack), before);
}

#[test]
fn a_bare_node_is_absent_in_every_part_and_breaks_nothing() {
    let rack = Rack::new(1, 1).unwrap();
    rack.stop_corosync(NODE).unwrap();
    fs::remove_file(rack.path(NODE, "/etc/corosync/corosync.conf").unwrap()).unwrap();
    let agent = start(&rack);
    let report = ask(&rack, "report");
    let absent = [
        "bonds",
        "corosync",
        "cmap",
        "corosync_conf",
        "members",
        "ha",
        "guests",
        "certificates",
        "tasks",
        "storage",
        "ovs",
        "lldp",
        "ceph",
    ];
    for family in absent {
        assert_eq!(report[family], "absent", "{family}");
    }
    assert!(report["links"]["known"].is_array());
    agent.signal(Signal::SIGTERM).unwrap();
    assert_eq!(agent.wait().unwrap().code(), Some(0));
}

#[test]
fn a_corosync_that_stands_still_costs_one_thread_and_stalls_nothing() {
    let rack = Rack::new(2, 1).unwrap();
    let agent = start(&rack);
    let threads = || status(&agent, "Threads").parse::<usize>().unwrap();
    // The threads that asked the sources for the first time end when they have had nothing to do for a while.
    let before = threads();
    rack.freeze_corosync(NODE).unwrap();
    let failed = wait_until("corosync to fail by its deadline", PATIENCE, || {
        let report = ask(&rack, "report");
        let why = report["corosync"]["failed"].as_str();
        Ok(why.map(str::to_owned))
    });
    assert_eq!(failed.unwrap(), "corosync has not answered for 5 s");
    // Long enough for several of its looks to pass; each of them must find the one thread that hangs.
    // The full volume (docs/testing.md) is a minute.
    let seconds = std::env::var("QUORATE_FROZEN_S").map_or(10, |text| text.parse().unwrap());
    for _ in 0..seconds * 2 {
        std::thread::sleep(Duration::from_millis(500));
        assert!(
            threads() <= before + 1,
            "{} threads, {before} before",
            threads()
        );
    }
    rack.add_address(NODE, 0, "10.99.0.1/24").unwrap();
    wait_until("the new address", PATIENCE, || {
        let links = ask(&rack, "report")["links"].to_string();
        Ok(links.contains("10.99.0.1").then_some(()))
    })
    .unwrap();
    rack.thaw_corosync(NODE).unwrap();
    wait_until("corosync to answer again", PATIENCE, || {
        Ok(ask(&rack, "report")["corosync"]["known"]
            .is_object()
            .then_some(()))
    })
    .unwrap();
}

#[test]
fn lldpd_is_heard_without_the_powers_of_root() {
    let rack = Rack::new(1, 1).unwrap();
    let _lldpd = rack.start(NODE, "lldpd", &["-d"]).unwrap();
    wait_until("lldpd's socket", PATIENCE, || {
        let socket = rack.path(NODE, "/run/lldpd.socket")?;
        Ok(socket.exists().then_some(()))
    })
    .unwrap();
    let _agent = start(&rack);
    // Its tool may only be run by a group, and its socket only be opened by another.
    let said = wait_until("an answer of lldpd", PATIENCE, || {
        let lldp = ask(&rack, "report")["lldp"].clone();
        Ok(lldp["known"].is_array().then_some(lldp))
    });
    assert!(said.is_ok(), "{}", ask(&rack, "report")["lldp"]);
}
