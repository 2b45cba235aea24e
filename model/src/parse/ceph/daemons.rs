//! `ceph node ls`: which daemon is on which host (`dump_services` in src/mon/MonmapMonitor.cc and its neighbours).

use serde_json::{Map, Value};

use crate::fact::ceph::{Daemon, DaemonKind};
use crate::parse::json::{Taker, items};

/// Daemons that are read; the largest clusters have a few thousand OSDs.
const MAX_DAEMONS: usize = 20_000;

/// `{"mon": {"pve-01": ["pve-01"]}, "osd": {"pve-01": [0, 3]}, "mds": {}, "mgr": {"pve-01": ["pve-01"]}}`. All or none: a list
/// that lacks one of a host would be an answer about fewer daemons than there are.
pub(super) fn daemons(taker: &mut Taker, root: &Map<String, Value>) -> Option<Vec<Daemon>> {
    let keys = ["mon", "osd", "mds", "mgr"];
    if !["mon", "osd"].iter().all(|key| is_object(root.get(*key))) {
        return None;
    }
    let (mut daemons, mut is_whole) = (Vec::new(), true);
    for key in keys {
        // Before luminous there were no managers to be listed.
        let Some(hosts) = taker.object(root, key) else {
            is_whole &= root.get(key).is_none();
            continue;
        };
        for (host, ids) in hosts {
            for id in items(Some(ids)) {
                match taker.text_of(key, id).filter(|id| !id.is_empty()) {
                    Some(id) if daemons.len() < MAX_DAEMONS => daemons.push(Daemon {
                        kind: DaemonKind::from_word(key),
                        id,
                        host: host.clone(),
                    }),
                    Some(_) => {
                        taker.bad(
                            key,
                            id,
                            &format!("there are more than {MAX_DAEMONS} daemons"),
                        );
                        return None;
                    }
                    None => is_whole = false,
                }
            }
        }
    }
    is_whole.then_some(daemons)
}

fn is_object(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Object(_)))
}
