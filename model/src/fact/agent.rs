//! The agent itself: what it cannot see, what it costs, which of its limits it ran into.

use std::collections::BTreeMap;

use crate::fact::spool::SpoolState;

use serde::{Deserialize, Serialize};

/// The agent of one node, as it knows itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub version: String,
    /// Finished sentences: what it cannot see as it was started, and why.
    pub blind_spots: Vec<String>,
    /// Named limits that were hit since it started, and how often.
    pub limits_hit: BTreeMap<String, u64>,
    pub cost: AgentCost,
    /// `None`: nothing is kept on disk, as in `watch` and `snapshot`.
    pub spool: Option<SpoolState>,
}

/// What the agent and the tools that it ran cost so far. `None` is not readable.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentCost {
    /// Of the agent alone; tools live for milliseconds.
    pub proportional_memory_kib: Option<u64>,
    /// With the tools that have ended.
    pub cpu_ms: Option<u64>,
}
