//! The spool: what the agent keeps on disk until a collector has it, and what it had to let go.

use serde::{Deserialize, Serialize};

/// How the spool of one agent stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolState {
    /// Made when the spool was made, in hexadecimal. Numbers of two spools have nothing to do with each other.
    pub id: String,
    /// The oldest and the newest record kept; `None` while there is none.
    pub first: Option<u64>,
    pub last: Option<u64>,
    pub bytes: u64,
    pub max_bytes: u64,
    /// Records dropped because the spool was full, before anybody had them.
    pub records_dropped: u64,
    /// How often records were dropped.
    pub overflows: u64,
    /// Records found damaged when the spool was opened.
    pub records_damaged: u64,
    /// Bytes of an unfinished write that were cut off when the spool was opened: the agent was killed, or the power
    /// went. What they held was nobody's yet, and of the journal it is read again.
    pub bytes_cut: u64,
    /// Records whose text was larger than a record may be; that they were is in the record's place.
    pub records_left_out: u64,
    /// Why it cannot be written just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_written: Option<String>,
}
