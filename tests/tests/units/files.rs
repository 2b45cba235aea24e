//! The files: what systemd itself says of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: &[&str] = &[
    "quorate-agent.service",
    "quorate-agent-join.service",
    "quorate-agent-join.timer",
    "quorate-agent-pve.service",
    "quorate-collector.service",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn unit(name: &str) -> PathBuf {
    root().join("systemd").join(name)
}

/// The settings of a unit, as `KEY` to all that was said of it.
fn settings(name: &str) -> BTreeMap<String, Vec<String>> {
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(unit(name)).unwrap().lines() {
        if let Some((key, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            let values = settings.entry(key.to_owned()).or_default();
            values.push(value.to_owned());
        }
    }
    settings
}

/// In tenths, as `systemd-analyze security` counts it.
fn exposure(path: &Path) -> u32 {
    let said = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager"])
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let line = said.lines().find(|line| line.contains("Overall exposure"));
    let number = line.unwrap().rsplit(": ").next().unwrap();
    let number = number.split_whitespace().next().unwrap().replace('.', "");
    number.parse().unwrap()
}

#[test]
fn systemd_understands_every_unit() {
    let dir = tempfile::tempdir().unwrap();
    for name in UNITS {
        // Quorate's programs need not be installed here.
        let text = fs::read_to_string(unit(name)).unwrap();
        let text = text
            .replace("/usr/bin/quorate-agent", "/bin/true")
            .replace("/usr/libexec/quorate/pve-dropin", "/bin/true")
            .replace("/usr/bin/quorate-collector", "/bin/true");
        fs::write(dir.path().join(name), text).unwrap();
    }
    for name in UNITS {
        let said = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(dir.path().join(name))
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{name}: {words}");
        let of_it = words.lines().find(|line| line.contains(name));
        assert_eq!(of_it, None, "{words}");
    }
}

#[test]
fn what_the_units_leave_open_is_within_limits() {
    for (name, most) in [("quorate-agent", 25), ("quorate-collector", 15)] {
        let found = exposure(&unit(&format!("{name}.service")));
        assert!(found <= most, "{name}: {found} tenths, {most} are the most");
    }
    // What is measured is measured: without its sandbox a unit is open.
    let dir = tempfile::tempdir().unwrap();
    let bare = dir.path().join("bare.service");
    fs::write(&bare, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(exposure(&bare) > 80);
}

/// Each was seen to take something from the agent without any error.
#[test]
fn nothing_stands_in_the_agents_unit_that_blinds_it() {
    let agent = settings("quorate-agent.service");
    for key in [
        "PrivateUsers",
        "ProcSubset",
        "ProtectProc",
        "ProtectClock",
        "PrivateNetwork",
        "PrivateIPC",
        "IPAddressDeny",
        "Group",
        "User",
        "DynamicUser",
        "Requires",
        "Requisite",
        "BindsTo",
    ] {
        assert_eq!(agent.get(key), None, "{key}");
    }
    let is = |key: &str, value: &str| agent[key].iter().any(|said| said == value);
    assert!(is("OOMPolicy", "continue") && is("TimeoutStopSec", "10"));
    assert!(is("CapabilityBoundingSet", "CAP_NET_ADMIN"));
    assert!(is(
        "SystemCallFilter",
        "@system-service adjtimex clock_adjtime"
    ));
    // It is stopped behind all that it tells of, and holds up nothing at boot.
    let before = &agent["Before"][0];
    for watched in ["corosync", "pve-cluster", "pve-guests"] {
        assert!(before.contains(&format!("{watched}.service")), "{watched}");
    }
    let waits_for = [&agent["After"][..], agent.get("Wants").map_or(&[], |it| it)].concat();
    assert!(!waits_for.join(" ").contains("online"), "{waits_for:?}");
}

#[test]
fn the_collector_has_no_capability_and_sees_which_machine_it_is_on() {
    let collector = settings("quorate-collector.service");
    assert_eq!(collector["CapabilityBoundingSet"], [""]);
    for key in ["ProcSubset", "PrivateNetwork", "IPAddressDeny"] {
        assert_eq!(collector.get(key), None, "{key}");
    }
}

/// A small root: `/usr/share/quorate-agent/lldp.conf` as it is installed, and groups.
fn lldp_root(groups: &str, has_lldpd: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("etc/group", groups);
    let file = fs::read_to_string(unit("lldp.conf")).unwrap();
    put("usr/share/quorate-agent/lldp.conf", &file);
    if has_lldpd {
        let client = dir.path().join("usr/sbin/lldpcli");
        fs::create_dir_all(client.parent().unwrap()).unwrap();
        fs::copy("/bin/true", client).unwrap();
    }
    dir
}

fn decide(root: &Path) -> Option<String> {
    let done = Command::new("sh")
        .arg(self::root().join("packaging/lldp-dropin.sh"))
        .env("QUORATE_ROOT", root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "{said}");
    let file = "etc/systemd/system/quorate-agent.service.d/50-quorate-lldp.conf";
    fs::read_to_string(root.join(file)).ok()
}

#[test]
fn the_agent_is_in_the_group_of_lldpd_only_where_there_is_one() {
    let with = "root:x:0:\nadm:x:4:\n_lldpd:x:107:\n";
    let without = "root:x:0:\nadm:x:4:\n";
    assert_eq!(decide(lldp_root(without, false).path()), None);
    assert_eq!(decide(lldp_root(without, true).path()), None);
    assert_eq!(decide(lldp_root(with, false).path()), None);
    let root = lldp_root(with, true);
    for _ in 0..2 {
        let text = decide(root.path()).unwrap();
        assert!(text.ends_with("[Service]\nSupplementaryGroups=_lldpd\n"));
    }
    // It goes with lldpd; what an admin wrote stays.
    fs::remove_file(root.path().join("usr/sbin/lldpcli")).unwrap();
    assert_eq!(decide(root.path()), None);
    let dir = root
        .path()
        .join("etc/systemd/system/quorate-agent.service.d");
    assert!(!dir.exists());
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("50-quorate-lldp.conf"), "# mine\n").unwrap();
    assert_eq!(decide(root.path()).unwrap(), "# mine\n");
}

/// What the agent's unit is given for the `/etc/pve` of this root.
fn addition_for_pve(root: &Path) -> Option<String> {
    let done = Command::new("sh")
        .arg(self::root().join("packaging/pve-dropin.sh"))
        .env("QUORATE_ROOT", root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "{said}");
    let file = "run/systemd/system/quorate-agent.service.d/00-quorate-pve.conf";
    fs::read_to_string(root.join(file)).ok()
}

/// That systemd then starts it is seen in the lab machine, with a file system that is dead.
#[test]
fn the_agents_unit_does_not_name_an_etc_pve_that_cannot_be_looked_at() {
    let agent = settings("quorate-agent.service");
    assert_eq!(agent["ReadWritePaths"], ["-/etc/pve"]);
    assert_eq!(agent["Wants"], ["quorate-agent-pve.service"]);
    let before = &settings("quorate-agent-pve.service")["Before"];
    assert_eq!(*before, ["quorate-agent.service"]);

    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    assert_eq!(addition_for_pve(root), None);
    let pve = root.join("etc/pve");
    fs::create_dir_all(root.join("etc")).unwrap();
    // A link to itself is there and cannot be looked at, either.
    std::os::unix::fs::symlink("pve", &pve).unwrap();
    for _ in 0..2 {
        let text = addition_for_pve(root).unwrap();
        assert!(text.ends_with("[Service]\nReadWritePaths=\n"), "{text}");
    }
    fs::remove_file(&pve).unwrap();
    fs::create_dir(&pve).unwrap();
    assert_eq!(addition_for_pve(root), None);
    let left = root.join("run/systemd/system/quorate-agent.service.d");
    assert!(!left.exists());
}
