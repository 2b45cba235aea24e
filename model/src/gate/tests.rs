use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;
use crate::cluster::testing::{World, known, name, value};
use crate::fact::boot::{Boot, FileSystem};
use crate::fact::guests::{Guest, GuestConfig, GuestKind, Guests, Lock, Passthrough};
use crate::fact::ha::{Ha, HaNodeState, HaService, ManagerStatus, ServiceState};
use crate::fact::ha_config::{Datacenter, HaConfig, ShutdownPolicy};
use crate::fact::host::{HostLoad, Memory};
use crate::fact::interfaces::{Configuration, Interfaces};
use crate::fact::power::{AnnouncedShutdown, Power, PowerState};
use crate::fact::tasks::{RunningTask, Task, TaskKind, Tasks};
use crate::finding::Thing;
use crate::fleet::Hearing;
use crate::name::NodeName;
use crate::reading::{Problem, Reading};
use crate::rule;
use crate::topology::{Dependency, Place, Service};
use crate::whatif::Part;

mod accepting;
mod ceph;
mod local;
mod properties;
mod room;

/// Eight ordinary nodes: guests without HA, no Ceph, two switches.
fn ordinary(nodes: u32) -> World {
    let mut world = World::of(nodes);
    world.edit_all(|_, report| {
        report.power = known(Power {
            state: PowerState::Running,
            ..Power::default()
        });
        report.boot = known(Boot {
            network_pending: Some(false),
            ..Boot::default()
        });
        report.interfaces = known(Interfaces {
            current: Some(Configuration::default()),
            pending: None,
            not_sourced: None,
        });
        report.tasks = known(Tasks::default());
        report.guests = known(Guests {
            here: vec![guest(100)],
            ..Guests::default()
        });
        report.host = known(free_memory(32));
        report.ha = Reading::Absent;
        report.ceph = Reading::Absent;
    });
    world
}

fn free_memory(gib: u64) -> HostLoad {
    HostLoad {
        memory: Some(Memory {
            available_bytes: Some(gib << 30),
            ..Memory::default()
        }),
        ..HostLoad::default()
    }
}

fn guest(id: u32) -> Guest {
    Guest {
        id,
        kind: GuestKind::Machine,
        running: Some(true),
        config: Some(GuestConfig::default()),
    }
}

fn request(nodes: &[&str], action: Action) -> Request {
    Request::of_nodes(nodes.iter().map(|node| name(node)), action)
}

fn judged(world: &World, nodes: &[&str], action: Action) -> Verdict {
    let scene = world.scene();
    check(&scene, &rule::findings(&scene), &request(nodes, action))
}

fn reboot(world: &World, node: &str) -> Verdict {
    judged(world, &[node], Action::Reboot)
}

#[track_caller]
fn expect(verdict: &Verdict, answer: Answer, kind: Kind) {
    let kinds: Vec<&str> = verdict
        .reasons
        .iter()
        .map(|reason| reason.kind.name())
        .collect();
    assert_eq!(verdict.answer, answer, "{}: {kinds:?}", verdict.sentence);
    assert!(
        verdict.reasons.iter().any(|reason| reason.kind == kind),
        "{kinds:?}"
    );
}

#[test]
fn each_of_eight_healthy_ordinary_nodes_may_be_rebooted() {
    let world = ordinary(8);
    for node in world.cluster.nodes.keys() {
        let verdict = reboot(&world, node.as_str());
        let sentence = format!("GO - {node} may be rebooted: 7 of 8 votes stay, and 5 are needed");
        assert_eq!(verdict.sentence, sentence, "{:#?}", verdict.reasons);
        let notes: Vec<&str> = verdict
            .reasons
            .iter()
            .map(|reason| reason.kind.name())
            .collect();
        assert_eq!(
            notes,
            [
                "votes",
                "one-more",
                "collector-place-unknown",
                "guests-stop"
            ]
        );
    }
    for action in [Action::Shutdown, Action::Network] {
        let verdict = judged(&world, &["pve-03"], action);
        assert_eq!(verdict.answer, Answer::Go, "{}", verdict.sentence);
    }
}

#[test]
fn a_set_of_nodes_is_judged_as_a_set() {
    let world = ordinary(8);
    let of = |nodes: &[&str]| judged(&world, nodes, Action::Shutdown);
    expect(
        &of(&["pve-01", "pve-02", "pve-03"]),
        Answer::Warn,
        Kind::NoMargin,
    );
    let short = of(&["pve-01", "pve-02", "pve-03", "pve-04"]);
    let sentence = "NO-GO - pve-01, pve-02, pve-03 and pve-04 must not be shut down: the shutdown of pve-01, pve-02, pve-03 and \
                    pve-04 leaves 4 of 8 votes, and 5 are needed";
    assert_eq!(short.sentence, sentence);
    let all: Vec<String> = world
        .cluster
        .nodes
        .keys()
        .map(ToString::to_string)
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    expect(&of(&all), Answer::NoGo, Kind::VotesShort);
    expect(&of(&[]), Answer::Unknown, Kind::NoSuchNode);
    expect(&of(&["pve-99"]), Answer::Unknown, Kind::NoSuchNode);
}

#[test]
fn a_collector_that_has_just_started_says_unknown() {
    let mut world = ordinary(8);
    for id in 1..=8 {
        world.hearing(&format!("pve-{id:02}"), Hearing::NeverHeard);
    }
    assert_eq!(reboot(&world, "pve-03").answer, Answer::Unknown);
    world.hearing("pve-03", Hearing::Connected);
    assert_eq!(reboot(&world, "pve-03").answer, Answer::Unknown);
}

#[test]
fn one_witness_of_the_votes_is_not_enough_and_two_that_differ_are_none() {
    let mut world = ordinary(8);
    for id in 3..=8 {
        world.hearing(&format!("pve-{id:02}"), Hearing::Silent);
    }
    world.hearing("pve-01", Hearing::Silent);
    let verdict = reboot(&world, "pve-01");
    assert_eq!(verdict.answer, Answer::Unknown, "{}", verdict.sentence);
    let mut world = ordinary(8);
    world.edit("pve-05", |report| {
        value(&mut report.corosync).total_votes = Some(7)
    });
    expect(
        &reboot(&world, "pve-03"),
        Answer::Unknown,
        Kind::VotesUnconfirmed,
    );
}

fn without(world: &mut World, id: u32) {
    world.edit_all(|_, report| {
        let corosync = value(&mut report.corosync);
        corosync.total_votes = corosync.total_votes.map(|votes| votes - 1);
        if let Some(members) = &mut corosync.members {
            members.retain(|member| member.node_id != id);
        }
    });
}

#[test]
fn never_two_nodes_at_once() {
    let mut world = ordinary(8);
    world.hearing("pve-05", Hearing::Silent);
    expect(&reboot(&world, "pve-03"), Answer::Warn, Kind::AgentSilent);
    world.hearing("pve-06", Hearing::Silent);
    expect(
        &reboot(&world, "pve-03"),
        Answer::Unknown,
        Kind::AgentsSilent,
    );

    let mut world = ordinary(8);
    without(&mut world, 5);
    world.hearing("pve-05", Hearing::Silent);
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::NodeDown);
    // Who is out already loses nothing by it.
    let verdict = reboot(&world, "pve-05");
    expect(&verdict, Answer::Warn, Kind::TargetSilent);

    let going = [
        (PowerState::ShuttingDown, Kind::NodeGoing),
        (PowerState::ShutdownScheduled, Kind::NodeGoing),
        (PowerState::Booting, Kind::NodeComing),
    ];
    for (state, kind) in going {
        let mut world = ordinary(8);
        world.edit("pve-05", |report| value(&mut report.power).state = state);
        expect(&reboot(&world, "pve-03"), Answer::NoGo, kind);
        expect(&reboot(&world, "pve-05"), Answer::NoGo, kind);
    }
}

#[test]
fn no_node_goes_while_one_that_announced_its_shutdown_is_going_or_away() {
    let mut world = ordinary(8);
    world.edit("pve-05", |report| {
        value(&mut report.power).announce(Some(AnnouncedShutdown {
            at: Timestamp::UNIX_EPOCH,
            mode: None,
        }));
    });
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::NodeGoing);
    // The agent is gone, and corosync waits for the guests to stop.
    world.hearing("pve-05", Hearing::Silent);
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::NodeGoing);
    without(&mut world, 5);
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::NodeDown);
}

#[test]
fn a_node_that_would_not_come_back_stays_up() {
    let mut world = ordinary(8);
    world.edit("pve-03", |report| {
        value(&mut report.boot).file_systems = Some(vec![FileSystem {
            mount_point: "/".to_owned(),
            used_percent: Some(100),
            ..FileSystem::default()
        }]);
    });
    let verdict = reboot(&world, "pve-03");
    let sentence = "NO-GO - pve-03 must not be rebooted: pve-03 would not come back from a reboot as it is: / is 100 % full";
    assert_eq!(verdict.sentence, sentence);
    assert_eq!(reboot(&world, "pve-04").answer, Answer::Go);
}

fn task(kind: TaskKind, alive: Option<bool>) -> RunningTask {
    RunningTask {
        task: Task {
            node: "pve-03".to_owned(),
            pid: 4711,
            pid_start: 1,
            started: Timestamp::UNIX_EPOCH,
            kind,
            id: Some("100".to_owned()),
            user: "root@pam".to_owned(),
        },
        alive,
    }
}

#[test]
fn what_runs_on_the_node_is_waited_for() {
    let run = |kind, alive| {
        let mut world = ordinary(8);
        let task = task(kind, alive);
        world.edit("pve-03", |report| {
            value(&mut report.tasks).running = vec![task]
        });
        world
    };
    expect(
        &reboot(&run(TaskKind::Backup, Some(true)), "pve-03"),
        Answer::NoGo,
        Kind::TaskRuns,
    );
    expect(
        &reboot(&run(TaskKind::Backup, None), "pve-03"),
        Answer::NoGo,
        Kind::TaskRuns,
    );
    assert_eq!(
        reboot(&run(TaskKind::Backup, Some(false)), "pve-03").answer,
        Answer::Go
    );
    assert_eq!(
        reboot(&run(TaskKind::Console, Some(true)), "pve-03").answer,
        Answer::Go
    );
    let moving = run(TaskKind::MigrateVm, Some(true));
    expect(
        &reboot(&moving, "pve-04"),
        Answer::Warn,
        Kind::TaskElsewhere,
    );
    let mut world = ordinary(8);
    world.edit("pve-03", |report| {
        let guest = &mut value(&mut report.guests).here[0];
        guest.config.as_mut().unwrap().lock = Some(Lock::Migrate);
    });
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::GuestHeld);
}

#[test]
fn a_reading_of_which_a_part_is_missing_is_no_evidence() {
    for family in ["power", "boot", "interfaces", "tasks", "guests", "ha"] {
        let mut world = ordinary(8);
        with_service(&mut world, None, &ServiceState::Started);
        assert_eq!(reboot(&world, "pve-03").answer, Answer::Go);
        world.edit("pve-03", |report| {
            let problem = Problem::whole("etc/pve", "it could not be read");
            match family {
                "power" => flaw(&mut report.power, problem),
                "boot" => flaw(&mut report.boot, problem),
                "interfaces" => flaw(&mut report.interfaces, problem),
                "tasks" => flaw(&mut report.tasks, problem),
                "guests" => flaw(&mut report.guests, problem),
                _ => flaw(&mut report.ha, problem),
            }
        });
        assert_eq!(reboot(&world, "pve-03").answer, Answer::Unknown, "{family}");
        assert_eq!(reboot(&world, "pve-04").answer, Answer::Go, "{family}");
    }
}

fn flaw<T>(reading: &mut Reading<T>, problem: Problem) {
    if let Reading::Known { problems, .. } = reading {
        problems.push(problem);
    }
}

fn with_service(world: &mut World, policy: Option<&ShutdownPolicy>, state: &ServiceState) {
    let nodes: Vec<NodeName> = world.cluster.nodes.keys().cloned().collect();
    let online = || nodes.iter().map(|node| (node.clone(), HaNodeState::Online));
    world.edit_all(|_, report| {
        let service = HaService {
            node: Some(name("pve-03")),
            state: Some(state.clone()),
            ..HaService::default()
        };
        report.ha = known(Ha {
            manager: Some(ManagerStatus {
                service_status: Some([("vm:100".to_owned(), service)].into()),
                node_status: online().collect(),
                ..ManagerStatus::default()
            }),
            config: HaConfig {
                datacenter: Some(Datacenter {
                    shutdown_policy: policy.cloned(),
                    ..Datacenter::default()
                }),
                ..HaConfig::default()
            },
            ..Ha::default()
        });
    });
}

#[test]
fn a_service_that_cannot_move_holds_a_shutdown_up_only_where_it_would_be_moved() {
    for (policy, answer) in [
        (None, Answer::Go),
        (Some(ShutdownPolicy::Freeze), Answer::Go),
        (Some(ShutdownPolicy::Migrate), Answer::NoGo),
    ] {
        let mut world = ordinary(8);
        with_service(&mut world, policy.as_ref(), &ServiceState::Started);
        world.edit("pve-03", |report| {
            let guest = &mut value(&mut report.guests).here[0];
            guest.config.as_mut().unwrap().passthrough = vec![Passthrough {
                slot: "hostpci0".to_owned(),
                mapping: None,
                device: Some("0000:01:00.0".to_owned()),
            }];
        });
        let verdict = reboot(&world, "pve-03");
        assert_eq!(verdict.answer, answer, "{}", verdict.sentence);
        assert_eq!(reboot(&world, "pve-04").answer, Answer::Go);
    }
    let mut world = ordinary(8);
    with_service(&mut world, None, &ServiceState::Migrate);
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::ServiceStuck);
}

#[test]
fn ceph_that_was_not_asked_and_the_collector_on_the_node_are_no_go_or_unknown() {
    let mut world = ordinary(8);
    world.edit("pve-03", |report| report.ceph = Reading::NeverHeard);
    expect(
        &reboot(&world, "pve-03"),
        Answer::Unknown,
        Kind::CephNotAsked,
    );
    let mut world = ordinary(8);
    world.site.dependencies = vec![Dependency {
        service: Service::Collector,
        on: Place::Node(name("pve-03")),
    }];
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::CollectorHere);
    assert_eq!(reboot(&world, "pve-04").answer, Answer::Go);
}

#[test]
fn a_lost_link_elsewhere_is_worse_than_usual_and_the_nodes_own_is_not() {
    let mut world = ordinary(8);
    world.edit("pve-05", |report| {
        value(&mut report.links)[1].carrier = Some(false);
        value(&mut report.bonds)[0].slaves[0].mii_status = Some(crate::fact::bond::MiiStatus::Down);
    });
    expect(&reboot(&world, "pve-03"), Answer::Warn, Kind::Redundancy);
    assert_eq!(reboot(&world, "pve-05").answer, Answer::Go);
}

#[test]
fn an_upgrade_wants_backups_that_were_seen() {
    let mut world = ordinary(8);
    let upgrade = |world: &World| judged(world, &["pve-03"], Action::Upgrade);
    expect(&upgrade(&world), Answer::Warn, Kind::NoBackupSeen);
    let now = Timestamp::from_millisecond(world.now.unix_ms).unwrap();
    world.edit("pve-03", |report| {
        value(&mut report.tasks).backups = Some(crate::fact::tasks::Backups {
            newest_of_guest: [(100, now)].into(),
            ..Default::default()
        });
    });
    assert_eq!(upgrade(&world).answer, Answer::Go);
}

fn without_these(world: &World, things: &[Part]) -> Verdict {
    let scene = world.scene();
    let mut request = request(&[], Action::Reboot);
    request.things.extend(things.iter().cloned());
    check(&scene, &rule::findings(&scene), &request)
}

#[test]
fn a_switch_or_a_corosync_network_that_nobody_needs_may_be_taken_down() {
    let world = ordinary(8);
    let verdict = without_these(&world, &[Part::Network(0)]);
    expect(&verdict, Answer::Go, Kind::PathsGone);
    assert_eq!(
        verdict.sentence,
        "GO - corosync network 0 may be taken down: 8 of 8 votes stay, and 5 are needed"
    );
    let both = without_these(&world, &[Part::Network(0), Part::Network(1)]);
    expect(&both, Answer::NoGo, Kind::VotesShort);
    let nowhere = without_these(&world, &[Part::Switch("sw-z".to_owned())]);
    expect(&nowhere, Answer::Unknown, Kind::VotesUnknown);
}

#[test]
fn every_rule_that_tells_of_lost_redundancy_is_one() {
    for rule in redundancy::WORSE {
        assert!(rule::named(rule).is_some(), "{rule}");
    }
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    assert_eq!(
        serde_json::to_value(Kind::NoMargin).unwrap(),
        Kind::NoMargin.name()
    );
    let subject = Thing::Cluster;
    assert_eq!(subject.to_string(), "the cluster");
}
