//! The fixtures are written after what pve-ha-manager's sources print; none is a capture.

use super::*;
use crate::fact::ha::LrmState;

const ARMED: &str = include_str!("../../../fixtures/ha_status/written-pve9-armed");
const VERBOSE: &str = include_str!("../../../fixtures/ha_status/written-pve8-verbose");

#[track_caller]
fn read(text: &str) -> HaStatus {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

#[track_caller]
fn check_bad(text: &str, line_number: usize, why: &str) -> HaStatus {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 1, "{:?}", parsed.bad_lines);
    assert_eq!(parsed.bad_lines[0].line_number, line_number);
    assert!(
        parsed.bad_lines[0].why.contains(why),
        "{}",
        parsed.bad_lines[0]
    );
    parsed.value
}

#[test]
fn the_lines_of_a_recent_version_are_read_whole() {
    let status = read(ARMED);
    assert_eq!(status.quorate, Some(true));
    let master = status.master.unwrap();
    assert_eq!(
        (master.node.as_str(), master.state),
        ("pve-01", Some(HaManagerState::Active))
    );
    assert_eq!(
        master.local_time.unwrap().to_string(),
        "2026-08-19T17:22:51"
    );
    assert_eq!(
        master.note.as_deref(),
        Some("dynamic load CRS (load imbalance: 2.9%)")
    );
    let fencing = status.fencing.unwrap();
    assert_eq!(fencing.state, FencingState::Armed);
    assert_eq!(fencing.crm_watchdog, Some(Watchdog::Active));
    let lrms: Vec<_> = status
        .lrms
        .iter()
        .map(|lrm| (lrm.state.clone().unwrap(), lrm.watchdog.clone()))
        .collect();
    assert_eq!(
        lrms,
        [
            (HaManagerState::Idle, Some(Watchdog::Standby)),
            (HaManagerState::Active, Some(Watchdog::Active)),
            (HaManagerState::Maintenance, Some(Watchdog::Active)),
            (HaManagerState::OldTimestamp, Some(Watchdog::Standby)),
            (HaManagerState::Unreadable, None),
        ]
    );
    assert_eq!(
        status.lrms[1].local_time.unwrap().to_string(),
        "2026-08-05T17:22:55"
    );
    assert_eq!(status.lrms[4].local_time, None);
    assert_eq!(status.services[1].id, "vm:100");
    assert_eq!(status.services[1].state, Some(ServiceState::Started));
    assert_eq!(
        (
            status.services[2].node.clone(),
            status.services[2].state.clone()
        ),
        (None, Some(ServiceState::NotFound))
    );
}

#[test]
fn a_disarmed_cluster_says_how() {
    let text = "fencing disarmed, resource mode: freeze (CRM watchdog released)\n\
                lrm a (disarm mode, watchdog released, Wed Aug 19 17:22:54 2026)\n\
                service vm:1 (a, ignore)\n";
    let status = read(text);
    let fencing = status.fencing.unwrap();
    assert_eq!(fencing.state, FencingState::Disarmed);
    assert_eq!(fencing.resource_mode.as_deref(), Some("freeze"));
    assert_eq!(fencing.crm_watchdog, Some(Watchdog::Released));
    assert_eq!(status.lrms[0].state, Some(HaManagerState::Disarm));
    assert_eq!(status.services[0].state, Some(ServiceState::Ignored));
}

#[test]
fn the_json_of_the_verbose_form_is_read_too() {
    let status = read(VERBOSE);
    assert_eq!(status.lrms.len(), 2);
    let full = status.full.unwrap();
    assert_eq!(
        (full.node.unwrap().as_str(), full.quorate),
        ("pve-01", Some(true))
    );
    assert_eq!(
        full.lrm[&NodeName::new("pve-02").unwrap()].state,
        Some(LrmState::WaitForAgentLock)
    );
    let services = full.manager.unwrap().service_status.unwrap();
    assert_eq!(services["vm:100"].state, Some(ServiceState::Started));
}

#[test]
fn json_that_is_cut_off_leaves_the_lines_before_it() {
    let cut: String = VERBOSE.chars().take(600).collect();
    let status = check_bad(&cut, cut.lines().count(), "EOF");
    assert_eq!((status.lrms.len(), status.full), (2, None));
    check_bad("quorum OK\nfull cluster state:\n", 2, "nothing in it");
}

#[test]
fn no_quorum_is_said() {
    let status = read(
        "quorum No quorum on node 'pve1'!\nlrm pve1 (lost_agent_lock, Wed Nov 23 11:07:19 2016)\n",
    );
    assert_eq!(status.quorate, Some(false));
    assert_eq!(status.quorum.as_deref(), Some("No quorum on node 'pve1'!"));
    assert_eq!(status.lrms[0].state, Some(HaManagerState::LostAgentLock));
    assert_eq!(check_bad("quorum perhaps\n", 1, "neither").quorate, None);
}

#[test]
fn words_of_a_newer_version_are_kept() {
    let status = read("service vm:1 (a, teleport, soon)\nlrm a (dreaming)\nmaster a\n");
    assert_eq!(
        status.services[0].state,
        Some(ServiceState::Other("teleport".into()))
    );
    assert_eq!(status.services[0].note.as_deref(), Some("soon"));
    assert_eq!(
        status.lrms[0].state,
        Some(HaManagerState::Other("dreaming".into()))
    );
    assert_eq!(status.master.unwrap().state, None);
}

#[test]
fn a_bad_line_does_not_lose_the_others() {
    let status = check_bad(
        "lrm not/a/node (idle)\nlrm b (idle)\n",
        1,
        "not a node name",
    );
    assert_eq!(status.lrms.len(), 1);
    let status = check_bad(
        "lrm b (active, Wed Foo 23 11:07:23 2016)\n",
        1,
        "not a time",
    );
    assert_eq!(status.lrms[0].state, Some(HaManagerState::Active));
    let status = check_bad("service vm:1 (a/b, started)\n", 1, "not a node name");
    assert_eq!(status.services[0].state, Some(ServiceState::Started));
    check_bad("quorum OK\nservice\n", 2, "missing");
    check_bad("quorum OK\nfencing (CRM watchdog active)\n", 2, "missing");
}

#[test]
fn a_line_that_is_cut_off_gives_only_what_is_whole() {
    let status = check_bad("quorum OK\nlrm a (active, Wed Nov 2", 2, "never closed");
    assert_eq!(status.lrms[0].state, Some(HaManagerState::Active));
    let status = check_bad("quorum OK\nlrm a (wait_for", 2, "never closed");
    assert_eq!(status.lrms[0].state, None);
}

#[test]
fn line_ends_tabs_and_indentation_change_nothing() {
    let expected = read(VERBOSE);
    assert_eq!(read(&VERBOSE.replace('\n', "\r\n")), expected);
    assert_eq!(read(VERBOSE.trim_end()), expected);
    let indented: String = VERBOSE
        .lines()
        .map(|line| format!("\t  {line}\n"))
        .collect();
    assert_eq!(read(&indented), expected);
}

#[test]
fn a_warning_between_the_lines_is_not_lost() {
    let status = check_bad(
        "ipcc_send_rec[1] failed: Connection refused\nquorum OK\n",
        1,
        "complains",
    );
    assert_eq!(status.quorate, Some(true));
}

#[test]
fn an_error_of_the_tool_is_not_an_empty_status() {
    for text in [
        "ipcc_send_rec[1] failed: Connection refused\nUnable to load access control list: Connection refused\n",
        "bash: ha-manager: command not found",
        "please run as root: permission denied \u{fffd}",
    ] {
        assert!(
            matches!(parse(text), Err(Unreadable::ToolFailed { .. })),
            "{text}"
        );
    }
    assert_eq!(parse("\n \r\n"), Err(Unreadable::Empty));
    assert!(matches!(
        parse("Node ID: 1\n"),
        Err(Unreadable::Foreign { .. })
    ));
}

#[test]
fn a_wrong_name_of_the_day_does_not_lose_the_time() {
    let status = read("quorum OK\nmaster hv-4 (active, Mon Aug  8 04:05:06 2026)\n");
    let time = status.master.unwrap().local_time.unwrap();
    assert_eq!(time.to_string(), "2026-08-08T04:05:06");
}
