//! `ovs-vsctl show` (Open vSwitch: utilities/ovs-vsctl.c `cmd_show_tables`, lib/db-ctl-base.c `show_row`).
//!
//! First the database's uuid, then rows (`Bridge`, `Port`, `Interface`, `Manager`, `Controller`) and their columns,
//! each level four blanks deeper. Strings are quoted as in JSON where they are not plain words. A known column
//! belongs to the last row that has such a column, whatever the indentation; an unknown one goes by it.

use std::collections::BTreeMap;

use crate::fact::ovs::{
    FailMode, Ovs, OvsBridge, OvsInterface, OvsInterfaceKind, OvsPort, OvsTarget,
};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// Reads one answer. A uuid alone is one: Open vSwitch without a bridge.
pub fn parse(text: &str) -> Result<Parsed<Ovs>, Unreadable> {
    let mut reader = Reader::default();
    let mut bad_lines = BadLines::default();
    let mut complaint = None;
    for line in lines(text).filter(|line| !line.is_blank()) {
        if is_complaint(line.text) {
            complaint.get_or_insert(line);
            bad_lines.push(BadLine::new(line, "the tool complained"));
        } else {
            bad_lines.keep(reader.line(line));
        }
    }
    if reader.known_lines > 0 {
        return Ok(bad_lines.with(reader.ovs));
    }
    Err(match complaint {
        Some(line) => Unreadable::tool_failed(line.text),
        None => Unreadable::foreign(text),
    })
}

/// `ovs-vsctl: unix:…: database connection failed (…)`, or a line of its log: `2026-…Z|00002|…|WARN|…`.
fn is_complaint(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("ovs-vsctl:")
        || line.ends_with("command not found")
        || ["|WARN|", "|ERR|", "|EMER|"]
            .iter()
            .any(|level| line.contains(level))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Manager,
    Bridge,
    Controller,
    Port,
    Interface,
}

impl Row {
    /// `Port "eth0"` -> the row and its quoted name.
    fn from_line(text: &str) -> Option<(Self, &str)> {
        let (word, name) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let row = match word {
            "Manager" => Self::Manager,
            "Bridge" => Self::Bridge,
            "Controller" => Self::Controller,
            "Port" => Self::Port,
            "Interface" => Self::Interface,
            _ => return None,
        };
        Some((row, name.trim()))
    }

    fn level(self) -> usize {
        match self {
            Self::Manager | Self::Bridge => 0,
            Self::Controller | Self::Port => 1,
            Self::Interface => 2,
        }
    }
}

#[derive(Default)]
struct Reader {
    ovs: Ovs,
    known_lines: usize,
    /// The rows that are open, outermost first, with their indentation.
    open: Vec<(Row, usize)>,
}

impl Reader {
    fn line(&mut self, line: Line<'_>) -> Result<(), BadLine> {
        let text = line.text.trim();
        if let Some((row, name)) = Row::from_line(text) {
            self.known_lines += 1;
            return self.begin(row, line, name);
        }
        if is_uuid(text) {
            self.known_lines += 1;
            self.ovs.uuid = Some(text.to_owned());
            return Ok(());
        }
        match line.key_value() {
            Some((key, value)) if is_column(key) => self.column(line, key, value),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, row: Row, line: Line<'_>, name: &str) -> Result<(), BadLine> {
        self.open.retain(|(open, _)| open.level() < row.level());
        let read = string(line, name);
        let (name, outcome) = match read {
            Ok(name) => (Some(name), Ok(())),
            Err(bad) => (None, Err(bad)),
        };
        match row {
            Row::Manager => self.ovs.managers.push(target(name)),
            Row::Bridge => self.ovs.bridges.push(OvsBridge {
                name,
                ..OvsBridge::default()
            }),
            Row::Controller => self.bridge(line)?.controllers.push(target(name)),
            Row::Port => self.bridge(line)?.ports.push(OvsPort {
                name,
                ..OvsPort::default()
            }),
            Row::Interface => self.port(line)?.interfaces.push(OvsInterface {
                name,
                ..OvsInterface::default()
            }),
        }
        self.open.push((row, line.indent()));
        outcome
    }

    fn column(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<(), BadLine> {
        match key {
            "ovs_version" => self.ovs.version = Some(string(line, value)?),
            "is_connected" => self.target(line)?.is_connected = Some(truth(line, value)?),
            "fail_mode" => {
                self.bridge(line)?.fail_mode = Some(FailMode::from_word(&string(line, value)?));
            }
            "datapath_type" => self.bridge(line)?.datapath_type = Some(string(line, value)?),
            "tag" => self.port(line)?.tag = Some(vlan(line, value)?),
            "trunks" => {
                let (trunks, outcome) = vlans(line, value);
                self.port(line)?.trunks = Some(trunks);
                outcome?;
            }
            "type" => {
                let kind = OvsInterfaceKind::from_word(&string(line, value)?);
                self.interface(line)?.kind = Some(kind);
            }
            "options" => {
                let (options, outcome) = map(line, value);
                self.interface(line)?.options = options;
                outcome?;
            }
            "bfd_status" => {
                let (status, outcome) = map(line, value);
                self.interface(line)?.bfd_status = status;
                outcome?;
            }
            "error" => self.interface(line)?.error = Some(string(line, value)?),
            _ => {
                if let Some(other) = self.other(line.indent()) {
                    let value = string(line, value).unwrap_or_else(|_| value.to_owned());
                    other.insert(key.to_owned(), value);
                }
                return Ok(());
            }
        }
        self.known_lines += 1;
        Ok(())
    }

    fn bridge(&mut self, line: Line<'_>) -> Result<&mut OvsBridge, BadLine> {
        let is_open = self.open.iter().any(|(row, _)| *row == Row::Bridge);
        let bridge = if is_open {
            self.ovs.bridges.last_mut()
        } else {
            None
        };
        bridge.ok_or_else(|| BadLine::new(line, "no `Bridge` line stands before it"))
    }

    fn port(&mut self, line: Line<'_>) -> Result<&mut OvsPort, BadLine> {
        let is_open = self.open.iter().any(|(row, _)| *row == Row::Port);
        let port = if is_open {
            self.bridge(line)?.ports.last_mut()
        } else {
            None
        };
        port.ok_or_else(|| BadLine::new(line, "no `Port` line stands before it"))
    }

    fn interface(&mut self, line: Line<'_>) -> Result<&mut OvsInterface, BadLine> {
        let is_open = self.open.iter().any(|(row, _)| *row == Row::Interface);
        let interface = if is_open {
            self.port(line)?.interfaces.last_mut()
        } else {
            None
        };
        interface.ok_or_else(|| BadLine::new(line, "no `Interface` line stands before it"))
    }

    /// The manager or the controller that was named last.
    fn target(&mut self, line: Line<'_>) -> Result<&mut OvsTarget, BadLine> {
        let target = match self.open.last() {
            Some((Row::Manager, _)) => self.ovs.managers.last_mut(),
            Some((Row::Controller, _)) => self.bridge(line)?.controllers.last_mut(),
            _ => None,
        };
        target.ok_or_else(|| BadLine::new(line, "no `Manager` or `Controller` stands before it"))
    }

    /// Where an unknown column goes: to the deepest open row that it is indented below, or to the last row where
    /// the text has lost its indentation. Before any known line it may be anything, and belongs to nobody.
    fn other(&mut self, indent: usize) -> Option<&mut BTreeMap<String, String>> {
        if self.known_lines == 0 {
            return None;
        }
        let is_flat = match self.open.as_slice() {
            [(_, outer), .., (_, inner)] => outer == inner,
            _ => false,
        };
        let owner = if is_flat {
            self.open.last()
        } else {
            self.open.iter().rev().find(|(_, open)| *open < indent)
        };
        let Some((row, _)) = owner.copied() else {
            return Some(&mut self.ovs.other);
        };
        let bridge = self.ovs.bridges.last_mut();
        Some(match row {
            Row::Manager => &mut self.ovs.managers.last_mut()?.other,
            Row::Bridge => &mut bridge?.other,
            Row::Controller => &mut bridge?.controllers.last_mut()?.other,
            Row::Port => &mut bridge?.ports.last_mut()?.other,
            Row::Interface => &mut bridge?.ports.last_mut()?.interfaces.last_mut()?.other,
        })
    }
}

fn target(target: Option<String>) -> OvsTarget {
    OvsTarget {
        target,
        ..OvsTarget::default()
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Columns of OVSDB are C identifiers; a line of another tool's text seldom begins so.
fn is_column(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A plain word, or a string quoted as in JSON.
fn string(line: Line<'_>, value: &str) -> Result<String, BadLine> {
    if value.is_empty() {
        return Err(BadLine::new(line, "the value is missing"));
    }
    if !value.starts_with('"') {
        return Ok(value.to_owned());
    }
    serde_json::from_str(value).map_err(|_| BadLine::new(line, "the quoted text is not closed"))
}

fn truth(line: Line<'_>, value: &str) -> Result<bool, BadLine> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(BadLine::new(line, "it is neither true nor false")),
    }
}

fn vlan(line: Line<'_>, value: &str) -> Result<u16, BadLine> {
    match line.number(value, "the VLAN")? {
        id @ 0..=4095 => Ok(id),
        _ => Err(BadLine::new(line, "a VLAN is 0 to 4095")),
    }
}

/// `[1, 30]`, or one VLAN without brackets. What can be read of it, and whether that was all.
fn vlans(line: Line<'_>, value: &str) -> (Vec<u16>, Result<(), BadLine>) {
    let mut outcome = Ok(());
    let inner = match value.strip_prefix('[') {
        None => value,
        Some(rest) => rest.strip_suffix(']').unwrap_or_else(|| {
            outcome = Err(BadLine::new(line, "the list is not closed"));
            rest
        }),
    };
    let mut vlans = Vec::new();
    for piece in pieces(inner) {
        match vlan(line, piece) {
            Ok(id) => vlans.push(id),
            Err(bad) => outcome = outcome.and(Err(bad)),
        }
    }
    (vlans, outcome)
}

/// `{peer=patch-int, psk="a, b"}`. What can be read of it, and whether that was all.
fn map(line: Line<'_>, value: &str) -> (BTreeMap<String, String>, Result<(), BadLine>) {
    let mut map = BTreeMap::new();
    let inner = value
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let mut outcome = match inner {
        Some(_) => Ok(()),
        None => Err(BadLine::new(line, "it does not stand in braces")),
    };
    for piece in pieces(inner.unwrap_or_else(|| value.trim_start_matches('{'))) {
        let entry = split(piece, '=')
            .ok_or_else(|| BadLine::new(line, "an option has no value"))
            .and_then(|(key, value)| Ok((string(line, key)?, string(line, value)?)));
        match entry {
            Ok((key, value)) => {
                map.insert(key, value);
            }
            Err(bad) => outcome = outcome.and(Err(bad)),
        }
    }
    (map, outcome)
}

/// The parts between commas that stand outside of quotes.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((piece, behind)) = split(rest, ',') {
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest.trim());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Splits at the first `separator` outside of quotes; both sides trimmed.
fn split(text: &str, separator: char) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ if letter == separator && !quoted => {
                let (before, behind) = (text.get(..at)?, text.get(at + letter.len_utf8()..)?);
                return Some((before.trim(), behind.trim()));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
