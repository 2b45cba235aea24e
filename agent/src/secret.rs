//! What neither a capture nor a report may tell: files that hold secrets are never opened, values of options that hold
//! one are left out, and of logs only the lines of the programs that decide about quorum are kept.

use std::borrow::Cow;

use model::parse::{guests, ha_config, storage};

/// Stands where a secret stood.
pub(crate) const LEFT_OUT: &str = "(left-out)";

/// What is never read, in words for capture.json.
pub(crate) const NEVER_READ: &[&str] = &[
    "files below /etc/pve/priv, /etc/corosync/authkey, *.key, *.pem, *keyring*, *shadow*, *secret*",
    "what stands behind a word for a key, password or secret in /etc/network, corosync.conf, ceph.conf and corosync's map",
    "storage mounted from the network",
    "lines of guests' files, storage.cfg, datacenter.cfg and pmxcfs' statistics that no source reads, descriptions and comments",
    "entries of all programs but those that decide about quorum",
];

/// Is this a file that nobody but its node should ever see?
pub(crate) fn is_secret_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    path.starts_with("etc/pve/priv")
        || [".pem", ".key", "authkey"]
            .iter()
            .any(|end| name.ends_with(end))
        || ["keyring", "shadow", "secret"]
            .iter()
            .any(|word| name.contains(word))
}

/// Is this what a secret is called: `key`, `wpa-psk`, `wireless-key1`, `PrivateKey`, `totem.key`?
pub(crate) fn names_a_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let word = word.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let parts = ["key", "psk"];
    let compounds = ["privatekey", "presharedkey", "publickey"];
    word.rsplit(['-', '_', '.', '#'])
        .next()
        .is_some_and(|last| parts.contains(&last) || compounds.contains(&last))
        || ["passw", "passphrase", "secret"]
            .iter()
            .any(|inside| word.contains(inside))
}

/// The text without what it must not tell, and how many lines were changed or dropped.
pub(crate) fn cleaned<'a>(path: &str, text: &'a str) -> (Cow<'a, str>, usize) {
    if path.starts_with("var/log/pve/tasks/") {
        return only(text, |line| line.starts_with("UPID:"));
    }
    if path.starts_with("var/log/") {
        return only(text, is_of_a_known_program);
    }
    if path == "var/lib/dpkg/status" {
        return only(text, is_of_a_package);
    }
    if path == "proc/mounts" {
        return only(text, is_of_a_device);
    }
    if is_guests_file(path) {
        return of_guest(text);
    }
    if let Some(keep) = of_proxmox(path) {
        return only(text, keep);
    }
    let holds_options = path.starts_with("etc/network/")
        || path.ends_with("corosync.conf")
        || path.ends_with("ceph.conf")
        || path.starts_with("commands/corosync-cmapctl");
    if holds_options {
        without_secrets(text)
    } else {
        (Cow::Borrowed(text), 0)
    }
}

/// Which lines of a file of Proxmox VE are kept: those that a source reads. Others can hold a password, a key, a name, or
/// whatever somebody wrote down.
fn of_proxmox(path: &str) -> Option<fn(&str) -> bool> {
    let below = path.strip_prefix("etc/pve/")?;
    match below.rsplit('/').next().unwrap_or(below) {
        "storage.cfg" => Some(|line| is_section_or(line, storage::READ_OPTIONS)),
        "datacenter.cfg" => Some(|line| {
            let key = line.split_once(':').map(|(key, _)| key);
            key.is_some_and(|key| ha_config::DATACENTER_KEYS.contains(&key))
        }),
        ".rrd" => Some(storage::is_of_storage),
        "replication.cfg" | "resources.cfg" | "groups.cfg" | "rules.cfg" => Some(|line| {
            !line.starts_with('#') && line.split_ascii_whitespace().next() != Some("comment")
        }),
        _ => None,
    }
}

fn is_guests_file(path: &str) -> bool {
    let dirs = ["/qemu-server/", "/lxc/"];
    path.starts_with("etc/pve/") && dirs.iter().any(|dir| path.contains(dir))
}

/// Of a guest's file the lines that are read, and of options of QEMU or LXC that they are there.
fn of_guest(text: &str) -> (Cow<'_, str>, usize) {
    let mut changed = 0;
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let key = line.split_once(':').map_or("", |(key, _)| key);
        if line.starts_with('[') || guests::config::is_read(key) {
            kept.push_str(line);
            continue;
        }
        changed += 1;
        if key == "args" || key.starts_with("lxc.") {
            kept.push_str(&format!("{key}: {LEFT_OUT}\n"));
        }
    }
    (Cow::Owned(kept), changed)
}

/// The beginning of a section, what ends one, or one of these options.
fn is_section_or(line: &str, options: &[&str]) -> bool {
    let indented = line.starts_with([' ', '\t']);
    let word = line.split_ascii_whitespace().next();
    word.is_none_or(|word| (!indented && !word.starts_with('#')) || options.contains(&word))
}

/// Behind a word that names a secret nothing of the line is kept.
fn without_secrets(text: &str) -> (Cow<'_, str>, usize) {
    let mut changed = 0;
    let mut clean = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        match secret_begins(content).and_then(|at| content.get(..at)) {
            Some(kept) => {
                changed += 1;
                clean.push_str(kept);
                clean.push_str(LEFT_OUT);
                clean.push('\n');
            }
            None => clean.push_str(line),
        }
    }
    if changed == 0 {
        return (Cow::Borrowed(text), 0);
    }
    (Cow::Owned(clean), changed)
}

/// Where the value of a secret begins: `wpa-psk |topsecret`, `key: |…`, `psk=|…`, `totem.key (str) = |…`.
fn secret_begins(line: &str) -> Option<usize> {
    let mut offset = 0;
    for piece in line.split_inclusive(|sign: char| sign.is_whitespace() || "=:".contains(sign)) {
        offset += piece.len();
        let word = piece.trim_end_matches(|sign: char| sign.is_whitespace() || "=:".contains(sign));
        if !names_a_secret(word) {
            continue;
        }
        let behind = line.get(offset..)?;
        // The type of a value in corosync's map is none of the secret.
        let value = match behind.split_once(" = ") {
            Some((kind, value)) if kind.starts_with('(') => value,
            _ => {
                behind.trim_start_matches(|sign: char| sign.is_whitespace() || "=:".contains(sign))
            }
        };
        return (!value.is_empty()).then(|| line.len() - value.len());
    }
    None
}

fn only(text: &str, keep: impl Fn(&str) -> bool) -> (Cow<'_, str>, usize) {
    let mut dropped = 0;
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        if keep(line) {
            kept.push_str(line);
        } else {
            dropped += 1;
        }
    }
    (Cow::Owned(kept), dropped)
}

/// What is kept of a package: the paragraph's end, too.
fn is_of_a_package(line: &str) -> bool {
    let fields = ["Package:", "Status:", "Version:"];
    line.trim().is_empty() || fields.iter().any(|field| line.starts_with(field))
}

/// Storage in the network is named by server, share and user, which nobody needs to know.
fn is_of_a_device(line: &str) -> bool {
    let device = line.split_ascii_whitespace().next().unwrap_or_default();
    let options = ["password=", "secret=", "username=", "user="];
    let is_remote = device.contains(':') || device.starts_with("//");
    !is_remote && !options.iter().any(|option| line.contains(option))
}

/// A line of syslog, or of corosync's own log: the program is the first word that ends in a colon, with its process
/// id perhaps, and corosync's own lines may begin with a time and a level in brackets instead.
fn is_of_a_known_program(line: &str) -> bool {
    for word in line.split_ascii_whitespace().take(7) {
        let program = word.trim_end_matches(':');
        let name = program.split('[').next().unwrap_or(program);
        if model::parse::journal::programs().any(|known| known == name) {
            return true;
        }
        // `[TOTEM ]`, `[12345]`, or a time, which has colons inside.
        let ends_prefix = word.ends_with(':') && !name.is_empty();
        if ends_prefix && !name.starts_with(|sign: char| sign.is_ascii_digit()) {
            return [
                "error", "warning", "notice", "info", "debug", "crit", "alert", "emerg",
            ]
            .contains(&name);
        }
        if is_corosync_part(word) {
            return true;
        }
    }
    false
}

/// `[TOTEM`, `[QUORUM]`: corosync's own log without syslog around it.
fn is_corosync_part(word: &str) -> bool {
    let name = word.trim_start_matches('[').trim_end_matches(']');
    word.starts_with('[')
        && [
            "TOTEM", "QUORUM", "KNET", "MAIN", "CFG", "CPG", "SERV", "VOTEQ", "QB", "SYNC", "CMAP",
            "WD", "MON", "TEST", "QDEVICE",
        ]
        .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expect: &str) {
        assert_eq!(cleaned(path, text).0, expect);
    }

    #[test]
    fn no_key_of_wireless_or_wireguard_leaves_the_node() {
        check(
            "etc/network/interfaces",
            "iface wlan0 inet dhcp\n\twpa-ssid cafe\n\twpa-psk top secret\n\tmtu 1500\n",
            "iface wlan0 inet dhcp\n\twpa-ssid cafe\n\twpa-psk (left-out)\n\tmtu 1500\n",
        );
        check(
            "etc/network/interfaces",
            "\tpost-up wg set wg0 private-key /etc/wg peer x\n#wpa-psk=abc\n",
            "\tpost-up wg set wg0 private-key (left-out)\n#wpa-psk=(left-out)\n",
        );
        check(
            "etc/network/interfaces.d/wg",
            "PrivateKey = aGVsbG8=\r\n",
            "PrivateKey = (left-out)\n",
        );
    }

    #[test]
    fn what_only_sounds_like_a_secret_stays() {
        for line in [
            "\tovs_options bond_mode=balance-tcp lacp=passive tag=5\n",
            "auto turkey0 eno1\n",
            "\twpa-key-mgmt WPA-PSK\n",
        ] {
            check("etc/network/interfaces", line, line);
        }
    }

    #[test]
    fn corosyncs_key_is_neither_taken_from_its_file_nor_from_its_map() {
        check(
            "etc/corosync/corosync.conf",
            "  key: abc\n  token: 1\n",
            "  key: (left-out)\n  token: 1\n",
        );
        check(
            "commands/corosync-cmapctl",
            "totem.key (str) = abc\ntotem.token (u32) = 1000\n",
            "totem.key (str) = (left-out)\ntotem.token (u32) = 1000\n",
        );
    }

    #[test]
    fn of_proxmox_files_only_the_lines_that_are_read_are_kept() {
        check(
            "etc/pve/qemu-server/100.conf",
            "#hunter2\nargs: -x hunter2\ncipassword: hunter2\nname: a\nsshkeys: hunter2\nscsi0: b:c\n\n[snap]\n#hunter2\nname: d\n",
            "args: (left-out)\nname: a\nscsi0: b:c\n[snap]\nname: d\n",
        );
        check(
            "etc/pve/lxc/101.conf",
            "hostname: a\nlxc.environment: T=hunter2\nrootfs: b:c\n",
            "hostname: a\nlxc.environment: (left-out)\nrootfs: b:c\n",
        );
        check(
            "etc/pve/storage.cfg",
            "#hunter2\npbs: a\n\tserver x\n\tusername hunter2\n\tpassword hunter2\n\nnfs: b\n\tpath /x\n",
            "pbs: a\n\tserver x\n\nnfs: b\n\tpath /x\n",
        );
        check(
            "etc/pve/datacenter.cfg",
            "http_proxy: http://a:hunter2@b\nha: shutdown_policy=freeze\n",
            "ha: shutdown_policy=freeze\n",
        );
        check(
            "etc/pve/.rrd",
            "pve2.3-vm/100:web\npve2-storage/a/b:1:2:3\n",
            "pve2-storage/a/b:1:2:3\n",
        );
        check(
            "etc/pve/ha/resources.cfg",
            "vm: 100\n\tcomment hunter2\n\tstate started\n",
            "vm: 100\n\tstate started\n",
        );
        check("var/log/pve/tasks/index", "UPID:a\nx\n", "UPID:a\n");
        check("etc/pve/.vmlist", "{}", "{}");
    }

    #[test]
    fn files_of_secrets_are_never_opened() {
        for path in [
            "etc/pve/priv/lock",
            "etc/corosync/authkey",
            "etc/network/interfaces.d/wg.key",
            "etc/pve/nodes/pve1/pve-ssl.pem",
            "etc/ceph/ceph.client.admin.keyring",
        ] {
            assert!(is_secret_file(path), "{path}");
        }
        assert!(!is_secret_file("etc/pve/corosync.conf"));
    }

    #[test]
    fn of_packages_only_names_states_and_versions_are_kept() {
        let text =
            "Package: a\nStatus: install ok installed\nMaintainer: x\nVersion: 1\n Version: 2\n\n";
        let kept = "Package: a\nStatus: install ok installed\nVersion: 1\n\n";
        check("var/lib/dpkg/status", text, kept);
    }

    #[test]
    fn of_mounts_those_of_the_network_are_left_out() {
        let kept = "/dev/mapper/pve-root / ext4 rw 0 0\nrpool/ROOT / zfs rw 0 0\n";
        let dropped = "192.0.2.1:/x /mnt nfs rw 0 0\n//nas/x /mnt cifs rw,username=me 0 0\n\
                       [2001:db8::1]:/x /mnt ceph rw,name=admin,secret=<hidden> 0 0\n";
        check("proc/mounts", &format!("{dropped}{kept}"), kept);
    }

    #[test]
    fn of_a_log_only_the_known_programs_are_kept() {
        let kept = "Nov 21 03:46:01 pve-01 kernel: bond0: x\n\
                    2026-11-21T03:46:01.1+01:00 pve-01 corosync[12]:   [TOTEM ] x\n\
                    Nov 21 03:46:01 [12] pve-01 corosync notice  [TOTEM ] x\n\
                    Nov 21 03:46:01.123 notice  [QUORUM] x\n";
        let dropped = "Nov 21 03:46:01 pve-01 sudo:  root : COMMAND=/bin/x kernel: y\n\
                       Nov 21 03:46:01 pve-01 sshd[1]: Accepted password\n";
        check("var/log/syslog", &format!("{kept}{dropped}"), kept);
    }
}
