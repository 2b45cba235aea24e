//! The collector's disk is full, or fails, while agents tell: it says so, acknowledges nothing that it could not write,
//! goes on watching, and has everything exactly once when there is a disk again.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use quorate_tests::{PATIENCE, Program, wait_until};

use crate::stage::{Kept, Spool, Stage, acknowledged, is};

const AGENTS: usize = 4;
const DISK_MIB: u32 = 16;
/// In a few seconds more than what waits for a ledger.
const TELL: [&str; 3] = ["--events-per-second", "400", "--print-acks"];
const NOT_WRITTEN: &str = "the ledger cannot be written";
const NOT_TAKEN: &str = "were not taken";

/// It is known what the disk has when it takes no more.
fn is_told_while_nothing_can_be_kept(stage: &Stage) {
    stage.wait_for_finding(NOT_WRITTEN, true);
    for (service, serves) in [
        ("", false),
        ("quorate.v1.Gate", false),
        ("quorate.v1.Fleet", true),
        ("quorate.v1.Query", true),
    ] {
        let is_serving = stage.collector.is_serving(&stage.rack, service).unwrap();
        assert_eq!(is_serving, serves, "{service:?}");
    }
    assert_eq!(answered(stage, "readyz"), "503");
    assert_eq!(answered(stage, "healthz"), "200");
    let kept = stage.kept();
    assert_eq!(kept.len(), AGENTS, "what was kept can be read");
    stage.wait_for_finding(NOT_TAKEN, true);
    assert_eq!(stage.kept(), kept, "nothing more is kept");
    assert!(
        stage.are_connected(AGENTS),
        "the collector watches from memory"
    );
    let said = stage.collector.program().unwrap().stderr.rest();
    let times = said.matches(NOT_WRITTEN).count();
    assert_eq!(
        times, 1,
        "it is logged once, and not at every attempt: {said}"
    );
}

/// The code that a program on the collector's machine is answered with.
fn answered(stage: &Stage, path: &str) -> String {
    let station = stage.collector.station();
    let mut curl = stage.rack.command(station, "curl").unwrap();
    curl.args([
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
    ]);
    let url = format!("http://127.0.0.1:7463/{path}");
    let output = curl.arg(url).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What is on the disk, which is at least what the agents were told.
#[track_caller]
fn check_acknowledged_is_kept(stage: &Stage, fleet: &Program) -> Kept {
    let heard = acknowledged(&fleet.stdout.rest());
    let kept = stage.kept();
    for (spool, up_to) in &heard {
        assert!(kept[spool].1 >= *up_to, "{spool:?}: {up_to} {kept:?}");
    }
    kept
}

/// Of every spool an event that is made so many later.
fn later(kept: &Kept, events: u64) -> BTreeMap<Spool, u64> {
    let spools = kept.iter();
    spools
        .map(|(spool, (_, last))| (spool.clone(), last + events))
        .collect()
}

/// Ends the agents once all that they made before is acknowledged; what they heard is on the disk.
fn check_exactly_once(stage: &Stage, fleet: &Program, before: &BTreeMap<Spool, u64>) {
    let caught_up = wait_until("all to be kept", PATIENCE, || {
        let kept = stage.kept();
        let is_behind =
            |(spool, up_to): (&_, &u64)| kept.get(spool).is_none_or(|(_, last)| last < up_to);
        Ok((kept.len() == AGENTS && !before.iter().any(is_behind)).then_some(()))
    });
    caught_up.unwrap();
    fleet.signal(Signal::SIGTERM).unwrap();
    fleet.expect_line("summary", is("summary")).unwrap();
}

#[test]
fn on_a_full_disk_nothing_is_acknowledged_that_is_not_written_and_with_room_all_is_kept_once() {
    let (stage, disk) = Stage::set_on_disk(DISK_MIB);
    stage.enrol(AGENTS);
    let fleet = stage.start(AGENTS, &TELL);
    wait_until("events to be kept", PATIENCE, || {
        Ok((stage.kept().len() == AGENTS).then_some(()))
    })
    .unwrap();
    disk.fill(&stage.rack).unwrap();
    is_told_while_nothing_can_be_kept(&stage);
    let kept = check_acknowledged_is_kept(&stage, &fleet);
    disk.make_room(&stage.rack).unwrap();
    stage.wait_for_finding(NOT_WRITTEN, false);
    assert!(stage.collector.is_serving(&stage.rack, "").unwrap());
    stage.wait_for_finding(NOT_TAKEN, false);
    check_exactly_once(&stage, &fleet, &later(&kept, 4_000));
    let said = stage.collector.program().unwrap().stderr.rest();
    assert!(said.contains("the ledger can be written again"), "{said}");
}

#[test]
fn a_collector_that_starts_on_a_full_disk_watches_and_keeps_once_there_is_room() {
    let (mut stage, disk) = Stage::set_on_disk(DISK_MIB);
    stage.enrol(AGENTS);
    let fleet = stage.start(AGENTS, &TELL);
    disk.fill(&stage.rack).unwrap();
    stage.wait_for_finding(NOT_WRITTEN, true);
    stage.collector.kill().unwrap();
    stage.collector.run(&stage.rack).unwrap();
    stage.wait_for_connected(AGENTS);
    stage.wait_for_finding(NOT_WRITTEN, true);
    let kept = check_acknowledged_is_kept(&stage, &fleet);
    disk.make_room(&stage.rack).unwrap();
    stage.wait_for_finding(NOT_WRITTEN, false);
    check_exactly_once(&stage, &fleet, &later(&kept, 2_000));
}

#[test]
fn on_a_disk_that_failed_nothing_is_acknowledged_and_nothing_is_lost_when_it_is_back() {
    let (mut stage, disk) = Stage::set_on_disk(DISK_MIB);
    stage.enrol(AGENTS);
    let fleet = stage.start(AGENTS, &TELL);
    wait_until("events to be kept", PATIENCE, || {
        Ok((stage.kept().len() == AGENTS).then_some(()))
    })
    .unwrap();
    disk.fail(&stage.rack).unwrap();
    is_told_while_nothing_can_be_kept(&stage);
    let heard = acknowledged(&fleet.stdout.rest());
    stage.collector.kill().unwrap();
    disk.put_back(&stage.rack).unwrap();
    stage.collector.run(&stage.rack).unwrap();
    stage.wait_for_connected(AGENTS);
    check_exactly_once(&stage, &fleet, &heard);
}

#[test]
fn a_collector_that_starts_on_a_disk_that_failed_watches_and_keeps_once_there_is_another() {
    let (mut stage, disk) = Stage::set_on_disk(DISK_MIB);
    stage.enrol(AGENTS);
    let fleet = stage.start(AGENTS, &TELL);
    wait_until("events to be kept", PATIENCE, || {
        Ok((stage.kept().len() == AGENTS).then_some(()))
    })
    .unwrap();
    // Ended in order it leaves no log behind, without which SQLite opens nothing that it cannot write.
    stage.collector.end().unwrap();
    disk.fail(&stage.rack).unwrap();
    stage.collector.run(&stage.rack).unwrap();
    stage.wait_for_connected(AGENTS);
    stage.wait_for_finding(NOT_WRITTEN, true);
    stage.collector.kill().unwrap();
    disk.put_back(&stage.rack).unwrap();
    stage.collector.run(&stage.rack).unwrap();
    stage.wait_for_connected(AGENTS);
    let heard = acknowledged(&fleet.stdout.rest());
    check_exactly_once(&stage, &fleet, &heard);
}

#[test]
fn with_a_damaged_ledger_the_collector_says_what_to_do_watches_and_acknowledges_nothing() {
    let mut stage = Stage::set();
    stage.enrol(AGENTS);
    stage.fleet(AGENTS, 3, &TELL);
    stage.collector.kill().unwrap();
    let ledger = stage.collector.state(&stage.rack, "ledger.db").unwrap();
    let _ = std::fs::remove_file(ledger.with_extension("db-wal"));
    let mut bytes = std::fs::read(&ledger).unwrap();
    let middle = bytes.len() / 2;
    bytes[100..middle].fill(b'x');
    std::fs::write(&ledger, &bytes).unwrap();
    stage.collector.run(&stage.rack).unwrap();
    let fleet = stage.start(AGENTS, &TELL);
    stage.wait_for_finding("is damaged", true);
    stage.wait_for_finding("put back a copy of the file", true);
    stage.wait_for_finding(NOT_TAKEN, true);
    assert!(stage.are_connected(AGENTS));
    assert!(!stage.collector.is_serving(&stage.rack, "").unwrap());
    let heard = fleet.stdout.rest();
    assert!(acknowledged(&heard).is_empty(), "{heard}");
    let said = stage.collector.program().unwrap().stderr.rest();
    assert!(
        said.contains("is damaged") && said.contains("move it away"),
        "{said}"
    );
    assert_eq!(std::fs::read(&ledger).unwrap(), bytes);
    // What it says to do helps.
    stage.collector.kill().unwrap();
    std::fs::rename(&ledger, ledger.with_extension("damaged")).unwrap();
    stage.collector.run(&stage.rack).unwrap();
    stage.wait_for_finding(NOT_WRITTEN, false);
    wait_until("the agents to tell again", PATIENCE, || {
        Ok((stage.kept().len() == AGENTS).then_some(()))
    })
    .unwrap();
}
