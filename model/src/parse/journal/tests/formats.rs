//! Entries in every format that shows a journal. The fixtures are one journal, as journalctl of systemd 252 prints
//! it (written through systemd-journal-remote), and corosync 3.1.7's own logs.

use expect_test::expect;

use super::{event, read, told};
use crate::fact::journal::{Event, JournalTime, MAX_EVENTS, MAX_MESSAGE_CHARS};
use crate::parse::journal::{MAX_LINE_BYTES, Reader, parse};
use crate::text::Unreadable;

macro_rules! fixture {
    ($name:literal) => {
        &String::from_utf8_lossy(include_bytes!(concat!(
            "../../../../fixtures/journal/",
            $name
        )))
    };
}

/// Shows the same journal as the JSON one, as far as such a text can.
#[track_caller]
fn check_same(text: &str, others: u64) {
    let found = told(text);
    let mut expected = told(fixture!("systemd-252-json.txt"));
    if others < 4 {
        // Nothing in a short line gives away who borrows corosync's name.
        expected.push(r#"{"event":"quorum_lost"}"#.to_owned());
    }
    assert_eq!(found, expected);
    let journal = read(text).value;
    assert_eq!(
        (journal.entries_read, journal.entries_of_others),
        (45, others)
    );
}

#[test]
fn one_journal_is_the_same_in_every_format() {
    check_same(fixture!("systemd-252-json.txt"), 4);
    check_same(fixture!("systemd-252-json-pretty.txt"), 4);
    check_same(fixture!("systemd-252-json-seq.txt"), 4);
    check_same(fixture!("systemd-252-json-sse.txt"), 4);
    check_same(fixture!("systemd-252-export.txt"), 4);
    check_same(fixture!("systemd-252-verbose.txt"), 4);
    check_same(fixture!("systemd-252-short.txt"), 3);
    check_same(fixture!("systemd-252-short-iso.txt"), 3);
    check_same(fixture!("systemd-252-short-iso-precise.txt"), 3);
    check_same(fixture!("systemd-252-short-precise.txt"), 3);
    check_same(fixture!("systemd-252-short-full.txt"), 3);
    check_same(fixture!("systemd-252-short-unix.txt"), 3);
    check_same(fixture!("systemd-252-short-monotonic.txt"), 3);
    check_same(fixture!("systemd-252-with-unit.txt"), 4);
}

#[test]
fn crlf_and_a_missing_final_newline_change_nothing() {
    for text in [
        fixture!("systemd-252-json.txt"),
        fixture!("systemd-252-json-pretty.txt"),
        fixture!("systemd-252-verbose.txt"),
        fixture!("systemd-252-short.txt"),
        fixture!("systemd-252-export.txt"),
    ] {
        let crlf = text.replace('\n', "\r\n");
        let ends = |text: &str| -> Vec<_> {
            let events = read(text).value.events;
            events
                .into_iter()
                .map(|event| (event.time, event.event))
                .collect()
        };
        assert_eq!(ends(&crlf), ends(text));
        assert_eq!(ends(text.trim_end()), ends(text));
    }
}

#[test]
fn a_text_that_is_indented_as_a_whole_is_the_same() {
    let text = fixture!("systemd-252-short.txt");
    let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
    check_same(&indented, 3);
}

#[test]
fn an_entry_of_the_journal_carries_all_that_is_known_of_it() {
    let journal = read(fixture!("systemd-252-json.txt")).value;
    let entry = journal
        .events
        .iter()
        .find(|entry| entry.event == Event::QuorumLost)
        .unwrap();
    expect![[r#"
        {
          "time": {
            "exact": "2026-11-21T03:46:05.55Z"
          },
          "boot_id": "6c1f5e1f0b1c4c1d9a3f2b7d5e8a4c10",
          "hostname": "pve-01",
          "identifier": "corosync",
          "unit": "corosync.service",
          "pid": 1234,
          "priority": 5,
          "message": "[QUORUM] This node is within the non-primary component and will NOT provide any services.",
          "event": "quorum_lost"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&crate::fact::journal::JournalEvent { cursor: None, ..entry.clone() }).unwrap());
    assert!(entry.cursor.as_deref().unwrap().starts_with("s="));
}

#[test]
fn bytes_that_are_no_utf_8_are_replaced_and_lose_nothing_else() {
    for text in [
        fixture!("systemd-252-json.txt"),
        fixture!("systemd-252-export.txt"),
    ] {
        let journal = read(text).value;
        let entry = journal
            .events
            .iter()
            .find(|entry| entry.message.starts_with("[database]"))
            .unwrap();
        assert!(
            entry.message.ends_with("\u{fffd}\u{fffd}/k\u{fffd}nig"),
            "{}",
            entry.message
        );
    }
}

#[test]
fn the_lines_of_one_message_stay_together() {
    for text in [
        fixture!("systemd-252-json.txt"),
        fixture!("systemd-252-export.txt"),
        fixture!("systemd-252-short.txt"),
    ] {
        let journal = read(text).value;
        let hang = journal
            .events
            .iter()
            .find(|entry| matches!(entry.event, Event::NicHang { .. }))
            .unwrap();
        assert_eq!(hang.message.lines().count(), 4);
        assert!(hang.message.ends_with("next_to_use          <5>"));
    }
}

#[test]
fn corosyncs_own_logs_are_read_with_every_setting_of_timestamp_and_fileline() {
    let journal = read(fixture!("corosync-3.1.7-hires.log")).value;
    let down: Vec<_> = journal
        .events
        .iter()
        .filter(|entry| matches!(entry.event, Event::KnetLinkDown { .. }))
        .collect();
    assert_eq!(down.len(), 7);
    assert_eq!(
        event(down[0]),
        r#"{"event":"knet_link_down","node_id":2,"link":0}"#
    );
    let Some(JournalTime::Civil(time)) = &down[0].time else {
        panic!("{:?}", down[0].time)
    };
    assert_eq!(time.to_string(), "--11-21T04:14:57.687");
    assert_eq!(
        (down[0].pid, down[0].priority, down[0].hostname.as_deref()),
        (Some(12825), Some(6), Some("vm"))
    );
    for text in [
        fixture!("corosync-3.1.7-hires.log"),
        fixture!("corosync-3.1.7-timestamp-on.log"),
        fixture!("corosync-3.1.7-fileline.log"),
        fixture!("corosync-3.1.7-stderr.log"),
    ] {
        let parsed = read(text);
        assert_eq!(parsed.bad_lines, []);
        assert_eq!(parsed.value.entries_of_others, 0);
        let started = |entry: &&crate::fact::journal::JournalEvent| {
            matches!(entry.event, Event::CorosyncStarted { .. })
        };
        assert_eq!(parsed.value.events.iter().filter(started).count(), 1);
    }
    let off = "[12825] vm corosync notice  [QUORUM] Members[2]: 1 3\n";
    assert_eq!(
        told(off),
        [r#"{"event":"quorum_members","total":2,"members":[1,3]}"#]
    );
    assert_eq!(read(off).value.events[0].time, None);
    assert_eq!(
        told("Nov 21 03:46:01 corosync [TOTEM ] FAILED TO RECEIVE\n"),
        [r#"{"event":"totem_failed_to_receive"}"#]
    );
}

#[test]
fn syslog_and_dmesg_are_read_too() {
    let up = r#"{"event":"bond_active_port_up","bond":"bond0"}"#;
    for line in [
        "2026-11-21T03:46:01.123456+00:00 pve-01 kernel: [12345.678901] bond0: active interface up!",
        "2026-11-21T03:46:01Z pve-01 kernel: bond0: active interface up!",
        "Nov  1 03:46:01 pve-01 kernel: bond0: active interface up!",
        "Nov 21 03:46:01 kernel: bond0: active interface up!",
        "Nov 21 03:46:01 pve-01 kernel: message repeated 3 times: [ bond0: active interface up!]",
        "[Sat Nov 21 03:46:01 2026] bond0: active interface up!",
        "[   12.345678] bond0: active interface up!",
        "<6>[   12.345678] bond0: active interface up!",
        "2026-11-21T03:46:01,123456+00:00 bond0: active interface up!",
        "-- Journal begins at Sat 2026-11-21 03:46:01 UTC. --\nNov 21 03:46:01 pve-01 kernel: bond0: active interface up!",
        "-- Boot 6c1f5e1f0b1c4c1d9a3f2b7d5e8a4c10 --\nNov 21 03:46:01 pve-01 kernel: bond0: active interface up!\n-- Reboot --",
    ] {
        assert_eq!(told(line), [up], "{line}");
    }
    let repeated = read(
        "Nov 21 03:46:01 pve-01 kernel: message repeated 3 times: [ bond0: active interface up!]",
    )
    .value;
    assert_eq!(repeated.events[0].repeated, Some(3));
    let since_boot = read("[   12.345678] bond0: active interface up!").value;
    assert_eq!(
        since_boot.events[0].time,
        Some(JournalTime::SinceBootUs(12_345_678))
    );
}

#[test]
fn a_json_field_of_an_odd_shape_costs_at_most_itself() {
    let down = r#"{"event":"knet_link_down","node_id":2,"link":0}"#;
    let message = r#""MESSAGE":"  [KNET  ] link: host: 2 link: 0 is down""#;
    for rest in [
        r#""_PID":null"#,
        r#""_PID":1234"#,
        r#""_PID":{"a":[1,{}]},"PRIORITY":true,"__CURSOR":[]"#,
        r#""_COMM":["corosync","other"],"_HOSTNAME":[112,118,101],"__REALTIME_TIMESTAMP":"soon""#,
        r#""_BOOT_ID":[[1,2],null,"x",-1,2.5,{"a":1}],"MESSAGE":"again""#,
    ] {
        let line = format!(r#"{{"SYSLOG_IDENTIFIER":"corosync",{message},{rest}}}"#);
        assert_eq!(told(&line), [down], "{line}");
    }
    let bytes: Vec<String> = "[status] notice: node lost quorum"
        .bytes()
        .map(|byte| byte.to_string())
        .collect();
    let line = format!(
        r#"{{"SYSLOG_IDENTIFIER":"pmxcfs","MESSAGE":[{}]}}"#,
        bytes.join(",")
    );
    assert_eq!(told(&line), [r#"{"event":"pmxcfs_quorum_lost"}"#]);
    let several =
        r#"{"SYSLOG_IDENTIFIER":"pmxcfs","MESSAGE":["[status] notice: node lost quorum","x"]}"#;
    assert_eq!(told(several), [r#"{"event":"pmxcfs_quorum_lost"}"#]);
    let too_large = r#"{"SYSLOG_IDENTIFIER":"pmxcfs","MESSAGE":null}"#;
    assert_eq!(told(too_large), [r#"{"event":"other"}"#]);
}

#[test]
fn a_broken_line_is_told_and_the_others_stay() {
    let whole = fixture!("systemd-252-json.txt");
    let cut: String = whole
        .chars()
        .take(whole.chars().count() - 40)
        .skip(30)
        .collect();
    let parsed = read(&cut);
    assert_eq!(parsed.bad_lines.len(), 2);
    assert_eq!(
        (
            parsed.bad_lines[0].line_number,
            parsed.bad_lines[1].line_number
        ),
        (1, 45)
    );
    assert_eq!(
        (parsed.value.entries_read, parsed.value.entries_unreadable),
        (43, 2)
    );
    let parsed = read("Nov 21 03:46:01 pve-01 kernel: bond0: active interface up!\nnonsense\n");
    assert_eq!((parsed.bad_lines.len(), parsed.value.events.len()), (1, 1));
}

#[test]
fn a_text_that_shows_no_journal_says_why() {
    let failed = |message: &str| {
        Err(Unreadable::ToolFailed {
            message: message.to_owned(),
        })
    };
    assert_eq!(parse(""), Err(Unreadable::Empty));
    assert_eq!(parse(" \n\n"), Err(Unreadable::Empty));
    let none = "No journal files were found.";
    assert_eq!(parse(none).map(|_| ()), failed(none));
    assert_eq!(
        parse(&format!("{none}\n-- No entries --\n")).map(|_| ()),
        failed(none)
    );
    let hint = "Hint: You are currently not seeing messages from other users and the system.\n";
    let denied = "No journal files were opened due to insufficient permissions.";
    assert_eq!(
        parse(&format!("{hint}{denied}\n")).map(|_| ()),
        failed(denied)
    );
    assert!(matches!(parse("hello\nworld"), Err(Unreadable::BadLine(_))));
    assert!(matches!(
        parse("{\"MESSAGE\":"),
        Err(Unreadable::BadLine(_))
    ));
    assert_eq!(read("-- No entries --\n").value.entries_read, 0);
}

#[test]
fn limits_are_kept_and_counted() {
    let mut reader = Reader::new();
    for number in 0..MAX_EVENTS + 10 {
        reader.line(&format!(
            "2026-11-21T03:46:01Z pve-01 corosync[{number}]: {}",
            "x".repeat(2_000)
        ));
    }
    reader.line(&"y".repeat(MAX_LINE_BYTES + 1));
    reader.skip_long_line();
    let journal = reader.finish().unwrap().value;
    assert_eq!(
        (journal.events.len(), journal.events_dropped),
        (MAX_EVENTS, 10)
    );
    assert_eq!(journal.events[0].pid, Some(10), "the newest are kept");
    assert_eq!(journal.events[0].message.len(), MAX_MESSAGE_CHARS);
    assert_eq!(journal.lines_too_long, 2);
}

#[test]
fn of_a_journal_printed_in_reverse_the_newest_are_kept_too() {
    let mut reader = Reader::new();
    for second in (0..MAX_EVENTS + 10).rev() {
        let stamp = 1_795_232_761 + second;
        reader.line(&format!("{stamp}.000000 pve-01 corosync[{second}]: x"));
    }
    let journal = reader.finish().unwrap().value;
    assert_eq!(journal.events.len(), MAX_EVENTS);
    assert!(journal.events.iter().all(|event| event.pid >= Some(10)));
}

#[test]
fn a_binary_field_of_a_wrong_length_costs_one_entry_and_not_the_rest() {
    let entry = |length: &[u8], text: &str| {
        let mut bytes = b"__CURSOR=s=1;t=5\nSYSLOG_IDENTIFIER=corosync\nMESSAGE\n".to_vec();
        bytes.extend_from_slice(length);
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(b"\n\n");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let after =
        "__CURSOR=s=2;t=6\nSYSLOG_IDENTIFIER=corosync\nMESSAGE=[TOTEM ] FAILED TO RECEIVE\n\n";
    let messages = |length: &[u8], text: &str| -> Vec<String> {
        let events = read(&format!("{}{after}", entry(length, text)))
            .value
            .events;
        events.into_iter().map(|event| event.message).collect()
    };
    let last = "[TOTEM ] FAILED TO RECEIVE";
    // The lowest byte is a line feed: length 10.
    assert_eq!(
        messages(b"\n\0\0\0\0\0\0\0", "ab\nMESSAGE"),
        ["ab\nMESSAGE", last]
    );
    // 200 is no UTF-8 by itself, so that the length is only known to lie between 128 and 255.
    let long = format!("{}\n\n{}", "a".repeat(100), "b".repeat(98));
    assert_eq!(
        messages(b"\xc8\0\0\0\0\0\0\0", &long),
        [long.as_str(), last]
    );
    assert_eq!(
        messages(b"no length", "a\nb").last().map(String::as_str),
        Some(last)
    );
}

#[test]
fn months_in_the_words_of_other_languages_are_months() {
    let months = [
        ("Mär", 3),
        ("Mai", 5),
        ("Okt", 10),
        ("Dez", 12),
        ("févr.", 2),
        ("juin", 6),
        ("juil.", 7),
        ("août", 8),
        ("sept.", 9),
        ("déc.", 12),
        ("ene", 1),
        ("dic", 12),
        ("jun", 6),
        ("giu", 6),
        ("lug", 7),
        ("mrt", 3),
    ];
    for (name, number) in months {
        let journal = read(&format!(
            "{name} 04 05:06:07 pve-31 corosync[812]:   [KNET  ] link: host: 4 link: 1 is down\n"
        ));
        assert!(
            journal.bad_lines.is_empty(),
            "{name}: {:?}",
            journal.bad_lines
        );
        let time = serde_json::to_string(&journal.value.first).unwrap();
        assert_eq!(
            time,
            format!(r#"{{"civil":"--{number:02}-04T05:06:07"}}"#),
            "{name}"
        );
    }
}
