//! The cluster as pmxcfs sees it. On a node without quorum the list is still right: pmxcfs answers from memory.

use model::fact::members::Members;
use model::parse::members;
use model::reading::Reading;

use crate::host::Host;
use crate::source::gather::Gathering;

pub(super) const MEMBERS: &str = "etc/pve/.members";
pub(crate) const FILES: &[&str] = &[MEMBERS];

/// Absent: pmxcfs is not mounted here, or this is no Proxmox VE.
pub(crate) fn collect(host: &Host) -> Reading<Members> {
    let mut gathering = Gathering::default();
    let text = gathering.found(MEMBERS, host.read(MEMBERS));
    let members = text.and_then(|text| gathering.take(&text, members::parse(&text.text)));
    gathering.finish(members)
}
