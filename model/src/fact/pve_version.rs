//! What pmxcfs counts: `/etc/pve/.version`. Nothing tells that another node wrote below `/etc/pve` (inotify never
//! sees it), but each of these counters goes up when something did.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The counters of one node's pmxcfs. They begin anew with it, and two nodes count differently.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PveVersion {
    /// When pmxcfs started, in seconds since 1970 by the clock of then.
    pub start_time: Option<i64>,
    /// `clinfo` (who is a member, who is online, corosync.conf's version), `vmlist` (which guests are where, and every
    /// write to a guest's file), and one for each file that pmxcfs watches: `storage.cfg`, `ha/resources.cfg`.
    pub counters: BTreeMap<String, u64>,
}

impl PveVersion {
    /// The counters that are not as they were: all of them, if pmxcfs started anew.
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> BTreeSet<&'a str> {
        let restarted = self.start_time != before.start_time;
        let gone = before
            .counters
            .keys()
            .filter(|key| !self.counters.contains_key(*key));
        let changed = self
            .counters
            .iter()
            .filter(|(key, count)| restarted || before.counters.get(*key) != Some(count))
            .map(|(key, _)| key);
        changed.chain(gone).map(String::as_str).collect()
    }
}
