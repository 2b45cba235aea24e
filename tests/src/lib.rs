//! The rack: a cluster of real corosyncs in network namespaces on this machine, with a real agent in each node, cables
//! to cut, switches to kill and nodes to stop.
//!
//! It needs root, and Debian's corosync, iproute2 and util-linux. Everything of a rack lives in namespaces of its own,
//! so that any number of racks stand beside each other and nothing of one outlives the process that built it, not even
//! when that process is killed: see [`room`].

mod agent;
mod binary;
mod cable;
pub mod chats;
mod clock;
mod collector;
mod corosync;
mod disk;
pub mod documents;
pub mod fleet;
pub mod gate;
mod history;
mod hook;
mod journal;
mod plan;
mod program;
pub mod python;
mod rack;
mod room;
pub mod truth;

pub use agent::{Agent, give_cluster_id};
pub use binary::{agent_binary, collector_binary, fleet_binary, terminal_binary};
pub use cable::{Cable, in_network_of};
pub use clock::{PATIENCE, wait_until};
pub use collector::Collector;
pub use corosync::Membership;
pub use disk::Disk;
pub use history::History;
pub use hook::{Delivery, Hook, Reply};
pub use journal::{Journal, Speaker, spoken};
pub use plan::Plan;
pub use program::{Line, Lines, Program, children};
pub use rack::Rack;
