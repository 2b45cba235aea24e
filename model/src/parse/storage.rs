//! What says which storages there are and how they are: `/etc/pve/storage.cfg` (pve-storage), the lines of
//! `/etc/pve/.rrd` that tell of them (pve-cluster, src/pmxcfs/status.c: cfs_rrd_dump; pve-manager,
//! PVE/Service/pvestatd.pm), `/etc/pve/replication.cfg` and the state of its jobs on this node (pve-guest-common,
//! PVE/ReplicationConfig.pm and PVE/ReplicationState.pm).

use jiff::Timestamp;
use serde_json::Value;

use crate::fact::storage::{
    ReplicationJob, ReplicationState, StorageConfig, StorageKind, StorageSeen,
};
use crate::name::NodeName;
use crate::parse::json::{Fields, object_of};
use crate::parse::section_config::sections;
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// How many lines of storages, and how many states of jobs, are kept.
const MAX_ENTRIES: usize = 4096;
/// How much of what a failed job said is kept.
const MAX_ERROR_CHARS: usize = 200;

/// The options of `storage.cfg` that are read; others can hold a name or a key.
pub const READ_OPTIONS: &[&str] = &[
    "content",
    "nodes",
    "disable",
    "shared",
    "server",
    "monhost",
    "portal",
    "path",
    "is_mountpoint",
];

/// Reads `storage.cfg`.
pub fn parse(text: &str) -> Result<Parsed<Vec<StorageConfig>>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let sections = sections(text, &mut bad_lines)?;
    let mut storages = Vec::new();
    for section in sections {
        let nodes = section.nodes("nodes", &mut bad_lines);
        let names = nodes.map(|nodes| nodes.into_iter().map(|(name, _)| name).collect());
        let server = ["server", "monhost", "portal"]
            .iter()
            .find_map(|key| section.text(key));
        // A path stands for `yes` here too: it says where the mount is.
        let mount = section.text("is_mountpoint");
        let needs_mount =
            mount.is_some_and(|word| !["0", "no", "off", "false"].contains(&word.as_str()));
        storages.push(StorageConfig {
            id: section.id.to_owned(),
            kind: StorageKind::from_word(section.kind),
            content: section.list("content"),
            nodes: names,
            disabled: section.flag("disable", &mut bad_lines) == Some(true),
            shared: section.flag("shared", &mut bad_lines),
            server,
            path: section.text("path"),
            needs_mount,
        });
    }
    Ok(bad_lines.with(storages))
}

/// Does this line of `.rrd` tell of a storage? `pve-storage-9.0/` since Proxmox VE 9, `pve2-storage/` before.
pub fn is_of_storage(line: &str) -> bool {
    let kind = line.split('/').next().unwrap_or_default();
    kind == "pve2-storage" || kind.starts_with("pve-storage-")
}

/// Reads `.rrd`, of which only the storages are taken: `pve-storage-9.0/NODE/ID:time:total:used`.
pub fn parse_rrd(text: &str) -> Result<Parsed<Vec<StorageSeen>>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let mut seen = Vec::new();
    let mut anything = false;
    for line in lines(text).filter(|line| !line.is_blank()) {
        // pmxcfs ends the text with a NUL byte.
        anything |= line.text.contains(['/', '\0']);
        if !is_of_storage(line.text) {
            continue;
        }
        if seen.len() >= MAX_ENTRIES {
            let why = format!("only the first {MAX_ENTRIES} storages are kept");
            bad_lines.push(BadLine::new(line, why));
            continue;
        }
        let read = of_storage(line);
        seen.extend(bad_lines.keep(read));
    }
    if !anything && !text.trim().is_empty() {
        return Err(Unreadable::foreign(text));
    }
    seen.sort_by(|a, b| (&a.node, &a.storage).cmp(&(&b.node, &b.storage)));
    Ok(bad_lines.with(seen))
}

fn of_storage(line: Line<'_>) -> Result<StorageSeen, BadLine> {
    let bad = |why: &str| BadLine::new(line, why);
    let mut parts = line.text.split(':');
    let key = parts.next().unwrap_or_default();
    let [_, node, storage] = key.split('/').collect::<Vec<_>>()[..] else {
        return Err(bad(
            "a node and a storage are expected before the first colon",
        ));
    };
    let node = NodeName::new(node).map_err(|name| BadLine::new(line, name.to_string()))?;
    let at = parts.next().and_then(|at| at.parse().ok());
    let at = at.and_then(|at| Timestamp::from_second(at).ok());
    // `U` is what the statistics call unknown.
    let mut bytes = || parts.next().and_then(|bytes| bytes.trim().parse().ok());
    let (total_bytes, used_bytes) = (bytes(), bytes());
    if at.is_none() {
        return Err(bad("no time stands behind the storage"));
    }
    Ok(StorageSeen {
        node,
        storage: storage.to_owned(),
        at,
        total_bytes,
        used_bytes,
    })
}

/// Reads `replication.cfg`.
pub fn parse_replication(text: &str) -> Result<Parsed<Vec<ReplicationJob>>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let mut jobs = Vec::new();
    for section in sections(text, &mut bad_lines)? {
        let guest = section.id.split('-').next().and_then(|id| id.parse().ok());
        jobs.push(ReplicationJob {
            id: section.id.to_owned(),
            guest,
            target: section.node("target", &mut bad_lines),
            source: section.node("source", &mut bad_lines),
            schedule: section.text("schedule"),
            disabled: section.flag("disable", &mut bad_lines) == Some(true),
            removed: section.text("remove_job").is_some(),
        });
    }
    Ok(bad_lines.with(jobs))
}

/// Reads the state of jobs: `{"100":{"local/pve-02":{"last_sync":…}}}`. Proxmox VE takes an empty file for no state,
/// and anything else that is no JSON for an error, which stops all replication.
pub fn parse_replication_state(text: &str) -> Result<Parsed<Vec<ReplicationState>>, Unreadable> {
    let mut bad_lines = BadLines::default();
    let mut states = Vec::new();
    if text.is_empty() {
        return Ok(bad_lines.with(states));
    }
    let mut guests = Fields::new(object_of(text)?, &mut bad_lines);
    for (id, jobs) in guests.take_all() {
        let Some(guest) = id.parse::<u32>().ok() else {
            guests.refuse(&id, &jobs, "its key is not a guest's id");
            continue;
        };
        let Some(mut jobs) = guests.inside(&id, jobs) else {
            continue;
        };
        for (target, job) in jobs.take_all() {
            if states.len() >= MAX_ENTRIES {
                let why = format!("only the first {MAX_ENTRIES} states are kept");
                jobs.refuse(&target, &Value::Null, &why);
            } else if let Some(fields) = jobs.inside(&target, job) {
                states.push(state(guest, &target, fields));
            }
        }
    }
    Ok(bad_lines.with(states))
}

fn state(guest: u32, target: &str, mut fields: Fields<'_>) -> ReplicationState {
    // Zero stands for never.
    let ever = |at: Option<Timestamp>| at.filter(|at| *at > Timestamp::UNIX_EPOCH);
    let error = fields.text("error");
    ReplicationState {
        guest,
        target: target.to_owned(),
        last_sync: ever(fields.timestamp("last_sync")),
        last_try: ever(fields.timestamp("last_try")),
        fail_count: fields.number("fail_count"),
        error: error.map(|error| error.chars().take(MAX_ERROR_CHARS).collect()),
        pid: fields.number("pid"),
    }
}

#[cfg(test)]
mod tests {
    //! The fixtures are written after what Proxmox VE's sources read and write; none is a capture.

    use super::*;

    const CONFIG: &str = include_str!("../../fixtures/storage/written-storage.cfg");
    const RRD_9: &str = include_str!("../../fixtures/storage/written-pve9-rrd");
    const RRD_8: &str = include_str!("../../fixtures/storage/written-pve8-rrd");
    const JOBS: &str = include_str!("../../fixtures/storage/written-replication.cfg");
    const STATE: &str = include_str!("../../fixtures/storage/written-replication-state.json");

    #[track_caller]
    fn whole<T>(parsed: Result<Parsed<T>, Unreadable>) -> T {
        let parsed = parsed.unwrap();
        assert_eq!(parsed.bad_lines, []);
        parsed.value
    }

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    #[test]
    fn storages_are_read_with_who_has_them() {
        let storages = whole(parse(CONFIG));
        let told: Vec<_> = storages
            .iter()
            .map(|storage| (storage.id.as_str(), storage.is_shared(), storage.disabled))
            .collect();
        assert_eq!(
            told,
            [
                ("local", Some(false), false),
                ("local-zfs", Some(false), false),
                ("nas", Some(true), false),
                ("ceph-vm", Some(true), false),
                ("mounted", Some(true), false),
                ("old", Some(true), true),
                ("vendor", None, false),
            ]
        );
        assert_eq!(
            storages[1].nodes,
            Some(vec![node("pve-01"), node("pve-02")])
        );
        assert!(storages[1].is_for(&node("pve-02")) && !storages[1].is_for(&node("pve-03")));
        assert!(storages[0].is_for(&node("pve-03")) && !storages[5].is_for(&node("pve-01")));
        assert_eq!(storages[2].server.as_deref(), Some("10.40.0.5"));
        assert_eq!(
            (storages[4].needs_mount, storages[0].needs_mount),
            (true, false)
        );
        assert_eq!(storages[0].content, ["iso", "vztmpl", "backup"]);
    }

    #[test]
    fn no_name_and_no_key_is_kept() {
        assert!(CONFIG.contains("hunter2"));
        let kept = serde_json::to_string(&whole(parse(CONFIG))).unwrap();
        assert!(!kept.contains("hunter2"), "{kept}");
    }

    #[test]
    fn the_statistics_of_both_versions_tell_which_storage_is_active_where() {
        for text in [RRD_8, RRD_9] {
            let seen = whole(parse_rrd(text));
            let told: Vec<_> = seen
                .iter()
                .map(|seen| (seen.node.as_str(), seen.storage.as_str(), seen.used_bytes))
                .collect();
            assert_eq!(
                told,
                [
                    ("pve-01", "local", Some(2_000)),
                    ("pve-01", "nas", None),
                    ("pve-02", "local", Some(3_000)),
                ]
            );
            assert_eq!(seen[0].at, Timestamp::from_second(1_700_000_000).ok());
        }
    }

    #[test]
    fn one_bad_line_of_the_statistics_does_not_lose_the_others() {
        let text = format!("pve2-storage/local:1:2:3\npve2-storage/a/b:x:1:2\n{RRD_8}");
        let parsed = parse_rrd(&text).unwrap();
        assert_eq!((parsed.bad_lines.len(), parsed.value.len()), (2, 3));
        assert!(whole(parse_rrd("")).is_empty());
        assert!(parse_rrd("Transport endpoint is not connected").is_err());
    }

    #[test]
    fn replication_is_read_with_how_it_went() {
        let jobs = whole(parse_replication(JOBS));
        assert_eq!((jobs[0].id.as_str(), jobs[0].guest), ("100-0", Some(100)));
        assert_eq!(jobs[0].target, Some(node("pve-02")));
        assert_eq!((jobs[0].disabled, jobs[1].disabled), (false, true));
        assert_eq!(
            (jobs[1].removed, jobs[1].schedule.as_deref()),
            (true, Some("*/30"))
        );
        let states = whole(parse_replication_state(STATE));
        assert_eq!(
            (states[0].guest, states[0].target.as_str()),
            (100, "local/pve-02")
        );
        assert_eq!(
            states[0].last_sync,
            Timestamp::from_second(1_700_000_000).ok()
        );
        assert_eq!(
            (states[0].fail_count, states[0].error.clone()),
            (Some(0), None)
        );
        assert_eq!((states[1].last_sync, states[1].fail_count), (None, Some(4)));
        assert_eq!(states[1].error.as_deref(), Some("no route to host"));
    }

    #[test]
    fn an_empty_state_is_none_and_a_broken_one_is_an_error() {
        assert!(whole(parse_replication_state("")).is_empty());
        assert!(whole(parse_replication_state("{}")).is_empty());
        assert!(parse_replication_state("\0\0").is_err());
        let parsed = parse_replication_state(r#"{"x":{},"1":3,"2":{"local/a":{"last_try":7}}}"#);
        let parsed = parsed.unwrap();
        assert_eq!((parsed.bad_lines.len(), parsed.value.len()), (2, 1));
    }
}
