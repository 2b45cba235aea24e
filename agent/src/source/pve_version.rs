//! What pmxcfs counts, to be asked every few seconds: it is one small read, and nothing else tells that another node
//! wrote below `/etc/pve`.

use std::collections::BTreeSet;

use model::fact::pve_version::PveVersion;
use model::parse::pve_version;

use crate::host::{Host, HostError};
use crate::source::Wake;

const VERSION: &str = "etc/pve/.version";

/// The counters as they are now; `None`: pmxcfs is not mounted, or answered something else.
pub(crate) fn read(host: &Host) -> Result<Option<PveVersion>, HostError> {
    let text = host.read(VERSION)?;
    Ok(text.and_then(|text| Some(pve_version::parse(&text.text).ok()?.value)))
}

/// Reads the counters and says whom to wake because of those that counted up since the last time; `before` is what to
/// hand in the next time. Nobody is woken the first time. That pmxcfs went away, or came back, wakes all.
pub(crate) fn changed(
    host: &Host,
    before: &mut Option<PveVersion>,
) -> Result<BTreeSet<Wake>, HostError> {
    let now = read(host)?;
    let wakes = match (&*before, &now) {
        (Some(before), Some(now)) => now
            .changed_since(before)
            .into_iter()
            .filter_map(wake)
            .collect(),
        (None, None) => BTreeSet::new(),
        // A first look cannot be told from a coming back; whoever looks first has just asked all sources anyway.
        (Some(_), None) | (None, Some(_)) => BTreeSet::from([Wake::Pve, Wake::Guests]),
    };
    *before = now;
    Ok(wakes)
}

/// Whom a counter wakes. `ha/manager_status` is written every 10 s where HA is in use, with another time inside: its
/// source reads it at its own pace.
fn wake(counter: &str) -> Option<Wake> {
    match counter {
        "vmlist" => Some(Wake::Guests),
        "clinfo" | "corosync.conf" | "datacenter.cfg" | "storage.cfg" | "replication.cfg"
        | "ceph.conf" | "ha/crm_commands" | "ha/resources.cfg" | "ha/groups.cfg"
        | "ha/rules.cfg" => Some(Wake::Pve),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is woken when the first text is followed by the second.
    #[track_caller]
    fn check(first: Option<&str>, second: Option<&str>, wakes: &[Wake]) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(VERSION);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let host = Host::captured(root.path()).unwrap();
        let mut before = None;
        let mut woken = BTreeSet::new();
        for text in [first, second] {
            match text {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => drop(std::fs::remove_file(&path)),
            }
            woken = changed(&host, &mut before).unwrap();
        }
        assert_eq!(Vec::from_iter(woken), wakes);
    }

    const START: &str = r#"{"starttime":1,"clinfo":1,"vmlist":1,"user.cfg":1,"ha/manager_status":1,"kvstore":{"a":{"b":1}}}"#;

    #[test]
    fn only_counters_that_somebody_waits_for_wake_anybody() {
        check(Some(START), Some(START), &[]);
        for (from, to, wakes) in [
            (r#""vmlist":1"#, r#""vmlist":2"#, vec![Wake::Guests]),
            (r#""clinfo":1"#, r#""clinfo":2"#, vec![Wake::Pve]),
            (r#""user.cfg":1"#, r#""user.cfg":2"#, vec![]),
            (r#""b":1"#, r#""b":2"#, vec![]),
            (
                r#""ha/manager_status":1"#,
                r#""ha/manager_status":2"#,
                vec![],
            ),
            (
                r#""starttime":1"#,
                r#""starttime":2"#,
                vec![Wake::Pve, Wake::Guests],
            ),
        ] {
            check(Some(START), Some(&START.replace(from, to)), &wakes);
        }
    }

    #[test]
    fn pmxcfs_going_away_wakes_all() {
        check(Some(START), None, &[Wake::Pve, Wake::Guests]);
        check(None, Some(START), &[Wake::Pve, Wake::Guests]);
        check(None, None, &[]);
        check(Some(START), Some("cat: no"), &[Wake::Pve, Wake::Guests]);
    }
}
