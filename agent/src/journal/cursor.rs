//! The journal's own name for an entry, which is its place too: `s=…;i=…;b=…;m=…;t=…;x=…` (systemd:
//! sd_journal_get_cursor). `s` and `i` name the journal and the number in it; `b` and `m` boot and monotonic
//! microseconds; `t` the wall clock; `x` a hash of the content.

use jiff::Timestamp;

use crate::spool::MAX_CURSOR_BYTES;

/// The place of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    text: String,
    journal: String,
    number: u64,
    boot: String,
    monotonic_us: u64,
    wall_us: u64,
    hash: String,
}

impl Cursor {
    /// `None` if it is not whole, or longer than any that journald makes.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let part = |key: &str| {
            let mut parts = text.split(';');
            parts.find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
        };
        let number = |key: &str| u64::from_str_radix(part(key)?, 16).ok();
        let is_too_long = text.len() > MAX_CURSOR_BYTES;
        (!is_too_long).then_some(())?;
        Some(Self {
            text: text.to_owned(),
            journal: part("s")?.to_owned(),
            number: number("i")?,
            boot: part("b")?.to_owned(),
            monotonic_us: number("m")?,
            wall_us: number("t")?,
            hash: part("x")?.to_owned(),
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn time(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(i64::try_from(self.wall_us).ok()?).ok()
    }

    /// Is it the same entry? It has another number once journald has moved it from `/run` to `/var`.
    pub(crate) fn names_the_same(&self, other: &Self) -> bool {
        if self.journal == other.journal {
            return self.number == other.number;
        }
        self.is_of_boot(&other.boot)
            && self.monotonic_us == other.monotonic_us
            && self.wall_us == other.wall_us
            && self.hash == other.hash
    }

    /// Does the entry stand behind the other one?
    pub(crate) fn is_behind(&self, other: &Self) -> bool {
        if self.journal == other.journal {
            self.number > other.number
        } else if self.is_of_boot(&other.boot) {
            self.monotonic_us > other.monotonic_us
        } else {
            self.wall_us > other.wall_us
        }
    }

    /// Is it of the boot with this id, written with dashes or without?
    pub(crate) fn is_of_boot(&self, id: &str) -> bool {
        let plain = |id: &str| id.bytes().filter(|byte| *byte != b'-').collect::<Vec<u8>>();
        plain(&self.boot) == plain(id)
    }

    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    /// Microseconds from the boot to the entry.
    pub(crate) fn monotonic_us(&self) -> u64 {
        self.monotonic_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(journal: &str, number: u64, monotonic: u64) -> Cursor {
        Cursor::read(&format!(
            "s={journal};i={number:x};b=b0;m={monotonic:x};t=643f8b3e6c1a0;x=5"
        ))
        .unwrap()
    }

    #[test]
    fn an_entry_is_the_same_after_the_journal_moved_to_disk() {
        let in_memory = cursor("aa", 10, 500);
        let on_disk = cursor("bb", 3, 500);
        assert!(in_memory.names_the_same(&on_disk));
        assert!(!in_memory.names_the_same(&cursor("aa", 11, 500)));
        assert!(cursor("aa", 11, 500).is_behind(&in_memory));
        assert!(cursor("bb", 4, 501).is_behind(&in_memory));
        assert!(!on_disk.is_behind(&in_memory));
        assert_eq!(in_memory.time().unwrap().as_microsecond(), 0x643f8b3e6c1a0);
    }

    #[test]
    fn half_a_cursor_is_none() {
        for text in ["", "s=1;i=2", "s=1;i=zz;b=1;m=1;t=1;x=1"] {
            assert_eq!(Cursor::read(text), None);
        }
    }
}
