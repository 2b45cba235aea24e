//! What a node can tell us: plain structs with public fields and units in their names. A field that the text did
//! not state, or that could not be read, is `None`: unknown, which is never the same as zero or "no".

pub mod agent;
pub mod bond;
pub mod boot;
pub mod bridge;
pub mod ceph;
pub mod certificate;
pub mod clock;
pub mod cmap;
pub mod corosync;
pub mod corosync_conf;
pub mod guests;
pub mod ha;
pub mod ha_config;
pub mod hardware_address;
pub mod host;
pub mod interfaces;
pub mod journal;
pub mod link;
pub mod lldp;
pub mod members;
pub mod ovs;
pub mod packages;
pub mod power;
pub mod pve_version;
pub mod quorumtool;
pub mod spool;
pub mod storage;
pub mod tasks;
