//! What of the journal is kept in memory and shown in a report.

use std::collections::VecDeque;

use jiff::Timestamp;
use model::fact::journal::{Journal, JournalEvent, JournalTime};
use model::reading::{Problem, Reading};

/// How many events are kept in memory; all of them are in the spool.
pub(super) const MAX_SHOWN: usize = 500;
/// How many remarks are kept; of more, the newest are.
const MAX_PROBLEMS: usize = 20;
pub(super) const SOURCE: &str = "journal";

#[derive(Debug)]
enum State {
    NeverHeard,
    Absent,
    Failed(String),
    Known(Timestamp),
}

#[derive(Debug)]
pub(super) struct Shown {
    state: State,
    /// Its counts and times; the events are beside it, where the oldest is cheap to drop.
    journal: Journal,
    events: VecDeque<JournalEvent>,
    problems: VecDeque<Problem>,
    complaint: Option<String>,
    not_stored: Option<String>,
}

impl Shown {
    pub(super) fn new() -> Self {
        Self {
            state: State::NeverHeard,
            journal: Journal::default(),
            events: VecDeque::new(),
            problems: VecDeque::new(),
            complaint: None,
            not_stored: None,
        }
    }

    pub(super) fn begin_with(&mut self, events: Vec<JournalEvent>) {
        for event in events {
            self.see(event.time.clone());
            self.push(event);
        }
    }

    /// An entry of a program that the model knows was read.
    pub(super) fn entry(&mut self, time: Option<JournalTime>, event: Option<JournalEvent>) {
        self.journal.entries_read += 1;
        self.see(time);
        match event {
            Some(event) => self.push(event),
            None => self.journal.entries_of_others += 1,
        }
    }

    fn see(&mut self, time: Option<JournalTime>) {
        if let Some(time) = time {
            self.journal.first.get_or_insert_with(|| time.clone());
            self.journal.last = Some(time);
        }
    }

    fn push(&mut self, event: JournalEvent) {
        if self.events.len() >= MAX_SHOWN {
            self.events.pop_front();
            self.journal.events_dropped += 1;
        }
        self.events.push_back(event);
    }

    pub(super) fn unreadable(&mut self, why: String) {
        self.journal.entries_unreadable += 1;
        self.remark(why);
    }

    pub(super) fn too_long(&mut self) {
        self.journal.lines_too_long += 1;
    }

    /// Something to be said beside the events. Said twice in a row, it is kept once.
    pub(super) fn remark(&mut self, why: String) {
        if self.problems.back().is_some_and(|last| last.why == why) {
            return;
        }
        if self.problems.len() >= MAX_PROBLEMS {
            self.problems.pop_front();
        }
        self.problems.push_back(Problem::whole(SOURCE, why));
    }

    pub(super) fn known(&mut self) {
        self.state = State::Known(Timestamp::now());
    }

    pub(super) fn absent(&mut self) {
        self.state = State::Absent;
    }

    pub(super) fn fail(&mut self, why: String) {
        self.state = State::Failed(why);
    }

    /// What journalctl complained of although it answered: a journal file that it cannot read.
    pub(super) fn complaint(&mut self, complaint: String) {
        self.complaint = Some(complaint).filter(|complaint| !complaint.is_empty());
    }

    /// What is read is not kept on disk, or is again.
    pub(super) fn not_stored(&mut self, why: Option<String>) {
        self.not_stored = why;
    }

    pub(super) fn reading(&self) -> Reading<Journal> {
        match &self.state {
            State::NeverHeard => Reading::NeverHeard,
            State::Absent => Reading::Absent,
            State::Failed(why) => Reading::Failed { why: why.clone() },
            State::Known(at) => {
                let mut value = self.journal.clone();
                value.events = self.events.iter().cloned().collect();
                let mut problems: Vec<Problem> = self.problems.iter().cloned().collect();
                let now = [&self.complaint, &self.not_stored].into_iter().flatten();
                problems.extend(now.map(|why| Problem::whole(SOURCE, why.clone())));
                Reading::Known {
                    value,
                    at: *at,
                    problems,
                }
            }
        }
    }
}
