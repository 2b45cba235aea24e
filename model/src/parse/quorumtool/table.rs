//! The membership: one row a node, and one of node id 0 for the qdevice.
//!
//! Which column a word stands in is told by the header, because a node may be called `NR` or `Qdevice`. Without a
//! header, a word is taken for qdevice flags if it looks like them and a name follows it.

use core::net::{IpAddr, Ipv6Addr};

use super::{CUT, Member, Qdevice};
use crate::text::{BadLine, Line};

/// What a line of the table is. A `BadLine` beside a row says that one of its cells could not be read.
pub(super) enum Row {
    /// A title or header: a new table begins.
    Begin,
    Member(Member, Option<BadLine>),
    Qdevice(Qdevice, Option<BadLine>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Votes,
    Qdevice,
    Unknown,
}

/// Where in the text we are.
#[derive(Default)]
enum Place {
    #[default]
    Outside,
    /// Behind the title.
    Titled,
    /// Behind a header; the columns between node id and name.
    Headed(Vec<Column>),
    /// Behind the header of cman (Proxmox VE before 4): `Node  Sts   Inc   Joined               Name`.
    Cman,
}

#[derive(Default)]
pub(super) struct Table {
    place: Place,
}

impl Table {
    /// `None` if the line does not belong to a table.
    pub(super) fn line(
        &mut self,
        line: Line<'_>,
        is_unended: bool,
    ) -> Option<Result<Row, BadLine>> {
        let text = line.text.trim();
        if text.eq_ignore_ascii_case("Membership information") {
            self.place = Place::Titled;
            return Some(Ok(Row::Begin));
        }
        let (first, rest) = split_word(text);
        if first.eq_ignore_ascii_case("Nodeid") {
            self.place = Place::Headed(columns(rest));
            return Some(Ok(Row::Begin));
        }
        if first == "Node" && split_word(rest).0 == "Sts" {
            self.place = Place::Cman;
            return Some(Ok(Row::Begin));
        }
        let second_is_number = is_digits(split_word(rest).0);
        let is_row = match self.place {
            Place::Outside => is_id(first) && second_is_number,
            Place::Cman => is_id(first) && !rest.is_empty(),
            Place::Titled | Place::Headed(_) => is_id(first) || second_is_number,
        };
        is_row.then(|| {
            if is_unended && !self.is_whole(rest) {
                return Err(BadLine::new(line, CUT));
            }
            self.row(line, first, rest)
        })
    }

    /// Does a row that nothing ends hold at least what each row does? `rest` is what stands behind the node id.
    fn is_whole(&self, rest: &str) -> bool {
        let columns = match &self.place {
            Place::Headed(columns) if !rest.contains("Qdevice") => columns.len(),
            // State and incarnation; the date is missing where the node is.
            Place::Cman => 2,
            Place::Headed(_) | Place::Titled | Place::Outside => 1,
        };
        let last = rest.rsplit(char::is_whitespace).next().unwrap_or(rest);
        let is_address_cut = last
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
            && last.parse::<IpAddr>().is_err();
        rest.split_whitespace().count() > columns
            && rest.matches('(').count() == rest.matches(')').count()
            && !is_address_cut
    }

    /// A line of another section ends the table.
    pub(super) fn end(&mut self) {
        self.place = Place::Outside;
    }

    fn row(&self, line: Line<'_>, id: &str, rest: &str) -> Result<Row, BadLine> {
        let id = node_id_or_zero(line, id)?;
        match &self.place {
            Place::Cman => Ok(cman_row(id, rest)),
            _ if id == 0 => Ok(qdevice_row(line, rest)),
            Place::Headed(columns) => Ok(member_row(line, id, columns, rest)),
            Place::Titled | Place::Outside => Ok(member_row(line, id, &guess_columns(rest), rest)),
        }
    }
}

/// The columns between node id and name.
fn columns(header: &str) -> Vec<Column> {
    let mut columns: Vec<Column> = header
        .split_whitespace()
        .map(|title| match title.to_ascii_lowercase().as_str() {
            "votes" => Column::Votes,
            "qdevice" => Column::Qdevice,
            _ => Column::Unknown,
        })
        .take(16)
        .collect();
    // The last one is the name's, whatever it is called.
    columns.pop();
    columns
}

fn guess_columns(rest: &str) -> Vec<Column> {
    let (votes, rest) = split_word(rest);
    let (flags, name) = split_word(rest);
    let mut columns = Vec::new();
    if is_digits(votes) || votes.is_empty() {
        columns.push(Column::Votes);
        if looks_like_flags(flags) && !without_local(name).0.is_empty() {
            columns.push(Column::Qdevice);
        }
    }
    columns
}

fn member_row(line: Line<'_>, node_id: u32, columns: &[Column], rest: &str) -> Row {
    let (mut rest, local) = without_local(rest);
    let mut member = Member {
        node_id,
        local: Some(local),
        ..Member::default()
    };
    let mut bad = None;
    for column in columns {
        let (cell, after) = split_word(rest);
        match column {
            Column::Votes => match line.number(cell, "the vote count") {
                Ok(votes) => member.votes = Some(votes),
                Err(bad_line) => bad = Some(bad_line),
            },
            // A name without flags before it: nothing follows that could be the name.
            Column::Qdevice if after.is_empty() && !looks_like_flags(cell) => break,
            Column::Qdevice => member.qdevice_flags = Some(cell.to_owned()),
            Column::Unknown if after.is_empty() => break,
            Column::Unknown => {}
        }
        rest = after;
    }
    (member.name, member.addresses) = names(rest);
    Row::Member(member, bad)
}

/// `-a` prints a name and then the addresses of the other links: `pve-01, 10.21.0.11`.
fn names(cell: &str) -> (Option<String>, Option<Vec<String>>) {
    let mut parts = cell
        .split(", ")
        .map(|part| without_stray_zone(part.trim_end_matches(',').trim()))
        .filter(|part| !part.is_empty());
    let Some(name) = parts.next() else {
        return (None, None);
    };
    let mut addresses: Vec<String> = parts.take(16).map(str::to_owned).collect();
    if is_address(name) {
        addresses.insert(0, name.to_owned());
    }
    let addresses = (!addresses.is_empty()).then_some(addresses);
    (Some(name.to_owned()), addresses)
}

fn is_address(name: &str) -> bool {
    let without_zone = name.split_once('%').map_or(name, |(address, _)| address);
    without_zone.parse::<IpAddr>().is_ok()
}

/// corosync 3.1.7 prints IPv6 addresses with a zone that it never set, another one in every run:
/// `fd00:20::12%32586`. Only a link-local address has one.
fn without_stray_zone(name: &str) -> &str {
    match name.split_once('%') {
        Some((address, _))
            if address
                .parse::<Ipv6Addr>()
                .is_ok_and(|address| !address.is_unicast_link_local()) =>
        {
            address
        }
        _ => name,
    }
}

/// `0          1            Qdevice`, `0          0            Qdevice (votes 1)`, or with flags before the name.
fn qdevice_row(line: Line<'_>, rest: &str) -> Row {
    let (rest, _) = without_local(rest);
    let (votes, rest) = split_word(rest);
    let mut qdevice = Qdevice::default();
    let mut bad = None;
    match line.number(votes, "the vote count") {
        Ok(votes) => qdevice.votes = Some(votes),
        Err(bad_line) => bad = Some(bad_line),
    }
    let mut name = rest;
    if let Some((before, if_cast)) = rest.rsplit_once("(votes ") {
        match line.number(if_cast.trim_end_matches(')'), "the vote count") {
            Ok(votes) => qdevice.votes_if_cast = Some(votes),
            Err(bad_line) => bad = Some(bad_line),
        }
        name = before.trim_end();
    }
    let (first, after) = split_word(name);
    // The tool leaves the column blank here, so that the header does not tell the flags from the name.
    if looks_like_flags(first) || (first.contains(',') && !after.is_empty()) {
        qdevice.flags = Some(first.to_owned());
        name = after;
    }
    qdevice.name = (!name.is_empty()).then(|| name.to_owned());
    Row::Qdevice(qdevice, bad)
}

/// `1   M     16   2013-05-06 10:55:37  proxmox-1`; a node that is not there has `X` and no time.
fn cman_row(node_id: u32, rest: &str) -> Row {
    let (state, rest) = split_word(rest);
    let (_incarnation, rest) = split_word(rest);
    let (day, after_day) = split_word(rest);
    let (time, after_time) = split_word(after_day);
    let is_date = is_digits(day.get(..4).unwrap_or_default()) && time.contains(':');
    let (joined, name) = if is_date {
        (Some(format!("{day} {time}")), after_time)
    } else {
        (None, rest)
    };
    let name = (!name.is_empty()).then(|| name.to_owned());
    if node_id == 0 {
        return Row::Qdevice(
            Qdevice {
                name,
                ..Qdevice::default()
            },
            None,
        );
    }
    Row::Member(
        Member {
            node_id,
            name,
            state: Some(state.to_owned()),
            joined,
            ..Member::default()
        },
        None,
    )
}

/// Decimal, or hexadecimal with `0x`.
pub(super) fn node_id(line: Line<'_>, text: &str) -> Result<u32, BadLine> {
    match node_id_or_zero(line, text)? {
        0 => Err(BadLine::new(line, "a node id is never zero")),
        id => Ok(id),
    }
}

fn node_id_or_zero(line: Line<'_>, text: &str) -> Result<u32, BadLine> {
    let read = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    read.map_err(|_| BadLine::new(line, "the node id is not a number from 1 to 4294967295"))
}

/// The first word, and what follows it without the blanks between.
pub(super) fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

fn without_local(cell: &str) -> (&str, bool) {
    cell.trim()
        .strip_suffix("(local)")
        .map_or((cell.trim(), false), |before| (before.trim_end(), true))
}

fn looks_like_flags(word: &str) -> bool {
    let flags = ["A", "NA", "V", "NV", "MW", "NMW", "NR", "NW"];
    word.split(',').all(|flag| flags.contains(&flag))
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A word that stands where a node id does, and is meant as one.
fn is_id(word: &str) -> bool {
    is_digits(word)
        || word.starts_with("0x")
            && word
                .get(2..)
                .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
