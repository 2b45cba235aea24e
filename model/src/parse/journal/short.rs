//! Lines of plain logs: `journalctl` in its short forms, syslog's files, corosync's own log, `dmesg`.
//!
//! `Nov 21 03:46:01 pve-01 corosync[1234]:   [KNET  ] …` and its relatives: a time, mostly a host, a program with its
//! process id, and the message. Further lines of one message are indented.

use std::borrow::Cow;

use crate::fact::journal::JournalTime;
use crate::parse::journal::entry::Entry;
use crate::parse::journal::stamp;

/// Reads a line that begins an entry; `None` if it is none.
pub(super) fn read(line: &str) -> Option<Entry<'_>> {
    let line = without_priority(line.trim());
    if let Some(entry) = corosync_without_time(line) {
        return Some(entry);
    }
    let (time, rest) = stamp::read(line)?;
    let rest = rest.trim_start();
    if let JournalTime::Civil(_) = &time
        && let Some(entry) = corosync_log(rest)
    {
        return Some(Entry {
            time: Some(time),
            ..entry
        });
    }
    let is_dmesg = line.starts_with('[') || stamp::is_dmesg_iso(line);
    let entry = if is_dmesg && !names_a_program(rest) {
        of_kernel(rest)
    } else {
        of_program(rest)?
    };
    Some(Entry {
        time: Some(time),
        ..entry
    })
}

/// `dmesg -r` leaves the level in front: `<6>[   12.345678] …`.
fn without_priority(line: &str) -> &str {
    let stripped = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match stripped {
        Some((level, rest))
            if level.len() <= 3 && level.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            rest
        }
        _ => line,
    }
}

fn of_kernel(message: &str) -> Entry<'_> {
    Entry {
        identifier: Some(Cow::Borrowed("kernel")),
        message: Some(Cow::Borrowed(message)),
        ..Entry::default()
    }
}

/// In a line that could be dmesg's: `pve-01 kernel: …`, `pve-01 corosync[1234]: …` is what the journal prints with
/// `-o short-monotonic`.
fn names_a_program(rest: &str) -> bool {
    let mut words = rest.split_ascii_whitespace();
    let second = words.nth(1).unwrap_or_default();
    second == "kernel:" || second.ends_with("]:")
}

/// `[host] program[pid]: message`.
fn of_program(rest: &str) -> Option<Entry<'_>> {
    // A program with an empty message ends the line: `pve-01 corosync[1234]:`.
    let (head, message) = match rest.split_once(": ") {
        Some((head, message)) => (head, message),
        None => (rest.strip_suffix(':')?, ""),
    };
    let mut words = head.split_ascii_whitespace();
    let (first, second) = (words.next()?, words.next());
    // With `--no-hostname` there is only the program.
    let (hostname, program) = match second {
        Some(program) => (Some(first), program),
        None => (None, first),
    };
    // What stands before the first colon is a host and a program, and no sentence.
    if words.next().is_some() {
        return None;
    }
    let (identifier, pid) = match program
        .strip_suffix(']')
        .and_then(|program| program.split_once('['))
    {
        Some((identifier, pid)) => (identifier, Some(pid)),
        None => (program, None),
    };
    let (repeated, message) = repeated(message);
    Some(Entry {
        hostname: hostname.map(Cow::Borrowed),
        identifier: Some(Cow::Borrowed(identifier)),
        pid: pid.map(Cow::Borrowed),
        repeated,
        message: Some(Cow::Borrowed(message)),
        ..Entry::default()
    })
}

/// rsyslog's `message repeated 3 times: [ text]`.
fn repeated(message: &str) -> (Option<u32>, &str) {
    let inner = message
        .strip_prefix("message repeated ")
        .and_then(|rest| rest.split_once(" times: ["))
        .and_then(|(times, rest)| Some((times.parse().ok()?, rest.strip_suffix(']')?)));
    match inner {
        Some((times, text)) => (Some(times), text.strip_prefix(' ').unwrap_or(text)),
        None => (None, message),
    }
}

/// Behind the time in corosync's own log: `[1234] pve-01 corosync notice  [TOTEM ] …`; on its standard error
/// `notice  [TOTEM ] …`; before corosync 2 `corosync [TOTEM ] …`.
fn corosync_log(rest: &str) -> Option<Entry<'_>> {
    if let Some(entry) = corosync_without_time(rest) {
        return Some(entry);
    }
    let (word, message) = rest.split_once(' ')?;
    let is_it =
        (word == "corosync" || level(word).is_some()) && message.trim_start().starts_with('[');
    is_it.then(|| Entry {
        priority: level(word).map(Cow::Borrowed),
        ..of_corosync(message)
    })
}

/// `[1234] pve-01 corosync notice  [TOTEM ] …`: the whole line where the configuration says `timestamp: off`.
fn corosync_without_time(line: &str) -> Option<Entry<'_>> {
    let (pid, rest) = line.strip_prefix('[')?.split_once("] ")?;
    if pid.is_empty() || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hostname, rest) = rest.split_once(' ')?;
    let rest = rest.strip_prefix("corosync ")?;
    let (word, message) = rest.split_once(' ')?;
    Some(Entry {
        pid: Some(Cow::Borrowed(pid)),
        hostname: Some(Cow::Borrowed(hostname)),
        priority: level(word).map(Cow::Borrowed),
        ..of_corosync(if level(word).is_some() { message } else { rest })
    })
}

fn of_corosync(message: &str) -> Entry<'_> {
    Entry {
        identifier: Some(Cow::Borrowed("corosync")),
        message: Some(Cow::Borrowed(message.trim_start())),
        ..Entry::default()
    }
}

/// corosync's words for syslog's levels.
fn level(word: &str) -> Option<&'static str> {
    let number = match word {
        "emerg" => "0",
        "alert" => "1",
        "crit" => "2",
        "error" => "3",
        "warning" => "4",
        "notice" => "5",
        "info" => "6",
        "debug" | "trace" => "7",
        _ => return None,
    };
    Some(number)
}
