//! How long the agent waits for what can hang, for the whole process: a lane for each thing that can hang, and a
//! bounded number of commands at once. Every [`super::Host`] of a process shares one, however short it lives.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lane::Lane;

/// Commands that run at the same time, killed ones that hang in the kernel included.
const MAX_COMMANDS: usize = 4;

/// Shared by its clones.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    deadline: Duration,
    /// By what hangs: a service, or a program that stands on none. All of them are known when the program is written.
    lanes: Arc<Mutex<BTreeMap<&'static str, Arc<Lane>>>>,
    places: Arc<Places>,
}

impl Patience {
    /// A person waits for one report, and wants it whole.
    pub(crate) const OF_A_REPORT: Duration = Duration::from_secs(20);
    /// Everything is asked again soon.
    pub(crate) const OF_THE_RUNNING_AGENT: Duration = Duration::from_secs(5);

    /// `deadline`: how long one read or one command may take.
    pub(crate) fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            lanes: Arc::default(),
            places: Arc::new(Places {
                taken: Mutex::new(0),
                freed: Condvar::new(),
            }),
        }
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(super) fn lane(&self, to: &'static str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(to);
        Arc::clone(lane.or_insert_with(|| Arc::new(Lane::new(self.deadline))))
    }

    /// A place among the running commands; `None` if none was free within the deadline.
    pub(super) fn place(&self) -> Option<Place> {
        let until = Instant::now() + self.deadline;
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= MAX_COMMANDS {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let woken = self.places.freed.wait_timeout(taken, left);
            taken = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken += 1;
        Some(Place(Arc::clone(&self.places)))
    }
}

#[derive(Debug)]
struct Places {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A place among the running commands, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.0.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(1);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_commands_than_agreed_run_at_once() {
        let patience = Patience::new(Duration::from_millis(50));
        let places: Vec<_> = (0..MAX_COMMANDS).map(|_| patience.place()).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(patience.clone().place().is_none());
        drop(places);
        assert!(patience.place().is_some());
    }
}
