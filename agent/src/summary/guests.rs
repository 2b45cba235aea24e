//! Guests, tasks, backups and storages of this node.

use model::fact::guests::{Guest, GuestConfig, Guests};
use model::fact::storage::Storage;
use model::fact::tasks::{Backups, RunningTask};
use model::name::NodeName;
use model::report::NodeReport;

use super::page::{Cell, Mark, Page, known, plain};

/// How many guests, tasks or storages of a kind are named; the JSON holds them all.
const MAX_NAMED: usize = 20;

pub(super) fn show(page: &mut Page, report: &NodeReport, name: &str) {
    if let Some(guests) = report.guests.known() {
        page.heading("Guests");
        here(page, guests);
    }
    if let Some(tasks) = report.tasks.known() {
        page.heading("Tasks");
        running(page, &tasks.running);
        backups(page, tasks.backups.as_ref());
    }
    if let Some(storage) = report.storage.known() {
        page.heading("Storage");
        storages(page, storage, name);
        replication(page, storage);
    }
}

fn here(page: &mut Page, guests: &Guests) {
    let count = |wanted: Option<bool>| {
        let of = |guest: &&Guest| guest.running == wanted;
        guests.here.iter().filter(of).count()
    };
    let mut cells = vec![plain(format!("{} here", guests.here.len()))];
    match count(None) {
        0 => cells.push(plain(format!("· {} running", count(Some(true))))),
        _ => cells.push(Cell::new("· which of them run is unknown", Mark::Unknown)),
    }
    page.line(&cells);
    if guests.left_out > 0 {
        page.line(&[Cell::bad(format!("{} more were not read", guests.left_out))]);
    }
    let told = guests
        .here
        .iter()
        .filter_map(|guest| Some((guest, told(guest.config.as_ref())?)));
    let rows: Vec<Vec<Cell>> = told
        .map(|(guest, said)| {
            let name = guest
                .config
                .as_ref()
                .and_then(|config| config.name.as_ref());
            vec![plain(guest.id), known(name), said]
        })
        .collect();
    table(page, rows);
}

/// What of a guest hinders moving it, if anything does.
fn told(config: Option<&GuestConfig>) -> Option<Cell> {
    let Some(config) = config else {
        return Some(Cell::new("its file could not be read", Mark::Unknown));
    };
    if let Some(lock) = &config.lock {
        return Some(Cell::bad(format!("is locked: {lock}")));
    }
    let devices: Vec<&str> = config
        .passthrough
        .iter()
        .map(|held| held.slot.as_str())
        .collect();
    (!devices.is_empty())
        .then(|| plain(format!("holds devices of the host: {}", devices.join(", "))))
}

fn running(page: &mut Page, running: &[RunningTask]) {
    let rows: Vec<Vec<Cell>> = running
        .iter()
        .map(|running| {
            let task = &running.task;
            let alive = match running.alive {
                Some(true) => plain("runs"),
                Some(false) => plain("its process is gone"),
                None => Cell::new("whether it still runs is unknown", Mark::Unknown),
            };
            vec![
                plain(&task.kind),
                plain(task.id.as_deref().unwrap_or_default()),
                plain(format!("since {:.0}", task.started)),
                alive,
            ]
        })
        .collect();
    if rows.is_empty() {
        page.say("none without an end in the list");
    }
    table(page, rows);
}

fn backups(page: &mut Page, backups: Option<&Backups>) {
    let Some(backups) = backups else {
        return page.line(&[plain("backups:"), Cell::unknown()]);
    };
    let Backups {
        seen_since,
        newest_of_guest,
        newest_of_several,
        newest_failed,
    } = backups;
    if let Some(newest) = newest_of_several {
        page.say(format!("newest vzdump job of several guests: {newest:.0}"));
    }
    if !newest_of_guest.is_empty() {
        page.say(format!(
            "guests with a vzdump job of their own: {}",
            newest_of_guest.len()
        ));
    }
    match seen_since {
        Some(since) if newest_of_several.is_none() && newest_of_guest.is_empty() => {
            page.say(format!(
                "no vzdump backup seen on this node since {since:.0}"
            ));
        }
        Some(_) => {}
        None => page.say("no ended task is listed: nothing is known of backups"),
    }
    if let Some(failed) = newest_failed {
        let guest = failed.task.id.as_deref().unwrap_or("several guests");
        page.line(&[
            Cell::bad(format!("the newest failed vzdump ({guest})")),
            Cell::labelled("ended", failed.ended.map(|ended| format!("{ended:.0}"))),
        ]);
    }
}

/// Those that should be on this node, and were not seen active there.
fn storages(page: &mut Page, storage: &Storage, name: &str) {
    let Some(configured) = &storage.configured else {
        return page.line(&[plain("configured:"), Cell::unknown()]);
    };
    page.say(format!("{} configured", configured.len()));
    let (Some(seen), Ok(node)) = (&storage.seen, NodeName::new(name)) else {
        return page.line(&[plain("active here:"), Cell::unknown()]);
    };
    let expected = configured.iter().filter(|storage| storage.is_for(&node));
    let missing: Vec<Vec<Cell>> = expected
        .filter(|storage| {
            !seen
                .iter()
                .any(|seen| seen.node == node && seen.storage == storage.id)
        })
        .map(|storage| vec![plain(&storage.id), Cell::bad("not seen active here")])
        .collect();
    table(page, missing);
}

fn replication(page: &mut Page, storage: &Storage) {
    let Some(replicated) = &storage.replicated else {
        return page.line(&[plain("how replication went:"), Cell::unknown()]);
    };
    let failing = replicated
        .iter()
        .filter(|job| job.fail_count.is_some_and(|count| count > 0));
    let rows: Vec<Vec<Cell>> = failing
        .map(|job| {
            vec![
                Cell::bad(format!(
                    "replication of {} to {} fails",
                    job.guest, job.target
                )),
                plain(job.error.as_deref().unwrap_or_default()),
                plain(match job.last_sync {
                    Some(at) => format!("last went well {at:.0}"),
                    None => "never went well".to_owned(),
                }),
            ]
        })
        .collect();
    table(page, rows);
}

fn table(page: &mut Page, mut rows: Vec<Vec<Cell>>) {
    let more = rows.len().saturating_sub(MAX_NAMED);
    rows.truncate(MAX_NAMED);
    page.table(&rows);
    if more > 0 {
        page.say(format!("and {more} more; --json shows them all"));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use model::fact::tasks::Tasks;
    use model::reading::Reading;

    use super::*;

    #[test]
    fn what_could_not_be_read_of_backups_and_replication_is_called_unknown() {
        fn known<T>(value: T) -> Reading<T> {
            Reading::Known {
                value,
                at: Timestamp::UNIX_EPOCH,
                problems: Vec::new(),
            }
        }
        let mut report = NodeReport::never_heard();
        report.tasks = known(Tasks::default());
        report.storage = known(Storage {
            configured: Some(Vec::new()),
            seen: Some(Vec::new()),
            ..Storage::default()
        });
        let mut page = Page::default();
        show(&mut page, &report, "pve-01");
        assert_eq!(
            anstream::adapter::strip_str(&page.finish()).to_string(),
            "Tasks\n  none without an end in the list\n  backups: unknown\n\n\
             Storage\n  0 configured\n  how replication went: unknown\n"
        );
    }
}
