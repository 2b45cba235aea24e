//! Text to facts, one format a file. `&str` in; no parser opens anything. The formats and their traps are known
//! from the programs' sources, from their manual pages, and from the captures in `model/fixtures/`.

mod assignments;
pub mod bonding;
pub mod bridge_vlan;
pub mod ceph;
pub mod cfgtool;
pub mod chronyc;
pub mod cmapctl;
pub mod corosync_conf;
pub mod dpkg_status;
pub mod ha_status;
pub mod interfaces;
pub mod ip;
pub mod journal;
mod json;
pub mod kernel_choice;
pub mod link_file;
pub mod lldpcli;
pub mod lrm_status;
pub mod members;
pub mod net_class;
pub mod ovs_vsctl;
pub mod own_cost;
pub mod ovs_bond;
pub mod ovsdb;
pub mod mounts;
pub mod proc;
pub mod pveversion;
pub mod quorumtool;
pub mod shutdown;
pub mod systemctl;
pub mod timedatectl;
