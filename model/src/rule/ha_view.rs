//! The HA manager, as the node that knows it best has it: one that is quorate now, because without quorum `/etc/pve`
//! reads as yesterday.

use jiff::Timestamp;

use super::membership::is_quorate;
use crate::cluster::FreshNode;
use crate::fact::ha::Ha;
use crate::name::NodeName;
use crate::report::Facts as _;

pub(super) fn best<'a>(nodes: &'a [FreshNode<'_>]) -> Option<(&'a NodeName, &'a Ha)> {
    let quorate = nodes.iter().filter(|node| is_quorate(node));
    let told = quorate.filter_map(|node| Some((node.name(), node.ha()?)));
    told.max_by_key(|(_, ha)| newest(ha))
}

fn newest(ha: &Ha) -> Option<Timestamp> {
    ha.manager.as_ref()?.timestamp
}
