//! Reading records for somebody, with a word about each that is missing.

use super::Item;
use super::record::{Step, find_intact, step};
use super::segment::HEADER_BYTES;

/// The most JSON that one reading hands out.
const MAX_HANDED_OUT_BYTES: usize = 1 << 20;

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

    fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.bytes >= MAX_HANDED_OUT_BYTES
    }

    /// Takes what is wanted of a segment. Is there room for more?
    pub(super) fn take_from(&mut self, bytes: &[u8], first: u64) -> bool {
        let (mut at, mut last) = (HEADER_BYTES, first.saturating_sub(1));
        while !self.is_full() {
            match step(bytes, at) {
                Step::Record { record, next } => {
                    (at, last) = (next, record.number);
                    if record.number >= self.expected {
                        self.skip_to(record.number);
                        if self.is_full() {
                            return false;
                        }
                        self.expected = record.number.saturating_add(1);
                        self.bytes += record.json.len();
                        self.items.push(Item::Record(record));
                    }
                }
                Step::End => return true,
                Step::Torn | Step::Damaged => match find_intact(bytes, at, last) {
                    Some(intact) => at = intact,
                    None => return true,
                },
            }
        }
        false
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
