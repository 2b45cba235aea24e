//! A guest's file: `/etc/pve/nodes/NODE/qemu-server/ID.conf` (qemu-server, PVE/QemuServer.pm: parse_vm_config) and
//! `…/lxc/ID.conf` (pve-container, PVE/LXC/Config.pm: parse_pct_config).
//!
//! `key: value` a line, comments are the guest's description, and `[…]` begins a snapshot or what waits for the next
//! start. Only the keys below are read: others can hold a password, a key, or whatever somebody wrote down.

use crate::fact::guests::{Disk, GuestConfig, GuestKind, GuestNet, Lock, Passthrough};
use crate::name::VlanId;
use crate::parse::section_config::{flag, properties, property};
use crate::text::{BadLine, BadLines, Line, Parsed, lines};

/// How many disks, network cards and devices, each, are kept.
const MAX_DEVICES: usize = 300;

/// The keys whose values are read as they stand.
const PLAIN: &[&str] = &[
    "name",
    "hostname",
    "memory",
    "sockets",
    "cores",
    "cpu",
    "onboot",
    "startup",
    "lock",
    "template",
    "protection",
    "hookscript",
];
const DISKS: &[&str] = &[
    "ide", "sata", "scsi", "virtio", "efidisk", "tpmstate", "unused", "mp",
];
const DEVICES: &[&str] = &["hostpci", "usb", "serial", "parallel", "dev"];

/// Is the value of this key read? The rest of a guest's file is nobody's business.
pub fn is_read(key: &str) -> bool {
    PLAIN.contains(&key) || key == "rootfs" || numbered(key).is_some()
}

/// `scsi` of `scsi0`, if it is a disk, a network card or a device.
fn numbered(key: &str) -> Option<&str> {
    let word = key.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let known = word == "net" || DISKS.contains(&word) || DEVICES.contains(&word);
    (known && word.len() < key.len()).then_some(word)
}

/// Reads a guest's file. An empty one is a guest with nothing set.
pub fn parse(kind: &GuestKind, text: &str) -> Parsed<GuestConfig> {
    let mut config = GuestConfig::default();
    let mut bad_lines = BadLines::default();
    let mut in_sections = false;
    for line in lines(text) {
        if let Some(name) = section(line) {
            in_sections = true;
            if name.eq_ignore_ascii_case("pending") {
                config.pending = true;
            } else if !name.contains(':') {
                config.snapshots = config.snapshots.saturating_add(1);
            }
        } else if !in_sections
            && let Some((key, value)) = line.key_value()
            && !key.starts_with('#')
        {
            take(&mut config, kind, line, (key, value), &mut bad_lines);
        }
    }
    bad_lines.with(config)
}

/// `[snap1]`, `[PENDING]`, `[special:cloudinit]`
fn section(line: Line<'_>) -> Option<&str> {
    line.text.strip_prefix('[')?.strip_suffix(']')
}

fn take(
    config: &mut GuestConfig,
    kind: &GuestKind,
    line: Line<'_>,
    (key, value): (&str, &str),
    bad_lines: &mut BadLines,
) {
    let kept = || (!value.is_empty()).then(|| value.to_owned());
    match key {
        "name" | "hostname" => config.name = kept(),
        // `current=2048` beside the plain number.
        "memory" => {
            let plain = property(value, "current").unwrap_or(value);
            config.memory_mib = bad_lines.keep(line.number(plain, "the memory"));
        }
        "sockets" => config.sockets = bad_lines.keep(line.number(value, "the number of sockets")),
        "cores" => config.cores = bad_lines.keep(line.number(value, "the number of cores")),
        "cpu" => {
            let model = property(value, "").or(property(value, "cputype"));
            config.cpu = model.map(str::to_owned);
        }
        "onboot" => config.on_boot = yes_or_no(line, value, bad_lines),
        "template" => config.template = yes_or_no(line, value, bad_lines) == Some(true),
        "protection" => config.protection = yes_or_no(line, value, bad_lines),
        "startup" => config.startup = kept(),
        "lock" => config.lock = kept().map(Lock::from),
        "hookscript" => config.hookscript = kept(),
        "args" => config.raw_options = true,
        _ if key.starts_with("lxc.") => config.raw_options = true,
        "rootfs" => keep(&mut config.disks, disk(key, value, kind), line, bad_lines),
        _ => match numbered(key) {
            Some("net") => {
                let net = net(key, value, line, bad_lines);
                keep(&mut config.nets, net, line, bad_lines);
            }
            Some(word) if DISKS.contains(&word) => {
                keep(&mut config.disks, disk(key, value, kind), line, bad_lines);
            }
            Some(_) => {
                if let Some(device) = device(key, value) {
                    keep(&mut config.passthrough, device, line, bad_lines);
                }
            }
            None => {}
        },
    }
}

fn keep<T>(list: &mut Vec<T>, item: T, line: Line<'_>, bad_lines: &mut BadLines) {
    if list.len() < MAX_DEVICES {
        list.push(item);
    } else {
        let why = format!("only the first {MAX_DEVICES} of a kind are kept");
        bad_lines.push(BadLine::new(line, why));
    }
}

fn yes_or_no(line: Line<'_>, value: &str, bad_lines: &mut BadLines) -> Option<bool> {
    let read = flag(value).filter(|_| !value.is_empty());
    if read.is_none() {
        bad_lines.push(BadLine::new(line, "it is neither yes nor no"));
    }
    read
}

fn set(value: &str, key: &str) -> Option<bool> {
    property(value, key).and_then(flag)
}

/// `local-zfs:vm-100-disk-0,size=32G`, `none,media=cdrom`, `/dev/disk/by-id/x,backup=0`
fn disk(slot: &str, value: &str, kind: &GuestKind) -> Disk {
    let named = property(value, "file").or(property(value, "volume"));
    let place = named.or(property(value, "")).unwrap_or_default();
    let of_node = place.starts_with('/');
    let (storage, volume) = match place.split_once(':') {
        Some((storage, volume)) if !of_node => (Some(storage), Some(volume)),
        _ if of_node => (None, Some(place)),
        // `none` and `cdrom`: an empty drive, or the node's own.
        _ => (None, (place == "cdrom").then_some(place)),
    };
    Disk {
        slot: slot.to_owned(),
        storage: storage.map(str::to_owned),
        volume: volume.map(str::to_owned),
        cdrom: *kind == GuestKind::Machine && property(value, "media") == Some("cdrom"),
        shared: set(value, "shared") == Some(true),
        replicate: set(value, "replicate"),
        backup: set(value, "backup"),
        size: property(value, "size").map(str::to_owned),
    }
}

/// `virtio=02:00:00:00:00:01,bridge=vmbr0,tag=10`, `name=eth0,bridge=vmbr0,tag=10`
fn net(slot: &str, value: &str, line: Line<'_>, bad_lines: &mut BadLines) -> GuestNet {
    let vlan = property(value, "tag").and_then(|tag| {
        let read = tag.parse().ok().and_then(|id| VlanId::new(id).ok());
        if read.is_none() {
            bad_lines.push(BadLine::new(line, "the tag is not a VLAN id: 1 to 4094"));
        }
        read
    });
    // A container's; a machine's stands behind the model of its card, which is the first property: `virtio=02:…`.
    let own = property(value, "hwaddr");
    let mut of_card = properties(value).filter_map(|(_, word)| word.parse().ok());
    let mtu = property(value, "mtu").and_then(|mtu| bad_lines.keep(line.number(mtu, "the MTU")));
    GuestNet {
        slot: slot.to_owned(),
        hardware_address: own.map_or_else(|| of_card.next(), |own| own.parse().ok()),
        bridge: property(value, "bridge").map(str::to_owned),
        vlan,
        trunks: property(value, "trunks").map(str::to_owned),
        mtu,
        link_down: set(value, "link_down") == Some(true),
        firewall: set(value, "firewall") == Some(true),
    }
}

/// `mapping=gpu,pcie=1`, `0000:01:00,pcie=1`, `host=1234:5678`, `spice` and `socket` are none of the host's.
fn device(slot: &str, value: &str) -> Option<Passthrough> {
    let mapping = property(value, "mapping");
    let plain = ["host", "path"]
        .into_iter()
        .find_map(|key| property(value, key));
    let device = plain.or(property(value, ""));
    let virtual_one = ["spice", "socket"];
    if mapping.is_none() && device.is_none_or(|device| virtual_one.contains(&device)) {
        return None;
    }
    // `host=spice` stands first, whatever follows it.
    let spice = properties(value).any(|(key, word)| key == "host" && word == "spice");
    (!spice).then(|| Passthrough {
        slot: slot.to_owned(),
        mapping: mapping.map(str::to_owned),
        device: device.map(str::to_owned),
    })
}
