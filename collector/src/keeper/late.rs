//! Which events are history when they arrive. What they add up to is said in [`model::incident::late`].
//!
//! The age of an event is told by the wall clock of its node, and brought onto the collector's by the difference that the
//! node's reports and heartbeats show; before one has come nothing is called late.

use model::fact::journal::JournalEvent;
use model::incident::late::{LATE_MS, Told, What, worth_telling};
use model::name::NodeName;
use proto::v1;
use v1::event::Event;

use super::Now;

/// An event that would be worth telling if it came late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worth {
    what: What,
    /// On the node's wall clock.
    written_unix_ms: i64,
    words: String,
}

impl Worth {
    pub(super) fn of(event: &v1::Event) -> Option<Self> {
        let Some(Event::JournalJson(json)) = &event.event else {
            return None;
        };
        // What cannot be read here is of a newer agent; it is kept as it is.
        let line: JournalEvent = serde_json::from_str(json).ok()?;
        let (what, written_unix_ms) = worth_telling(&line)?;
        let program = line.identifier.as_deref().unwrap_or("journal");
        Some(Self {
            what,
            written_unix_ms,
            words: format!("{program}: {}", line.message),
        })
    }

    /// `None` if it came in time. `skew_ms`: how far the node's clock is ahead of the collector's.
    pub(super) fn told(&self, node: &NodeName, skew_ms: i64, now: Now) -> Option<Told> {
        let at_unix_ms = self.written_unix_ms.saturating_sub(skew_ms);
        let is_late = now.unix_ms.saturating_sub(at_unix_ms) > LATE_MS;
        is_late.then(|| Told {
            node: node.clone(),
            at_unix_ms,
            what: self.what,
            words: self.words.clone(),
        })
    }
}
