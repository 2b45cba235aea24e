//! The journal: on a live node what `journalctl` answers for this boot; in a capture every output of it, syslog's
//! files and corosync's own log, as one. Captured texts can be long, so they are streamed.

use std::io::{self, BufRead};

use jiff::Timestamp;
use model::fact::journal::{Journal, JournalTime};
use model::parse::journal::{MAX_LINE_BYTES, Part, Reader, merge};
use model::reading::Reading;
use model::text::{Parsed, Unreadable};

use crate::host::{Command, Host, said, words_of};
use crate::source::gather::Gathering;

/// Only the programs that the model knows: what else the journal holds is nobody's business, least of all in a
/// support bundle.
const JOURNALCTL: Command = Command {
    path: "/usr/bin/journalctl",
    args: &[
        "-o",
        "json",
        "-b",
        "--no-pager",
        "-n",
        "5000",
        "-t",
        "kernel",
        "-t",
        "corosync",
        "-t",
        "corosync-qdevice",
        "-t",
        "pmxcfs",
        "-t",
        "watchdog-mux",
        "-t",
        "pve-ha-lrm",
        "-t",
        "pve-ha-crm",
        "-t",
        "systemd",
        "-t",
        "systemd-shutdown",
        "-t",
        "systemd-logind",
    ],
    words: &[],
};
pub(crate) const COMMANDS: &[Command] = &[JOURNALCTL];

/// What `journalctl` prints with these is no entries.
const NO_ENTRIES: [&str; 14] = [
    "--list-boots",
    "--list-catalog",
    "--list-namespaces",
    "--disk-usage",
    "--header",
    "--version",
    "--verify",
    "--help",
    "--fields",
    "-N",
    "--field",
    "-F",
    "--rotate",
    "--flush",
];

/// Read in a capture only: on a live node the journal holds the same lines, with more about each. `capture` takes
/// the newest part of each, and of it only the lines of the programs that the model knows.
pub(crate) const FILES: &[&str] = &[
    "var/log/syslog",
    "var/log/corosync/corosync.log",
    "var/log/cluster/corosync.log",
];
/// How many captured texts are read.
const MAX_TEXTS: usize = 16;

/// Absent: no journalctl here, nothing captured.
pub(crate) fn collect(host: &Host) -> Reading<Journal> {
    let mut gathering = Gathering::default();
    let parts = if host.is_captured() {
        captured(host, &mut gathering)
    } else {
        live(host, &mut gathering)
    };
    let value = (!parts.is_empty()).then(|| merge(parts));
    gathering.finish(value)
}

fn live(host: &Host, gathering: &mut Gathering) -> Vec<Part> {
    let mut parts = Vec::new();
    for text in gathering.ask(host, &JOURNALCTL) {
        let parsed = model::parse::journal::parse(&text.text);
        let journal = gathering.take(&text, parsed);
        parts.extend(journal.map(|journal| Part {
            journal,
            read_at: text.at,
        }));
    }
    parts
}

/// One captured text, as it was read.
struct Log {
    path: String,
    read_at: Timestamp,
    parsed: Result<Parsed<Journal>, Unreadable>,
}

fn captured(host: &Host, gathering: &mut Gathering) -> Vec<Part> {
    let mut paths = gathering.found("commands", host.captured_answers(&JOURNALCTL));
    paths.retain(|path| !words_of(path).any(|word| NO_ENTRIES.contains(&word)));
    paths.extend(FILES.iter().map(|path| (*path).to_owned()));
    let mut logs: Vec<Log> = Vec::new();
    for path in paths {
        let Some(mut opened) = gathering.found(&path, host.open(&path)) else {
            continue;
        };
        if logs.len() == MAX_TEXTS {
            gathering.remark(&path, format!("only {MAX_TEXTS} journals are read"));
            break;
        }
        let mut reader = Reader::new();
        if let Err(error) = stream(&mut opened.lines, &mut reader) {
            gathering.remark(&path, format!("reading it broke off: {}", said(&error)));
        }
        let parsed = reader.finish();
        let newest = parsed.as_ref().ok().and_then(newest);
        let read_at = newest.unwrap_or(opened.at);
        logs.push(Log {
            path,
            read_at,
            parsed,
        });
    }
    // An old log beside the journal does not make the journal old: each entry has its own time.
    let readable = logs.iter().filter(|log| log.parsed.is_ok());
    let newest = readable.map(|log| log.read_at).max();
    let mut parts = Vec::new();
    for log in logs {
        let at = newest.unwrap_or(log.read_at);
        let journal = gathering.take_from(&log.path, at, log.parsed);
        parts.extend(journal.map(|journal| Part {
            journal,
            read_at: log.read_at,
        }));
    }
    parts
}

/// A journal was read no earlier than its newest entry was written; calling it as old as that entry is the safe side.
fn newest(parsed: &Parsed<Journal>) -> Option<Timestamp> {
    match parsed.value.last {
        Some(JournalTime::Exact(moment)) => Some(moment),
        _ => None,
    }
}

/// Hands over line by line. A line beyond the limit is passed over without being taken into memory.
fn stream(lines: &mut impl BufRead, reader: &mut Reader) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let (ended, whole) = take_line(lines, &mut line)?;
        if !whole {
            reader.skip_long_line();
        } else if !(ended && line.is_empty()) {
            match std::str::from_utf8(&line) {
                Ok(text) => reader.line(text),
                Err(_) => reader.line(&String::from_utf8_lossy(&line)),
            }
        }
        if ended {
            return Ok(());
        }
    }
}

/// Reads the next line without its end. Did the text end with it, and was it within the limit?
pub(crate) fn take_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<(bool, bool)> {
    line.clear();
    let mut whole = true;
    loop {
        let buffer = match lines.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok((true, whole));
        }
        let mut pieces = buffer.splitn(2, |byte| *byte == b'\n');
        let piece = pieces.next().unwrap_or_default();
        let line_ends = pieces.next().is_some();
        if whole && line.len() + piece.len() <= MAX_LINE_BYTES {
            line.extend_from_slice(piece);
        } else {
            whole = false;
            line.clear();
        }
        let used = piece.len() + usize::from(line_ends);
        lines.consume(used);
        if line_ends {
            return Ok((false, whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: &str = "Nov 21 03:46:01 pve-01 kernel: bond0: active interface up!";

    fn streamed(bytes: &[u8]) -> Journal {
        let mut reader = Reader::new();
        // A buffer of seven bytes: lines and their ends fall on every possible border.
        let mut lines = io::BufReader::with_capacity(7, bytes);
        stream(&mut lines, &mut reader).unwrap();
        reader.finish().unwrap().value
    }

    #[test]
    fn a_line_beyond_the_limit_is_passed_over_and_counted() {
        let text = format!("{UP}\n{}\n{UP}", "x".repeat(MAX_LINE_BYTES + 1));
        let journal = streamed(text.as_bytes());
        assert_eq!((journal.events.len(), journal.lines_too_long), (2, 1));
    }

    #[test]
    fn bytes_that_are_no_utf_8_lose_only_themselves() {
        let mut bytes = b"Nov 21 03:46:01 pve-01 pmxcfs[1]: \xff\xfe\r\n".to_vec();
        bytes.extend_from_slice(UP.as_bytes());
        let journal = streamed(&bytes);
        assert_eq!(journal.events[0].message, "\u{fffd}\u{fffd}");
        assert_eq!(journal.events.len(), 2);
    }

    #[test]
    fn the_journal_is_asked_for_the_programs_that_the_model_knows() {
        let asked: Vec<&str> = JOURNALCTL
            .args
            .windows(2)
            .filter_map(|pair| (pair[0] == "-t").then_some(pair[1]))
            .collect();
        let known: Vec<&str> = model::parse::journal::programs().collect();
        assert_eq!(asked, known);
    }

    #[test]
    fn a_capture_is_read_from_all_its_texts() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::captured(dir.path()).unwrap();
        assert_eq!(collect(&host), Reading::Absent);
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("commands/journalctl_-b", "No journal files were found.\n");
        assert!(matches!(collect(&host), Reading::Failed { .. }));
        write("var/log/syslog", UP);
        write(
            "commands/journalctl_--list-boots",
            " 0 4fc8 Sat 2026-11-21\n",
        );
        let json = r#"{"__REALTIME_TIMESTAMP":"1795232761000000","SYSLOG_IDENTIFIER":"corosync","MESSAGE":"x"}"#;
        write("commands/journalctl_-o_json", json);
        let Reading::Known {
            value, problems, ..
        } = collect(&host)
        else {
            panic!("not known")
        };
        assert_eq!((value.events.len(), problems.len()), (2, 1));
    }
}
