//! What the next boot brings: the network that waits for it, the names of the cards, the kernel; and whether the file
//! systems that it needs have room and can be written to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::fact::boot::{Boot, FileSystem, Kernels, LinkFile};
use model::parse::{kernel_choice, link_file, mounts};
use model::reading::Reading;
use model::text::Parsed;

use crate::host::Host;
use crate::source::gather::{Gathering, NotRead};

/// Where `.link` files lie, the directory that outweighs the others first (systemd.link(5)).
const LINK_DIRS: &[&str] = &[
    "etc/systemd/network",
    "run/systemd/network",
    "usr/local/lib/systemd/network",
    "usr/lib/systemd/network",
];
/// How many of them are read.
const MAX_LINK_FILES: usize = 500;

const ETC_NETWORK: &str = "etc/network";
const PENDING: &str = "interfaces.new";
const BOOT: &str = "boot";
const VERSION: &str = "proc/version";
const PIN: &str = "etc/kernel/proxmox-boot-pin";
const NEXT_PIN: &str = "etc/kernel/next-boot-pin";
const GRUB: &str = "etc/default/grub";
const GRUB_PARTS: &str = "etc/default/grub.d";
const GRUB_ENVIRONMENT: &str = "boot/grub/grubenv";
const MOUNTS: &str = "proc/mounts";
/// As the system has them. The agent's own table is another one below its unit: there / is read-only to it.
const MOUNTS_OF_ALL: &str = "proc/1/mounts";
pub(crate) const FILES: &[&str] = &[
    "etc/systemd/network/*.link",
    "run/systemd/network/*.link",
    "usr/local/lib/systemd/network/*.link",
    "usr/lib/systemd/network/*.link",
    VERSION,
    PIN,
    NEXT_PIN,
    GRUB,
    "etc/default/grub.d/*.cfg",
    GRUB_ENVIRONMENT,
    MOUNTS,
];
/// File systems that the node cannot boot, log or keep its cluster's configuration without.
const MOUNT_POINTS: &[&str] = &["/", "/boot", "/boot/efi", "/var", "/var/lib", "/var/log"];

/// Absent: a captured tree without any of these files.
pub(crate) fn collect(host: &Host) -> Reading<Boot> {
    let mut gathering = Gathering::default();
    let boot = Boot {
        network_pending: network_pending(host, &mut gathering),
        link_files: link_files(host, &mut gathering),
        kernels: kernels(host, &mut gathering),
        file_systems: file_systems(host, &mut gathering),
    };
    gathering.finish(Some(boot))
}

fn network_pending(host: &Host, gathering: &mut Gathering) -> Option<bool> {
    let names = seen(gathering, host, ETC_NETWORK)?;
    Some(names.iter().any(|name| name == PENDING))
}

/// The names in a directory; on a live node that is a reading of its own.
fn seen(gathering: &mut Gathering, host: &Host, dir: &str) -> Option<Vec<String>> {
    let names = gathering.found(dir, host.list(dir))?;
    if host.is_captured() {
        return Some(names);
    }
    gathering.take_from(dir, Timestamp::now(), Ok(whole(names)))
}

fn whole<T>(value: T) -> Parsed<T> {
    Parsed {
        value,
        bad_lines: Vec::new(),
    }
}

/// All files in the order of their names, whatever their directory: so does udev. Of two with the same name only
/// the one counts whose directory comes first.
fn link_files(host: &Host, gathering: &mut Gathering) -> Vec<LinkFile> {
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for dir in LINK_DIRS {
        for name in gathering.found(dir, host.list(dir)).unwrap_or_default() {
            let path = format!("{dir}/{name}");
            if name.ends_with(".link.d") {
                gathering.remark(&path, "parts of .link files in directories are not read");
            } else if name.ends_with(".link") {
                by_name.entry(name).or_default().push(path);
            }
        }
    }
    let mut files = Vec::new();
    let mut not_read = 0;
    for paths in by_name.values() {
        for path in paths {
            if files.len() >= MAX_LINK_FILES {
                not_read += 1;
                continue;
            }
            if let Some(mut file) = link_file(host, gathering, path) {
                file.overridden_by = paths.first().filter(|first| *first != path).cloned();
                files.push(file);
            }
        }
    }
    if not_read > 0 {
        let why = format!("only {MAX_LINK_FILES} .link files are read, {not_read} are not");
        gathering.remark("systemd/network", why);
    }
    files
}

/// A link to /dev/null, which is how a file is masked, reads as an empty one.
fn link_file(host: &Host, gathering: &mut Gathering, path: &str) -> Option<LinkFile> {
    let text = gathering.found(path, host.read(path))?;
    gathering.take(&text, link_file::parse(path, &text.text))
}

fn kernels(host: &Host, gathering: &mut Gathering) -> Kernels {
    let running = gathering
        .found(VERSION, host.read(VERSION))
        .and_then(|text| gathering.take(&text, kernel_choice::running(&text.text)))
        .flatten();
    let pinned = gathering.file(host, PIN, kernel_choice::pin);
    let pinned_once = gathering.file(host, NEXT_PIN, kernel_choice::pin);
    let grub_default = grub_default(host, gathering);
    let environment = gathering.seen(GRUB_ENVIRONMENT, host.read(GRUB_ENVIRONMENT));
    let not_read =
        pinned.is_err() || pinned_once.is_err() || grub_default.is_err() || environment.is_err();
    let names = seen(gathering, host, BOOT);
    Kernels {
        running,
        installed: names
            .map(|names| kernel_choice::installed(names.iter().map(String::as_str)))
            // A captured tree has no kernels in it, only what lies below /boot/grub.
            .filter(|installed| !host.is_captured() || !installed.is_empty()),
        pinned: pinned.ok().flatten().flatten(),
        pinned_once: pinned_once.ok().flatten().flatten(),
        grub_default: grub_default.ok().flatten(),
        grub_saved: environment
            .ok()
            .flatten()
            .and_then(|text| kernel_choice::grub_environment(&text.text)),
        not_read,
    }
}

/// The last file that says something holds, as in the shell.
fn grub_default(host: &Host, gathering: &mut Gathering) -> Result<Option<String>, NotRead> {
    let mut paths = vec![GRUB.to_owned()];
    let parts = gathering.seen(GRUB_PARTS, host.expand(&format!("{GRUB_PARTS}/*.cfg")))?;
    paths.extend(parts);
    let mut default = None;
    for path in paths {
        let Some(text) = gathering.seen(&path, host.read(&path))? else {
            continue;
        };
        let said = kernel_choice::grub_default(&text.text);
        if let Some(said) = gathering.take(&text, Ok(whole(said))).flatten() {
            default = said;
        }
    }
    Ok(default)
}

fn file_systems(host: &Host, gathering: &mut Gathering) -> Option<Vec<FileSystem>> {
    // A captured tree has the one of who made it, and no process 1.
    let text = match host.read(MOUNTS_OF_ALL) {
        Ok(Some(text)) => text,
        _ => gathering.found(MOUNTS, host.read(MOUNTS))?,
    };
    let mut found = gathering.take(&text, mounts::parse(&text.text, MOUNT_POINTS))?;
    for file_system in &mut found {
        let place = file_system.mount_point.trim_start_matches('/');
        let Some(room) = gathering.found(&file_system.mount_point, host.room(place)) else {
            continue;
        };
        file_system.used_percent = room.used_percent;
        file_system.used_inodes_percent = room.used_inodes_percent;
        file_system.size_mib = Some(room.size_bytes >> 20);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use model::fact::boot::NextKernel;

    use super::*;

    #[track_caller]
    fn captured(files: &[(&str, &str)]) -> Boot {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        known(collect(&Host::captured(dir.path()).unwrap()))
    }

    #[track_caller]
    fn known(reading: Reading<Boot>) -> Boot {
        match reading {
            Reading::Known {
                value, problems, ..
            } if problems.is_empty() => value,
            other => panic!("{other:?}"),
        }
    }

    const NAMES_LAN: &str = "[Match]\nType=ether\n[Link]\nName=lan\n";

    #[test]
    fn a_link_file_outweighs_the_one_of_its_name_and_all_are_ordered_by_name() {
        let boot = captured(&[
            ("usr/lib/systemd/network/99-default.link", NAMES_LAN),
            ("usr/lib/systemd/network/50-lan.link", NAMES_LAN),
            ("usr/local/lib/systemd/network/50-lan.link", NAMES_LAN),
            ("etc/systemd/network/50-lan.link", ""),
            ("etc/systemd/network/60-vpn.netdev", "[WireGuard]\n"),
        ]);
        let files = boot.link_files.iter();
        let said: Vec<_> = files
            .map(|file| (file.path.as_str(), file.overridden_by.is_some()))
            .collect();
        assert_eq!(
            said,
            [
                ("etc/systemd/network/50-lan.link", false),
                ("usr/local/lib/systemd/network/50-lan.link", true),
                ("usr/lib/systemd/network/50-lan.link", true),
                ("usr/lib/systemd/network/99-default.link", false),
            ]
        );
    }

    #[test]
    fn a_masked_link_file_is_one_that_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc/systemd/network");
        fs::create_dir_all(&etc).unwrap();
        symlink("/dev/null", etc.join("99-default.link")).unwrap();
        fs::create_dir_all(dir.path().join("proc")).unwrap();
        fs::write(dir.path().join("proc/version"), "Linux version 6.8 x\n").unwrap();
        let boot = known(collect(&Host::captured(dir.path()).unwrap()));
        assert!(boot.link_files[0].matches.asks_nothing());
    }

    #[test]
    fn a_pinned_kernel_boots_although_a_newer_one_is_there() {
        let boot = captured(&[
            ("boot/vmlinuz-6.8.4-2-pve", ""),
            ("boot/vmlinuz-6.14.8-2-pve", ""),
            ("etc/kernel/proxmox-boot-pin", "6.8.4-2-pve\n"),
            ("etc/default/grub", "GRUB_DEFAULT=0\n"),
            ("etc/default/grub.d/pin.cfg", "GRUB_DEFAULT=\"a>b\"\n"),
            ("etc/network/interfaces.new", ""),
            ("proc/version", "Linux version 6.8.4-2-pve (x)\n"),
        ]);
        assert_eq!(
            boot.kernels.next(),
            NextKernel::Pinned("6.8.4-2-pve".to_owned())
        );
        assert_eq!(boot.kernels.grub_default.as_deref(), Some("a>b"));
        assert_eq!(boot.network_pending, Some(true));
        assert_eq!(boot.file_systems, None);
    }

    #[test]
    fn a_choice_that_cannot_be_read_is_not_the_newest_kernel() {
        for path in [PIN, NEXT_PIN, GRUB, GRUB_PARTS, GRUB_ENVIRONMENT] {
            let dir = tempfile::tempdir().unwrap();
            let in_the_way = dir.path().join(path);
            fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
            if path == GRUB_PARTS {
                fs::write(&in_the_way, "no directory").unwrap();
            } else {
                fs::create_dir(&in_the_way).unwrap();
            }
            fs::create_dir_all(dir.path().join("boot")).unwrap();
            fs::write(dir.path().join("boot/vmlinuz-6.8.4-2-pve"), "").unwrap();
            fs::create_dir_all(dir.path().join("proc")).unwrap();
            fs::write(dir.path().join(VERSION), "Linux version 6.8 x\n").unwrap();
            let reading = collect(&Host::captured(dir.path()).unwrap());
            let next = reading.known().unwrap().kernels.next();
            assert_eq!(next, NextKernel::Unknown, "{path}");
        }
    }

    #[test]
    fn this_machine_has_a_root_with_room_or_without() {
        let boot = collect(&Host::here());
        let boot = boot.known().unwrap();
        assert!(boot.kernels.running.is_some());
        let file_systems = boot.file_systems.as_ref().unwrap();
        let root = file_systems.iter().find(|one| one.mount_point == "/");
        assert!(root.unwrap().used_percent.is_some());
    }

    #[test]
    fn a_tree_without_any_of_it_has_no_reading() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::captured(dir.path()).unwrap();
        assert_eq!(collect(&host), Reading::Absent);
    }

    /// As below its unit, where the agent's own table says that all is read-only.
    #[test]
    fn what_is_read_only_is_asked_of_the_system_and_not_of_the_agents_own_mounts() {
        let mounts = [
            ("proc/mounts", "/dev/vda / ext4 ro 0 0\n"),
            ("proc/1/mounts", "/dev/vda / ext4 rw 0 0\n"),
        ];
        let is_read_only = |files: &[(&str, &str)]| {
            let boot = captured(files);
            boot.file_systems.unwrap()[0].read_only
        };
        assert!(!is_read_only(&mounts));
        assert!(is_read_only(&mounts[..1]), "a captured tree has no other");
    }
}
