//! Text to facts, one format a file. `&str` in; no parser opens anything. The formats and their traps are known
//! from the programs' sources, from their manual pages, and from the captures in `model/fixtures/`.

pub mod bonding;
pub mod bridge_vlan;
pub mod ceph;
pub mod cfgtool;
pub mod cmapctl;
pub mod corosync_conf;
pub mod guests;
pub mod ha_config;
pub mod ha_status;
pub mod interfaces;
pub mod ip;
pub mod journal;
mod json;
pub mod lldpcli;
pub mod lrm_status;
pub mod members;
pub mod ovs_vsctl;
pub mod pve_version;
pub mod pveversion;
pub mod quorumtool;
mod section_config;
pub mod storage;
pub mod tasks;
