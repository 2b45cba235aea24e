//! A collector that is stopped (SIGSTOP: the connection stands, and nothing comes back) while a node's journal is flooded:
//! the agent does not grow, its spool stays within its limit, what is given up is counted, and all else arrives once.
//!
//! Needs root, corosync, iproute2, util-linux and systemd's journald.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

use std::path::Path;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use proto::v1::event::Event as Kind;
use quorate_tests::{
    Agent, Collector, Journal, PATIENCE, Rack, Speaker, give_cluster_id, spoken, wait_until,
};

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
/// The agent listens to it, and nothing on a rack speaks in its name.
const SPEAKER: &str = "pmxcfs";
const SPOOL: &str = "/var/lib/quorate/agent/spool";
const SPOOL_BYTES: u64 = 1 << 20;
/// How often the spool gives up its oldest file while the memory is looked at.
const OVERFLOWS: usize = 5;
/// What the allocator may keep besides; each line that waited would be 350 bytes, and 10,000 wait.
const GROWTH_KIB: u64 = 2_048;

fn resident_kib(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}

/// The names of the spool's files, the oldest first.
fn files(spool: &Path) -> Vec<(String, u64)> {
    let mut files: Vec<(String, u64)> = std::fs::read_dir(spool)
        .unwrap()
        // One may be given up just now.
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            Some((name, entry.metadata().ok()?.len()))
        })
        .filter(|(name, _)| name.contains("segment"))
        .collect();
    files.sort();
    files
}

fn wait_for_overflows(spool: &Path) {
    let mut oldest = std::collections::BTreeSet::new();
    wait_until("the spool to overflow", PATIENCE, || {
        let files = files(spool);
        let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        assert!(bytes <= SPOOL_BYTES, "{bytes} bytes");
        oldest.extend(files.into_iter().next().map(|(name, _)| name));
        Ok((oldest.len() > OVERFLOWS).then_some(()))
    })
    .unwrap();
}

/// The numbers of the speaker's lines in the collector's order, and how many events are said to be missing.
fn heard(collector: &Collector, rack: &Rack) -> (Vec<u64>, u64) {
    let (mut lines, mut missing) = (Vec::new(), 0);
    for kept in collector.events(rack, CLUSTER).unwrap() {
        match kept.event.unwrap().event {
            Some(Kind::JournalJson(json)) => lines.extend(spoken(&json, SPEAKER).unwrap()),
            Some(Kind::Missing(gap)) => missing += gap.count,
            _ => {}
        }
    }
    (lines, missing)
}

#[test]
fn a_stopped_collector_does_not_grow_the_agent_and_loses_only_what_is_counted() {
    let mut rack = Rack::new(1, 1).unwrap();
    give_cluster_id(&rack, CLUSTER).unwrap();
    let collector = Collector::start(&mut rack, 1).unwrap();
    let node = rack.nodes().next().unwrap().to_owned();
    let _journal = Journal::start(&rack, &node).unwrap();
    let invitation = collector.token(&rack, &[]).unwrap();
    let mut agent = Agent::join(&rack, &node, &invitation.enrolment, &invitation.token).unwrap();
    agent.configure(&rack, "[spool]\nmax_mib = 1\n").unwrap();
    agent.start(&rack).unwrap();
    let speaker = Speaker::start_hurried(&rack, &node, SPEAKER).unwrap();
    wait_until("the first lines to arrive", PATIENCE, || {
        Ok((heard(&collector, &rack).0.len() > 100).then_some(()))
    })
    .unwrap();

    collector
        .program()
        .unwrap()
        .signal(Signal::SIGSTOP)
        .unwrap();
    let spool = rack.path(&node, SPOOL).unwrap();
    wait_for_overflows(&spool);
    let pid = agent.program().unwrap().pid();
    let before = resident_kib(pid);
    wait_for_overflows(&spool);
    let grown = resident_kib(pid).saturating_sub(before);
    assert!(grown < GROWTH_KIB, "{grown} KiB more than {before}");

    let last = speaker.stop().unwrap();
    collector
        .program()
        .unwrap()
        .signal(Signal::SIGCONT)
        .unwrap();
    let (mut lines, mut missing) = (Vec::new(), 0);
    let all = wait_until("the last line to arrive", PATIENCE, || {
        (lines, missing) = heard(&collector, &rack);
        Ok((lines.last() == Some(&last)).then_some(()))
    });
    assert!(all.is_ok(), "{all:?}: {:?} of {last}", lines.last());
    assert!(
        lines.is_sorted_by(|one, next| one < next),
        "each once, in order"
    );
    let given_up = last - lines.len() as u64;
    assert!(
        given_up > 0 && missing >= given_up,
        "{missing} of {given_up} are counted"
    );
    let status = collector.status(&rack).unwrap();
    let dropped = &status["clusters"][0]["nodes"][0]["dropped"]["events"];
    assert!(dropped.as_u64() >= Some(given_up), "{dropped} are shown");
    eprintln!(
        "{before} KiB resident while the collector stood still, then {grown} more; {given_up} of {last} lines were given \
         up, and counted"
    );
}
