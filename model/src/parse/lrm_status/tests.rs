//! The fixtures are written after what pve-ha-manager's sources write; none is a capture.

use jiff::Timestamp;

use super::*;
use crate::fact::ha::{Armed, Ha};

const LRM: &str = include_str!("../../../fixtures/lrm_status/written-active.json");
const MANAGER: &str = include_str!("../../../fixtures/manager_status/written-four-nodes.json");

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

#[track_caller]
fn lrm(text: &str) -> LrmStatus {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

#[track_caller]
fn manager(text: &str) -> ManagerStatus {
    let parsed = parse_manager_status(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

#[test]
fn an_active_lrm_is_read_whole() {
    let status = lrm(LRM);
    assert_eq!(status.mode, Some(LrmMode::Active));
    assert_eq!(status.state, Some(LrmState::Active));
    assert_eq!(status.timestamp, Timestamp::from_second(1_700_000_000).ok());
    let failed = &status.results["g4bJ8aU/1Dkgs0dl3TS1cA"];
    assert_eq!(failed.service.as_deref(), Some("ct:101"));
    assert_eq!(
        (failed.exit_code, failed.state.clone()),
        (Some(7), Some(ServiceState::Started))
    );
    assert!(status.other.is_empty());
}

#[test]
fn the_managers_status_is_read_whole() {
    let status = manager(MANAGER);
    assert_eq!(status.master_node, Some(node("pve-01")));
    assert_eq!(status.timestamp, Timestamp::from_second(1_700_000_004).ok());
    assert_eq!(status.node_status[&node("pve-03")], HaNodeState::Unknown);
    assert_eq!(status.node_request[&node("pve-04")]["maintenance"], 1);
    let services = status.service_status.as_ref().unwrap();
    let vm = &services["vm:100"];
    assert_eq!(vm.state, Some(ServiceState::Migrate));
    assert_eq!(
        (vm.target.clone(), vm.running),
        (Some(node("pve-02")), Some(true))
    );
    assert_eq!(vm.maintenance_node, Some(node("pve-04")));
    assert_eq!(vm.other["cmd"][0], "migrate");
    assert_eq!(services["ct:101"].failed_nodes, ["pve-02"]);
}

#[test]
fn stopped_and_frozen_services_do_not_keep_a_node_armed() {
    let status = manager(MANAGER);
    for (name, services) in [("pve-01", 2), ("pve-02", 0), ("pve-03", 0), ("pve-04", 0)] {
        assert_eq!(
            status.active_services(&node(name)),
            Some(services),
            "{name}"
        );
    }
    assert_eq!(
        manager(r#"{"timestamp":1}"#).active_services(&node("pve-01")),
        None
    );
}

#[test]
fn a_service_that_cannot_be_read_counts_on_every_node() {
    let text = r#"{"service_status":{"vm:1":7,"vm:2":{"node":"pve 1","state":"started"},"vm:3":{"node":"pve2","state":"stopped"}}}"#;
    let parsed = parse_manager_status(text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 2);
    assert_eq!(parsed.bad_lines[0].line, "vm:1: 7");
    assert!(parsed.bad_lines[1].line.starts_with("vm:2.node: \"pve 1\""));
    assert_eq!(parsed.value.active_services(&node("pve9")), Some(2));
}

#[test]
fn disarming_is_read() {
    let status =
        manager(r#"{"timestamp":1,"disarm":{"mode":"freeze","state":"disarmed","nodes":2}}"#);
    let disarm = status.disarm.unwrap();
    assert_eq!(disarm.mode.as_deref(), Some("freeze"));
    assert_eq!(disarm.state, Some(FencingState::Disarmed));
    assert_eq!(disarm.other["nodes"], 2);
}

#[track_caller]
fn check_armed(mode: &str, state: &str, active_services: Option<usize>, expected: Armed) {
    let status = lrm(&format!(r#"{{"mode":"{mode}","state":"{state}"}}"#));
    assert_eq!(
        status.armed(active_services),
        expected,
        "{mode} {state} {active_services:?}"
    );
}

#[test]
fn who_holds_the_lock_holds_the_watchdog_whatever_the_mode() {
    for mode in ["active", "restart", "shutdown", "maintenance", "hyperdrive"] {
        for services in [None, Some(0), Some(3)] {
            check_armed(mode, "active", services, Armed::Yes);
            check_armed(mode, "lost_agent_lock", services, Armed::Yes);
        }
    }
}

#[test]
fn an_active_lrm_that_is_to_disarm_may_have_let_go_already() {
    check_armed("disarm", "active", Some(3), Armed::Unknown);
    check_armed("disarm", "lost_agent_lock", Some(3), Armed::Yes);
}

#[test]
fn who_waits_for_the_lock_holds_no_watchdog() {
    for mode in ["active", "restart", "shutdown", "disarm"] {
        check_armed(mode, "wait_for_agent_lock", None, Armed::No);
    }
}

#[test]
fn in_maintenance_the_services_that_are_still_there_decide() {
    for (services, expected) in [
        (Some(0), Armed::No),
        (Some(1), Armed::Yes),
        (None, Armed::Unknown),
    ] {
        check_armed("maintenance", "maintenance", services, expected);
        check_armed("maintenance", "wait_for_agent_lock", services, expected);
        check_armed("active", "maintenance", services, expected);
    }
}

#[test]
fn an_unknown_or_missing_state_is_never_taken_for_disarmed() {
    check_armed("active", "wait_for_enlightenment", Some(0), Armed::Unknown);
    assert_eq!(lrm(r#"{"mode":"disarm"}"#).armed(Some(0)), Armed::Unknown);
    let parsed = parse(r#"{"state":["active"],"mode":"active"}"#).unwrap();
    assert_eq!(parsed.bad_lines.len(), 1);
    assert_eq!(parsed.value.armed(Some(0)), Armed::Unknown);
    assert_eq!(Ha::default().armed(&node("pve1")), Armed::Unknown);
}

#[test]
fn a_node_in_maintenance_is_judged_by_the_managers_list_of_services() {
    let maintenance = lrm(r#"{"mode":"maintenance","state":"maintenance"}"#);
    let mut ha = Ha {
        lrm: BTreeMap::from([
            (node("pve-01"), maintenance.clone()),
            (node("pve-02"), maintenance),
        ]),
        ..Ha::default()
    };
    assert_eq!(ha.armed(&node("pve-01")), Armed::Unknown);
    ha.manager = Some(manager(MANAGER));
    assert_eq!(ha.armed(&node("pve-01")), Armed::Yes);
    assert_eq!(ha.armed(&node("pve-02")), Armed::No);
}

#[test]
fn numbers_come_as_perl_left_them() {
    let time = |value: &str| lrm(&format!(r#"{{"timestamp":{value}}}"#)).timestamp;
    for value in [
        "1700000000",
        "\"1700000000\"",
        "1700000000.25",
        "\" 1700000000 \"",
    ] {
        assert_eq!(
            time(value),
            Timestamp::from_second(1_700_000_000).ok(),
            "{value}"
        );
    }
    for value in ["1e99", "\"soon\"", "[]", "99999999999999", "1.x"] {
        let Ok(parsed) = parse(&format!(r#"{{"state":"active","timestamp":{value}}}"#)) else {
            continue;
        };
        assert_eq!(parsed.value.timestamp, None, "{value}");
        assert_eq!(parsed.bad_lines.len(), 1, "{value}");
        assert_eq!(parsed.value.state, Some(LrmState::Active));
    }
}

#[test]
fn unknown_words_and_keys_are_kept() {
    let status = lrm(r#"{"mode":"dreaming","state":"active","colour":{"a":[1]}}"#);
    assert_eq!(status.mode, Some(LrmMode::Other("dreaming".into())));
    assert_eq!(status.other["colour"]["a"][0], 1);
}

#[test]
fn one_node_of_the_wrong_form_does_not_lose_the_others() {
    let text = r#"{"node_status":{"pve1":"online","not a node":"online","pve2":3},"node_request":{"pve1":5},"service_status":[]}"#;
    let parsed = parse_manager_status(text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 4);
    assert_eq!(parsed.value.node_status.len(), 1);
    assert_eq!(parsed.value.service_status, None);
}

#[test]
fn blanks_and_line_ends_change_nothing() {
    assert_eq!(lrm(&LRM.replace(',', ",\r\n\t")), lrm(LRM));
    assert_eq!(lrm(LRM.trim_end()), lrm(LRM));
    assert_eq!(lrm(&format!("\u{feff}  {LRM}")), lrm(LRM));
}

#[test]
fn what_is_broken_or_something_else_is_no_status() {
    assert_eq!(parse("\r\n"), Err(Unreadable::Empty));
    assert!(matches!(parse(&LRM[..90]), Err(Unreadable::BadLine(_))));
    assert!(matches!(
        parse("{\"mode\":\"act\u{fffd}"),
        Err(Unreadable::BadLine(_))
    ));
    for foreign in [
        "{}",
        "[]",
        "3",
        "null",
        "cat: lrm_status: No such file or directory",
        "{\"a\":1}",
    ] {
        assert!(
            matches!(parse(foreign), Err(Unreadable::Foreign { .. })),
            "{foreign}"
        );
        assert!(
            matches!(
                parse_manager_status(foreign),
                Err(Unreadable::Foreign { .. })
            ),
            "{foreign}"
        );
    }
    let deep = "[".repeat(100_000);
    assert!(parse(&format!("{{\"mode\":{deep}")).is_err());
}
