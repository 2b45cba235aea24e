//! A rolling restart with `quorate guard` in a loop, on a real cluster of eight: one node at a time, quorum is never lost, and
//! a node that does not come back stops the row. Reboots are played: the node loses its power, and gets it again with another
//! boot id. `QUORATE_NODES` says how many nodes are restarted; docs/testing.md names the full volume.
//!
//! Needs root, corosync, iproute2 and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use quorate_tests::truth::Stage;
use quorate_tests::{PATIENCE, gate, wait_until};

const RESTARTED: usize = 1;
/// The lease's time to settle, a boot, and a slow machine.
const LONGEST: Duration = Duration::from_secs(300);

/// Guards a node; the command that would reboot it leaves this file in the collector's room.
fn guard(stage: &Stage, node: &str, planned: &str) -> Child {
    let mark = format!("/run/reboot-{node}");
    let args = ["guard", node, "--for", planned, "--", "touch", &mark];
    let mut command = stage.collector.asking(&stage.rack, &args).unwrap();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let guard = command.spawn().unwrap();
    let mark = stage.rack.path(stage.collector.station(), &mark).unwrap();
    wait_for(&mark, node);
    guard
}

fn wait_for(mark: &Path, node: &str) {
    wait_until(
        &format!("the command for {node} to be run"),
        PATIENCE,
        || Ok(mark.exists().then_some(())),
    )
    .unwrap();
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Somebody else wants to begin with another node: not now.
fn nobody_else_may(stage: &Stage, node: &str) {
    let args = ["maintenance", "begin", node, "--reason", "impatience"];
    let refused = stage.collector.asked(&stage.rack, &args).unwrap();
    assert_eq!(code(&refused), Some(2), "{}", text(&refused));
    assert!(
        text(&refused).contains("another maintenance is under way"),
        "{}",
        text(&refused)
    );
}

/// All nodes with power but this one are quorate.
fn all_others_are_quorate(stage: &Stage, node: &str) {
    for other in stage.rack.running().filter(|other| *other != node) {
        if let Some(said) = stage.rack.membership(other).unwrap() {
            assert!(
                said.quorate,
                "{other} lost its quorum while {node} was restarted"
            );
        }
    }
}

/// Its end, while the others are watched.
fn end_of(mut guard: Child, stage: &Stage, node: &str) -> Output {
    let mut waited = Duration::ZERO;
    while guard.try_wait().unwrap().is_none() {
        all_others_are_quorate(stage, node);
        assert!(waited < LONGEST, "{node} is not back after {waited:?}");
        sleep(Duration::from_secs(1));
        waited += Duration::from_secs(1);
    }
    guard.wait_with_output().unwrap()
}

#[test]
fn nodes_are_restarted_one_after_the_other_and_one_that_stays_away_stops_the_row() {
    let mut stage = gate::stage().unwrap();
    let many = std::env::var("QUORATE_NODES").map_or(RESTARTED, |many| many.parse().unwrap());
    let nodes: Vec<String> = stage.rack.nodes().map(str::to_owned).collect();

    for place in 0..many {
        let node = &nodes[place];
        let next = &nodes[(place + 1) % nodes.len()];
        let guard = guard(&stage, node, "10m");
        // It goes on voting for a while: the others have to wait all the same.
        nobody_else_may(&stage, next);
        stage.restart(node).unwrap();
        nobody_else_may(&stage, next);
        let ended = end_of(guard, &stage, node);
        assert_eq!(code(&ended), Some(0), "{node}: {}", text(&ended));
        eprintln!(
            "{node}: {}",
            text(&ended).lines().last().unwrap_or_default()
        );
    }

    let lost = nodes.last().unwrap();
    let guard = guard(&stage, lost, "20s");
    stage.rack.stop_node(lost).unwrap();
    let ended = end_of(guard, &stage, lost);
    assert_eq!(code(&ended), Some(70), "{}", text(&ended));
    assert!(text(&ended).contains(lost.as_str()), "{}", text(&ended));
    nobody_else_may(&stage, &nodes[0]);
}
