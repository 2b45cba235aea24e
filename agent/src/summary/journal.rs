//! The newest events of the journal.

use model::fact::journal::{Event, JournalEvent, JournalTime};
use model::report::NodeReport;

use super::page::{Cell, Page, plain};

/// How many events are shown.
const NEWEST: usize = 15;

pub(super) fn show(page: &mut Page, report: &NodeReport) {
    let Some(journal) = report.journal.known() else {
        return;
    };
    page.heading("Journal");
    let time = |time: &Option<JournalTime>| time.as_ref().map(say);
    page.line(&[
        plain(format!("{} entries", journal.entries_read)),
        Cell::labelled("from", time(&journal.first)),
        Cell::labelled("to", time(&journal.last)),
    ]);
    for (count, what) in [
        (journal.entries_unreadable, "entries could not be read"),
        (journal.lines_too_long, "lines were too long and skipped"),
        (
            journal.events_dropped,
            "events were more than are kept: the oldest are lost",
        ),
    ] {
        if count > 0 {
            page.line(&[Cell::bad(format!("{count} {what}"))]);
        }
    }
    let typed: Vec<&JournalEvent> = journal
        .events
        .iter()
        .filter(|entry| !matches!(entry.event, Event::Other))
        .collect();
    let newest = typed.get(typed.len().saturating_sub(NEWEST)..);
    let newest = newest.unwrap_or_default();
    page.say(format!(
        "the newest {} of {} events that mean something:",
        newest.len(),
        typed.len()
    ));
    let rows: Vec<Vec<Cell>> = newest
        .iter()
        .map(|entry| {
            let first_line = entry.message.lines().next().unwrap_or_default();
            vec![
                plain(time(&entry.time).unwrap_or_else(|| "time unknown".to_owned())),
                plain(entry.identifier.as_deref().unwrap_or("unknown")),
                plain(first_line),
            ]
        })
        .collect();
    page.table(&rows);
}

fn say(time: &JournalTime) -> String {
    match time {
        JournalTime::Exact(moment) => format!("{moment:.3}"),
        JournalTime::Civil(civil) => civil.to_string(),
        JournalTime::SinceBootUs(us) => {
            format!("{}.{:06} s after boot", us / 1_000_000, us % 1_000_000)
        }
    }
}
