//! The cluster's storages, where they were seen active, and replication between nodes that share none.
//! Whether a storage answers is not tried here: asking one that hangs would hang too. Each node's pvestatd tries, and
//! tells pmxcfs of those that did.

use model::fact::storage::Storage;
use model::parse::storage;
use model::reading::Reading;

use crate::host::Host;
use crate::source::gather::Gathering;

const CONFIG: &str = "etc/pve/storage.cfg";
const STATISTICS: &str = "etc/pve/.rrd";
const JOBS: &str = "etc/pve/replication.cfg";
const STATE: &str = "var/lib/pve-manager/pve-replication-state.json";
pub(crate) const FILES: &[&str] = &[CONFIG, STATISTICS, JOBS, STATE];

/// Absent: this is no Proxmox VE, or pmxcfs is not mounted.
pub(crate) fn collect(host: &Host) -> Reading<Storage> {
    let mut gathering = Gathering::default();
    let configured = gathering
        .found(CONFIG, host.read(CONFIG))
        .and_then(|text| gathering.take(&text, storage::parse(&text.text)));
    let seen = gathering
        .found(STATISTICS, host.read(STATISTICS))
        .and_then(|text| gathering.take(&text, storage::parse_rrd(&text.text)));
    let jobs = gathering.file(host, JOBS, storage::parse_replication);
    let states = gathering.file(host, STATE, storage::parse_replication_state);
    // Where pmxcfs says nothing at all, that its list of jobs is not there says nothing either.
    let has_pmxcfs = configured.is_some() || seen.is_some();
    let anything = has_pmxcfs || matches!(jobs, Ok(Some(_))) || matches!(states, Ok(Some(_)));
    let storage = Storage {
        configured,
        seen,
        replication: match jobs {
            Ok(None) => has_pmxcfs.then(Vec::new),
            Ok(jobs) => jobs,
            Err(_) => None,
        },
        replicated: states.ok().map(Option::unwrap_or_default),
    };
    gathering.finish(anything.then_some(storage))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[track_caller]
    fn read(files: &[(&str, &str)]) -> Reading<Storage> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, text).unwrap();
        }
        collect(&Host::captured(root.path()).unwrap())
    }

    #[test]
    fn each_file_tells_its_part() {
        let reading = read(&[
            (CONFIG, "dir: local\n\tpath /var/lib/vz\n"),
            (STATISTICS, "pve-storage-9.0/a/local:1700000000:2:1\n"),
            (STATE, "{\"100\":{\"local/b\":{\"fail_count\":1}}}"),
        ]);
        let storage = reading.known().unwrap();
        assert_eq!(storage.configured.as_ref().unwrap()[0].id, "local");
        assert_eq!(storage.seen.as_ref().unwrap()[0].used_bytes, Some(1));
        let replicated = storage.replicated.as_ref().unwrap();
        assert_eq!(replicated[0].fail_count, Some(1));
        assert_eq!(storage.replication, Some(Vec::new()));
    }

    #[test]
    fn what_is_not_there_is_unknown_and_not_empty() {
        let reading = read(&[(STATE, "")]);
        let storage = reading.known().unwrap();
        assert_eq!((&storage.configured, &storage.seen), (&None, &None));
        assert_eq!(storage.replication, None);
        let config = (CONFIG, "dir: local\n\tpath /var/lib/vz\n");
        let reading = read(&[config, (JOBS, "\0\0"), (STATE, "\0\0")]);
        let storage = reading.known().unwrap();
        assert_eq!((&storage.replication, &storage.replicated), (&None, &None));
        assert_eq!(read(&[]), Reading::Absent);
        assert!(matches!(read(&[(STATE, "\0\0")]), Reading::Failed { .. }));
    }
}
