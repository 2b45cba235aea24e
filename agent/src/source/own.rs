//! The agent itself: what it cannot see, and what it costs.

use jiff::Timestamp;
use model::fact::agent::{Agent, AgentCost};
use model::parse::own_cost;
use model::reading::Reading;

use crate::host::Host;
use crate::privilege;

/// The kernel tells times of processes in hundredths of a second (USER_HZ), whatever its own tick is.
const MS_PER_TICK: u64 = 10;

/// Absent in a captured tree: that was another agent.
pub(crate) fn collect(host: &Host) -> Reading<Agent> {
    if host.is_captured() {
        return Reading::Absent;
    }
    // A kernel without one of these files leaves the value unknown; that is all there is to say of it.
    let read = |path: &str| Some(host.read(path).ok()??.text);
    let memory = read("proc/self/smaps_rollup");
    let stat = read("proc/self/stat");
    let ticks = stat.as_deref().and_then(own_cost::cpu_ticks);
    Reading::Known {
        value: Agent {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cost: AgentCost {
                proportional_memory_kib: memory
                    .as_deref()
                    .and_then(own_cost::proportional_memory_kib),
                cpu_ms: ticks.map(|ticks| ticks.saturating_mul(MS_PER_TICK)),
            },
            blind_spots: privilege::blind_spots(),
            ..Agent::default()
        },
        at: Timestamp::now(),
        problems: Vec::new(),
    }
}
