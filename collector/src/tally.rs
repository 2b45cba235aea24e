//! How often the gate gave each of its answers since the collector started.

use std::sync::atomic::{AtomicU64, Ordering};

use proto::v1::Answer;

/// Questions of those who ask again and again as long as they watch are not in it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    go: AtomicU64,
    warn: AtomicU64,
    no_go: AtomicU64,
    unknown: AtomicU64,
}

impl Tally {
    pub(crate) fn count(&self, answer: Answer) {
        let count = match answer {
            Answer::Go => &self.go,
            Answer::Warn => &self.warn,
            Answer::NoGo => &self.no_go,
            // No answer is none that anybody may go by.
            Answer::Unknown | Answer::Unspecified => &self.unknown,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Each answer as people read it, and how often it was given.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 4] {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("GO", read(&self.go)),
            ("WARN", read(&self.warn)),
            ("NO-GO", read(&self.no_go)),
            ("UNKNOWN", read(&self.unknown)),
        ]
    }
}
