//! Watches over the thread that attends corosync, because that thread can hang: while corosync is stopped its
//! libraries wait for an answer without end, and nothing ends such a wait but corosync.
//!
//! There is only ever one such thread. It says before each step by when the next sign of life is due; once that has
//! passed, what it told last is not true any more, and whoever asks [`Supervisor::overdue`] is told so. When corosync goes
//! on, so does the thread, and tells everything anew.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Poll, Waker};
use model::report::{Fact, Family};

use super::watch::{WAKE, Watch};
use crate::host::Patience;

/// So long may one step take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The parser of a map and the libraries need little; what needs more has a thread of its own.
const STACK_BYTES: usize = 512 << 10;

/// Attends corosync on a thread of its own. `sink` takes each fact as it was read, and the instant in which it was
/// noticed that there is something to be read. It may wait: that counts as a silence of whoever it waits for, not of
/// corosync.
pub(crate) fn run(
    patience: Patience,
    sink: impl FnMut(Fact, Instant) + Send + 'static,
) -> io::Result<Supervisor> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    let life = Arc::new(Life::new());
    let watch = Watch::new(poll, Arc::clone(&life), patience, sink);
    let thread = thread::Builder::new()
        .name("corosync".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || watch.run())?;
    Ok(Supervisor {
        life,
        waker,
        thread,
    })
}

/// Holds the thread that attends corosync; without it the thread ends.
#[derive(Debug)]
pub(crate) struct Supervisor {
    life: Arc<Life>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Supervisor {
    /// Has the thread look at once: somebody else heard that something happened.
    pub(crate) fn look(&self) -> io::Result<()> {
        self.waker.wake()
    }

    /// When the next sign of life is due: before that, [`Self::overdue`] has nothing to say.
    pub(crate) fn deadline(&self) -> Instant {
        self.life.deadline()
    }

    /// What is to be said of corosync if the thread has given no sign of life when it had to; once for each silence.
    pub(crate) fn overdue(&self, now: Instant) -> Option<[Fact; 2]> {
        let has_ended = self.thread.is_finished();
        if now < self.life.deadline() && !has_ended {
            return None;
        }
        if self.life.silent.swap(true, Ordering::AcqRel) {
            return None;
        }
        let why = if has_ended {
            "nobody attends corosync any more; this is a bug in quorate-agent".to_owned()
        } else {
            format!("corosync has not answered for {} s", PATIENCE.as_secs())
        };
        Some([
            Family::Corosync.failed(why.clone()),
            Family::Cmap.failed(why),
        ])
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.life.over.store(true, Ordering::Release);
        // It is not waited for: it may hang.
        let _ = self.waker.wake();
    }
}

/// What the thread and its supervisor tell each other.
#[derive(Debug)]
pub(super) struct Life {
    began: Instant,
    /// In milliseconds since then.
    sign_due_ms: AtomicU64,
    /// It was said that corosync does not answer, and nothing else since.
    silent: AtomicBool,
    over: AtomicBool,
}

impl Life {
    fn new() -> Self {
        let life = Self {
            began: Instant::now(),
            sign_due_ms: AtomicU64::new(0),
            silent: AtomicBool::new(false),
            over: AtomicBool::new(false),
        };
        life.sign(Duration::ZERO);
        life
    }

    /// Says that the thread lives, and is going to wait this long on its own account before it goes on.
    pub(super) fn sign(&self, wait: Duration) {
        let due = self.began.elapsed() + wait + PATIENCE;
        let due_ms = u64::try_from(due.as_millis()).unwrap_or(u64::MAX);
        self.sign_due_ms.store(due_ms, Ordering::Release);
    }

    fn deadline(&self) -> Instant {
        self.began + Duration::from_millis(self.sign_due_ms.load(Ordering::Acquire))
    }

    /// Was the silence told of, so that everything is to be told anew? Once.
    pub(super) fn was_silent(&self) -> bool {
        self.silent.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
