//! Everything that one node can tell at one moment.

use serde::{Deserialize, Serialize};

use crate::fact::bond::Bond;
use crate::fact::bridge::Bridge;
use crate::fact::ceph::Ceph;
use crate::fact::cmap::Cmap;
use crate::fact::corosync::Corosync;
use crate::fact::corosync_conf::CorosyncConfFiles;
use crate::fact::ha::Ha;
use crate::fact::interfaces::Interfaces;
use crate::fact::journal::Journal;
use crate::fact::link::Link;
use crate::fact::lldp::Neighbour;
use crate::fact::members::Members;
use crate::fact::ovs::Ovs;
use crate::fact::packages::Packages;
use crate::reading::Reading;

/// Every fact family of one node, each with how well it is known. The field names are the keys of
/// `quorate-agent snapshot --json`, a contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    pub bonds: Reading<Vec<Bond>>,
    pub links: Reading<Vec<Link>>,
    pub bridges: Reading<Vec<Bridge>>,
    pub interfaces: Reading<Interfaces>,
    pub corosync: Reading<Corosync>,
    pub corosync_conf: Reading<CorosyncConfFiles>,
    pub cmap: Reading<Cmap>,
    pub members: Reading<Members>,
    pub ha: Reading<Ha>,
    pub packages: Reading<Packages>,
    pub lldp: Reading<Vec<Neighbour>>,
    pub ovs: Reading<Ovs>,
    pub ceph: Reading<Ceph>,
    pub journal: Reading<Journal>,
}
