//! What the wire promises, on a rack: collector and agents are killed and come back, cables and switches fail, and at the
//! end every event is there exactly once, and the collector's state is the nodes' own. Cables stay pulled over several
//! kills: each has its incident, which is neither lost nor doubled, and is over only once the cable is in again.
//!
//! `QUORATE_RESTARTS` says how often the collector is killed, and as often an agent; docs/testing.md names the full volume.
//! Needs root, corosync, iproute2, util-linux and systemd's journald.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

mod flood;
mod stage;

use std::sync::{Mutex, MutexGuard, PoisonError};

use stage::{NODES, Stage};

const RESTARTS: u32 = 20;
/// So often it is waited for that all are back: what is always killed gets nowhere.
const ROUNDS_BETWEEN_RESTS: u32 = 5;
/// A cable is pulled for so many rounds, and in between all are in for one.
const ROUNDS_PULLED: u32 = 3;

/// One rack of this size at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_event_is_there_exactly_once_the_state_is_the_nodes_own_and_no_incident_is_lost_or_doubled()
{
    let _alone = alone();
    let restarts = std::env::var("QUORATE_RESTARTS").map_or(RESTARTS, |text| text.parse().unwrap());
    let seed = std::env::var("QUORATE_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    eprintln!("seed {seed}");
    let mut stage = Stage::set(seed);
    for round in 1..=restarts {
        stage.pause();
        stage.kill_the_collector();
        stage.pause();
        stage.kill_an_agent();
        stage.pause();
        stage.cut();
        match round % (ROUNDS_PULLED + 1) {
            1 => stage.pull(),
            0 => stage.plug(),
            _ => {}
        }
        stage.look();
        if round % ROUNDS_BETWEEN_RESTS == 0 {
            stage.rest();
        }
    }
    stage.plug();
    let written = stage.silence();
    stage.rack.wait_for_cluster().unwrap();
    stage.rest();
    stage.check_events(&written);
    stage.check_state();
    stage.check_incidents();
    let lines: u64 = written.values().sum();
    eprintln!(
        "{restarts} times the collector and {restarts} times an agent killed: {lines} events of {NODES} nodes, each once; \
         {} incidents, which came back {} times, none lost, doubled or renamed",
        stage.history.count(),
        stage.history.returns()
    );
}
