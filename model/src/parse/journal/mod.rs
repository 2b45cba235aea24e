//! The journal, from whatever shows it: `journalctl` with `-o json`, `export`, `verbose` or one of the short forms,
//! syslog's files, corosync's own log, `dmesg`. Which one a text is, its first entry tells.
//!
//! Journals are long, so a text is read line by line: [`Reader`] takes lines as they come and holds one entry and the
//! bounded list of events, never the text. An entry belongs to a program by what the journal knows of its sender;
//! only then its text is looked at. The rules stand in one file a family of programs.

mod bond;
mod corosync;
mod entry;
mod export;
mod ha;
mod json;
mod kernel;
mod merge;
mod nic;
mod one;
mod pmxcfs;
mod quorum;
mod reader;
mod scan;
mod short;
mod stamp;
mod systemd;
mod watchdog;

#[cfg(test)]
mod tests;

use crate::fact::journal::Journal;
use crate::text::{Parsed, Unreadable};

pub use entry::programs;
pub use merge::{Part, merge};
pub use one::{One, one};
pub use reader::Reader;

/// The longest line that is read. `journalctl` itself leaves out fields of more than 4 kB unless told otherwise.
pub const MAX_LINE_BYTES: usize = 256 << 10;

/// Reads a whole text.
pub fn parse(text: &str) -> Result<Parsed<Journal>, Unreadable> {
    let mut reader = Reader::new();
    for line in text.lines() {
        reader.line(line);
    }
    reader.finish()
}
