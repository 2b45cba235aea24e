//! Several texts of one node, as one journal.

use jiff::Timestamp;

use super::{event, read};
use crate::fact::journal::Journal;
use crate::parse::journal::{Part, merge};

fn merged(texts: &[&str]) -> Journal {
    let read_at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    merge(
        texts
            .iter()
            .map(|text| Part {
                journal: read(text).value,
                read_at,
            })
            .collect(),
    )
}

fn json(second: u8, message: &str) -> String {
    let stamp = 1_795_232_760_000_000 + u64::from(second) * 1_000_000;
    format!(
        "{{\"__CURSOR\":\"c{second}\",\"__REALTIME_TIMESTAMP\":\"{stamp}\",\"SYSLOG_IDENTIFIER\":\"corosync\",\"MESSAGE\":\"{message}\"}}\n"
    )
}

#[test]
fn texts_are_merged_in_the_order_of_time_and_a_cursor_counts_once() {
    let (first, second, third) = (json(1, "one"), json(2, "two"), json(3, "three"));
    let journal = merged(&[&format!("{second}{third}"), &format!("{first}{second}")]);
    let messages: Vec<_> = journal
        .events
        .iter()
        .map(|event| event.message.as_str())
        .collect();
    assert_eq!(messages, ["one", "two", "three"]);
    assert_eq!((journal.entries_read, journal.events_repeated), (4, 1));
    assert_ne!(journal.first, journal.last);
}

#[test]
fn a_plain_log_adds_only_what_the_journal_does_not_hold_whatever_its_zone() {
    let twice = "[KNET  ] host: host: 2 has no active links";
    let told = format!("{}{}", json(1, twice), json(1, twice).replace("c1", "c1b"));
    let log = format!(
        "Nov 21 04:46:01.900 [1234] vm corosync warning {twice}\nNov 21 04:46:02.000 [1234] vm corosync warning {twice}\n\
         Nov 21 04:46:02.001 [1234] vm corosync warning {twice}\nNov 20 04:00:00.001 [1234] vm corosync notice  [TOTEM ] FAILED TO RECEIVE\n"
    );
    let journal = merged(&[&log, &told]);
    assert_eq!(journal.events_repeated, 2);
    let events: Vec<_> = journal.events.iter().map(event).collect();
    let links = r#"{"event":"knet_no_active_links","node_id":2}"#;
    assert_eq!(
        events,
        [
            r#"{"event":"totem_failed_to_receive"}"#,
            links,
            links,
            links
        ]
    );
    assert!(journal.events[1].cursor.is_some());
}

#[test]
fn an_entry_that_three_texts_tell_is_kept_once() {
    let told = json(1, "[KNET  ] host: host: 2 has no active links");
    let log = "Nov 21 03:46:01.900 [1234] vm corosync warning [KNET  ] host: host: 2 has no active links\n";
    let journal = merged(&[&told, log, log, log]);
    assert_eq!((journal.events.len(), journal.events_repeated), (1, 3));
}

#[test]
fn one_text_alone_stays_as_it_is() {
    let since_boot =
        "[   12.345678] bond0: active interface up!\n[   13.345678] bond0: active interface up!\n";
    let alone = read(since_boot).value;
    assert_eq!(merged(&[since_boot]), alone);
    assert_eq!(merged(&[]), Journal::default());
}
