//! The journal, followed: nothing lost and nothing doubled over restarts and kills of the agent.
//!
//! `journalctl -o json` is run when the journal's files change, from the place of the last record in the spool. It is
//! not linked in: whoever maps a journal file dies of SIGBUS when the file is cut short or its disk fails, and the
//! agent must not die then. It does not run for ever: that would cost several MiB for nothing.
//!
//! Two races of readers of a journal that is being written are closed here, because each loses lines:
//! - journalctl looks for each program's next entry in turn. Between two such looks an entry of the first program and
//!   one of the second can be written, and only the later is found. An entry that was written after journalctl was
//!   started is therefore left for the next time.
//! - While journald puts a full file aside, journalctl can list the directory and miss it. So the files are listed
//!   before it starts and when its first line comes; if they differ, it is asked again.
//!
//! Not here: what an entry means (the model), and what is sent to whom (the spool's readers).

mod cursor;
mod look;
mod pace;
mod settings;
mod shown;
#[cfg(test)]
mod tests;

use std::io::{self, PipeReader, PipeWriter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use model::fact::journal::{Journal, JournalEvent};
use model::reading::Reading;

use crate::cost;
use crate::host::changes::{Changes, Woken, pause};
use crate::spool::{Kind, Spool};

use look::Looker;
pub(crate) use settings::Settings;
use shown::{MAX_SHOWN, Shown};

/// The journal is looked at after this time even if nothing told that it changed.
const SAFETY: Duration = Duration::from_secs(60);
const STACK_BYTES: usize = 512 << 10;

/// The spool, which others write to and read as well. Writing waits for the disk: lock it in a blocking thread only.
pub(crate) type SharedSpool = Arc<Mutex<Spool>>;

/// Where following begins, and whether what comes is kept.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    /// Behind the last record in the spool; with an empty one, this boot's newest entries. All is kept in it.
    Spool(SharedSpool),
    /// This boot's newest entries, kept nowhere but in memory.
    Boot,
    /// Only what is written from now on, kept nowhere but in memory.
    Now,
}

/// What is known of the journal, for whoever makes the report.
#[derive(Debug, Clone)]
pub(crate) struct View(Arc<Mutex<Shown>>);

impl View {
    /// The newest [`MAX_SHOWN`] events, and how well the journal can be read.
    pub(crate) fn reading(&self) -> Reading<Journal> {
        locked(&self.0).reading(Instant::now())
    }
}

impl View {
    /// When the last look that came to its end began.
    pub(crate) fn looked(&self) -> Option<Instant> {
        locked(&self.0).looked()
    }
}

/// Following ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stopper {
    _pipe: PipeWriter,
}

/// Follows one journal, in a thread of its own: it waits for the disk and for journalctl.
#[derive(Debug)]
pub(crate) struct Follower {
    looker: Looker,
    changes: Changes,
    stop: PipeReader,
}

impl Follower {
    pub(crate) fn new(settings: Settings, start: Start) -> io::Result<(Self, View, Stopper)> {
        let shown = Arc::new(Mutex::new(Shown::new()));
        if let Start::Spool(spool) = &start {
            let events = newest_events(&mut locked(spool));
            locked(&shown).begin_with(events);
        }
        let (stop, pipe) = io::pipe()?;
        let follower = Self {
            looker: Looker::new(settings, start, Arc::clone(&shown)),
            changes: Changes::new()?,
            stop,
        };
        Ok((follower, View(shown), Stopper { _pipe: pipe }))
    }

    /// Follows in a thread. `on_event` is told each new event once, with the moment at which it was noticed that the
    /// journal had changed; it is called in that thread, which waits for it: the journal keeps what comes meanwhile.
    pub(crate) fn spawn(
        mut self,
        mut on_event: impl FnMut(&JournalEvent, Instant) + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let thread = Builder::new().name("journal".to_owned());
        thread.stack_size(STACK_BYTES).spawn(move || {
            let shown = self.looker.shown();
            let followed = catch_unwind(AssertUnwindSafe(|| self.run(&mut on_event)));
            if followed.is_err() {
                let why = "following the journal panicked; this is a bug in quorate-agent";
                let mut shown = locked(&shown);
                shown.rests();
                shown.fail(why.to_owned());
            }
        })
    }

    fn run(&mut self, on_event: &mut dyn FnMut(&JournalEvent, Instant)) {
        let mut failures = 0;
        let mut noticed = Instant::now();
        let (mut pace, mut last) = (pace::Pace::default(), noticed);
        let shown = self.looker.shown();
        loop {
            locked(&shown).comes_on();
            self.changes.watch(&self.looker.dirs());
            // What is written from here on is seen now or wakes us again.
            self.changes.drain();
            let (began, before) = (Instant::now(), cost::spent());
            let (spacing, again) = match self.looker.look(noticed, on_event) {
                Ok(again) => {
                    failures = 0;
                    (
                        pace.spacing(cost::spent().saturating_sub(before), began - last),
                        again,
                    )
                }
                Err(why) => {
                    failures += 1;
                    locked(&shown).fail(why);
                    (pace::backoff(failures), true)
                }
            };
            locked(&shown).rests();
            last = began;
            if pause(&self.stop, spacing) == Woken::Stopped {
                return;
            }
            if !again {
                let at_most = SAFETY.min(self.looker.until_retry());
                if self.changes.wait(&self.stop, at_most) == Woken::Stopped {
                    return;
                }
            }
            noticed = Instant::now();
        }
    }
}

/// What the spool holds of the journal's newest part: after a restart the report is not empty.
fn newest_events(spool: &mut Spool) -> Vec<JournalEvent> {
    let from = spool.next_number().saturating_sub(MAX_SHOWN as u64);
    // What cannot be read of it now is not lost: it is in the spool.
    let items = spool.read_from(from, MAX_SHOWN).unwrap_or_default();
    let records = items.into_iter().filter_map(|item| match item {
        crate::spool::Item::Record(record) if record.kind == Kind::Journal => Some(record),
        _ => None,
    });
    let event = |record: crate::spool::Record| {
        let mut event: JournalEvent = serde_json::from_str(&record.json).ok()?;
        event.cursor = record.cursor;
        Some(event)
    };
    records.filter_map(event).collect()
}

/// A thread that panicked while it held the lock left nothing half done that matters.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
