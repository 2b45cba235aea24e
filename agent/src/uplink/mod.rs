//! The way to the collectors: for each that the node is enrolled with, one stream that tells it everything and loses
//! nothing. What is to be sent is decided in [`Session`], which touches nothing; the other files here drive it.

mod backoff;
mod board;
mod invited;
mod link;
mod minder;
mod now;
mod outbox;
mod session;
mod shared;
mod telling;
#[cfg(test)]
mod tests;
mod trusting;

use std::path::PathBuf;

use crate::host::Patience;
use crate::journal::SharedSpool;

pub use board::Board;
pub use now::Now;
pub(crate) use now::{boottime_ms, boottime_ms_at};
pub use session::{Effect, MAX_PROBES, Nonsense, Session};

/// What the links need of the agent.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) state_dir: PathBuf,
    /// The node's own files lie below it: `/`.
    pub(crate) root: PathBuf,
    pub(crate) patience: Patience,
    pub(crate) board: Board,
    /// Nothing where nothing can be kept.
    pub(crate) spool: Option<SharedSpool>,
}

/// All links; they end with the runtime.
#[derive(Debug)]
pub(crate) struct Uplinks {
    shared: shared::Shared,
}

impl Uplinks {
    /// Begins a link to each collector that the node is enrolled with, now or later. Must be called within the runtime.
    pub(crate) fn begin(opening: Opening) -> Self {
        let state_dir = opening.state_dir.clone();
        let shared = shared::Shared::new(opening);
        let minder = minder::Minder {
            state_dir,
            shared: shared.clone(),
        };
        tokio::spawn(minder.mind());
        Self { shared }
    }

    /// Waits until every collector that is connected was handed all that was posted until now.
    pub(crate) fn handed_over(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared.clone();
        let count = shared.board.since(u64::MAX).1;
        async move { shared.handed_over(count).await }
    }

    /// How many collectors are connected, of how many.
    pub(crate) fn connected(&self) -> (usize, usize) {
        let standings = shared::locked(&self.shared.standings);
        let connected = standings
            .values()
            .filter(|link| link.connected_to.is_some());
        (connected.count(), standings.len())
    }

    /// How each link stands, by the collector's id, as JSON.
    pub(crate) fn to_json(&self) -> String {
        let standings = shared::locked(&self.shared.standings);
        serde_json::to_string(&*standings)
            .unwrap_or_else(|error| serde_json::json!({"error": error.to_string()}).to_string())
    }
}
