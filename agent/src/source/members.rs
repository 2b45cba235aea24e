//! The cluster as pmxcfs sees it. On a node without quorum the list is still right: pmxcfs answers from memory.

use model::fact::members::Members;
use model::name::NodeName;
use model::parse::members;
use model::reading::Reading;

use crate::host::Host;
use crate::source::gather::Gathering;

const MEMBERS: &str = "etc/pve/.members";
const HOSTNAME: &str = "etc/hostname";
pub(crate) const FILES: &[&str] = &[MEMBERS, HOSTNAME];

/// Absent: pmxcfs is not mounted here, or this is no Proxmox VE.
pub(crate) fn collect(host: &Host) -> Reading<Members> {
    let mut gathering = Gathering::default();
    let text = gathering.found(MEMBERS, host.read(MEMBERS));
    let members = text.and_then(|text| gathering.take(&text, members::parse(&text.text)));
    gathering.finish(members)
}

/// How the cluster calls this node: by pmxcfs, or as its host name without the domain.
pub(crate) fn own_name(host: &Host, gathering: &mut Gathering) -> Option<String> {
    // The source of the members says what is wrong with their file.
    if let Ok(Some(text)) = host.read(MEMBERS)
        && let Ok(members) = members::parse(&text.text)
        && let Some(name) = members.value.node_name
    {
        return Some(name.to_string());
    }
    let text = gathering.found(HOSTNAME, host.read(HOSTNAME))?;
    let name = NodeName::new(text.text.trim().split('.').next()?).ok()?;
    Some(name.to_string())
}
