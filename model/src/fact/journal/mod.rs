//! What the journal tells: entries of the programs that decide about quorum, each with its time, its text as
//! evidence, and the event that it means.

mod event;
mod time;

use serde::{Deserialize, Serialize};

pub use event::{CpgMember, Event, HaDaemon, PowerAction};
pub use time::{CivilTime, JournalTime};

/// How many events of one journal are kept; of more, the newest are.
pub const MAX_EVENTS: usize = 5_000;
/// How many characters of a message are kept as evidence.
pub const MAX_MESSAGE_CHARS: usize = 500;

/// The relevant part of one node's journal. That an event is missing means something only between `first` and
/// `last`, and only if nothing was dropped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// Every entry, of whatever program.
    pub entries_read: u64,
    /// Entries of programs that say nothing about quorum: counted, not kept.
    pub entries_of_others: u64,
    /// Entries, or lines where an entry should be, that could not be read.
    pub entries_unreadable: u64,
    /// Lines beyond the limit of length, skipped.
    pub lines_too_long: u64,
    /// Events beyond [`MAX_EVENTS`], the oldest.
    pub events_dropped: u64,
    /// Events told by several texts of one capture, kept once.
    pub events_repeated: u64,
    /// The oldest and the newest entry read, of whatever program.
    pub first: Option<JournalTime>,
    pub last: Option<JournalTime>,
    /// Oldest first.
    pub events: Vec<JournalEvent>,
}

/// One entry of a relevant program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEvent {
    /// `None` where the line states none: corosync's own log with `timestamp: off`.
    pub time: Option<JournalTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// The journal's own name for the entry: what makes two copies of it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// `kernel`, `corosync`, …: what the program calls itself.
    pub identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// syslog's level: 0 emergency … 7 debug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// How often a syslog daemon says that it heard the same text (`message repeated 3 times`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<u32>,
    /// The evidence, cut at [`MAX_MESSAGE_CHARS`].
    pub message: String,
    #[serde(flatten)]
    pub event: Event,
}
