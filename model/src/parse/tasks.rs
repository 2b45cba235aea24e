//! The lists of Proxmox VE's tasks: `/var/log/pve/tasks/active` (pve-common, PVE/INotify.pm) and `index`
//! (PVE/RESTEnvironment.pm), a UPID at the beginning of each line (PVE/Tools.pm: upid_decode); and the start time of a
//! process, by which a task that was killed is known from one that runs.
//!
//! In `active` a line is `UPID saved`, and once the task has ended `UPID saved endtime status`; in `index` it is
//! `UPID endtime status`. Times and process ids are hexadecimal.

#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::fact::tasks::{Backups, EndedTask, Outcome, RunningTask, Task, TaskKind, Tasks};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// How many running and how many ended tasks are kept; Proxmox VE itself keeps the running ones and fills up to 25.
pub const MAX_TASKS: usize = 100;
/// How many guests' newest backups are kept.
const MAX_GUESTS: usize = 10_000;
/// How much of what a failed task said is kept.
const MAX_STATUS_CHARS: usize = 200;

/// Reads `active`. Whether a task without an end still runs is not said there: `alive` stays unknown. An empty list is
/// a list of none.
pub fn parse_active(text: &str) -> Result<Parsed<Tasks>, Unreadable> {
    let mut tasks = Tasks::default();
    let mut bad_lines = BadLines::default();
    let mut anything = false;
    for line in lines(text).filter(|line| !line.is_blank()) {
        match active(line) {
            Ok(entry) => {
                anything = true;
                keep(&mut tasks, entry);
            }
            Err(bad_line) => bad_lines.push(bad_line),
        }
    }
    if !anything && text.lines().any(|line| !line.trim().is_empty()) {
        return Err(Unreadable::foreign(text));
    }
    tasks
        .running
        .sort_by_key(|running| std::cmp::Reverse(running.task.started));
    tasks
        .ended
        .sort_by_key(|task| std::cmp::Reverse(task.ended));
    Ok(bad_lines.with(tasks))
}

fn keep(tasks: &mut Tasks, entry: Entry) {
    match entry {
        Entry::Running(task) if tasks.running.len() < MAX_TASKS => {
            tasks.running.push(RunningTask { task, alive: None });
        }
        Entry::Ended(task) if tasks.ended.len() < MAX_TASKS => tasks.ended.push(task),
        Entry::Running(_) | Entry::Ended(_) => tasks.left_out += 1,
    }
}

enum Entry {
    Running(Task),
    Ended(EndedTask),
}

fn active(line: Line<'_>) -> Result<Entry, BadLine> {
    let (upid, rest) = split(line.text);
    let task = upid_of(line, upid)?;
    let (saved, rest) = split(rest);
    if !["0", "1"].contains(&saved) {
        return Err(BadLine::new(line, "neither 0 nor 1 stands behind the UPID"));
    }
    if rest.is_empty() {
        return Ok(Entry::Running(task));
    }
    ended(line, task, rest).map(Entry::Ended)
}

/// Reads what `index` tells of backups. Its newest tasks stand last; `cut` says that the text begins within a line,
/// because only the end of the file was read.
pub fn parse_index(text: &str, cut: bool) -> Result<Parsed<Backups>, Unreadable> {
    let mut backups = Backups::default();
    let mut bad_lines = BadLines::default();
    let mut anything = false;
    for line in lines(text).skip(usize::from(cut)) {
        if line.is_blank() {
            continue;
        }
        let (upid, rest) = split(line.text);
        match upid_of(line, upid).and_then(|task| ended(line, task, rest)) {
            Ok(task) => {
                anything = true;
                count(&mut backups, task);
            }
            Err(bad_line) => bad_lines.push(bad_line),
        }
    }
    if !anything && text.lines().any(|line| !line.trim().is_empty()) {
        return Err(Unreadable::foreign(text));
    }
    Ok(bad_lines.with(backups))
}

/// What one ended task, of either list, tells of backups.
pub fn count(backups: &mut Backups, task: EndedTask) {
    let one = Backups {
        seen_since: task.ended,
        ..Backups::default()
    };
    backups.merge(one);
    let (TaskKind::Backup, Some(ended)) = (&task.task.kind, task.ended) else {
        return;
    };
    match (&task.outcome, &task.task.id) {
        (Some(Outcome::Ok | Outcome::Warnings(_)), None) => {
            backups.newest_of_several = backups.newest_of_several.max(Some(ended));
        }
        (Some(Outcome::Ok | Outcome::Warnings(_)), Some(_)) => {
            if let Some(guest) = task.task.guest()
                && (backups.newest_of_guest.len() < MAX_GUESTS
                    || backups.newest_of_guest.contains_key(&guest))
            {
                let newest = backups.newest_of_guest.entry(guest).or_insert(ended);
                *newest = ended.max(*newest);
            }
        }
        (Some(Outcome::Failed(_)) | None, _) => {
            let known = backups.newest_failed.as_ref().and_then(|task| task.ended);
            if known < Some(ended) {
                backups.newest_failed = Some(task);
            }
        }
    }
}

fn ended(line: Line<'_>, task: Task, rest: &str) -> Result<EndedTask, BadLine> {
    let (end, status) = split(rest);
    let ended = hex(line, end, "the end time").and_then(|end| time(line, end))?;
    Ok(EndedTask {
        task,
        ended: Some(ended),
        outcome: outcome(status),
    })
}

/// The words of pve-common (PVE/Tools.pm: upid_read_status). `unexpected status` is what is said where the log has no
/// end: the task was killed.
fn outcome(status: &str) -> Option<Outcome> {
    let status = status.trim();
    if status.is_empty() {
        return None;
    }
    let warnings = status.strip_prefix("WARNINGS:");
    let warnings = warnings.and_then(|count| count.trim().parse().ok());
    Some(match (status, warnings) {
        ("OK", _) => Outcome::Ok,
        (_, Some(count)) => Outcome::Warnings(count),
        _ => Outcome::Failed(status.chars().take(MAX_STATUS_CHARS).collect()),
    })
}

/// `UPID:pve-01:00001A2B:0003C4D5:655B1C80:vzdump:100:root@pam:`
fn upid_of(line: Line<'_>, upid: &str) -> Result<Task, BadLine> {
    let parts: Vec<&str> = upid.splitn(9, ':').collect();
    let ["UPID", node, pid, pid_start, started, kind, id, user, ""] = parts.as_slice() else {
        let why = "no UPID stands at its beginning (UPID:node:pid:pstart:starttime:type:id:user:)";
        return Err(BadLine::new(line, why));
    };
    let pid = u32::try_from(hex(line, pid, "the process id")?)
        .map_err(|_| BadLine::new(line, "the process id is too large"))?;
    Ok(Task {
        node: (*node).to_owned(),
        pid,
        pid_start: hex(line, pid_start, "the process's start time")?,
        started: hex(line, started, "the start time").and_then(|at| time(line, at))?,
        kind: TaskKind::from_word(kind),
        id: (!id.is_empty()).then(|| (*id).to_owned()),
        user: (*user).to_owned(),
    })
}

fn hex(line: Line<'_>, digits: &str, what: &str) -> Result<u64, BadLine> {
    // `from_str_radix` takes a sign too.
    let all_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let read = u64::from_str_radix(digits, 16).ok().filter(|_| all_digits);
    read.ok_or_else(|| BadLine::new(line, format!("{what} is not a hexadecimal number")))
}

fn time(line: Line<'_>, seconds: u64) -> Result<Timestamp, BadLine> {
    let seconds = i64::try_from(seconds).ok();
    let read = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    read.ok_or_else(|| BadLine::new(line, "its time is not one"))
}

/// The first word, and what stands behind it.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// The start time in `/proc/PID/stat`, in clock ticks since boot: the 22nd field, counted behind the process's name,
/// which stands in brackets and can hold blanks and brackets itself.
pub fn start_ticks(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_ascii_whitespace().nth(19)?.parse().ok()
}
