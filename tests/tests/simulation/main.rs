//! Uplink, keeper and ledger in one thread, under a clock that only the simulation moves, over a network and a store that
//! fail as a seed says. The state machines are those of the agent and of the collector; only sockets and disks are not
//! there. What must hold at the end of every run is in [`World::check`], what must hold all the time in `centre`, `node` and
//! `history`.
//!
//! `QUORATE_SEEDS=10000 cargo test -p quorate-tests --test simulation` plays more; `QUORATE_SEED=N` plays one again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of it is a test, and says so by failing"
)]

mod centre;
mod history;
mod leases;
mod node;
mod wire;
mod world;

use world::World;

/// A tenth of the full volume, which docs/testing.md names.
const SEEDS: u64 = 300;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn whatever_fails_every_event_is_kept_once_the_state_is_that_of_the_nodes_and_incidents_are_true() {
    let seeds = match number("QUORATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("QUORATE_SEEDS").unwrap_or(SEEDS),
    };
    let (mut events, mut streams, mut restarts, mut incidents, mut leases) = (0, 0, 0, 0, 0);
    for seed in seeds.clone() {
        let mut world = World::new(seed);
        world.live();
        world.come_to_rest();
        world.check();
        incidents += world.check_incidents();
        leases += world.check_leases();
        events += world.events();
        streams += world.streams();
        restarts += world.restarts();
    }
    // The checks above mean nothing if nothing happened.
    assert!(events > 0 && streams > 0 && restarts > 0 && incidents > 0 && leases > 0);
    println!(
        "{} seeds: {events} events, {streams} streams, {restarts} restarts of agents and collectors, {incidents} incidents, \
         {leases} leases",
        seeds.end - seeds.start
    );
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let life = |seed| {
        let mut world = World::new(seed);
        world.live();
        world.come_to_rest();
        (
            world.events(),
            world.streams(),
            world.restarts(),
            world.now_ms(),
        )
    };
    assert_eq!(life(7), life(7));
}
