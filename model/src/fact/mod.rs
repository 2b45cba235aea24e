//! What a node can tell us: plain structs with public fields and units in their names. A field that the text did
//! not state, or that could not be read, is `None`: unknown, which is never the same as zero or "no".

pub mod bond;
pub mod bridge;
pub mod ceph;
pub mod cmap;
pub mod corosync;
pub mod corosync_conf;
pub mod ha;
pub mod hardware_address;
pub mod interfaces;
pub mod journal;
pub mod link;
pub mod lldp;
pub mod members;
pub mod ovs;
pub mod packages;
pub mod quorumtool;
