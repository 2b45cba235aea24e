use super::*;
use crate::fact::ceph::{DaemonKind, HealthStatus, OkToStop};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/ceph/written-", $name))
    };
}

#[track_caller]
fn ceph(text: &str) -> Ceph {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

#[track_caller]
fn check_health(text: &str, status: Option<HealthStatus>, checks: usize) {
    let health = ceph(text).health.unwrap();
    assert_eq!(
        (health.status, health.checks.len()),
        (status, checks),
        "{text}"
    );
}

#[test]
fn the_monitors_in_quorum_and_those_that_should_be_are_told_apart() {
    let ceph = ceph(fixture!("quincy-quorum_status.json"));
    let quorum = ceph.quorum.unwrap();
    assert_eq!(quorum.names.unwrap(), ["pve-01", "pve-03"]);
    assert_eq!(quorum.ranks.unwrap(), [0, 2]);
    assert_eq!(quorum.leader.as_deref(), Some("pve-01"));
    assert_eq!(quorum.election_epoch, Some(46));
    let monmap = quorum.monmap.unwrap();
    assert_eq!(monmap.len(), 3);
    assert_eq!(monmap[1].name.as_deref(), Some("pve-02"));
    assert_eq!(
        ceph.fsid.as_deref(),
        Some("0b6d9c0e-9a43-4f0e-8e7c-5f3c2a1d7b10")
    );
    assert_eq!(ceph.health, None);
}

#[test]
fn health_detail_names_its_checks_and_which_are_muted() {
    let health = ceph(fixture!("quincy-health-detail.json")).health.unwrap();
    assert_eq!(health.status, Some(HealthStatus::Warn));
    let down = &health.checks[0];
    assert_eq!(down.name.as_deref(), Some("MON_DOWN"));
    assert_eq!((down.muted, down.count), (Some(false), Some(1)));
    assert!(down.detail[0].contains("out of quorum"));
    assert_eq!(health.checks[1].muted, Some(true));
    assert_eq!(health.mutes, ["OSDMAP_FLAGS"]);
}

#[test]
fn status_holds_everything_at_once() {
    let ceph = ceph(fixture!("quincy-status.json"));
    let osds = ceph.osds.unwrap();
    assert_eq!(
        (osds.total, osds.up, osds.r#in),
        (Some(12), Some(11), Some(12))
    );
    assert_eq!((osds.full, osds.nearfull), (None, None));
    let pgs = ceph.pgs.unwrap();
    assert_eq!(
        pgs.by_state[1].state.as_deref(),
        Some("active+undersized+degraded")
    );
    assert_eq!(pgs.by_state[1].count, Some(9));
    assert_eq!(ceph.quorum.unwrap().monitors, Some(3));
    assert_eq!(ceph.manager.unwrap().standbys, Some(2));
    assert_eq!(ceph.health.unwrap().status, Some(HealthStatus::Warn));
}

#[test]
fn a_report_counts_its_osds_and_its_head_is_no_bad_line() {
    let ceph = ceph(fixture!("luminous-report.txt"));
    let osds = ceph.osds.unwrap();
    assert_eq!(
        (osds.total, osds.up, osds.r#in),
        (Some(2), Some(1), Some(2))
    );
    assert_eq!(osds.flags.unwrap(), ["noout", "sortbitwise"]);
    assert_eq!(ceph.pgs.unwrap().by_state[1].count, Some(4));
    assert_eq!(ceph.version.as_deref(), Some("12.2.13"));
    // Luminous sets `overall_status` to a warning of its own.
    let health = ceph.health.unwrap();
    assert_eq!(
        (health.status, health.checks.len()),
        (Some(HealthStatus::Ok), 0)
    );
}

#[test]
fn health_is_found_where_each_release_puts_it() {
    let jewel = r#"{"health":{"health_services":[]},"summary":[{"severity":"HEALTH_WARN","summary":"x"}],
        "overall_status":"HEALTH_WARN","detail":["y"]}"#;
    check_health(jewel, Some(HealthStatus::Warn), 1);
    let nested = format!(r#"{{"health":{jewel},"pgmap":{{}}}}"#);
    check_health(&nested, Some(HealthStatus::Warn), 1);
    check_health(r#"{"health":"HEALTH_OK"}"#, Some(HealthStatus::Ok), 0);
    check_health(
        r#"{"health":{"health":"HEALTH_ERR"}}"#,
        Some(HealthStatus::Err),
        0,
    );
    check_health(r#"{"checks":{}}"#, None, 0);
    check_health("HEALTH_OK\r\n", Some(HealthStatus::Ok), 0);
    check_health(
        "HEALTH_WARN 1 osds down; 1 host down",
        Some(HealthStatus::Warn),
        2,
    );
}

#[test]
fn an_empty_health_is_unknown_and_never_ok() {
    let text =
        r#"{"health":{},"pgmap":{"pgs_by_state":[{"state_name":"active+clean","count":"1800"}]}}"#;
    let ceph = ceph(text);
    assert_eq!(ceph.health, None);
    assert_eq!(ceph.quorum, None);
    assert_eq!(ceph.pgs.unwrap().by_state[0].count, Some(1800));
}

#[test]
fn plain_detail_gives_names_details_and_mutes() {
    let text = fixture!("octopus-health-detail.txt");
    let health = ceph(text).health.unwrap();
    let names: Vec<_> = health
        .checks
        .iter()
        .filter_map(|check| check.name.as_deref())
        .collect();
    assert_eq!(names, ["OSDMAP_FLAGS", "OSD_DOWN", "PG_DEGRADED"]);
    assert_eq!(health.checks[0].muted, Some(true));
    assert_eq!(health.checks[1].severity, Some(HealthStatus::Warn));
    assert_eq!(health.checks[2].detail.len(), 2);
    let crlf_and_indented = text
        .lines()
        .map(|line| format!("  {line}\r\n"))
        .collect::<String>();
    assert_eq!(ceph(&crlf_and_indented).health.unwrap(), health);
}

#[test]
fn one_value_of_a_wrong_kind_loses_nothing_else() {
    let text = r#"{"quorum":[0,"one",2],"quorum_names":["a",{},"c"],"election_epoch":[],
        "osdmap":{"num_osds":"12","num_up_osds":-1},"pgmap":7,"health":{"status":5,"checks":{"A_B":1}}}"#;
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 7, "{:#?}", parsed.bad_lines);
    let quorum = parsed.value.quorum.unwrap();
    assert_eq!(quorum.ranks.unwrap(), [0, 2]);
    assert_eq!(quorum.names.unwrap(), ["a", "c"]);
    let osds = parsed.value.osds.unwrap();
    assert_eq!((osds.total, osds.up), (Some(12), None));
    assert_eq!(parsed.value.health.unwrap().status, None);
}

#[test]
fn errors_foreign_texts_and_cut_texts_are_no_answer() {
    for said in [
        "[errno 110] RADOS timed out (error connecting to the cluster)",
        "Error initializing cluster client: ObjectNotFound('RADOS object not found (error calling conf_read_file)')",
        "2024-05-02T09:12:44.120+0000 7f1 -1 auth: unable to find a keyring on /etc/pve/priv/x: (2) No such file or directory",
        "Error EACCES: access denied",
        "bash: ceph: command not found",
    ] {
        assert!(
            matches!(parse(said), Err(Unreadable::ToolFailed { .. })),
            "{said}"
        );
    }
    assert_eq!(parse(" \r\n"), Err(Unreadable::Empty));
    assert!(matches!(parse("hello"), Err(Unreadable::Foreign { .. })));
    assert!(matches!(
        parse(r#"{"active":true,"mode":"upmap"}"#),
        Err(Unreadable::Foreign { .. })
    ));
    let status = fixture!("quincy-status.json");
    for length in (2..status.len() - 2).step_by(7) {
        assert!(parse(&status[..length]).is_err(), "{length}");
    }
}

#[track_caller]
fn check_stop(what: DaemonKind, text: &str, ids: &[&str], ok: Option<bool>) {
    let answer = stop(Some(what), text).unwrap();
    assert_eq!(
        (answer.ids, answer.ok),
        (ids.iter().map(|id| (*id).to_owned()).collect(), ok)
    );
}

fn stop(what: Option<DaemonKind>, text: &str) -> Result<OkToStop, Unreadable> {
    ok_to_stop::parse(what, &["3".to_owned()], text).map(|parsed| parsed.value)
}

#[test]
fn a_yes_is_a_yes_in_cephs_own_words_only() {
    use DaemonKind::{Mds, Mon, Osd};
    check_stop(
        Osd,
        fixture!("quincy-osd-ok-to-stop-yes.json"),
        &["3"],
        Some(true),
    );
    check_stop(
        Osd,
        fixture!("quincy-osd-ok-to-stop-no.txt"),
        &["3", "4"],
        Some(false),
    );
    check_stop(
        Mon,
        "quorum should be preserved (a,b) after stopping [c]\n",
        &["c"],
        Some(true),
    );
    let no = "Error EBUSY: not enough monitors would be available (a) after stopping mons [b,c]";
    check_stop(Mon, no, &["b", "c"], Some(false));
    check_stop(
        Mds,
        "should be safe to stop mds.pve-01\r\n",
        &["pve-01"],
        Some(true),
    );
    check_stop(
        Mds,
        "Error EBUSY: one or more filesystems is currently degraded",
        &["3"],
        Some(false),
    );
    let yes = "OSD(s) 3,4 are ok to stop without reducing availability or risking data, provided there are no \
               other concurrent failures or interventions.\n2 PGs are likely to be degraded\n";
    check_stop(Osd, yes, &["3", "4"], Some(true));
    let no = "Error EBUSY: 4 PGs are already too degraded, would become too degraded or might become unavailable";
    check_stop(Osd, no, &["3"], Some(false));
    check_stop(
        Osd,
        "Error EAGAIN: 5 pgs have unknown state; cannot draw any conclusions",
        &["3"],
        None,
    );
}

#[test]
fn a_yes_that_contradicts_itself_is_unknown() {
    for text in [
        r#"{"ok_to_stop":true,"osds":[3],"num_not_ok_pgs":2}"#,
        r#"{"ok_to_stop":true,"osds":[3],"unknown_pgs":["1.0"]}"#,
        "{\"ok_to_stop\":true,\"osds\":[3]}\nError EBUSY: unsafe to stop osd(s) at this time",
        r#"{"ok_to_stop":"true","osds":[3]}"#,
    ] {
        check_stop(DaemonKind::Osd, text, &["3"], None);
    }
    let text =
        "quorum should be preserved (a) after stopping [3]\nError EBUSY: not enough monitors";
    check_stop(DaemonKind::Mon, text, &["3"], None);
}

#[test]
fn what_cannot_be_read_is_never_a_yes() {
    for text in [
        "ok",
        "",
        "true",
        "HEALTH_OK",
        "not ok to stop",
        r#"{"health":"HEALTH_OK"}"#,
        r#"{"ok_to_stop":tru"#,
        "Error ENOENT: osd.99 does not exist",
        "Error EINVAL: must specify one or more OSDs",
        "[errno 110] RADOS timed out (error connecting to the cluster)",
    ] {
        assert!(stop(Some(DaemonKind::Osd), text).is_err(), "{text}");
    }
}

#[test]
fn an_answer_about_other_daemons_is_not_taken() {
    let about_osds = fixture!("quincy-osd-ok-to-stop-yes.json");
    assert!(stop(Some(DaemonKind::Mon), about_osds).is_err());
    let about_mons = "quorum should be preserved (a,b) after stopping [c]";
    assert!(stop(Some(DaemonKind::Osd), about_mons).is_err());
    assert_eq!(stop(None, about_mons).unwrap().what, Some(DaemonKind::Mon));
}

#[test]
fn every_daemon_has_its_host_and_half_a_list_is_none() {
    let daemons = ceph(fixture!("quincy-node_ls.json")).daemons.unwrap();
    let on = |host: &str| {
        let there = daemons.iter().filter(|daemon| daemon.host == host);
        let names = there.map(|daemon| format!("{}.{}", daemon.kind, daemon.id));
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(on("pve-03"), "mon.pve-03 osd.3 osd.4 mds.pve-03");
    assert_eq!(on("pve-02"), "mon.pve-02 osd.2 mgr.pve-02");
    for half in [
        r#"{"mon":{"a":["a"]},"osd":{"a":[0,{}]},"mds":{}}"#,
        r#"{"mon":{"a":["a"]},"osd":{"a":[0,null]},"mds":{}}"#,
        r#"{"mon":{"a":["a"]},"osd":{"a":[0]},"mds":[7]}"#,
        r#"{"mon":{"a":["a"]},"osd":{"a":[0]},"mgr":null}"#,
    ] {
        assert!(
            parse(half).is_err() || ceph_anyhow(half).daemons.is_none(),
            "{half}"
        );
    }
    // `ceph status` has maps of other names.
    assert_eq!(ceph(fixture!("quincy-status.json")).daemons, None);
}

fn ceph_anyhow(text: &str) -> Ceph {
    parse(text).unwrap().value
}

macro_rules! captured {
    ($name:literal) => {
        include_str!(concat!(
            "../../../fixtures/ceph/captured-pacific-16.2.15-",
            $name
        ))
    };
}

/// One monitor, three OSDs, an MDS with a standby, pools of two copies.
#[test]
fn what_a_real_ceph_said_is_read_as_it_was_meant() {
    use DaemonKind::{Mds, Mon, Osd};
    let check = |what: DaemonKind, text: &str, ids: &[&str], ok: Option<bool>| {
        let parsed = ok_to_stop::parse(Some(what), &[], text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        assert_eq!(parsed.value.ids, ids, "{text}");
        assert_eq!(parsed.value.ok, ok, "{text}");
        parsed.value
    };
    let yes = captured!("osd-ok-to-stop-yes.json");
    check(Osd, yes, &["0"], Some(true));
    let no = captured!("osd-ok-to-stop-no.txt");
    let no = check(Osd, no, &["0", "1"], Some(false));
    assert_eq!(no.not_ok_pgs, Some(11));
    assert_eq!(no.inactive_pgs.len(), 12, "one of them twice");
    assert!(no.text.contains("unsafe to stop osd(s)"), "{}", no.text);
    let no = captured!("mon-ok-to-stop-no.txt");
    check(Mon, no, &["pve-01"], Some(false));
    // It is spelt like that.
    let no = captured!("mds-ok-to-stop-no.txt");
    let no = check(Mds, no, &[], Some(false));
    assert!(no.text.contains("insufficent standby"), "{}", no.text);
    let yes = captured!("mds-ok-to-stop-yes.txt");
    check(Mds, yes, &["pve-01"], Some(true));
    // Both are not there at all.
    check(
        Osd,
        captured!("osd-ok-to-stop-unknown.json"),
        &["99"],
        Some(true),
    );
    let unknown = captured!("mon-ok-to-stop-unknown.txt");
    check(Mon, unknown, &["nobody"], Some(true));
}

#[test]
fn what_a_real_ceph_says_of_its_daemons_and_of_noout_is_read() {
    let daemons = ceph(captured!("node_ls.json")).daemons.unwrap();
    assert!(daemons.iter().all(|daemon| daemon.host == "pve-01"));
    let of_kind = |kind: DaemonKind| daemons.iter().filter(|daemon| daemon.kind == kind).count();
    let kinds = [
        DaemonKind::Mon,
        DaemonKind::Osd,
        DaemonKind::Mds,
        DaemonKind::Mgr,
    ];
    assert_eq!(kinds.map(of_kind), [1, 3, 2, 1]);
    let health = ceph(captured!("health-noout.json")).health.unwrap();
    let flags = health.checks.iter();
    let mut flags = flags.filter(|check| check.name.as_deref() == Some("OSDMAP_FLAGS"));
    let summary = flags.next().unwrap().summary.as_deref();
    assert_eq!(summary, Some("noout flag(s) set"));
}
