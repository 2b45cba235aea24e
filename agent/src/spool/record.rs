//! How records lie in a segment, and how they are found again: length, checksum, number, kind, journal cursor, JSON.

use serde::{Deserialize, Serialize};

/// The longest JSON of a record.
pub(crate) const MAX_JSON_BYTES: usize = 60 << 10;
/// The longest cursor; journald's are about 150 bytes.
pub(crate) const MAX_CURSOR_BYTES: usize = 512;

const HEAD_BYTES: usize = 8;
const FIXED_BYTES: usize = 11;
const MAX_BODY_BYTES: usize = FIXED_BYTES + MAX_CURSOR_BYTES + MAX_JSON_BYTES;
/// How far apart the numbers of two neighbours may be for the second to be believed.
const MAX_LEAP: u64 = 1 << 20;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `JournalEvent` without its cursor, which the record holds itself.
    Journal,
    /// Something that changed on the node.
    Change,
    /// A stretch of the journal that could not be read: a [`JournalGap`].
    Gap,
    /// Entries that mean nothing were passed; only the place in the journal has moved on.
    Passed,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Journal, Self::Change, Self::Gap, Self::Passed];

    fn code(self) -> u8 {
        match self {
            Self::Journal => 1,
            Self::Change => 2,
            Self::Gap => 3,
            Self::Passed => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Entries of the journal that nobody has read, and nobody can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JournalGap {
    /// The last entry read before, and the first one that was there again.
    pub from: Option<jiff::Timestamp>,
    pub to: Option<jiff::Timestamp>,
    /// `None`: nobody knows.
    pub count: Option<u64>,
}

/// A record that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    pub kind: Kind,
    /// Where the journal is to be read on, once this record is written.
    pub cursor: Option<String>,
    pub json: String,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub number: u64,
    pub kind: Kind,
    pub cursor: Option<String>,
    pub json: String,
}

/// Writes a record behind `bytes`. Cursor and JSON must be within their bounds.
pub(super) fn encode(number: u64, new: &New, bytes: &mut Vec<u8>) {
    let cursor = new.cursor.as_deref().unwrap_or_default().as_bytes();
    let mut body = Vec::with_capacity(FIXED_BYTES + cursor.len() + new.json.len());
    body.extend_from_slice(&number.to_le_bytes());
    body.push(new.kind.code());
    let cursor_len = u16::try_from(cursor.len()).unwrap_or(u16::MAX);
    body.extend_from_slice(&cursor_len.to_le_bytes());
    body.extend_from_slice(cursor);
    body.extend_from_slice(new.json.as_bytes());
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&checksum(&[&length, &body]).to_le_bytes());
    bytes.extend_from_slice(&body);
}

pub(super) fn encoded_bytes(new: &New) -> usize {
    let cursor_bytes = new.cursor.as_ref().map_or(0, String::len);
    HEAD_BYTES + FIXED_BYTES + cursor_bytes + new.json.len()
}

/// What stands at one place of a segment.
#[derive(Debug)]
pub(super) enum Step {
    Record {
        record: Record,
        next: usize,
    },
    End,
    /// The write was not finished: the text ends within the record, or nothing but zeros follows.
    Torn,
    Damaged,
}

pub(super) fn step(bytes: &[u8], at: usize) -> Step {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Step::End;
    }
    if let Some((record, length)) = decode(rest) {
        return Step::Record {
            record,
            next: at + length,
        };
    }
    let is_whole = body_length(rest).is_some_and(|length| rest.len() >= HEAD_BYTES + length);
    let is_zero = rest.iter().all(|byte| *byte == 0);
    if is_zero || !is_whole {
        Step::Torn
    } else {
        Step::Damaged
    }
}

/// Where behind a damaged place the next intact record begins.
pub(super) fn find_intact(bytes: &[u8], behind: usize, last_number: u64) -> Option<usize> {
    (behind + 1..bytes.len()).find(|at| {
        let rest = bytes.get(*at..).unwrap_or_default();
        // The number is looked at before the checksum is reckoned, which would take long at every byte.
        let number = rest.get(HEAD_BYTES..).and_then(le_u64);
        number.is_some_and(|number| number > last_number && number - last_number <= MAX_LEAP)
            && decode(rest).is_some()
    })
}

fn decode(rest: &[u8]) -> Option<(Record, usize)> {
    let length = body_length(rest)?;
    let (head, behind) = rest.split_at_checked(HEAD_BYTES)?;
    let body = behind.get(..length)?;
    let (length_bytes, stated) = head.split_at_checked(4)?;
    if checksum(&[length_bytes, body]) != le_u32(stated)? {
        return None;
    }
    let number = le_u64(body)?;
    let kind = Kind::from_code(*body.get(8)?)?;
    let cursor_len = usize::from(u16::from_le_bytes(body.get(9..11)?.try_into().ok()?));
    let (cursor, json) = body.get(FIXED_BYTES..)?.split_at_checked(cursor_len)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let record = Record {
        number,
        kind,
        cursor: text(cursor).filter(|cursor| !cursor.is_empty()),
        json: text(json)?,
    };
    Some((record, HEAD_BYTES + length))
}

/// What the record says of its length, if that can be.
fn body_length(rest: &[u8]) -> Option<usize> {
    let length = usize::try_from(le_u32(rest)?).ok()?;
    (FIXED_BYTES..=MAX_BODY_BYTES)
        .contains(&length)
        .then_some(length)
}

pub(super) fn le_u64(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?))
}

pub(super) fn le_u32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?))
}

const TABLE: [u32; 256] = table();

#[allow(clippy::indexing_slicing, reason = "reckoned by the compiler")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "below 256")]
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                (value >> 1) ^ 0xedb8_8320
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

/// CRC-32 as in Ethernet and gzip.
pub(super) fn checksum(parts: &[&[u8]]) -> u32 {
    let mut value = u32::MAX;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        let [low, ..] = value.to_le_bytes();
        let entry = TABLE.get(usize::from(low ^ byte)).copied();
        value = (value >> 8) ^ entry.unwrap_or_default();
    }
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(json: &str) -> New {
        New {
            kind: Kind::Journal,
            cursor: Some("s=1;i=2".to_owned()),
            json: json.to_owned(),
        }
    }

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(checksum(&[b"1234", b"56789"]), 0xcbf4_3926);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_seen() {
        let mut bytes = Vec::new();
        encode(7, &new("{}"), &mut bytes);
        assert_eq!(bytes.len(), encoded_bytes(&new("{}")));
        assert!(matches!(step(&bytes, 0), Step::Record { record, next }
            if record.number == 7 && next == bytes.len()));
        for end in 1..bytes.len() {
            assert!(matches!(step(&bytes[..end], 0), Step::Torn), "{end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(step(&flipped, 0), Step::Torn | Step::Damaged),
                "{bit}"
            );
        }
    }

    #[test]
    fn behind_a_damaged_record_the_next_one_is_found() {
        let mut bytes = Vec::new();
        encode(1, &new("{}"), &mut bytes);
        let second = bytes.len();
        encode(2, &new("{}"), &mut bytes);
        let third = bytes.len();
        encode(3, &new("{}"), &mut bytes);
        bytes[second + 12] ^= 1;
        assert!(matches!(step(&bytes, second), Step::Damaged));
        assert_eq!(find_intact(&bytes, second, 1), Some(third));
        assert_eq!(find_intact(&bytes, third, 3), None);
    }
}
