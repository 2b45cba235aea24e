//! What of the journal is kept in memory and shown in a report.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::fact::journal::{Journal, JournalEvent, JournalTime};
use model::reading::{Problem, Reading};

/// How many events are kept in memory; all of them are in the spool.
pub(super) const MAX_SHOWN: usize = 500;
/// How many remarks are kept; of more, the newest are.
const MAX_PROBLEMS: usize = 20;
/// A look that has not come on for so long hangs: journalctl is given up sooner than that, so it is the disk.
const PATIENCE: Duration = Duration::from_secs(30);
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
    /// When the look that goes on came on last.
    came_on: Option<Instant>,
    /// When it began, and when the last one that came to its end did.
    began: Option<Instant>,
    looked: Option<Instant>,
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
            came_on: None,
            began: None,
            looked: None,
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

    pub(super) fn passed_over(&mut self, unreadable: u64, too_long: u64) {
        self.journal.entries_unreadable += unreadable;
        self.journal.lines_too_long += too_long;
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

    /// A look begins, or has come a step further.
    pub(super) fn comes_on(&mut self) {
        let now = Instant::now();
        self.came_on = Some(now);
        self.began.get_or_insert(now);
    }

    /// The look is over.
    pub(super) fn rests(&mut self) {
        self.came_on = None;
        self.began = None;
    }

    pub(super) fn looked(&self) -> Option<Instant> {
        self.looked
    }

    pub(super) fn known(&mut self) {
        self.looked = self.began.or(self.looked);
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

    pub(super) fn reading(&self, now: Instant) -> Reading<Journal> {
        let hangs_for = self.came_on.map(|at| now.saturating_duration_since(at));
        if let Some(hangs_for) = hangs_for.filter(|hangs_for| *hangs_for >= PATIENCE) {
            let why = format!(
                "reading the journal has not come on for {} s: a disk may be hanging",
                hangs_for.as_secs()
            );
            return Reading::Failed { why };
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_hangs_is_failed_until_it_comes_on() {
        for was_known in [false, true] {
            let mut shown = Shown::new();
            if was_known {
                shown.known();
            }
            let before = shown.reading(Instant::now());
            shown.comes_on();
            let now = Instant::now();
            assert_eq!(shown.reading(now), before);
            let late = now + PATIENCE;
            assert!(
                matches!(shown.reading(late), Reading::Failed { why } if why.contains("hanging"))
            );
            shown.rests();
            assert_eq!(
                shown.reading(late),
                before,
                "between two looks nothing hangs"
            );
        }
    }
}
