//! The fixtures are written after what qemu-server's, pve-container's and pmxcfs' sources write; none is a capture.

use super::config;
use super::*;
use crate::fact::guests::{GuestConfig, GuestKind, Lock};
use crate::name::{NodeName, VlanId};

const MACHINE: &str = include_str!("../../../fixtures/guests/written-machine.conf");
const CONTAINER: &str = include_str!("../../../fixtures/guests/written-container.conf");
const LIST: &str = include_str!("../../../fixtures/guests/written-vmlist");

#[track_caller]
fn read(kind: &GuestKind, text: &str) -> GuestConfig {
    let parsed = config::parse(kind, text);
    assert_eq!(parsed.bad_lines, []);
    parsed.value
}

fn machine(text: &str) -> GuestConfig {
    read(&GuestKind::Machine, text)
}

fn places(config: &GuestConfig) -> Vec<(&str, Option<&str>, Option<&str>)> {
    config
        .disks
        .iter()
        .map(|disk| {
            (
                disk.slot.as_str(),
                disk.storage.as_deref(),
                disk.volume.as_deref(),
            )
        })
        .collect()
}

#[test]
fn a_machine_is_read_up_to_its_first_section() {
    let config = machine(MACHINE);
    assert_eq!(config.name.as_deref(), Some("web-01"));
    assert_eq!(config.memory_mib, Some(8192));
    assert_eq!((config.sockets, config.cores), (Some(1), Some(4)));
    assert_eq!(config.cpu.as_deref(), Some("host"));
    assert_eq!((config.on_boot, config.template), (Some(true), false));
    assert_eq!(config.lock, Some(Lock::Migrate));
    assert_eq!(config.hookscript.as_deref(), Some("local:snippets/hook.pl"));
    assert_eq!((config.snapshots, config.pending), (2, true));
    assert!(config.raw_options);
    assert_eq!(
        places(&config),
        [
            ("efidisk0", Some("ceph-vm"), Some("vm-100-disk-1")),
            ("ide2", None, None),
            ("ide3", Some("iso"), Some("iso/debian-12.iso")),
            ("scsi0", Some("ceph-vm"), Some("vm-100-disk-0")),
            ("scsi1", None, Some("/dev/disk/by-id/ata-X")),
            ("unused0", Some("local-lvm"), Some("vm-100-disk-2")),
        ]
    );
    assert!(config.disks[1].cdrom && config.disks[2].cdrom);
    assert_eq!(
        (config.disks[4].backup, config.disks[4].replicate),
        (Some(false), None)
    );
    assert_eq!(config.disks[3].size.as_deref(), Some("32G"));
}

#[test]
fn networks_and_devices_of_the_host_are_told() {
    let config = machine(MACHINE);
    let nets: Vec<_> = config
        .nets
        .iter()
        .map(|net| {
            (
                net.bridge.as_deref(),
                net.vlan,
                net.trunks.as_deref(),
                net.link_down,
            )
        })
        .collect();
    assert_eq!(
        nets,
        [
            (Some("vmbr0"), VlanId::new(10).ok(), None, false),
            (Some("vmbr1"), None, Some("20;30-40"), true),
        ]
    );
    assert_eq!(config.nets[1].mtu, Some(9000));
    let devices: Vec<_> = config
        .passthrough
        .iter()
        .map(|held| {
            (
                held.slot.as_str(),
                held.mapping.as_deref(),
                held.device.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        devices,
        [
            ("hostpci0", None, Some("0000:01:00")),
            ("hostpci1", Some("gpu"), None),
            ("serial0", None, Some("/dev/ttyS0")),
            ("usb0", None, Some("1234:5678")),
        ]
    );
}

#[test]
fn a_container_is_read() {
    let config = read(&GuestKind::Container, CONTAINER);
    assert_eq!(config.name.as_deref(), Some("dns-01"));
    assert_eq!((config.memory_mib, config.cores), (Some(512), Some(1)));
    assert_eq!(
        places(&config),
        [
            ("mp0", None, Some("/tank/media")),
            ("mp1", Some("nas"), Some("101/vm-101-disk-1.raw")),
            ("rootfs", Some("local-zfs"), Some("subvol-101-disk-0")),
        ]
    );
    assert!(config.disks[0].shared && !config.disks[1].shared);
    assert_eq!(config.nets[0].vlan, VlanId::new(20).ok());
    assert_eq!(
        config.passthrough[0].device.as_deref(),
        Some("/dev/dri/renderD128")
    );
    assert!(config.raw_options);
    assert_eq!((config.snapshots, config.pending), (0, false));
}

#[test]
fn what_somebody_wrote_down_and_every_secret_is_left_out() {
    for (kind, text) in [
        (GuestKind::Machine, MACHINE),
        (GuestKind::Container, CONTAINER),
    ] {
        assert!(text.contains("hunter2"));
        let kept = serde_json::to_string(&read(&kind, text)).unwrap();
        assert!(!kept.contains("hunter2"), "{kept}");
    }
    for key in [
        "cipassword",
        "sshkeys",
        "args",
        "description",
        "net",
        "lxc.apparmor.profile",
        "smbios1",
    ] {
        assert!(!config::is_read(key), "{key}");
    }
    assert!(config::is_read("scsi0") && config::is_read("rootfs"));
}

#[test]
fn one_bad_value_is_unknown_and_said() {
    let parsed = config::parse(
        &GuestKind::Machine,
        "memory: lots\nonboot: maybe\nnet0: virtio,bridge=vmbr0,tag=9999\ncores: 2\n",
    );
    assert_eq!(parsed.bad_lines.len(), 3);
    assert_eq!(
        (parsed.value.memory_mib, parsed.value.cores),
        (None, Some(2))
    );
    assert_eq!(parsed.value.nets[0].bridge.as_deref(), Some("vmbr0"));
    assert_eq!(machine("memory: current=2048\n").memory_mib, Some(2048));
    assert_eq!(machine(""), GuestConfig::default());
}

#[test]
fn blanks_and_line_ends_change_nothing() {
    assert_eq!(machine(&MACHINE.replace('\n', "\r\n")), machine(MACHINE));
    assert_eq!(machine(MACHINE.trim_end()), machine(MACHINE));
}

#[test]
fn the_list_says_who_is_where_and_what_changed() {
    let list = parse_list(LIST).unwrap();
    assert_eq!(list.bad_lines, []);
    assert_eq!(list.value.version, Some(117));
    let guest = &list.value.guests[&101];
    assert_eq!(guest.node, NodeName::new("pve-01").unwrap());
    assert_eq!(
        (guest.kind.clone(), guest.version),
        (GuestKind::Container, Some(88))
    );
    assert_eq!(list.value.guests.len(), 4);
    assert!(
        parse_list("{\n\"version\": 1\n\n}\n")
            .unwrap()
            .value
            .guests
            .is_empty()
    );
}

#[test]
fn one_bad_guest_does_not_lose_the_others() {
    let text = r#"{"version":1,"ids":{"x":{},"1":5,"2":{"node":"a b","type":"qemu"},"3":{"node":"a","type":"qemu"}}}"#;
    let parsed = parse_list(text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 3);
    assert_eq!(Vec::from_iter(parsed.value.guests.keys()), [&3]);
    assert!(parse_list("{}").is_err() && parse_list("").is_err());
}

#[test]
fn running_containers_are_known_by_their_sockets() {
    let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                0000000000000000: 00000002 00000000 00010000 0001 01 21346 @/var/lib/lxc/101/command\n\
                0000000000000000: 00000003 00000000 00000000 0001 03 21347 @/var/lib/lxc/102/command/x\n\
                0000000000000000: 00000003 00000000 00000000 0001 03 21347\n\
                0000000000000000: 00000002 00000000 00010000 0001 01 9 /run/x @/var/lib/lxc/103/command\n";
    assert_eq!(Vec::from_iter(running_containers(text)), [101]);
}

#[test]
fn a_machine_is_known_by_its_command_line() {
    let cmdline = "/usr/bin/kvm\0-id\x00100\0-pidfile\0/var/run/qemu-server/100.pid\0-daemonize\0";
    assert!(is_machine(cmdline, 100));
    assert!(!is_machine(cmdline, 10));
    assert!(!is_machine(&cmdline.replace("kvm", "sleep"), 100));
    assert!(!is_machine("", 100));
}
