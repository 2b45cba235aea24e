//! Events that are history when they arrive.

use super::*;

const HOUR_MS: u64 = 3_600_000;

/// A line of corosync, written at this moment of the node's own clock.
fn quorum_lost(number: u64, unix_ms: i64) -> FromAgent {
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap();
    let json = format!(
        r#"{{"time":{{"exact":"{at}"}},"identifier":"corosync","message":"[QUORUM] no quorum","event":"quorum_lost"}}"#
    );
    FromAgent::Events(v1::Events {
        spool_id: SPOOL.to_vec(),
        events: vec![v1::Event {
            number,
            event: Some(v1::event::Event::JournalJson(json)),
        }],
    })
}

/// A node that told its first event, and is not heard for an hour.
fn away_for_an_hour(world: &mut World) {
    let stream = world.open(hello("pve-01"));
    world.say(stream, events([1]));
    world.core.closed(stream);
    world.advance(HOUR_MS);
}

fn beat(world: &mut World, stream: StreamId, skew_ms: i64) {
    let heartbeat = v1::Heartbeat {
        unix_ms: world.now.unix_ms + skew_ms,
        ..heartbeat(1, 0)
    };
    world.say(stream, FromAgent::Heartbeat(heartbeat));
}

/// The sentences of late history, open or over.
fn told(world: &mut World) -> Vec<String> {
    let incidents = world.view().incidents;
    let all = incidents.open().chain(incidents.closed());
    let late = all.filter(|one| one.rule == model::incident::late::RULE);
    late.map(|one| one.said.sentence.clone()).collect()
}

#[test]
fn what_a_node_wrote_while_it_was_not_heard_is_told_once_in_the_past_tense() {
    let mut world = World::new();
    away_for_an_hour(&mut world);
    let stream = world.open(hello("pve-01"));
    beat(&mut world, stream, 0);
    let at = world.now.unix_ms - 1_800_000;
    world.say(stream, quorum_lost(2, at));
    let expect =
        "at 2023-11-14 22:43:20 UTC, while the collector did not hear of it: pve-01 lost quorum";
    assert_eq!(told(&mut world), [expect]);

    let mut again = World::with(Arc::clone(&world.ledger), 2);
    again.set(2 * HOUR_MS);
    let stream = again.open(hello("pve-01"));
    beat(&mut again, stream, 0);
    again.advance(60_000);
    assert_eq!(told(&mut again), [expect], "it is in the ledger, once");
    let view = again.view();
    assert!(
        view.incidents
            .closed()
            .any(|one| one.said.sentence == expect)
    );
}

#[test]
fn what_comes_in_time_or_of_a_new_spool_is_no_history() {
    let mut world = World::new();
    let stream = world.open(hello("pve-01"));
    beat(&mut world, stream, 0);
    let long_ago = world.now.unix_ms - 1_800_000;
    world.say(stream, quorum_lost(1, long_ago));
    world.core.closed(stream);
    world.advance(HOUR_MS);
    let stream = world.open(hello("pve-01"));
    beat(&mut world, stream, 0);
    let just_now = world.now.unix_ms - 1_000;
    world.say(stream, quorum_lost(2, just_now));
    assert!(told(&mut world).is_empty());
}

#[test]
fn a_clock_that_is_behind_makes_no_history() {
    let mut world = World::new();
    away_for_an_hour(&mut world);
    let stream = world.open(hello("pve-01"));
    let behind_ms = -1_800_000;
    let at = world.now.unix_ms + behind_ms;
    world.say(stream, quorum_lost(2, at));
    beat(&mut world, stream, behind_ms);
    world.say(stream, quorum_lost(3, at));
    assert!(told(&mut world).is_empty());
}
