//! One lane: the way to something that can hang, where one goes at a time. Whoever is in it longer than the deadline
//! blocks it, and all others are turned back at once instead of getting stuck behind; once the stuck one comes back,
//! or its process has gone, the lane is free again. So one thread or process at most is ever stuck in a lane.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::patience::Place;

/// It only opens, reads and lists.
const STACK_BYTES: usize = 128 << 10;

type Work = Box<dyn FnOnce() + Send>;

#[derive(Debug)]
pub(super) struct Lane {
    deadline: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When the one who is in it began.
    since: Option<Instant>,
    /// When somebody last gave up: who queued behind him has waited for the same thing in vain.
    in_vain: Option<Instant>,
    /// A killed process that has not gone yet: it hangs in the kernel.
    left_behind: Option<(Child, Place)>,
    /// The lane's one thread, begun when it is first needed.
    thread: Option<Sender<Work>>,
}

/// Why work in a lane came to nothing.
#[derive(Debug)]
pub(super) enum Vain {
    /// Somebody else is stuck there.
    Hangs,
    /// It was begun, and did not end within the deadline.
    Late,
    Broken(io::Error),
}

/// The right to be the one in the lane, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    lane: Arc<Lane>,
}

impl Lane {
    pub(super) fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Waits for the lane, never longer than the deadline. `None`: it hangs.
    pub(super) fn turn(self: &Arc<Self>) -> Option<Turn> {
        self.turn_asked_for(Instant::now())
    }

    fn turn_asked_for(self: &Arc<Self>, asked: Instant) -> Option<Turn> {
        let mut state = self.state();
        loop {
            let waited_in_vain = state.in_vain.is_some_and(|when| when >= asked);
            if waited_in_vain || state.something_is_left_behind() {
                return None;
            }
            let Some(since) = state.since else { break };
            let until = since.min(asked) + self.deadline;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let woken = self.freed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.since = Some(Instant::now());
        drop(state);
        Some(Turn {
            lane: Arc::clone(self),
        })
    }

    /// Does the work in the lane's own thread. If it does not come back in time it goes on alone and blocks the lane:
    /// a read that hangs in the kernel cannot be ended.
    pub(super) fn within<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Vain> {
        let turn = self.turn().ok_or(Vain::Hangs)?;
        let (done, waiting) = mpsc::sync_channel(1);
        let work = Box::new(move || {
            let result = work();
            drop(turn);
            // Nobody listens any more once the deadline has passed.
            let _ = done.send(result);
        });
        self.hand_over(work).map_err(Vain::Broken)?;
        waiting
            .recv_timeout(self.deadline)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => {
                    self.state().in_vain = Some(Instant::now());
                    Vain::Late
                }
                RecvTimeoutError::Disconnected => {
                    Vain::Broken(io::Error::other("the read broke off"))
                }
            })
    }

    fn hand_over(&self, work: Work) -> io::Result<()> {
        let mut state = self.state();
        let ended = |_| io::Error::other("the thread for it has ended");
        if let Some(thread) = &state.thread {
            return thread.send(work).map_err(ended);
        }
        let (thread, works) = mpsc::channel::<Work>();
        thread::Builder::new()
            .name("patience".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                for work in works {
                    // Who waits for it sees that it broke off.
                    let _ = catch_unwind(AssertUnwindSafe(work));
                }
            })?;
        let sent = thread.send(work);
        state.thread = Some(thread);
        sent.map_err(ended)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn something_is_left_behind(&mut self) -> bool {
        if let Some((child, _)) = &mut self.left_behind
            && !matches!(child.try_wait(), Ok(None))
        {
            self.left_behind = None;
        }
        self.left_behind.is_some()
    }
}

impl Turn {
    /// What came before, such as waiting for a place among the running commands, is not the lane's fault.
    pub(super) fn begins_now(&self) {
        self.lane.state().since = Some(Instant::now());
    }

    /// It ends without an answer. A process that could not be ended blocks the lane until it has gone.
    pub(super) fn ends_in_vain(self, left_behind: Option<(Child, Place)>) {
        let mut state = self.lane.state();
        state.in_vain = Some(Instant::now());
        state.left_behind = left_behind;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.lane.state().since = None;
        self.lane.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command as Process, Stdio};

    use super::super::patience::Patience;
    use super::*;

    #[test]
    fn one_goes_at_a_time_and_a_panic_does_not_block_the_lane() {
        let lane = Arc::new(Lane::new(Duration::from_secs(60)));
        let broken = lane.within(|| panic!("a panic in the lane"));
        assert!(matches!(broken, Err::<(), _>(Vain::Broken(_))));
        let inside = Arc::new(Mutex::new(()));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let inside = Arc::clone(&inside);
                    let alone = lane.within(move || inside.try_lock().is_ok());
                    assert!(alone.unwrap());
                });
            }
        });
    }

    #[test]
    fn who_is_stuck_turns_the_others_back_until_he_returns() {
        let lane = Arc::new(Lane::new(Duration::from_millis(200)));
        let (let_go, stuck) = mpsc::channel::<()>();
        let late = lane.within(move || stuck.recv());
        assert!(matches!(late, Err(Vain::Late)));
        let began = Instant::now();
        for _ in 0..100 {
            assert!(matches!(lane.within(|| ()), Err(Vain::Hangs)));
        }
        // A hundred who waited out the deadline would take 20 s.
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(let_go);
        while lane.within(|| ()).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60));
            thread::yield_now();
        }
    }

    #[test]
    fn who_queued_behind_one_that_gave_up_does_not_try_the_same() {
        let lane = Arc::new(Lane::new(Duration::from_secs(60)));
        let first = lane.turn().unwrap();
        let asked = Instant::now();
        first.ends_in_vain(None);
        assert!(lane.turn_asked_for(asked).is_none());
        assert!(lane.turn().is_some());
    }

    #[test]
    fn a_process_that_could_not_be_ended_blocks_the_lane_until_it_has_gone() {
        let patience = Patience::new(Duration::from_secs(60));
        let lane = patience.lane("somewhere");
        let mut cat = Process::new("/bin/cat");
        let mut stays = cat.stdin(Stdio::piped()).spawn().unwrap();
        let goes_on_end_of_input = stays.stdin.take();
        let place = patience.place().unwrap();
        lane.turn().unwrap().ends_in_vain(Some((stays, place)));
        assert!(lane.turn().is_none());
        assert!(lane.turn().is_none());
        drop(goes_on_end_of_input);
        let began = Instant::now();
        while lane.turn().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60));
            thread::yield_now();
        }
    }
}
