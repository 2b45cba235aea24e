//! Whether the ledger's writer gets on with its work, for who decides whether a new start would mend it. Counted, and not
//! timed: whoever looks twice has a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How the writer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Nothing is to be written.
    Rests,
    /// It is at its piece of work of this number; each has another.
    Works(u64),
    /// Its thread has ended, which it never does by itself.
    Gone,
}

/// What the writer begins and ends; copies count the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    begun: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

/// A piece of work; it ends with this.
#[derive(Debug)]
pub(super) struct Piece<'a>(&'a Work);

impl Work {
    pub(super) fn begin(&self) -> Piece<'_> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Piece(self)
    }

    pub(super) fn standing(&self) -> Writer {
        // In this order: what ends in between is taken for work that goes on, and not the other way round.
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        if begun == ended {
            Writer::Rests
        } else {
            Writer::Works(begun)
        }
    }
}

impl Drop for Piece<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_work_has_its_number() {
        let work = Work::default();
        assert_eq!(work.standing(), Writer::Rests);
        let piece = work.begin();
        assert_eq!(work.standing(), Writer::Works(1));
        drop(piece);
        assert_eq!(work.standing(), Writer::Rests);
        let _again = work.begin();
        assert_eq!(work.standing(), Writer::Works(2));
    }
}
