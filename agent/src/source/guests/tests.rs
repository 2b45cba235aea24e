use std::fs;
use std::path::Path;

use super::*;

const VERSION: &str = r#"{"starttime":7,"vmlist":1}"#;
const VMLIST: &str = r#"{"version":1,"ids":{
    "100":{"node":"pve-01","type":"qemu","version":1},
    "101":{"node":"pve-01","type":"lxc","version":2},
    "200":{"node":"pve-02","type":"qemu","version":3}}}"#;

fn put(root: &Path, path: &str, text: &str) {
    let full = root.join(path);
    fs::create_dir_all(full.parent().unwrap()).unwrap();
    fs::write(full, text).unwrap();
}

fn tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), LIST, VMLIST);
    put(root.path(), "etc/pve/.version", VERSION);
    put(root.path(), "etc/pve/qemu-server/100.conf", "name: a\n");
    put(root.path(), "etc/pve/lxc/101.conf", "hostname: b\n");
    put(root.path(), "etc/pve/lxc/notes.txt", "x");
    root
}

#[track_caller]
fn names(root: &Path, remembered: &mut Remembered) -> Vec<(u32, Option<String>)> {
    let reading = collect_with(&Host::captured(root).unwrap(), remembered);
    let guests = reading.known().unwrap();
    let name = |guest: &Guest| guest.config.as_ref().and_then(|config| config.name.clone());
    guests
        .here
        .iter()
        .map(|guest| (guest.id, name(guest)))
        .collect()
}

#[test]
fn the_nodes_own_guests_are_read_and_the_others_counted() {
    let root = tree();
    let reading = collect(&Host::captured(root.path()).unwrap());
    let guests = reading.known().unwrap();
    assert_eq!(guests.here.len(), 2);
    assert_eq!(guests.here[0].running, None);
    assert_eq!(guests.here[1].kind, GuestKind::Container);
    let counts = guests.of_nodes.as_ref().unwrap();
    assert_eq!(Vec::from_iter(counts.values()), [&2, &1]);
}

#[test]
fn a_file_is_read_anew_only_if_pmxcfs_counted_it_up() {
    let root = tree();
    let mut remembered = Remembered::default();
    let at_first = names(root.path(), &mut remembered);
    put(root.path(), "etc/pve/qemu-server/100.conf", "name: c\n");
    assert_eq!(names(root.path(), &mut remembered), at_first);
    put(
        root.path(),
        LIST,
        &VMLIST.replace("\"version\":1}", "\"version\":4}"),
    );
    let renamed = names(root.path(), &mut remembered);
    assert_eq!(renamed[0], (100, Some("c".to_owned())));
    put(root.path(), "etc/pve/qemu-server/100.conf", "name: d\n");
    // Another pmxcfs counts from the beginning.
    put(root.path(), "etc/pve/.version", &VERSION.replace('7', "8"));
    assert_eq!(
        names(root.path(), &mut remembered)[0],
        (100, Some("d".to_owned()))
    );
    fs::remove_file(root.path().join("etc/pve/qemu-server/100.conf")).unwrap();
    assert_eq!(names(root.path(), &mut remembered).len(), 1);
    assert_eq!(remembered.configs.len(), 1);
}

#[test]
fn without_the_links_the_nodes_own_directory_serves() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "etc/hostname", "pve-01\n");
    put(
        root.path(),
        "etc/pve/nodes/pve-01/lxc/101.conf",
        "hostname: b\n",
    );
    put(
        root.path(),
        "etc/pve/nodes/pve-02/lxc/102.conf",
        "hostname: c\n",
    );
    let mut remembered = Remembered::default();
    assert_eq!(
        names(root.path(), &mut remembered),
        [(101, Some("b".to_owned()))]
    );
}

#[test]
fn what_cannot_be_read_is_unknown_and_loses_no_other_guest() {
    let root = tree();
    fs::create_dir(root.path().join("etc/pve/qemu-server/99.conf")).unwrap();
    let reading = collect(&Host::captured(root.path()).unwrap());
    let Reading::Known {
        value, problems, ..
    } = reading
    else {
        panic!("{reading:?}");
    };
    assert_eq!((value.here.len(), problems.len()), (3, 1));
    assert_eq!(value.here[0].config, None);
}

#[test]
fn a_directory_that_cannot_be_listed_is_not_one_without_guests() {
    let root = tree();
    fs::remove_dir_all(root.path().join("etc/pve/lxc")).unwrap();
    put(root.path(), "etc/pve/lxc", "no directory");
    let reading = collect(&Host::captured(root.path()).unwrap());
    assert!(
        matches!(&reading, Reading::Failed { why } if why.contains(CONTAINERS)),
        "{reading:?}"
    );
}

#[test]
fn a_machine_without_guests_is_no_proxmox_ve() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::captured(root.path()).unwrap();
    assert_eq!(collect(&host), Reading::Absent);
    put(root.path(), LIST, "{\"version\":1}");
    assert!(collect(&host).known().unwrap().here.is_empty());
}
