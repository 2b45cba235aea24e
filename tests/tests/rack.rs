//! The rack itself: what its verbs do is seen by corosync's own tools, and nothing of it outlives its builder.
//!
//! Needs root, corosync, iproute2, util-linux and systemd's journald.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use quorate_tests::{Journal, PATIENCE, Rack, Speaker, in_network_of, wait_until};

#[track_caller]
fn wait_for_links(rack: &Rack, node: &str, links: usize) {
    let what = format!("{node} to call {links} links connected");
    wait_until(&what, PATIENCE, || {
        Ok((rack.connected_links(node)? == links).then_some(()))
    })
    .unwrap();
}

#[track_caller]
fn wait_for_members(rack: &Rack, node: &str, members: usize) {
    let what = format!("{node} to see {members} members");
    wait_until(&what, PATIENCE, || {
        let membership = rack.membership(node)?;
        Ok(membership.filter(|seen| seen.nodes == members).map(drop))
    })
    .unwrap();
}

fn carrier(rack: &Rack, node: &str, card: &str) -> bool {
    let path = rack.path(node, &format!("/sys/class/net/{card}/carrier"));
    fs::read_to_string(path.unwrap()).unwrap().trim() == "1"
}

#[test]
fn the_nodes_of_a_rack_form_one_quorate_cluster() {
    let rack = Rack::new(5, 2).unwrap();
    assert_eq!(rack.nodes().count(), 5);
    let rings: BTreeSet<String> = rack
        .nodes()
        .map(|node| {
            let membership = rack.membership(node).unwrap().unwrap();
            assert_eq!((membership.nodes, membership.quorate), (5, true));
            membership.ring
        })
        .collect();
    assert_eq!(rings.len(), 1);
}

#[test]
fn cables_and_switches_take_links_from_the_nodes_that_hang_on_them() {
    let mut rack = Rack::new(3, 2).unwrap();
    rack.cut_cable("pve-03", 1).unwrap();
    assert!(!carrier(&rack, "pve-03", "eth1"));
    assert!(carrier(&rack, "pve-03", "eth0") && carrier(&rack, "pve-01", "eth1"));
    wait_for_links(&rack, "pve-03", 2);
    wait_for_links(&rack, "pve-01", 3);

    rack.kill_switch(0).unwrap();
    for (node, links) in [("pve-01", 1), ("pve-02", 1), ("pve-03", 0)] {
        assert!(!carrier(&rack, node, "eth0"), "{node}");
        wait_for_links(&rack, node, links);
    }

    // The cable that was cut stays cut when a switch comes back.
    rack.kill_switch(1).unwrap();
    rack.revive_switch(0).unwrap();
    rack.revive_switch(1).unwrap();
    assert!(!carrier(&rack, "pve-03", "eth1"));
    rack.plug_cable("pve-03", 1).unwrap();
    assert!(carrier(&rack, "pve-03", "eth1"));
    rack.wait_for_cluster().unwrap();

    rack.mute_switch(0).unwrap();
    for node in ["pve-01", "pve-02", "pve-03"] {
        wait_for_links(&rack, node, 2);
        assert!(carrier(&rack, node, "eth0"), "{node}");
    }
    rack.revive_switch(0).unwrap();
    rack.wait_for_cluster().unwrap();
}

#[test]
fn a_node_without_power_is_missing_until_it_has_power_again() {
    let mut rack = Rack::new(3, 1).unwrap();
    fs::write(rack.path("pve-02", "/etc/kept").unwrap(), "on disk").unwrap();
    fs::write(rack.path("pve-02", "/run/lost").unwrap(), "in memory").unwrap();
    rack.stop_node("pve-02").unwrap();
    wait_for_members(&rack, "pve-01", 2);
    assert!(rack.membership("pve-02").is_err());
    rack.start_node("pve-02").unwrap();
    rack.wait_for_cluster().unwrap();
    let kept = fs::read_to_string(rack.path("pve-02", "/etc/kept").unwrap());
    assert_eq!(kept.unwrap(), "on disk");
    assert!(!rack.path("pve-02", "/run/lost").unwrap().exists());
}

#[test]
fn corosync_can_be_stopped_killed_frozen_and_started_again() {
    let rack = Rack::new(3, 1).unwrap();
    rack.stop_corosync("pve-03").unwrap();
    assert_eq!(rack.membership("pve-03").unwrap(), None);
    wait_for_members(&rack, "pve-01", 2);
    rack.start_corosync("pve-03").unwrap();
    rack.wait_for_cluster().unwrap();

    rack.kill_corosync("pve-03").unwrap();
    wait_for_members(&rack, "pve-01", 2);
    rack.start_corosync("pve-03").unwrap();
    rack.wait_for_cluster().unwrap();

    let before = rack.corosync("pve-03").unwrap();
    rack.freeze_corosync("pve-03").unwrap();
    wait_for_members(&rack, "pve-01", 2);
    assert_eq!(rack.corosync("pve-03").unwrap(), before);
    rack.thaw_corosync("pve-03").unwrap();
    rack.wait_for_cluster().unwrap();

    rack.restart_corosync("pve-03").unwrap();
    assert_ne!(rack.corosync("pve-03").unwrap(), before);
    rack.wait_for_cluster().unwrap();
}

#[test]
fn addresses_and_mtu_are_those_of_the_card() {
    let rack = Rack::new(1, 1).unwrap();
    let shown = || {
        let ip = rack.command("pve-01", "ip").unwrap();
        let shown = { ip }.args(["addr", "show", "eth0"]).output().unwrap();
        String::from_utf8(shown.stdout).unwrap()
    };
    rack.add_address("pve-01", 0, "10.9.0.1/24").unwrap();
    rack.set_mtu("pve-01", 0, 1400).unwrap();
    assert!(shown().contains("10.9.0.1/24") && shown().contains("mtu 1400"));
    rack.remove_address("pve-01", 0, "10.9.0.1/24").unwrap();
    assert!(!shown().contains("10.9.0.1/24"));
    assert!(rack.set_mtu("pve-01", 1, 1400).is_err());
    assert!(rack.set_mtu("pve-02", 0, 1400).is_err());
}

#[test]
fn a_program_s_lines_come_as_they_are_printed_and_it_ends_with_its_rack() {
    let rack = Rack::new(1, 1).unwrap();
    let script = r#"echo noise; echo '{"number": 1}'; echo '{"number": 2}'; exec sleep 1000"#;
    let program = rack.start("pve-01", "sh", &["-c", script]).unwrap();
    let line = program
        .expect_line("number 2", |json| json["number"] == 2)
        .unwrap();
    assert!(line.arrived >= program.started());
    program.signal(Signal::SIGTERM).unwrap();
    program.wait().unwrap();

    let left = rack.start("pve-01", "sleep", &["1000"]).unwrap();
    drop(rack);
    left.wait().unwrap();
}

/// What stands outside a rack and could be left behind by one.
#[derive(Debug, PartialEq)]
struct Surroundings {
    mounts: String,
    names: BTreeSet<String>,
}

impl Surroundings {
    fn now() -> Self {
        let dirs = ["/run/netns", "/var/lib/corosync", "/var/log/corosync"];
        let mut names = BTreeSet::new();
        for dir in dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()) {
            let paths = dir.map(|entry| entry.unwrap().path().display().to_string());
            let ours = |path: &String| {
                ["pve-", "rack", "ringid"]
                    .iter()
                    .any(|part| path.contains(part))
            };
            names.extend(paths.filter(ours));
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = mounts.lines().filter(|line| line.contains("quorate-rack"));
        Self {
            mounts: ours.collect(),
            names,
        }
    }
}

/// Namespaces of the processes that hold a rack, as `net:[4026532177]`.
fn namespaces(inits: &[String]) -> BTreeSet<String> {
    let of = |init: &String| {
        ["pid", "net", "mnt", "uts", "ipc"].map(|kind| {
            let link = fs::read_link(format!("/proc/{init}/ns/{kind}")).unwrap();
            link.display().to_string()
        })
    };
    inits.iter().flat_map(of).collect()
}

/// Processes that live in one of these namespaces. A process that has ended and was not waited for lives in none.
fn processes_in(namespaces: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let process = entry.unwrap().path();
        let is_in = ["pid", "pid_for_children", "net", "mnt", "uts", "ipc"]
            .iter()
            .filter_map(|kind| fs::read_link(process.join("ns").join(kind)).ok())
            .any(|link| namespaces.contains(&link.display().to_string()));
        if is_in {
            found.push(process.display().to_string());
        }
    }
    found
}

/// Another process with a rack of its own, and the namespaces of that.
fn another_holder(nodes: usize) -> (Child, BTreeSet<String>) {
    let mut holder = Command::new(env!("CARGO_BIN_EXE_rack"))
        .args([nodes.to_string(), "1".to_owned()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let inits: Vec<String> = lines
        .map(Result::unwrap)
        .take_while(|line| !line.starts_with("enter"))
        .map(|line| line.split(' ').next_back().unwrap().to_owned())
        .collect();
    assert_eq!(inits.len(), nodes + 1, "the rack was not built");
    (holder, namespaces(&inits))
}

#[track_caller]
fn wait_until_nobody_is_in(namespaces: &BTreeSet<String>) {
    wait_until("the rack's processes to end", PATIENCE, || {
        Ok(processes_in(namespaces).is_empty().then_some(()))
    })
    .unwrap();
}

#[test]
fn nothing_is_left_of_a_rack_whose_builder_was_killed() {
    let before = Surroundings::now();
    let (mut holder, namespaces) = another_holder(3);
    // Inits with their `cat`, `unshare` and corosync.
    assert!(processes_in(&namespaces).len() >= 4 * 3);
    // SIGKILL: the builder can do nothing more.
    holder.kill().unwrap();
    holder.wait().unwrap();
    wait_until_nobody_is_in(&namespaces);
    assert_eq!(Surroundings::now(), before);
}

#[test]
fn racks_stand_beside_each_other_and_one_after_the_other() {
    let before = Surroundings::now();
    let (mut other, other_namespaces) = another_holder(2);
    for _ in 0..2 {
        let rack = Rack::new(2, 1).unwrap();
        let inits = ["pve-01", "pve-02"].map(|node| rack.init(node).unwrap().to_string());
        let own = namespaces(&[inits.as_slice(), &[rack.fabric().to_string()]].concat());
        assert!(own.is_disjoint(&other_namespaces));
        rack.freeze_corosync("pve-02").unwrap();
        drop(rack);
        assert_eq!(processes_in(&own), Vec::<String>::new());
    }
    assert!(!processes_in(&other_namespaces).is_empty());
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    wait_until_nobody_is_in(&other_namespaces);
    assert_eq!(Surroundings::now(), before);
}

#[test]
fn a_station_is_on_every_switch_and_its_cables_can_be_pulled() {
    let mut rack = Rack::new(1, 2).unwrap();
    rack.add_station("collector").unwrap();
    for link in 0..2 {
        let address = rack.address("collector", link).unwrap();
        let station = rack.init("collector").unwrap();
        let listener = in_network_of(station, || Ok(TcpListener::bind((address.as_str(), 0))?));
        let to = listener.as_ref().unwrap().local_addr().unwrap();
        in_network_of(rack.init("pve-01").unwrap(), || Ok(TcpStream::connect(to)?)).unwrap();
    }
    rack.cut_cable("collector", 1).unwrap();
    assert!(carrier(&rack, "collector", "eth0"));
    assert!(!carrier(&rack, "collector", "eth1"));
    assert!(rack.add_station("pve-01").is_err());
}

#[test]
fn a_node_has_a_journal_that_its_agent_follows() {
    let rack = Rack::new(1, 1).unwrap();
    let _journal = Journal::start(&rack, "pve-01").unwrap();
    let speaker = Speaker::start(&rack, "pve-01", "pmxcfs").unwrap();
    let agent = rack.agent("pve-01", &["watch", "--json"]).unwrap();
    let line = agent.expect_line("a line of the speaker", |line| {
        line.to_string().contains("pmxcfs ")
    });
    line.unwrap();
    assert!(speaker.stop().unwrap() > 0);
}
