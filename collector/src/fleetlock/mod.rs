//! FleetLock: machines that update themselves ask for the slot before they reboot, and give it back afterwards. The slot is
//! the cluster's maintenance lease, judged, taken and ended by the gate itself: there is no second way to it, and none
//! against its verdict.
//!
//! The protocol is Zincati's (<https://coreos.github.io/zincati/development/fleetlock/protocol/>), as airlock answers it. Its
//! clients have no certificate and no password, only an id that they give themselves. So this is off unless the operator
//! says where it listens and which networks may ask, and what a client may do is no more than a GO or WARN of the gate
//! allows. It speaks plain HTTP, which is what those clients are mostly set up for on a LAN.

mod client;
mod door;
mod request;
mod slot;

use std::net::SocketAddr;

use ipnet::IpNet;
use model::name::NodeName;

pub use door::FleetLock;
pub(crate) use request::is_id;

/// What the operator says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub listen: SocketAddr,
    /// Nobody else is answered.
    pub networks: Vec<IpNet>,
    pub known: Vec<Known>,
}

/// A client whose id is not the name of its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub id: String,
    pub node: NodeName,
    /// Its name or id. Empty: the one that has the node.
    pub cluster: String,
}
