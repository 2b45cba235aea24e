//! Tasks of Proxmox VE: they begin and they end, and the list of those that ended only grows.

use crate::change::Change;
use crate::change::pair::{Pair, pairs};
use crate::change::sentence::counted;
use crate::fact::tasks::{Outcome, Task, Tasks};
use crate::report::Family;

pub(super) fn changes(before: &Tasks, after: &Tasks) -> Vec<Change> {
    let key =
        |running: &crate::fact::tasks::RunningTask| (running.task.pid, running.task.pid_start);
    let told = pairs(&before.running, &after.running, key).into_iter();
    told.filter_map(|pair| match pair {
        Pair::Came(running) => Some(change(&running.task, "began")),
        Pair::Went(running) => Some(change(&running.task, &how_it_ended(&running.task, after))),
        Pair::Stayed(was, is) if was.alive != is.alive && is.alive == Some(false) => {
            Some(change(&is.task, "has no process any more"))
        }
        Pair::Stayed(..) => None,
    })
    .collect()
}

fn change(task: &Task, what: &str) -> Change {
    let of = task
        .id
        .as_deref()
        .map(|id| format!(" {id}"))
        .unwrap_or_default();
    let subject = format!("{}{of}", task.kind);
    let sentence = format!("{subject} on {} by {} {what}", task.node, task.user);
    Change::new(Family::Tasks, subject, sentence)
}

fn how_it_ended(task: &Task, after: &Tasks) -> String {
    let ended = after.ended.iter().find(|ended| ended.task == *task);
    match ended.and_then(|ended| ended.outcome.as_ref()) {
        Some(Outcome::Ok) => "ended well".to_owned(),
        Some(Outcome::Warnings(count)) => {
            format!("ended with {}", counted(*count as usize, "warning"))
        }
        Some(Outcome::Failed(why)) => format!("failed: {why}"),
        None => "ended".to_owned(),
    }
}
