//! The fixtures are written after what pve-common's sources write; none is a capture.

use super::*;

const ACTIVE: &str = include_str!("../../../fixtures/tasks/written-active");
const INDEX: &str = include_str!("../../../fixtures/tasks/written-index");

#[track_caller]
fn active(text: &str) -> Tasks {
    let parsed = parse_active(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

#[track_caller]
fn index(text: &str) -> Backups {
    let parsed = parse_index(text, false).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

#[test]
fn tasks_without_an_end_and_those_with_one_are_told_apart() {
    let tasks = active(ACTIVE);
    let running: Vec<_> = tasks
        .running
        .iter()
        .map(|running| (running.task.kind.as_str(), running.task.guest()))
        .collect();
    assert_eq!(running, [("qmigrate", Some(104)), ("vzdump", None)]);
    assert_eq!(tasks.running[0].alive, None);
    let backup = &tasks.running[1].task;
    assert_eq!((backup.pid, backup.pid_start), (0x0001_A2B3, 0x1_2345_6789));
    assert_eq!(backup.started, at(0x655B_1C80).unwrap());
    assert_eq!(
        (backup.id.clone(), backup.user.as_str()),
        (None, "root@pam")
    );
    let ended: Vec<_> = tasks
        .ended
        .iter()
        .map(|task| (task.task.kind.as_str(), task.outcome.clone()))
        .collect();
    let failed = Outcome::Failed(
        "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout".into(),
    );
    assert_eq!(
        ended,
        [
            ("qmstop", Some(failed)),
            ("aptupdate", Some(Outcome::Warnings(2))),
            ("startall", Some(Outcome::Ok)),
            ("brandnew", None),
        ]
    );
    assert_eq!(tasks.ended[3].task.kind, TaskKind::Other("brandnew".into()));
}

#[test]
fn the_newest_backups_are_found_whatever_the_order() {
    let backups = index(INDEX);
    assert_eq!(backups.seen_since, at(0x6559_0010));
    assert_eq!(backups.newest_of_guest[&100], at(0x655B_0100).unwrap());
    assert_eq!(backups.newest_of_guest[&101], at(0x655A_0200).unwrap());
    assert_eq!(backups.newest_of_guest.len(), 2);
    assert_eq!(backups.newest_of_several, at(0x655A_9000));
    let failed = backups.newest_failed.clone().unwrap();
    assert_eq!(failed.outcome, Some(Outcome::Failed("job errors".into())));
    let reversed: Vec<&str> = INDEX.lines().rev().collect();
    assert_eq!(index(&reversed.join("\n")), backups);
}

#[test]
fn two_lists_are_one() {
    let all: Vec<&str> = INDEX.lines().collect();
    let (older, newer) = all.split_at(4);
    for (one, other) in [(older, newer), (newer, older)] {
        let mut merged = index(&one.join("\n"));
        merged.merge(index(&other.join("\n")));
        assert_eq!(merged, index(INDEX));
    }
}

#[test]
fn where_only_the_end_was_read_the_first_line_is_half_a_line() {
    let (_, half) = INDEX.split_at(25);
    let parsed = parse_index(half, true).unwrap();
    assert_eq!(parsed.bad_lines, []);
    assert_eq!(parse_index(half, false).unwrap().bad_lines.len(), 1);
}

#[test]
fn one_bad_line_does_not_lose_the_others() {
    for bad in [
        "UPID:pve-01:0001A2B3:12345678:655B1C80:vzdump::root@pam 1",
        "UPID:pve-01:XYZ:12345678:655B1C80:vzdump::root@pam: 1",
        "UPID:pve-01:0001A2B3:12345678:655B1C80:vzdump::root@pam: 2",
        "UPID:pve-01:0001A2B3:12345678:655B1C80:vzdump::root@pam:",
        "UPID:pve-01:0001A2B3:12345678:+55B1C80:vzdump::root@pam: 1",
        "UPID:pve-01:0001A2B3:12345678:655B1C80:vzdump::root@pam: 1 late OK",
        "UPID:pve-01:0001A2B3:12345678:FFFFFFFFFFFFFFF:vzdump::root@pam: 1",
    ] {
        let parsed = parse_active(&format!("{bad}\n{ACTIVE}")).unwrap();
        assert_eq!(parsed.bad_lines.len(), 1, "{bad}");
        assert_eq!(parsed.value, active(ACTIVE));
    }
}

#[test]
fn an_empty_list_is_a_list_of_none_and_something_else_is_no_list() {
    assert_eq!(active(""), Tasks::default());
    assert_eq!(index("\n"), Backups::default());
    assert!(parse_active("cat: no such file\n").is_err());
    assert!(parse_index("{}\n", false).is_err());
}

#[test]
fn blanks_and_line_ends_change_nothing() {
    assert_eq!(active(&ACTIVE.replace('\n', "\r\n")), active(ACTIVE));
    assert_eq!(active(ACTIVE.trim_end()), active(ACTIVE));
}

#[test]
fn endless_lists_are_cut_and_that_is_counted() {
    let line = "UPID:pve-01:0001A2B3:12345678:655B1C80:vzdump::root@pam: 0\n";
    let tasks = active(&line.repeat(5000));
    assert_eq!(
        (tasks.running.len(), tasks.left_out),
        (MAX_TASKS, 5000 - MAX_TASKS)
    );
}

#[test]
fn the_start_time_stands_behind_a_name_that_may_hold_anything() {
    let stat =
        "4711 (task UPID:a) b) S 1 4711 4711 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654321 1 2\n";
    assert_eq!(start_ticks(stat), Some(987_654_321));
    assert_eq!(start_ticks("4711 (x) S 1 2\n"), None);
    assert_eq!(start_ticks(""), None);
}
