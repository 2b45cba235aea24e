//! Reading records for somebody, with a word about each that is missing. A segment is read piece by piece, and whoever
//! reads on begins where a reading before his ended: a long backlog is read once, however small the portions.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::record::{Step, find_intact, step};
use super::segment::{self, HEADER_BYTES, MAX_READ_BYTES};
use super::{Item, Segment};

/// The most JSON that one reading hands out.
const MAX_HANDED_OUT_BYTES: usize = 1 << 20;
/// How much is read at once: more than the longest record.
const PIECE_BYTES: u64 = 128 << 10;
/// How many ends of readings are kept: more than there are collectors that catch up at a time.
const MAX_PLACES: usize = 8;

/// Where a record lies, or will.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) number: u64,
    /// The first number of its segment.
    pub(super) segment: u64,
    pub(super) at: u64,
}

/// Where the last readings ended. They only spare reading from a segment's begin.
#[derive(Debug, Default)]
pub(super) struct Places(VecDeque<Place>);

impl Places {
    pub(super) fn of(&self, number: u64) -> Option<Place> {
        self.0.iter().find(|place| place.number == number).copied()
    }

    pub(super) fn keep(&mut self, place: Place) {
        self.0.retain(|kept| kept.number != place.number);
        self.0.push_back(place);
        if self.0.len() > MAX_PLACES {
            self.0.pop_front();
        }
    }
}

/// Why no more was taken of a piece; and how many bytes of it are done with.
enum Taken {
    /// The reader has enough.
    Enough {
        bytes: usize,
    },
    /// What follows is damaged, or goes on in the next piece.
    Part {
        bytes: usize,
    },
    Whole,
}

/// Items being collected for a reader.
pub(super) struct Taking {
    pub(super) expected: u64,
    limit: usize,
    bytes: usize,
    pub(super) items: Vec<Item>,
}

impl Taking {
    pub(super) fn new(number: u64, limit: usize) -> Self {
        Self {
            expected: number.max(1),
            limit,
            bytes: 0,
            items: Vec::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.bytes >= MAX_HANDED_OUT_BYTES
    }

    /// Takes what is wanted of a segment, and gives the place of the record behind that. A place that is known spares
    /// what lies before it.
    pub(super) fn take_from(
        &mut self,
        dir: &Path,
        segment: &Segment,
        known: Option<Place>,
    ) -> io::Result<u64> {
        let known = known.filter(|place| place.segment == segment.first);
        let begin = known.map(|place| (place.at, place.number));
        let (mut at, next) = begin.unwrap_or((HEADER_BYTES as u64, segment.first));
        let mut last = next.saturating_sub(1);
        let end = segment.bytes.min(MAX_READ_BYTES);
        let mut file = File::open(segment::path(dir, segment.first))?;
        let mut piece_bytes = PIECE_BYTES;
        loop {
            let rest = end.saturating_sub(at);
            let mut piece = Vec::new();
            file.seek(SeekFrom::Start(at))?;
            let mut part = (&mut file).take(rest.min(piece_bytes));
            part.read_to_end(&mut piece)?;
            match self.take_piece(&piece, rest <= piece_bytes, &mut last) {
                Taken::Enough { bytes } => return Ok(at + bytes as u64),
                Taken::Whole => return Ok(end),
                // A piece holds any record: this one is damaged. What is behind it is looked for in all the rest.
                Taken::Part { bytes: 0 } => piece_bytes = MAX_READ_BYTES,
                Taken::Part { bytes } => at += bytes as u64,
            }
        }
    }

    /// Takes what is wanted of a piece; `last` is the number of the record before.
    fn take_piece(&mut self, bytes: &[u8], is_last: bool, last: &mut u64) -> Taken {
        let mut at = 0;
        while !self.is_full() {
            match step(bytes, at) {
                Step::Record { record, next } => {
                    let number = record.number;
                    if number >= self.expected {
                        self.skip_to(number);
                        if self.is_full() {
                            break;
                        }
                        self.expected = number.saturating_add(1);
                        self.bytes += record.json.len();
                        self.items.push(Item::Record(record));
                    }
                    (at, *last) = (next, number);
                }
                Step::End if is_last => return Taken::Whole,
                Step::Torn | Step::Damaged if is_last => match find_intact(bytes, at, *last) {
                    Some(intact) => at = intact,
                    None => return Taken::Whole,
                },
                Step::End | Step::Torn | Step::Damaged => return Taken::Part { bytes: at },
            }
        }
        Taken::Enough { bytes: at }
    }

    pub(super) fn skip_to(&mut self, number: u64) {
        if number > self.expected && !self.is_full() {
            self.items.push(Item::Missing {
                from: self.expected,
                to: number - 1,
                count: number - self.expected,
            });
            self.expected = number;
        }
    }
}
