//! corosync.conf: the cluster's copy and the one that corosync reads.

use model::fact::corosync_conf::CorosyncConfFiles;
use model::parse::corosync_conf;
use model::reading::Reading;

use crate::host::Host;
use crate::source::gather::Gathering;

const CLUSTER: &str = "etc/pve/corosync.conf";
const LOCAL: &str = "etc/corosync/corosync.conf";
pub(crate) const FILES: &[&str] = &[CLUSTER, LOCAL];

pub(crate) fn collect(host: &Host) -> Reading<CorosyncConfFiles> {
    let mut gathering = Gathering::default();
    let mut copy = |path: &str| {
        let text = gathering.found(path, host.read(path))?;
        gathering.take(&text, corosync_conf::parse(&text.text))
    };
    let files = CorosyncConfFiles {
        cluster: copy(CLUSTER),
        local: copy(LOCAL),
    };
    let value = (files.cluster.is_some() || files.local.is_some()).then_some(files);
    gathering.finish(value)
}
