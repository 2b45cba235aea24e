//! Hypotheses about eight ordinary nodes, and about odd clusters.

use std::collections::BTreeMap;

use super::*;
use crate::cluster::testing::{World, iface, known, name, node_name, value};
use crate::fact::bond::{BondMode, LacpRate};
use crate::fact::cmap::{Cmap, CmapValue};
use crate::fact::corosync::{Corosync, Qdevice};
use crate::fact::corosync_conf::Device;
use crate::fact::ha::{Armed, Ha, LrmMode, LrmState, LrmStatus};
use crate::fleet::Hearing;
use crate::reading::Reading;
use crate::rule::Thresholds;
use crate::topology::{DeclaredSwitch, Dependency, PortPattern};

mod properties;

pub(crate) fn what_if(world: &World, site: &Site) -> WhatIf {
    let warning = Thresholds::default().reforming_warning_ms;
    WhatIf::new(&world.cluster, world.now, site, warning).unwrap()
}

fn play(world: &World, failures: impl IntoIterator<Item = Failure>) -> Outcome {
    play_at(world, &Site::default(), failures)
}

fn play_at(world: &World, site: &Site, failures: impl IntoIterator<Item = Failure>) -> Outcome {
    let failures = failures.into_iter().collect();
    what_if(world, site).play(&Hypothesis { failures }).unwrap()
}

pub(crate) fn node(name: &str) -> Part {
    Part::Node(crate::cluster::testing::name(name))
}

pub(crate) fn switch(name: &str) -> Part {
    Part::Switch(name.to_owned())
}

fn port(node: &str, port: &str) -> Part {
    Part::Iface(name(node), iface(port))
}

pub(crate) fn declared(rows: &[(&str, &[&str])]) -> Site {
    let pattern = |text: &&str| PortPattern::new(text).unwrap();
    let switches = rows.iter().map(|(name, ports)| DeclaredSwitch {
        name: (*name).to_owned(),
        ports: ports.iter().map(pattern).collect(),
    });
    Site {
        switches: switches.collect(),
        ..Site::default()
    }
}

fn qdevice_on(place: Place) -> Site {
    Site {
        dependencies: vec![Dependency {
            service: Service::Qdevice,
            on: place,
        }],
        ..Site::default()
    }
}

/// No node has the HA manager.
pub(crate) fn without_ha(world: &mut World) {
    world.edit_all(|_, report| report.ha = Reading::Absent);
}

fn armed(world: &mut World, nodes: u32) {
    let lrm = |id: u32| {
        let status = LrmStatus {
            mode: Some(LrmMode::Active),
            state: Some(if id <= nodes {
                LrmState::Active
            } else {
                LrmState::WaitForAgentLock
            }),
            timestamp: Some(jiff::Timestamp::UNIX_EPOCH),
            ..LrmStatus::default()
        };
        (node_name(id), status)
    };
    let ha = Ha {
        lrm: (1..=8).map(lrm).collect(),
        ..Ha::default()
    };
    world.edit_all(|_, report| report.ha = known(ha.clone()));
}

pub(crate) fn corosync_only_over_link_0(world: &mut World) {
    world.edit_all(|_, report| {
        let links = &mut value(&mut report.corosync).links;
        links.as_mut().unwrap().truncate(1);
        let conf = value(&mut report.corosync_conf).local.as_mut().unwrap();
        for node in &mut conf.nodes {
            node.addresses.remove(&1);
        }
    });
}

pub(crate) fn with_qdevice(world: &mut World) {
    world.edit_all(|_, report| {
        let corosync: &mut Corosync = value(&mut report.corosync);
        let all = corosync.total_votes.unwrap() + 1;
        corosync.total_votes = Some(all);
        corosync.expected_votes = Some(all);
        corosync.quorum = Some(all / 2 + 1);
        corosync.qdevice = Some(Qdevice {
            votes: Some(1),
            ..Qdevice::default()
        });
        let conf = value(&mut report.corosync_conf).local.as_mut().unwrap();
        conf.quorum.device = Some(Device {
            model: Some("net".to_owned()),
            votes: Some(1),
            algorithm: Some("ffsplit".to_owned()),
            ..Device::default()
        });
    });
}

pub(crate) fn token(world: &mut World, token_ms: u64, consensus_ms: u64) {
    let key = |name: &str, ms| (format!("runtime.config.totem.{name}"), CmapValue::U64(ms));
    let keys = [key("token", token_ms), key("consensus", consensus_ms)].into();
    world.edit_all(|_, report| {
        report.cmap = known(Cmap {
            keys: BTreeMap::clone(&keys),
        })
    });
}

/// Two nodes do not hear each other over this link.
fn cut(world: &mut World, one: u32, other: u32, link: usize) {
    for (from, to) in [(one, other), (other, one)] {
        world.edit(&format!("pve-{from:02}"), |report| {
            let Reading::Known { value, .. } = &mut report.corosync else {
                return;
            };
            let link = value.links.as_mut().and_then(|links| links.get_mut(link));
            let peers = link
                .and_then(|link| link.peers.as_mut())
                .into_iter()
                .flatten();
            for peer in peers.filter(|peer| peer.node_id == to) {
                peer.connected = Some(false);
            }
        });
    }
}

#[test]
fn an_empty_what_if_is_the_present() {
    let mut world = World::healthy();
    without_ha(&mut world);
    let outcome = play(&world, []);
    assert_eq!(
        outcome.sentence,
        "Now quorum is there: 8 of 8 votes, 5 needed."
    );
    assert_eq!(
        (outcome.rank, outcome.worst),
        (Rank::Nothing, Rank::Nothing)
    );
    assert_eq!(outcome.camps.len(), 1);
}

#[test]
fn one_switch_of_an_mlag_pair_takes_what_hangs_on_it_alone() {
    let mut world = World::healthy();
    without_ha(&mut world);
    let outcome = play(&world, [Failure::dark(switch("sw-a"))]);
    assert_eq!(
        outcome.sentence,
        "If switch sw-a dies, quorum is kept: 8 of 8 votes, 5 needed."
    );
    assert_eq!(outcome.rank, Rank::RedundancyLost);
    let outcome = play(&world, [Failure::dark(switch("sw-b"))]);
    assert_eq!(
        outcome.sentence,
        "If switch sw-b dies, all eight nodes lose corosync link 1; quorum is kept: 8 of 8 votes, 5 needed."
    );
    assert_eq!(
        outcome.trace[0],
        "Switch sw-b carries pve-01/eno2 and 15 ports more."
    );
}

#[test]
fn both_switches_leave_every_node_alone_and_the_armed_ones_reset_themselves() {
    let mut world = World::healthy();
    armed(&mut world, 6);
    let both = [Failure::dark(switch("sw-a")), Failure::dark(switch("sw-b"))];
    let outcome = play(&world, both);
    assert_eq!(
        outcome.sentence,
        "If switch sw-a dies and switch sw-b dies, all eight nodes lose corosync link 0, all eight nodes lose corosync \
         link 1; quorum is lost everywhere: the largest of 8 parts has 1 of 8 votes, 5 needed; six nodes (pve-01 to \
         pve-06) reset themselves as soon as 45 s after corosync reports the loss."
    );
    assert_eq!(outcome.rank, Rank::QuorumLostEverywhere);
    assert_eq!(outcome.fencing.len(), 6);
    assert!(
        outcome
            .fencing
            .iter()
            .all(|it| it.is_certain && it.after_s == 45)
    );
}

#[test]
fn nodes_that_fail_take_their_votes_until_too_few_are_left() {
    let mut world = World::healthy();
    without_ha(&mut world);
    let of = |many: u32| (1..=many).map(|id| Failure::dark(Part::Node(node_name(id))));
    assert_eq!(
        play(&world, of(1)).sentence,
        "If node pve-01 fails, quorum is kept: 7 of 8 votes, 5 needed."
    );
    assert_eq!(play(&world, of(2)).rank, Rank::RedundancyLost);
    assert_eq!(play(&world, of(3)).rank, Rank::NoMargin);
    assert_eq!(play(&world, of(4)).rank, Rank::QuorumLostEverywhere);
    assert_eq!(play(&world, of(8)).is_quorum_kept(), Answer::No);
}

#[test]
fn half_of_eight_behind_each_switch_cannot_go_on_without_the_other() {
    let mut world = World::healthy();
    without_ha(&mut world);
    corosync_only_over_link_0(&mut world);
    let site = declared(&[
        ("left", &["pve-0[1-4]/eno[12]"]),
        ("right", &["pve-0[5-8]/eno[12]"]),
    ]);
    let outcome = play_at(&world, &site, [Failure::dark(switch("left"))]);
    assert_eq!(
        outcome.sentence,
        "If switch left dies, pve-01, pve-02, pve-03 and pve-04 lose corosync link 0; quorum is lost everywhere: the \
         largest of 5 parts has 4 of 8 votes, 5 needed."
    );
    assert_eq!(outcome.rank, Rank::QuorumLostEverywhere);
}

#[test]
fn a_switch_that_carries_both_links_costs_everything() {
    let mut world = World::healthy();
    without_ha(&mut world);
    let site = declared(&[("core", &["*/*"])]);
    let outcome = play_at(&world, &site, [Failure::dark(switch("core"))]);
    assert_eq!(outcome.rank, Rank::QuorumLostEverywhere);
    assert_eq!(outcome.networks.len(), 2);
}

#[test]
fn what_is_no_clique_cannot_be_foretold_and_too_few_votes_are_too_few_all_the_same() {
    let mut world = World::healthy();
    without_ha(&mut world);
    cut(&mut world, 1, 3, 0);
    let outcome = play(&world, [Failure::dark(Part::Network(1))]);
    assert_eq!(outcome.is_quorum_kept(), Answer::Unknown);
    assert_eq!(
        outcome.sentence,
        "If corosync network 1 is gone, all eight nodes lose corosync link 1; whether quorum is kept is not known: not \
         all of all eight nodes reach each other, and corosync passes nothing on, so that nobody can tell which of them \
         stay together."
    );
    let few = (5..=8).map(|id| Failure::dark(Part::Node(node_name(id))));
    let outcome = play(&world, few.chain([Failure::dark(Part::Network(1))]));
    assert_eq!(outcome.is_quorum_kept(), Answer::No);
    let outcome = play(&world, [Failure::dark(Part::Network(0))]);
    assert_eq!(outcome.is_quorum_kept(), Answer::Yes);
}

#[test]
fn with_two_node_one_node_is_enough() {
    let mut world = World::of(2);
    without_ha(&mut world);
    world.edit_all(|_, report| {
        value(&mut report.corosync).quorum = Some(1);
        let conf = value(&mut report.corosync_conf).local.as_mut().unwrap();
        conf.quorum.two_node = Some(true);
    });
    let outcome = play(&world, [Failure::dark(node("pve-01"))]);
    assert_eq!(outcome.is_quorum_kept(), Answer::Yes);
    assert_eq!(
        outcome.sentence,
        "If node pve-01 fails, quorum is kept: 1 of 2 votes, two_node lets one be enough while at most two are there."
    );
    let both = [Part::Network(0), Part::Network(1)].map(Failure::dark);
    let outcome = play(&world, both);
    assert_eq!(outcome.camps.len(), 2);
    assert!(outcome.camps.iter().all(|camp| camp.quorate == Answer::Yes));
}

#[test]
fn a_qdevice_in_a_guest_goes_with_its_node() {
    let mut world = World::of(4);
    without_ha(&mut world);
    with_qdevice(&mut world);
    let two = |one: &str, other: &str| [one, other].map(|name| Failure::dark(node(name)));
    let inside = qdevice_on(Place::Node(name("pve-01")));
    let outcome = play_at(&world, &inside, two("pve-01", "pve-02"));
    assert_eq!(outcome.is_quorum_kept(), Answer::No);
    assert!(
        outcome
            .trace
            .last()
            .unwrap()
            .starts_with("The qdevice runs on pve-01")
    );
    let outcome = play_at(&world, &inside, two("pve-03", "pve-04"));
    assert_eq!(outcome.is_quorum_kept(), Answer::Yes);
    let external = qdevice_on(Place::External);
    let outcome = play_at(&world, &external, two("pve-01", "pve-02"));
    assert_eq!(outcome.is_quorum_kept(), Answer::Yes);
}

#[test]
fn a_qdevice_of_which_nobody_knows_where_it_runs_carries_nothing() {
    let mut world = World::of(4);
    without_ha(&mut world);
    with_qdevice(&mut world);
    assert_eq!(play(&world, []).is_quorum_kept(), Answer::Yes);
    let outcome = play(&world, [Failure::dark(node("pve-01"))]);
    assert_eq!(outcome.is_quorum_kept(), Answer::Yes);
    let two = ["pve-01", "pve-02"].map(|name| Failure::dark(node(name)));
    let outcome = play(&world, two);
    assert_eq!(outcome.is_quorum_kept(), Answer::Unknown);
    assert!(outcome.unknown[0].starts_with("Where the qdevice runs is not known"));
}

#[test]
fn of_a_pair_that_only_lacp_shows_one_chassis_cannot_be_asked_about() {
    let mut world = World::healthy();
    without_ha(&mut world);
    corosync_only_over_link_0(&mut world);
    world.edit_all(|_, report| value(&mut report.lldp).clear());
    let system = crate::cluster::testing::MLAG;
    let outcome = play(&world, [Failure::dark(switch(system))]);
    assert_eq!(outcome.is_quorum_kept(), Answer::Unknown);
    assert!(
        outcome.unknown[0].contains("LACP alone does not tell"),
        "{:?}",
        outcome.unknown
    );
    let outcome = play(&world, [Failure::dark(Part::System(system.to_owned()))]);
    assert_eq!(outcome.is_quorum_kept(), Answer::No);
}

#[test]
fn one_node_without_lldp_is_doubtful_and_the_others_are_not() {
    let mut world = World::healthy();
    without_ha(&mut world);
    world.edit("pve-08", |report| value(&mut report.lldp).clear());
    let both = || {
        [
            Failure::dark(port("pve-01", "eno1")),
            Failure::dark(switch("sw-b")),
        ]
    };
    let outcome = play(&world, both());
    let mut camps = outcome.camps.iter();
    assert!(camps.any(|camp| camp.nodes == [name("pve-01")] && camp.quorate == Answer::No));
    assert_eq!(outcome.is_quorum_kept(), Answer::Yes);
    let doubtful = outcome
        .camps
        .iter()
        .find(|camp| camp.quorate == Answer::Unknown);
    assert_eq!(doubtful.unwrap().nodes, [name("pve-08")]);
    corosync_only_over_link_0(&mut world);
    let outcome = play(&world, both());
    assert_eq!(outcome.is_quorum_kept(), Answer::Yes);
}

#[test]
fn a_mute_port_is_missed_by_lacp_and_never_by_the_carrier_alone() {
    let mut world = World::healthy();
    without_ha(&mut world);
    corosync_only_over_link_0(&mut world);
    token(&mut world, 7_000, 8_400);
    let mute = || [Failure::mute(port("pve-01", "eno1"))];
    let camps = |world: &World| play(world, mute()).camps.len();
    assert_eq!(camps(&world), 1);
    world.edit_all(|_, report| {
        value(&mut report.bonds)[0].lacp.as_mut().unwrap().rate = Some(LacpRate::Slow);
    });
    let outcome = play(&world, mute());
    assert_eq!(outcome.camps[1].nodes, [name("pve-01")]);
    assert_eq!(outcome.camps[1].quorate, Answer::Unknown);
    world.edit_all(|_, report| {
        let bond = &mut value(&mut report.bonds)[0];
        bond.mode = Some(BondMode::ActiveBackup);
        bond.active_slave = Some(iface("eno1"));
    });
    let outcome = play(&world, mute());
    assert_eq!(outcome.camps[0].nodes, [name("pve-01")]);
    assert_eq!(outcome.camps[0].quorate, Answer::No);
    let other = play(&world, [Failure::mute(port("pve-01", "eno2"))]);
    assert_eq!(other.camps.len(), 1);
}

/// Between the kernel's word and corosync's lie seconds.
#[test]
fn nothing_rests_on_a_link_whose_ports_are_dark_whatever_corosync_still_says() {
    let mut world = World::healthy();
    without_ha(&mut world);
    let other_network = || [Failure::dark(Part::Network(0))];
    assert_eq!(play(&world, other_network()).is_quorum_kept(), Answer::Yes);
    world.edit_all(|_, report| value(&mut report.links)[2].carrier = Some(false));
    assert_eq!(
        play(&world, other_network()).is_quorum_kept(),
        Answer::Unknown
    );
    assert_eq!(
        play(&world, [Failure::dark(node("pve-03"))]).is_quorum_kept(),
        Answer::Yes
    );
    for (one, other) in (1..=8).flat_map(|one| (1..=8).map(move |other| (one, other))) {
        if one != other {
            cut(&mut world, one, other, 1);
        }
    }
    assert_eq!(play(&world, other_network()).is_quorum_kept(), Answer::No);
}

#[test]
fn forming_anew_too_slowly_may_fence_although_quorum_is_kept() {
    let mut world = World::healthy();
    armed(&mut world, 8);
    token(&mut world, 22_500, 27_000);
    let outcome = play(&world, [Failure::dark(node("pve-01"))]);
    assert_eq!(
        outcome.sentence,
        "If node pve-01 fails, quorum is kept: 7 of 8 votes, 5 needed; forming anew takes 49.5 s, so that seven nodes \
         (pve-02 to pve-08) may fence although quorum is kept."
    );
    assert_eq!(
        (outcome.rank, outcome.worst),
        (Rank::RedundancyLost, Rank::Fencing)
    );
    assert!(outcome.reforming.unwrap().twice_outlasts_the_watchdog);
}

#[test]
fn whose_watchdog_is_not_known_counts_as_armed() {
    let mut world = World::healthy();
    corosync_only_over_link_0(&mut world);
    let outcome = play(&world, [Failure::dark(port("pve-01", "bond0"))]);
    let fencing = &outcome.fencing[0];
    assert_eq!((fencing.armed, fencing.is_certain), (Armed::Unknown, false));
    assert!(outcome.sentence.ends_with(
        "pve-01 is without it: 1 of 8 votes, 5 needed; pve-01 may reset itself as soon as 45 s after corosync reports \
         the loss."
    ));
}

#[test]
fn a_node_that_is_silent_but_a_member_still_counts() {
    let mut world = World::healthy();
    without_ha(&mut world);
    world.hearing("pve-08", Hearing::Silent);
    let outcome = play(&world, [Failure::dark(node("pve-01"))]);
    assert_eq!(
        outcome.sentence,
        "If node pve-01 fails, quorum is kept: 7 of 8 votes, 5 needed."
    );
    let outcome = play(&world, [Failure::dark(switch("sw-b"))]);
    assert_eq!(outcome.is_quorum_kept(), Answer::Yes);
    assert!(
        outcome
            .unknown
            .iter()
            .any(|it| it.starts_with("pve-08 is not heard"))
    );
}

#[test]
fn a_node_that_is_down_is_not_lost_once_more() {
    let mut world = World::of(4);
    without_ha(&mut world);
    world.hearing("pve-04", Hearing::Silent);
    world.edit_all(|_, report| {
        let corosync = value(&mut report.corosync);
        corosync.members.as_mut().unwrap().truncate(3);
        corosync.total_votes = Some(3);
    });
    let now = play(&world, []);
    assert_eq!(now.sentence, "Now quorum is there: 3 of 4 votes, 3 needed.");
    let again = play(&world, [Failure::dark(node("pve-04"))]);
    assert_eq!((&again.camps, again.rank), (&now.camps, Rank::Nothing));
    let next = play(
        &world,
        [Failure::dark(node("pve-03")), Failure::dark(node("pve-03"))],
    );
    assert_eq!(
        next.sentence,
        "If node pve-03 fails, quorum is lost everywhere: 2 of 4 votes, 3 needed."
    );
}

#[test]
fn a_thing_that_is_not_there_is_refused_with_the_nearest_names() {
    let world = World::healthy();
    let mut what_if = what_if(&world, &Site::default());
    let mut refused = |part: Part| {
        what_if
            .play(&Hypothesis::dark([part]))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(switch("sw-c")),
        "there is no switch sw-c; the nearest are switch sw-a, switch sw-b"
    );
    assert_eq!(
        refused(port("pve-03", "eno9")),
        "there is no interface pve-03/eno9; the nearest are interface pve-03/eno1, interface pve-03/eno2, interface \
         pve-03/eno3"
    );
    assert_eq!(refused(Part::Qdevice), "there is no qdevice");
}
