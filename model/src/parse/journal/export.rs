//! `journalctl -o export` (systemd.io/JOURNAL_EXPORT_FORMATS) and `-o verbose`: a field a line, and between entries a
//! blank line, or in the verbose form a header with time and cursor.
//!
//! A field that is no plain text (several lines, or bytes) stands in the export form as its name alone, eight bytes
//! of length, and the bytes. What arrives here has been decoded as UTF-8, each bad byte replaced, so that the length
//! is known only within a range: [`Binary`] takes lines until the length is reached, and gives up as soon as it
//! is passed, so that a wrong length costs one field and not the rest of the journal.

use std::borrow::Cow;

use crate::fact::journal::JournalTime;
use crate::parse::journal::MAX_LINE_BYTES;
use crate::parse::journal::entry::Entry;
use crate::parse::journal::json::{exact, in_cursor};

/// The fields of the entry that is being read.
#[derive(Debug, Default)]
pub(super) struct Block {
    fields: Fields,
    /// At least one field was there, needed or not.
    begun: bool,
    binary: Option<Binary>,
    /// How far the entry's first field is indented, and whether the last field was the message.
    indent: usize,
    in_message: bool,
}

#[derive(Debug, Default)]
struct Fields {
    cursor: Option<String>,
    realtime: Option<String>,
    boot_id: Option<String>,
    hostname: Option<String>,
    transport: Option<String>,
    identifier: Option<String>,
    unit: Option<String>,
    comm: Option<String>,
    about: Option<String>,
    pid: Option<String>,
    claimed_pid: Option<String>,
    priority: Option<String>,
    message: Option<String>,
}

/// What a line did.
pub(super) enum Step {
    Taken,
    /// The entry before it is complete; the line itself is taken too.
    Entry(Box<Entry<'static>>),
    /// It is no field, and belongs to nothing.
    Stray,
}

fn complete(entry: Entry<'static>) -> Step {
    Step::Entry(Box::new(entry))
}

/// A field by its name: `__CURSOR=…`, `_PID=…`, `MESSAGE=…`. Names are capitals, digits and `_`.
pub(super) fn is_field(line: &str) -> bool {
    line.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// `Sat 2026-11-21 03:46:01.123456 UTC [s=…;i=…;…]`
pub(super) fn is_verbose_header(line: &str) -> bool {
    !line.starts_with(' ') && line.ends_with(']') && line.contains(" [s=") && line.contains(";t=")
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

impl Block {
    pub(super) fn line(&mut self, line: &str) -> Step {
        if let Some(binary) = &mut self.binary {
            if binary.takes(line) {
                binary.push(line);
                return Step::Taken;
            }
            self.end_binary();
        }
        let trimmed = line.trim();
        // The verbose form indents the further lines of a value beneath its beginning. They are looked at first:
        // a message may hold a line that reads like a field.
        let indent = line.len() - line.trim_start().len();
        if self.begun && self.indent > 0 && indent > self.indent {
            if self.in_message {
                self.fields.append_to_message(trimmed);
            }
            return Step::Taken;
        }
        if trimmed.is_empty() {
            return self.end().map_or(Step::Taken, complete);
        }
        if is_verbose_header(line) {
            let before = self.end();
            self.begun = true;
            self.fields.cursor = line
                .rsplit_once('[')
                .map(|(_, cursor)| cursor.trim_end_matches(']').to_owned());
            return before.map_or(Step::Taken, complete);
        }
        if let Some((name, value)) = trimmed.split_once('=')
            && is_name(name)
        {
            // An entry begins with its cursor: then the blank line before it was lost.
            let before = if name == "__CURSOR" && self.begun {
                self.end()
            } else {
                None
            };
            if !self.begun || self.indent == 0 {
                self.indent = indent;
            }
            self.begun = true;
            self.in_message = name == "MESSAGE";
            self.fields.put(name, value);
            return before.map_or(Step::Taken, complete);
        }
        if is_name(trimmed) {
            self.binary = Some(Binary::of(trimmed));
            return Step::Taken;
        }
        Step::Stray
    }

    /// The entry that is being read, if there is one.
    pub(super) fn end(&mut self) -> Option<Entry<'static>> {
        self.end_binary();
        let block = std::mem::take(self);
        block.begun.then(|| block.fields.into_entry())
    }

    fn end_binary(&mut self) {
        if let Some(binary) = self.binary.take() {
            self.begun = true;
            self.fields.put(&binary.name, &binary.value);
        }
    }
}

impl Fields {
    fn put(&mut self, name: &str, value: &str) {
        let place = match name {
            "__CURSOR" => &mut self.cursor,
            "__REALTIME_TIMESTAMP" => &mut self.realtime,
            "_BOOT_ID" => &mut self.boot_id,
            "_HOSTNAME" => &mut self.hostname,
            "_TRANSPORT" => &mut self.transport,
            "SYSLOG_IDENTIFIER" => &mut self.identifier,
            "_SYSTEMD_UNIT" => &mut self.unit,
            "_COMM" => &mut self.comm,
            "UNIT" => &mut self.about,
            "_PID" => &mut self.pid,
            "SYSLOG_PID" => &mut self.claimed_pid,
            "PRIORITY" => &mut self.priority,
            "MESSAGE" => &mut self.message,
            _ => return,
        };
        if place.is_none() {
            *place = Some(value.to_owned());
        }
    }

    fn append_to_message(&mut self, line: &str) {
        if let Some(message) = &mut self.message
            && message.len() + line.len() < MAX_LINE_BYTES
        {
            message.push('\n');
            message.push_str(line);
        }
    }

    fn into_entry(self) -> Entry<'static> {
        let stamp: Option<JournalTime> = self.realtime.as_deref().and_then(exact);
        Entry {
            time: stamp.or_else(|| in_cursor(self.cursor.as_deref()?)),
            boot_id: self.boot_id.map(Cow::Owned),
            cursor: self.cursor.map(Cow::Owned),
            hostname: self.hostname.map(Cow::Owned),
            transport: self.transport.map(Cow::Owned),
            identifier: self.identifier.map(Cow::Owned),
            unit: self.unit.map(Cow::Owned),
            comm: self.comm.map(Cow::Owned),
            about: self.about.map(Cow::Owned),
            pid: self.pid.or(self.claimed_pid).map(Cow::Owned),
            priority: self.priority.map(Cow::Owned),
            repeated: None,
            message: self.message.map(Cow::Owned),
        }
    }
}

/// A field given by length. `least <= length <= most` is what the eight bytes can mean, `shortest <= taken <= longest`
/// what the lines taken so far can have been, line ends included.
#[derive(Debug, Default)]
struct Binary {
    name: String,
    /// The eight bytes have been seen.
    sized: bool,
    least: u64,
    most: u64,
    shortest: u64,
    longest: u64,
    value: String,
}

impl Binary {
    fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Does this line belong to the value?
    fn takes(&self, line: &str) -> bool {
        if !self.sized {
            // A length whose lowest byte is 10 looks like the end of a line.
            return line.is_empty()
                || length(line, false).is_some()
                || length(line, true).is_some();
        }
        let may_be_over = self.longest >= self.least && self.shortest <= self.most;
        let is_over = self.shortest > self.most || (self.shortest >= self.most && may_be_over);
        !(is_over || (may_be_over && (line.is_empty() || is_field(line) || is_name(line))))
    }

    fn push(&mut self, line: &str) {
        // A line end is one byte, or two, and is not counted where the value begins.
        let between = u64::from(self.sized);
        let data = if self.sized {
            line
        } else {
            if line.is_empty() && self.most == 0 {
                // Remembered as "the lowest byte was 10": the other seven come next.
                self.most = 10;
                return;
            }
            let Some((least, most, data)) = length(line, self.most == 10) else {
                return;
            };
            (self.sized, self.least, self.most) = (true, least, most);
            data
        };
        let bytes = data.len() as u64;
        let replaced = data
            .chars()
            .filter(|letter| *letter == char::REPLACEMENT_CHARACTER)
            .count() as u64;
        // A replaced byte takes three here; three bytes may have been one that stands for itself.
        self.shortest = self
            .shortest
            .saturating_add((bytes - 2 * replaced) + between);
        self.longest = self.longest.saturating_add(bytes + 2 * between);
        if self.value.len() + data.len() < MAX_LINE_BYTES {
            if between > 0 {
                self.value.push('\n');
            }
            self.value.push_str(data);
        }
    }
}

/// Reads the length at the beginning of a line: the range that it can mean, and what stands behind it.
fn length(line: &str, lowest_was_newline: bool) -> Option<(u64, u64, &str)> {
    let (mut least, mut most, mut place) = if lowest_was_newline {
        (10, 10, 1)
    } else {
        (0, 0, 0)
    };
    let mut letters = line.char_indices();
    while place < 8 {
        let (_, letter) = letters.next()?;
        if letter == char::REPLACEMENT_CHARACTER {
            least += 0x80_u64.checked_shl(8 * place)?;
            most += 0xff_u64.checked_shl(8 * place)?;
            place += 1;
            continue;
        }
        let mut utf8 = [0; 4];
        for byte in letter.encode_utf8(&mut utf8).bytes() {
            let value = u64::from(byte).checked_shl(8 * place)?;
            (least, most) = (least.saturating_add(value), most.saturating_add(value));
            place += 1;
        }
    }
    // A journal holds no field of a gigabyte: then these were no eight bytes of length.
    (most < 1 << 30).then_some((least, most, letters.as_str()))
}
