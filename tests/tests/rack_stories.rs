//! Stories that real parts can play, and what is told of them: real corosyncs and agents on a rack, the collector's incidents
//! read over the wire. Each failure is one incident with one cause; a healthy rack is silent.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

use std::thread;
use std::time::Duration;

use proto::v1;
use quorate_tests::truth::{Stage, UNHURRIED, declaration};
use quorate_tests::{PATIENCE, Plan, wait_until};

/// A healthy rack says nothing for so long.
const SILENCE: Duration = Duration::from_secs(60);
/// What comes of a failure has come after so long.
const AFTERMATH: Duration = Duration::from_secs(20);
/// As corosync has it by itself, this takes half a minute.
const TOKEN_MS: u32 = 2_000;

fn stage(nodes: usize, links: usize) -> Stage {
    of_plan(Plan::new(nodes, links))
}

fn of_plan(plan: Plan) -> Stage {
    let plan = plan.token_ms(TOKEN_MS);
    let toml = format!("{UNHURRIED}{}", declaration(&plan));
    Stage::set(plan, &toml).unwrap()
}

/// What is so by the plan of a rack with one link, and no failure.
const STANDING: &str = "corosync-single-link";

/// All but those that are only worth knowing, as that the number of votes is even, and what is so by plan.
fn incidents(stage: &Stage) -> Vec<v1::Incident> {
    let all = stage.collector.cluster(&stage.rack, true).unwrap();
    let counts = |incident: &v1::Incident| {
        incident.severity() != v1::Severity::Info && incident.rule != STANDING
    };
    all.incidents.into_iter().filter(counts).collect()
}

fn line(incident: &v1::Incident) -> String {
    let state = match incident.closed_unix_ms {
        None => "open",
        Some(_) => "over",
    };
    let place = match incident.cause {
        None => "ROOT".to_owned(),
        Some(cause) => format!("under {cause}"),
    };
    let lines = incident.lines.iter();
    let times = lines.map(|line| format!("{} {}", line.at_unix_ms, line.sentence));
    format!(
        "{} {place} {state}, found now: {}: {} {}: {}",
        incident.number,
        incident.is_found,
        incident.rule,
        incident.subject,
        times.collect::<Vec<_>>().join("; ")
    )
}

fn lines(stage: &Stage) -> Vec<String> {
    incidents(stage).iter().map(line).collect()
}

/// Waits until this is told, and all that comes after it has come: it is the one cause, open or over, and nothing else was
/// told of beside it.
#[track_caller]
fn expect_one_cause(stage: &Stage, rule: &str, subject: &str) -> v1::Incident {
    let is_it = |incident: &v1::Incident| {
        incident.rule == rule && incident.subject == subject && incident.cause.is_none()
    };
    let told = wait_until("the failure to be told of", PATIENCE, || {
        Ok(incidents(stage).iter().any(is_it).then_some(()))
    });
    thread::sleep(AFTERMATH);
    let all = lines(stage);
    eprintln!("{rule} {subject}\n{}", all.join("\n"));
    assert!(told.is_ok(), "{told:?}");
    let mut roots = incidents(stage)
        .into_iter()
        .filter(|incident| incident.cause.is_none());
    let (one, none) = (roots.next().unwrap(), roots.next());
    assert!(is_it(&one) && none.is_none(), "{all:#?}");
    one
}

#[test]
fn a_healthy_rack_is_silent() {
    let stage = stage(8, 2);
    thread::sleep(SILENCE);
    assert_eq!(lines(&stage), Vec::<String>::new());
}

#[test]
fn a_mute_switch_is_one_incident_of_its_network() {
    let mut stage = stage(4, 2);
    stage.rack.mute_switch(1).unwrap();
    expect_one_cause(&stage, "corosync-network-down", "corosync network 1");
}

#[test]
fn a_cable_that_passes_one_way_only_is_one_incident_of_its_node() {
    let stage = stage(4, 2);
    stage.rack.deafen("pve-03", 1).unwrap();
    let told = expect_one_cause(&stage, "corosync-link-down", "pve-03");
    assert!(told.sentence.contains("link 1 of pve-03"), "{told:#?}");
}

#[test]
fn a_dead_switch_is_named() {
    let mut stage = stage(4, 2);
    stage.rack.kill_switch(1).unwrap();
    expect_one_cause(&stage, "switch-down", "switch sw-1");
}

#[test]
fn a_dead_switch_is_named_although_the_agents_streams_went_over_it() {
    let mut stage = stage(4, 2);
    stage.rack.kill_switch(0).unwrap();
    expect_one_cause(&stage, "switch-down", "switch sw-0");
}

#[test]
fn swapped_cables_are_one_incident_of_their_node() {
    let stage = stage(4, 2);
    stage.rack.swap_cables("pve-03", 0, 1).unwrap();
    expect_one_cause(&stage, "corosync-node-left", "pve-03");
}

#[test]
fn half_of_eight_behind_each_of_two_switches_is_one_incident_of_the_switch_that_is_out_of_sight() {
    let mut stage = of_plan(Plan::new(8, 1).halves());
    stage.rack.cut_uplink(0).unwrap();
    expect_one_cause(&stage, "switch-down", "switch sw-1");
    let told = lines(&stage).into_iter();
    let quorum = told.filter(|line| line.contains("corosync-quorum-lost the cluster"));
    assert_eq!(quorum.count(), 1);
}

#[test]
fn a_cluster_whose_only_switch_dies_is_out_of_sight() {
    let mut stage = stage(4, 1);
    stage.rack.kill_switch(0).unwrap();
    expect_one_cause(&stage, "cluster-out-of-sight", "the cluster");
}
