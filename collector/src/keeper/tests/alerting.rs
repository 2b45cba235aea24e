//! What chats are owed, on its way into the ledger, over a restart, and while nothing can be written.

use std::collections::BTreeSet;

use model::alert::{Alerts, Ask, Grouping, Kind, Policy, Route, Silence, Step};
use model::finding::Severity;

use super::*;
use crate::keeper::core::AlertAnswer;
use crate::notify::outbox::Outbox;

const SETTLED_MS: u64 = 5_500;

fn policy() -> Arc<Policy> {
    let receivers: BTreeSet<String> = ["mail", "slack"].map(str::to_owned).into();
    let route = Route {
        to: receivers.clone(),
        severity: Severity::Warning,
        rules: vec!["bond-degraded".to_owned().try_into().unwrap()],
        nodes: vec![],
        clusters: vec![],
        times: None,
        grouping: Grouping::Incident,
        repeat_ms: None,
        tells_end: true,
    };
    Arc::new(Policy {
        receivers,
        routes: vec![route],
        page: "https://quorate.example".to_owned(),
    })
}

fn bond(world: &World, is_good: bool) -> v1::Fact {
    let state = if is_good { "up" } else { "down" };
    let json = format!(
        r#"[{{"name":"bond0","monitor_targets":[],"slaves":[
        {{"name":"eno1","mii_status":"up","speed_unknown":false}},
        {{"name":"eno2","mii_status":"{state}","speed_unknown":false}}]}}]"#
    );
    known(v1::Family::Bonds, &json, UP_MS + world.now.mono_ms)
}

/// A world in which a bond has lost a port, and two chats are owed a word of it.
fn alerted(ledger: Arc<Memory>) -> (World, StreamId) {
    let mut world = World::with(ledger, 1);
    world.core.alert_by(policy());
    let stream = world.open(hello("pve-01"));
    let fact = bond(&world, false);
    world.say(stream, report(1, vec![fact]));
    world.advance(SETTLED_MS);
    (world, stream)
}

fn owed(alerts: &Alerts, receiver: &str) -> Vec<(u64, Kind)> {
    let owed = alerts.owed_to(receiver);
    owed.map(|owed| (owed.id, owed.message.kind)).collect()
}

fn arrives(world: &mut World, id: u64, receiver: &str) {
    let step = Step::Delivered {
        id,
        receiver: receiver.to_owned(),
        receipt: Some("1".to_owned()),
    };
    world.core.settled(step, world.now);
    world.work();
}

#[test]
fn a_message_is_owed_in_the_same_decision_as_its_incident_and_until_it_has_arrived() {
    let (mut world, _) = alerted(Arc::new(Memory::new()));
    let alerts = world.view().alerts;
    for receiver in ["mail", "slack"] {
        assert_eq!(owed(&alerts, receiver), [(1, Kind::Opened)]);
    }
    let message = &alerts.owed().next().unwrap().message;
    assert_eq!(
        message.sentence,
        "bond0 of pve-01 runs on 1 of 2 ports: eno2 is down"
    );
    assert_eq!(message.evidence, ["pve-01: eno2: MII status down"]);
    assert_eq!(
        message.link,
        format!("https://quorate.example/incidents/{}", message.incident)
    );
    arrives(&mut world, 1, "slack");
    let alerts = world.view().alerts;
    assert_eq!(owed(&alerts, "slack"), []);
    assert_eq!(owed(&alerts, "mail"), [(1, Kind::Opened)]);

    let mut again = World::with(Arc::clone(&world.ledger), 2);
    again.core.alert_by(policy());
    again.advance(60_000);
    let alerts = again.view().alerts;
    assert_eq!(owed(&alerts, "slack"), [], "it was told before the restart");
    assert_eq!(owed(&alerts, "mail"), [(1, Kind::Opened)]);
}

#[test]
fn the_end_is_owed_once_and_behind_the_beginning() {
    let (mut world, stream) = alerted(Arc::new(Memory::new()));
    let fact = bond(&world, true);
    world.say(stream, report(2, vec![fact]));
    for number in 1..=20 {
        world.say(stream, FromAgent::Heartbeat(heartbeat(number, 2)));
        world.advance(2_000);
    }
    let alerts = world.view().alerts;
    assert_eq!(owed(&alerts, "mail"), [(1, Kind::Opened), (2, Kind::Over)]);
}

#[test]
fn while_nothing_can_be_written_alerts_are_shown_all_the_same_and_said_not_to_be_kept() {
    let mut world = World::new();
    world.core.alert_by(policy());
    world.is_stuck = true;
    let stream = world.open(hello("pve-01"));
    let fact = bond(&world, false);
    world.say(stream, report(1, vec![fact]));
    world.advance(SETTLED_MS);
    world.say(stream, FromAgent::Heartbeat(heartbeat(1, 1)));
    world.advance(4_000);
    let view = world.view();
    assert!(!view.are_alerts_kept);
    assert_eq!(owed(&view.alerts, "mail"), [(1, Kind::Opened)]);
    world.unstick();
    let view = world.view();
    assert!(view.are_alerts_kept);
    assert_eq!(owed(&view.alerts, "mail"), [(1, Kind::Opened)]);
}

#[test]
fn a_silence_is_answered_when_it_is_on_the_disk_and_one_of_everything_is_refused() {
    let mut world = World::new();
    world.core.alert_by(policy());
    let silence = |subject: Option<&str>, world: &World| {
        Ask::Silence(Silence {
            id: 0,
            rule: None,
            subject: subject.map(|subject| subject.to_owned().try_into().unwrap()),
            incident: None,
            from_unix_ms: 0,
            until_unix_ms: world.now.unix_ms + 60_000,
            by: "anna".to_owned(),
            reason: "new cables".to_owned(),
            ended_by: None,
        })
    };
    let ask = silence(None, &world);
    let refused = world.core.ask_alerts(1, &ask, world.now);
    assert!(matches!(refused, Some(AlertAnswer::Refused(_))));
    let ask = silence(Some("pve-01"), &world);
    assert_eq!(world.core.ask_alerts(2, &ask, world.now), None);
    world.work();
    assert!(matches!(&world.alerted[..], [(2, AlertAnswer::Done(_))]));
    let stream = world.open(hello("pve-01"));
    let fact = bond(&world, false);
    world.say(stream, report(1, vec![fact]));
    world.advance(SETTLED_MS);
    assert_eq!(owed(&world.view().alerts, "mail"), []);
    for number in 1..=40 {
        world.say(stream, FromAgent::Heartbeat(heartbeat(number, 1)));
        world.advance(2_000);
    }
    let alerts = world.view().alerts;
    assert_eq!(owed(&alerts, "mail"), [(1, Kind::Opened)], "it has ended");
}

#[test]
fn what_arrived_while_the_ledger_was_slow_does_not_go_out_again_when_only_a_part_of_it_is_written()
{
    let mut world = World::new();
    world.core.alert_by(policy());
    world.is_stuck = true;
    let stream = world.open(hello("pve-01"));
    let fact = bond(&world, false);
    world.say(stream, report(1, vec![fact]));
    world.advance(SETTLED_MS);
    world.say(stream, FromAgent::Heartbeat(heartbeat(1, 1)));
    world.advance(4_000);
    let mut outbox = Outbox::of("mail");
    let next = |world: &mut World, outbox: &mut Outbox| {
        let next = outbox.next(&[Arc::new(world.view())]);
        next.map(|next| (next.owed.id, next.is_recorded))
    };
    assert_eq!(next(&mut world, &mut outbox), Some((1, false)));
    let owed = Arc::clone(world.view().alerts.owed().next().unwrap());
    outbox.settle(&cluster(), &owed, Some("1"));
    arrives(&mut world, 1, "mail");
    assert_eq!(next(&mut world, &mut outbox), None);
    // What was on its way comes to the disk; that it arrived waits behind it.
    let first = world.stuck.remove(0);
    world.ask(first);
    world.work();
    let view = world.view();
    assert!(view.are_alerts_kept);
    assert_eq!(owed_to_mail(&view.alerts_kept), 1, "the disk knows nothing");
    assert_eq!(next(&mut world, &mut outbox), None);
    world.unstick();
    assert_eq!(owed_to_mail(&world.view().alerts_kept), 0);
    assert_eq!(next(&mut world, &mut outbox), None);
}

fn owed_to_mail(alerts: &Alerts) -> usize {
    owed(alerts, "mail").len()
}
