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
