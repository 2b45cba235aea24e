//! Nodes with daemons of Ceph: monitors on the first three, two OSDs on each, MDS and managers on the first two.

use std::collections::BTreeSet;

use super::*;
use crate::cluster::{Cluster, limit_ms};
use crate::fact::ceph::{
    Ceph, Daemon, DaemonKind, Health, HealthCheck, HealthStatus, Manager, Mon, MonQuorum, OkToStop,
    Osds,
};
use crate::report::Family;
use crate::rule::Thresholds;
use crate::topology::Site;

pub(super) fn of_nodes(nodes: u32) -> Ceph {
    let on = |kind: DaemonKind, id: u32, name: String| Daemon {
        kind,
        id: name,
        host: crate::cluster::testing::node_name(id).to_string(),
    };
    let named = |kind: DaemonKind, id: u32| {
        let name = crate::cluster::testing::node_name(id).to_string();
        on(kind, id, name)
    };
    let mons = nodes.min(3);
    let mut daemons: Vec<Daemon> = (1..=mons).map(|id| named(DaemonKind::Mon, id)).collect();
    let osd = |id: u32, nth: u32| on(DaemonKind::Osd, id, (id * 2 - 2 + nth).to_string());
    daemons.extend((1..=nodes).flat_map(|id| [osd(id, 0), osd(id, 1)]));
    daemons.extend((1..=2).map(|id| named(DaemonKind::Mds, id)));
    daemons.extend((1..=2).map(|id| named(DaemonKind::Mgr, id)));
    let mon = |daemon: &Daemon| Mon {
        name: Some(daemon.id.clone()),
        ..Mon::default()
    };
    let is_mon = |daemon: &&Daemon| daemon.kind == DaemonKind::Mon;
    Ceph {
        health: Some(Health {
            status: Some(HealthStatus::Ok),
            ..Health::default()
        }),
        quorum: Some(MonQuorum {
            monmap: Some(daemons.iter().filter(is_mon).map(mon).collect()),
            ..MonQuorum::default()
        }),
        osds: Some(Osds {
            total: Some(u64::from(nodes) * 2),
            ..Osds::default()
        }),
        manager: Some(Manager {
            available: Some(true),
            ..Manager::default()
        }),
        daemons: Some(daemons),
        ..Ceph::default()
    }
}

fn with_ceph() -> World {
    let mut world = ordinary(5);
    world.edit_all(|_, report| report.ceph = known(of_nodes(5)));
    world
}

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// Asked a second ago of pve-05.
fn answer(world: &mut World, what: CephDaemons, of: &[&str], said: Result<OkToStop, String>) {
    let answer = CephAnswer {
        question: CephQuestion { what, ids: ids(of) },
        node: name("pve-05"),
        asked_at_ms: world.now.mono_ms - 1_000,
        said,
    };
    world.ceph_answers.push(answer);
}

fn said(what: CephDaemons, of: &[&str], ok: Option<bool>, text: &str) -> OkToStop {
    OkToStop {
        what: Some(what.kind()),
        ids: ids(of).into_iter().collect(),
        ok,
        text: text.to_owned(),
        not_ok_pgs: None,
        inactive_pgs: Vec::new(),
    }
}

fn yes(world: &mut World, what: CephDaemons, of: &[&str]) {
    answer(world, what, of, Ok(said(what, of, Some(true), "")));
}

fn sentences(verdict: &Verdict, kind: Kind) -> Vec<String> {
    let of_kind = verdict.reasons.iter().filter(|reason| reason.kind == kind);
    of_kind.map(|reason| reason.sentence.clone()).collect()
}

fn asked(world: &World, nodes: &[&str], action: Action) -> Option<(Vec<String>, Vec<String>)> {
    let asking = ceph_asking(&world.scene(), &request(nodes, action))?;
    let questions = asking.questions.iter().map(ToString::to_string);
    let of = asking.of.iter().map(ToString::to_string);
    Some((questions.collect(), of.collect()))
}

#[test]
fn all_daemons_of_the_nodes_are_asked_about_as_a_set_on_nodes_that_stay() {
    let world = with_ceph();
    let strings = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let (questions, of) = asked(&world, &["pve-02"], Action::Reboot).unwrap();
    assert_eq!(questions, ["monitor pve-02", "OSDs 2 and 3", "MDS pve-02"]);
    assert_eq!(of, strings(&["pve-01", "pve-03", "pve-04", "pve-05"]));
    let (questions, of) = asked(&world, &["pve-01", "pve-02"], Action::Network).unwrap();
    assert_eq!(
        questions,
        [
            "monitors pve-01 and pve-02",
            "OSDs 0, 1, 2 and 3",
            "MDS pve-01 and pve-02"
        ]
    );
    assert_eq!(of, strings(&["pve-03", "pve-04", "pve-05"]));
    let (questions, _) = asked(&world, &["pve-05"], Action::Shutdown).unwrap();
    assert_eq!(questions, ["OSDs 8 and 9"]);
    assert_eq!(asked(&ordinary(5), &["pve-05"], Action::Reboot), None);
}

#[test]
fn ceph_is_go_only_with_a_yes_to_every_question() {
    let mut world = with_ceph();
    let not_asked = reboot(&world, "pve-03");
    expect(&not_asked, Answer::Unknown, Kind::CephNotAsked);
    assert_eq!(
        not_asked.sentence,
        "UNKNOWN - whether pve-03 may be rebooted cannot be said: whether monitor pve-03 on pve-03 may be stopped is not \
         known: nobody has asked Ceph (and 1 more)"
    );
    yes(&mut world, CephDaemons::Osd, &["4", "5"]);
    expect(&reboot(&world, "pve-03"), Answer::Unknown, Kind::CephOk);
    yes(&mut world, CephDaemons::Mon, &["pve-03"]);
    let verdict = reboot(&world, "pve-03");
    expect(&verdict, Answer::Go, Kind::CephOk);
    assert_eq!(
        sentences(&verdict, Kind::CephOk),
        [
            "Ceph says that monitor pve-03 on pve-03 may be stopped",
            "Ceph says that OSDs 4 and 5 on pve-03 may be stopped"
        ]
    );
    // Each for itself is not both together.
    yes(&mut world, CephDaemons::Osd, &["6", "7"]);
    let both = judged(&world, &["pve-03", "pve-04"], Action::Reboot);
    assert_eq!(sentences(&both, Kind::CephNotAsked).len(), 1, "{both:?}");
}

#[test]
fn a_no_of_ceph_is_no_go_in_its_own_words() {
    let mut world = with_ceph();
    yes(&mut world, CephDaemons::Mon, &["pve-03"]);
    let (osds, text) = (
        ["4", "5"],
        "Error EBUSY: unsafe to stop osd(s) at this time",
    );
    let mut no = said(CephDaemons::Osd, &osds, Some(false), text);
    no.inactive_pgs = (0..7).map(|nth| format!("1.{nth}")).collect();
    answer(&mut world, CephDaemons::Osd, &osds, Ok(no.clone()));
    let verdict = reboot(&world, "pve-03");
    expect(&verdict, Answer::NoGo, Kind::CephNotOk);
    assert_eq!(
        sentences(&verdict, Kind::CephNotOk),
        [
            "Ceph says that OSDs 4 and 5 on pve-03 must not be stopped now: Error EBUSY: unsafe to stop osd(s) at this time; \
             placement groups that would wait: 1.0, 1.1, 1.2, 1.3, 1.4 and 2 more"
        ]
    );
    let blocker = verdict.of_weight(Weight::Blocker).next().unwrap();
    assert!(!blocker.remedy.is_empty() && !blocker.way_back.is_empty());
    assert_eq!(blocker.evidence[0].age_ms, 1_000);
    // A no need not name them.
    no.ids.clear();
    world.ceph_answers.pop();
    answer(&mut world, CephDaemons::Osd, &osds, Ok(no));
    expect(&reboot(&world, "pve-03"), Answer::NoGo, Kind::CephNotOk);
}

#[track_caller]
fn check_no_answer(said: Result<OkToStop, String>, age_ms: u64, expect_part: &str) {
    let mut world = with_ceph();
    answer(&mut world, CephDaemons::Osd, &["8", "9"], said);
    world.ceph_answers[0].asked_at_ms = world.now.mono_ms - age_ms;
    let verdict = reboot(&world, "pve-05");
    expect(&verdict, Answer::Unknown, Kind::CephNoAnswer);
    let told = sentences(&verdict, Kind::CephNoAnswer);
    assert!(told[0].contains(expect_part), "{told:?}");
}

#[test]
fn an_answer_that_is_old_of_others_without_names_or_none_is_no_evidence() {
    let osds = ["8", "9"];
    let yes = || said(CephDaemons::Osd, &osds, Some(true), "");
    check_no_answer(Ok(yes()), OLDEST_ANSWER_MS + 1, "older than 20 s");
    check_no_answer(
        Err("pve-01 did not answer within 4 s".to_owned()),
        0,
        "within 4 s",
    );
    let mut of_others = yes();
    of_others.ids = vec!["8".to_owned()];
    check_no_answer(Ok(of_others), 0, "is about others");
    let mut of_others = yes();
    of_others.what = Some(DaemonKind::Mon);
    check_no_answer(Ok(of_others), 0, "is about others");
    let mut of_nobody = yes();
    of_nobody.ids.clear();
    check_no_answer(Ok(of_nobody), 0, "names no daemon");
    let text = "Error EAGAIN: 5 pgs have unknown state; cannot draw any conclusions";
    let unclear = said(CephDaemons::Osd, &osds, None, text);
    check_no_answer(Ok(unclear), 0, "unknown state");
}

#[test]
fn a_node_without_daemons_is_not_asked_about_and_one_whose_daemons_are_not_known_is_unknown() {
    let without = |world: &mut World, node: &str| {
        world.edit_all(|_, report| {
            let ceph = value(&mut report.ceph);
            let daemons = ceph.daemons.as_mut().unwrap();
            daemons.retain(|daemon| daemon.host != node);
            ceph.osds.as_mut().unwrap().total = Some(8);
        });
    };
    let mut world = with_ceph();
    without(&mut world, "pve-04");
    let verdict = reboot(&world, "pve-04");
    assert_eq!(verdict.answer, Answer::Go, "{}", verdict.sentence);
    // One OSD that nobody knows the place of may be anywhere.
    world.edit_all(|_, report| {
        value(&mut report.ceph).osds.as_mut().unwrap().total = Some(9);
    });
    let verdict = reboot(&world, "pve-04");
    expect(&verdict, Answer::Unknown, Kind::CephNotAsked);
    let told = sentences(&verdict, Kind::CephNotAsked);
    assert!(
        told[0].contains("of 9 OSDs the monitors say of 8"),
        "{told:?}"
    );
    // So may a monitor.
    let mut world = with_ceph();
    world.edit_all(|_, report| {
        let daemons = value(&mut report.ceph).daemons.as_mut().unwrap();
        daemons.retain(|daemon| daemon.id != "pve-01");
    });
    let told = sentences(&reboot(&world, "pve-05"), Kind::CephNotAsked);
    assert!(told[0].contains("where the monitor pve-01 is"), "{told:?}");
}

#[test]
fn what_a_node_does_not_tell_of_ceph_is_unknown_and_of_a_silent_one_the_others_tell() {
    let mut world = with_ceph();
    yes(&mut world, CephDaemons::Osd, &["8", "9"]);
    assert_eq!(reboot(&world, "pve-05").answer, Answer::Go);
    let limit = limit_ms(Family::Ceph).cast_signed();
    let seen = &mut world.cluster.nodes.get_mut(&name("pve-05")).unwrap().seen;
    seen.facts.get_mut(&Family::Ceph).unwrap().read_at_ms -= limit + 1;
    expect(
        &reboot(&world, "pve-05"),
        Answer::Unknown,
        Kind::CephNotAsked,
    );
    // It says that it has none, as it does without /etc/pve; the monitors know better.
    world.edit("pve-05", |report| report.ceph = Reading::Absent);
    world.ceph_answers.clear();
    expect(
        &reboot(&world, "pve-05"),
        Answer::Unknown,
        Kind::CephNotAsked,
    );
    let mut world = with_ceph();
    world.leave(5);
    world.hearing("pve-05", Hearing::Silent);
    expect(
        &reboot(&world, "pve-05"),
        Answer::Unknown,
        Kind::CephNotAsked,
    );
    yes(&mut world, CephDaemons::Osd, &["8", "9"]);
    expect(&reboot(&world, "pve-05"), Answer::Warn, Kind::CephOk);
}

#[test]
fn where_nobody_who_stays_has_ceph_nobody_can_ask() {
    let mut world = with_ceph();
    for node in ["pve-01", "pve-02", "pve-03", "pve-04"] {
        world.edit(node, |report| report.ceph = Reading::Absent);
    }
    assert_eq!(asked(&world, &["pve-05"], Action::Reboot), None);
    let told = sentences(&reboot(&world, "pve-05"), Kind::CephNotAsked);
    assert!(told[0].contains("could ask"), "{told:?}");
}

#[test]
fn more_osds_than_can_be_asked_about_at_once_are_unknown() {
    let mut world = with_ceph();
    world.edit_all(|_, report| {
        let ceph = value(&mut report.ceph);
        let more = (10..80).map(|id: u32| Daemon {
            kind: DaemonKind::Osd,
            id: id.to_string(),
            host: "pve-05.example.com".to_owned(),
        });
        ceph.daemons.as_mut().unwrap().extend(more);
        ceph.osds.as_mut().unwrap().total = Some(80);
    });
    let told = sentences(&reboot(&world, "pve-05"), Kind::CephNotAsked);
    let expect = "OSDs 8, 9, 10, 11, 12, 13, 14, 15 and 64 more on pve-05 may be stopped is not known: 72 are more than the 64";
    assert!(told[0].contains(expect), "{told:?}");
}

fn complains(world: &mut World, name: &str, severity: &HealthStatus, summary: &str) {
    world.edit_all(|_, report| {
        let health = value(&mut report.ceph).health.as_mut().unwrap();
        health.status = Some(severity.clone());
        health.checks = vec![HealthCheck {
            name: Some(name.to_owned()),
            severity: Some(severity.clone()),
            summary: Some(summary.to_owned()),
            ..HealthCheck::default()
        }];
    });
}

#[test]
fn health_that_is_worse_than_usual_is_a_warning_and_what_is_set_for_a_maintenance_a_note() {
    let check = |name: &str, severity: HealthStatus, summary: &str, answer| {
        let mut world = with_ceph();
        yes(&mut world, CephDaemons::Osd, &["8", "9"]);
        complains(&mut world, name, &severity, summary);
        let verdict = reboot(&world, "pve-05");
        expect(&verdict, answer, Kind::CephHealth);
        let told = sentences(&verdict, Kind::CephHealth);
        assert!(told[0].contains(summary), "{told:?}");
    };
    use HealthStatus::{Err, Warn};
    check("OSD_DOWN", Warn, "1 osds down", Answer::Warn);
    check(
        "PG_DEGRADED",
        Warn,
        "Degraded data redundancy",
        Answer::Warn,
    );
    check("SOMETHING_NEW", Warn, "nobody knows it", Answer::Warn);
    check(
        "RECENT_CRASH",
        Warn,
        "1 daemons have recently crashed",
        Answer::Go,
    );
    check(
        "RECENT_CRASH",
        Err,
        "1 daemons have recently crashed",
        Answer::Warn,
    );
    check("OSDMAP_FLAGS", Warn, "noout flag(s) set", Answer::Go);
    check(
        "OSDMAP_FLAGS",
        Warn,
        "noout,norebalance flag(s) set",
        Answer::Go,
    );
    check(
        "OSDMAP_FLAGS",
        Warn,
        "noout,norecover flag(s) set",
        Answer::Warn,
    );
    check(
        "OSDMAP_FLAGS",
        Warn,
        "pauserd,pausewr flag(s) set",
        Answer::Warn,
    );
    // That it cannot be seen is a warning, too.
    let mut world = with_ceph();
    yes(&mut world, CephDaemons::Osd, &["8", "9"]);
    world.edit_all(|_, report| value(&mut report.ceph).health = None);
    expect(&reboot(&world, "pve-05"), Answer::Warn, Kind::CephHealth);
    world.edit_all(|_, report| {
        value(&mut report.ceph).health = Some(Health {
            status: Some(Warn),
            ..Health::default()
        });
    });
    expect(&reboot(&world, "pve-05"), Answer::Warn, Kind::CephHealth);
}

#[test]
fn the_only_manager_is_a_warning_and_one_of_two_is_not() {
    let mut world = with_ceph();
    for (what, of) in [
        (CephDaemons::Mon, ["pve-01"].as_slice()),
        (CephDaemons::Osd, &["0", "1"]),
        (CephDaemons::Mds, &["pve-01"]),
    ] {
        yes(&mut world, what, of);
    }
    assert_eq!(reboot(&world, "pve-01").answer, Answer::Go);
    world.edit_all(|_, report| {
        let daemons = value(&mut report.ceph).daemons.as_mut().unwrap();
        daemons.retain(|daemon| daemon.kind != DaemonKind::Mgr || daemon.host != "pve-02");
    });
    expect(&reboot(&world, "pve-01"), Answer::Warn, Kind::CephManager);
}

#[test]
fn a_switch_that_ceph_may_need_is_unknown() {
    let world = with_ceph();
    let mut request = Request::of_nodes([], Action::Reboot);
    request.things.insert(Part::Network(1));
    let judged = |world: &World| {
        let scene = world.scene();
        check(&scene, &rule::findings(&scene), &request)
    };
    expect(&judged(&world), Answer::Unknown, Kind::CephNotAsked);
    assert_eq!(ceph_asking(&world.scene(), &request), None);
    assert_eq!(
        sentences(&judged(&ordinary(5)), Kind::CephNotAsked).len(),
        0
    );
}

#[test]
fn by_its_own_word_a_node_with_ceph_is_unknown() {
    let world = with_ceph();
    let seen = &world.cluster.nodes[&name("pve-05")].seen;
    let mut alone = Cluster::default();
    alone.apply(&name("pve-05"), seen.clone(), world.now);
    let (thresholds, site) = (Thresholds::default(), Site::default());
    let scene = Scene::new(&alone, world.now, &thresholds, &site);
    let verdict = check_local(&scene, &[], &name("pve-05"), Action::Reboot);
    expect(&verdict, Answer::Unknown, Kind::CephNotAsked);
}
