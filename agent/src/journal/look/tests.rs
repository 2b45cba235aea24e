//! Single lines, and what they do to the place reached.

use super::*;

fn looker(start: Start) -> Looker {
    let shown = Arc::new(Mutex::new(Shown::new()));
    Looker::new(Settings::default(), start, shown)
}

/// As journalctl prints it, from this boot.
fn entry(looker: &Looker, number: u64, monotonic_us: u64) -> String {
    let boot = looker.boot_id.replace('-', "");
    format!(
        r#"{{"__CURSOR":"s=a;i={number:x};b={boot};m={monotonic_us:x};t=643f8b3e6c1a0;x=5","SYSLOG_IDENTIFIER":"corosync","MESSAGE":"line {number}"}}"#
    )
}

fn pass<'a>(from: From, on_event: &'a mut dyn FnMut(&JournalEvent, Instant)) -> Pass<'a> {
    Pass {
        from,
        is_gone: false,
        is_first: true,
        is_catching_up: false,
        is_storing: true,
        started_us: 1_000_000,
        noticed: Instant::now(),
        on_event,
    }
}

#[test]
fn the_newest_entry_is_a_place_even_if_it_is_younger_than_the_look() {
    let mut looker = looker(Start::Now);
    let line = entry(&looker, 7, 1_000_500);
    let mut told = 0;
    let mut on_event = |_: &JournalEvent, _| told += 1;
    let mut newest = pass(From::Newest, &mut on_event);
    assert!(matches!(looker.line(&line, &mut newest), Next::Line));
    assert!(looker.seen.is_some());
    let mut all = pass(From::Boot, &mut on_event);
    assert!(matches!(looker.line(&line, &mut all), Next::Later));
    assert_eq!(told, 0);
}

#[test]
fn lines_that_cannot_be_read_are_a_gap_once_an_entry_is_behind_them() {
    let mut looker = looker(Start::Boot);
    let lines = [
        entry(&looker, 1, 500),
        "{".to_owned(),
        entry(&looker, 2, 600),
    ];
    let mut on_event = |_: &JournalEvent, _| {};
    let mut pass = pass(From::Boot, &mut on_event);
    for line in &lines {
        assert!(matches!(looker.line(line, &mut pass), Next::Line));
    }
    looker.line("{", &mut pass);
    let kinds: Vec<Kind> = looker.batch.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Journal, Kind::Gap, Kind::Journal]);
    let gap: JournalGap = serde_json::from_str(&looker.batch[1].json).unwrap();
    assert_eq!(gap.count, Some(1));
    locked(&looker.shown).known();
    let reading = locked(&looker.shown).reading(Instant::now());
    assert_eq!(reading.known().unwrap().entries_unreadable, 1);
}
