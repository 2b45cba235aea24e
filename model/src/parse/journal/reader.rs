//! Lines in, events out: the part that knows where an entry ends.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::fact::journal::{Journal, JournalEvent, JournalTime, MAX_EVENTS};
use crate::parse::journal::entry::{Entry, Heard};
use crate::parse::journal::export::{Block, Step, is_field, is_verbose_header};
use crate::parse::journal::{MAX_LINE_BYTES, json, short};
use crate::text::{BadLine, BadLines, Line, MAX_BAD_LINES, Parsed, Unreadable};

/// What `journalctl` says instead of an answer.
const COMPLAINTS: [&str; 8] = [
    "No journal files were",
    "Failed to ",
    "journalctl: ",
    "Cannot ",
    "Data from the specified boot",
    "Couldn't ",
    "Specifying boot ID",
    "Permission denied",
];

/// Reads a journal line by line.
#[derive(Debug, Default)]
pub struct Reader {
    line_number: usize,
    format: Format,
    journal: Journal,
    events: VecDeque<JournalEvent>,
    bad_lines: BadLines,
    first_unread: Option<BadLine>,
    complaint: Option<String>,
    /// The journal said in words that it holds nothing: `-- No entries --`.
    said_empty: bool,
}

#[derive(Debug, Default)]
enum Format {
    /// No entry has been seen.
    #[default]
    Unknown,
    Json {
        /// An object that is printed over several lines (`-o json-pretty`).
        open: String,
    },
    Export(Box<Block>),
    Short {
        /// The entry whose further lines may follow.
        last: Option<Box<Entry<'static>>>,
        /// How far the first entry was indented: further lines of a message are indented more.
        indent: usize,
    },
}

impl Reader {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next line, without its end.
    pub fn line(&mut self, line: &str) {
        self.line_number = self.line_number.saturating_add(1);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.len() > MAX_LINE_BYTES {
            self.journal.lines_too_long += 1;
            return;
        }
        if matches!(self.format, Format::Unknown) {
            self.recognise(line);
        }
        match &self.format {
            Format::Unknown => self.before_any_entry(line),
            Format::Json { .. } => self.json_line(line),
            Format::Export(_) => self.export_line(line),
            Format::Short { .. } => self.short_line(line),
        }
    }

    /// A line that was longer than [`MAX_LINE_BYTES`], and that nobody took into memory.
    pub fn skip_long_line(&mut self) {
        self.line_number = self.line_number.saturating_add(1);
        self.journal.lines_too_long += 1;
    }

    /// Ends the last entry and hands out all that was read.
    pub fn finish(mut self) -> Result<Parsed<Journal>, Unreadable> {
        match std::mem::take(&mut self.format) {
            Format::Json { open } if !open.is_empty() => self.unread(&open, "the entry has no end"),
            Format::Export(mut block) => {
                if let Some(entry) = block.end() {
                    self.entry(entry);
                }
            }
            Format::Short {
                last: Some(last), ..
            } => self.entry(*last),
            Format::Unknown | Format::Json { .. } | Format::Short { last: None, .. } => {}
        }
        if self.journal.entries_read == 0 {
            if let Some(message) = self.complaint {
                return Err(Unreadable::ToolFailed { message });
            }
            if !self.said_empty {
                return Err(match self.first_unread {
                    Some(bad_line) => Unreadable::BadLine(bad_line),
                    None if self.journal.lines_too_long > 0 => Unreadable::Foreign {
                        first_line: format!("a line of more than {MAX_LINE_BYTES} bytes"),
                    },
                    None => Unreadable::Empty,
                });
            }
        }
        self.journal.events = self.events.into();
        Ok(self.bad_lines.with(self.journal))
    }

    fn recognise(&mut self, line: &str) {
        let text = json_text(line);
        if text.starts_with('{') {
            self.format = Format::Json {
                open: String::new(),
            };
        } else if is_verbose_header(line) || is_field(line.trim()) {
            self.format = Format::Export(Box::default());
        } else if short::read(line).is_some() {
            let indent = indent_of(line);
            self.format = Format::Short { last: None, indent };
        }
    }

    /// A line before the first entry: the tool's own words, or the rest of an entry that was cut off.
    fn before_any_entry(&mut self, line: &str) {
        let text = line.trim();
        if self.is_remark(text) || text == "[" {
            return;
        }
        if COMPLAINTS
            .iter()
            .any(|complaint| text.starts_with(complaint))
        {
            let message = || text.chars().take(crate::text::MAX_BAD_LINE_CHARS).collect();
            self.complaint.get_or_insert_with(message);
            return;
        }
        self.unread(line, "it is no journal entry of any known format");
    }

    /// `-- Boot … --`, `-- Journal begins at … --`, `-- No entries --`, hints, blank lines.
    fn is_remark(&mut self, text: &str) -> bool {
        self.said_empty |= text == "-- No entries --";
        text.is_empty()
            || text.starts_with("-- ")
            || text.starts_with("Hint: ")
            || text.starts_with("lines ")
    }

    fn json_line(&mut self, line: &str) {
        let text = json_text(line);
        let Format::Json { open } = &mut self.format else {
            return;
        };
        if open.is_empty() {
            match text {
                "{" => open.push('{'),
                "[" | "]" => {}
                _ if text.starts_with('{') => self.object(text),
                _ if self.is_remark(text) => {}
                _ => self.unread(text, "it is no JSON object"),
            }
            return;
        }
        if text == "{" || open.len() + text.len() > MAX_LINE_BYTES {
            let lost = std::mem::replace(
                open,
                if text == "{" {
                    "{".to_owned()
                } else {
                    String::new()
                },
            );
            self.unread(&lost, "the entry has no end, or is too long");
            return;
        }
        open.push_str(text);
        if text == "}" {
            let object = std::mem::take(open);
            self.object(&object);
        }
    }

    fn object(&mut self, text: &str) {
        match json::read(text) {
            Ok(entry) => self.entry(entry),
            Err(error) => self.unread(text, &error.to_string()),
        }
    }

    fn export_line(&mut self, line: &str) {
        let Format::Export(block) = &mut self.format else {
            return;
        };
        match block.line(line) {
            Step::Taken => {}
            Step::Entry(entry) => self.entry(*entry),
            Step::Stray if self.is_remark(line.trim()) => {}
            Step::Stray => self.unread(line, "it is no field"),
        }
    }

    fn short_line(&mut self, line: &str) {
        let Format::Short { last, indent } = &mut self.format else {
            return;
        };
        let is_further = last.is_some() && indent_of(line) > *indent;
        let read = if is_further { None } else { short::read(line) };
        if let Some(entry) = read {
            let before = last.replace(Box::new(owned(entry)));
            if let Some(before) = before {
                self.entry(*before);
            }
            return;
        }
        let text = line.trim();
        if let Some(last) = last
            && is_further
            && !text.is_empty()
        {
            append(last, text);
        } else if !self.is_remark(text) {
            self.unread(line, "it does not begin with a time, a host and a program");
        }
    }

    /// One entry is complete.
    fn entry(&mut self, entry: Entry<'_>) {
        self.journal.entries_read += 1;
        if let Some(time) = &entry.time {
            self.journal.witness(time);
        }
        match entry.hear() {
            Heard::OfOthers => self.journal.entries_of_others += 1,
            Heard::Event(event) => self.keep(event),
            Heard::Unread(event, why) => {
                self.bad_lines
                    .push(BadLine::new(self.here(&event.message), why));
                self.keep(event);
            }
        }
    }

    fn keep(&mut self, event: JournalEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.journal.events_dropped += 1;
            // `journalctl -r` prints the newest first: then it is this one that goes.
            if self
                .events
                .front()
                .is_some_and(|front| is_before(&event, front))
            {
                return;
            }
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn unread(&mut self, line: &str, why: &str) {
        self.journal.entries_unreadable += 1;
        if self.journal.entries_unreadable > MAX_BAD_LINES as u64 * 2 {
            return;
        }
        let bad_line = BadLine::new(self.here(line), why);
        self.first_unread.get_or_insert_with(|| bad_line.clone());
        self.bad_lines.push(bad_line);
    }

    fn here<'a>(&self, text: &'a str) -> Line<'a> {
        Line {
            number: self.line_number,
            text,
        }
    }
}

impl Journal {
    fn witness(&mut self, time: &JournalTime) {
        let exact = |time: &JournalTime| match time {
            JournalTime::Exact(moment) => Some(*moment),
            JournalTime::Civil(_) | JournalTime::SinceBootUs(_) => None,
        };
        match (&self.first, exact(time)) {
            (None, _) => self.first = Some(time.clone()),
            (Some(first), Some(moment)) if exact(first).is_some_and(|first| moment < first) => {
                self.first = Some(time.clone());
            }
            _ => {}
        }
        match (&self.last, exact(time)) {
            (Some(last), Some(moment)) if exact(last).is_some_and(|last| moment < last) => {}
            _ => self.last = Some(time.clone()),
        }
    }
}

fn is_before(one: &JournalEvent, other: &JournalEvent) -> bool {
    match (&one.time, &other.time) {
        (Some(JournalTime::Exact(one)), Some(JournalTime::Exact(other))) => one < other,
        _ => false,
    }
}

/// `-o json-seq` begins each entry with a record separator, `-o json-sse` with `data: `.
fn json_text(line: &str) -> &str {
    let text = line.trim().trim_start_matches(['\u{1e}', '\u{feff}']);
    let text = text.strip_prefix("data: ").unwrap_or(text);
    // jq and json-pretty put a comma behind the objects of an array.
    if text == "}," { "}" } else { text }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn owned(entry: Entry<'_>) -> Entry<'static> {
    let own = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
    Entry {
        time: entry.time,
        boot_id: own(entry.boot_id),
        cursor: own(entry.cursor),
        hostname: own(entry.hostname),
        transport: own(entry.transport),
        identifier: own(entry.identifier),
        unit: own(entry.unit),
        comm: own(entry.comm),
        about: own(entry.about),
        pid: own(entry.pid),
        priority: own(entry.priority),
        repeated: entry.repeated,
        message: own(entry.message),
    }
}

/// Adds a further line to a message.
fn append(entry: &mut Entry<'static>, line: &str) {
    let message = entry.message.get_or_insert_default().to_mut();
    if message.len() + line.len() < MAX_LINE_BYTES {
        message.push('\n');
        message.push_str(line);
    }
}
