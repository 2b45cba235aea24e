//! The keeper of a cluster: who said what, when, and which of the events are kept.
//!
//! Every stream has an [`intake`] that makes facts of messages, beside its socket; one [`core`] a cluster, which owns
//! the cluster's state, takes them in turn. Both are without I/O and clock, so that a simulation can drive them.
//! The [`actor`] gives the core its messages, its time and its ledger, and publishes a [`view`] that nobody changes.

pub mod actor;
pub mod cache;
pub mod core;
pub mod hello;
pub mod intake;
pub mod late;
pub mod mailbox;
pub mod refusal;
pub mod view;

#[cfg(test)]
pub(crate) mod actor_tests;
mod answer;
mod clock;
mod deciding;
mod events;
mod node;
mod patch;
mod queue;
mod steps;
#[cfg(test)]
mod tests;
mod turns;
pub(crate) mod understanding;

pub use model::cluster::Now;

/// Given by the collector to each stream, once; a later stream has a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Which collector this is for a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The collector's id, a UUID.
    pub collector: String,
    pub epoch: u64,
    /// False: it only looks on.
    pub is_authority: bool,
}

impl Own {
    /// What agents are told of who decides: an observer does not say.
    pub fn authority(&self) -> Option<proto::v1::Authority> {
        self.is_authority.then(|| proto::v1::Authority {
            collector: self.collector.clone(),
            epoch: self.epoch,
        })
    }
}

/// How often a heartbeat is wanted.
pub const HEARTBEAT_MS: u32 = 2_000;
/// Heartbeats missed until a node is silent.
pub const MISSED_HEARTBEATS: u64 = 3;
/// A heartbeat is answered at once the first time, and then this often: each answer costs more than its bytes.
pub const ANSWER_EVERY_MS: u64 = 10_000;
/// An agent that has heard nothing for longer hears nothing: three answers are missing.
pub const HEARS_NOTHING_AFTER_MS: u64 = 3 * ANSWER_EVERY_MS;
/// A stream that is silent for so long is ended: the machine at its other end may be gone.
pub const SILENT_STREAM_ENDS_MS: u64 = 30_000;
/// Clocks that differ by less are not worth a sentence.
pub const SKEW_WORTH_SAYING_MS: i64 = 1_000;
/// The largest message of an agent: its whole report.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Events of one stream that wait for the ledger. A stream with more is not read from.
pub const MAX_WAITING_EVENTS: usize = 2_000;
/// And their bytes.
pub const MAX_WAITING_BYTES: usize = 8 << 20;
/// Events in one decision.
pub const MAX_EVENTS_APPENDED: usize = 1_000;
/// And their bytes.
pub const MAX_BYTES_APPENDED: usize = 8 << 20;
/// An append that takes longer is treated as one that fails: streams are read from, their events are not taken.
pub const LEDGER_SLOW_MS: u64 = 3_000;
/// Until a failed append is tried again.
pub const LEDGER_AGAIN_MS: u64 = 1_000;
/// How long an answer to a question is waited for.
pub const ANSWER_WITHIN_MS: u64 = 30_000;
/// Agents are not told more often that it has become settled or unsettled who decides: one that lies must not make all
/// others listen without end.
pub const AUTHORITY_TOLD_EVERY_MS: u64 = 5_000;
/// Questions to one node that wait for an answer.
pub const MAX_QUESTIONS: usize = 8;
/// The rules look at most this often, however large the cluster is, and after something changed this soon.
pub const LOOK_EVERY_MS: u64 = 100;
/// They look sooner where it costs little: for so many nodes a millisecond later. A look at 32 nodes takes about 0.3 ms.
pub const NODES_A_MS: usize = 4;
/// And at least this often: time alone can end an incident, or a lease.
pub const LOOK_AGAIN_MS: u64 = 500;
/// Steps of incidents that wait for the ledger. With more, the rules look and nothing is decided.
pub const MAX_WAITING_STEPS: usize = 10_000;
/// What a cloned identity is known by: so many times within so long the stream went over between the same two.
pub const CLONE_TIMES: u32 = 3;
pub const CLONE_WITHIN_MS: u64 = 60_000;
/// How long that is said after the last time.
pub const CLONE_SAID_MS: u64 = 600_000;
