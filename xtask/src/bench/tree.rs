//! A captured tree as large as a node's gets: 4 bonds, 40 links, every VLAN on every port of the bridge listed one by
//! one, and 5,000 journal entries of 1 kB. Names and values are drawn up here and are nobody's.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

const BONDS: usize = 4;
const PORTS_OF_A_BOND: usize = 2;
const LINKS: usize = 40;
const BRIDGE_PORTS: usize = 20;
const VLANS: u16 = 4094;
const JOURNAL_ENTRIES: u64 = 5_000;
/// The first entry's time in microseconds since 1970.
const FIRST_US: u64 = 1_763_690_000_000_000;

pub(crate) fn write(dir: &Path) -> anyhow::Result<()> {
    let put = |path: &str, text: &str| -> anyhow::Result<()> {
        let full = dir.join(path);
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        }
        fs::write(&full, text).with_context(|| format!("write {}", full.display()))
    };
    for bond in 0..BONDS {
        put(&format!("proc/net/bonding/bond{bond}"), &bonding(bond))?;
    }
    put("etc/hostname", "pve-01\n")?;
    put("commands/ip_-j_-d_-s_addr", &links())?;
    put("commands/bridge_-j_vlan_show", &vlans())?;
    put("commands/corosync-quorumtool_-s", &quorum())?;
    put(
        "commands/journalctl_-o_json_-b_--no-pager_-n_5000",
        &journal(),
    )
}

fn bonding(bond: usize) -> String {
    let mut text = format!(
        "Ethernet Channel Bonding Driver: v6.8.12-4-pve\n\nBonding Mode: IEEE 802.3ad Dynamic link aggregation\n\
         Transmit Hash Policy: layer3+4 (1)\nMII Status: up\nMII Polling Interval (ms): 100\nUp Delay (ms): 0\n\
         Down Delay (ms): 0\nPeer Notification Delay (ms): 0\n\n802.3ad info\nLACP active: on\nLACP rate: slow\n\
         Min links: 0\nAggregator selection policy (ad_select): stable\nSystem priority: 65535\n\
         System MAC address: 02:00:00:00:00:{bond:02x}\nActive Aggregator Info:\n\tAggregator ID: 1\n\
         \tNumber of ports: {PORTS_OF_A_BOND}\n\tActor Key: 21\n\tPartner Key: 1000\n\
         \tPartner Mac Address: 02:00:00:00:fa:10\n"
    );
    for port in 0..PORTS_OF_A_BOND {
        let number = bond * PORTS_OF_A_BOND + port;
        let _ = write!(
            text,
            "\nSlave Interface: eno{number}\nMII Status: up\nSpeed: 25000 Mbps\nDuplex: full\nLink Failure Count: 0\n\
             Permanent HW addr: 02:00:00:00:01:{number:02x}\nSlave queue ID: 0\nAggregator ID: 1\n\
             Actor Churn State: none\nPartner Churn State: none\nActor Churned Count: 0\nPartner Churned Count: 0\n"
        );
    }
    text
}

/// The name and the kind of a link: NICs, the bonds, the bridge, and guests' taps.
fn link_name(index: usize) -> (String, &'static str) {
    let nics = BONDS * PORTS_OF_A_BOND;
    match index {
        0 => ("lo".to_owned(), "lo"),
        _ if index <= nics => (format!("eno{}", index - 1), "nic"),
        _ if index <= nics + BONDS => (format!("bond{}", index - nics - 1), "bond"),
        _ if index == nics + BONDS + 1 => ("vmbr0".to_owned(), "bridge"),
        _ => (format!("tap{}i0", index + 100), "tap"),
    }
}

fn links() -> String {
    let mut text = String::from("[");
    for index in 0..LINKS {
        let (name, kind) = link_name(index);
        let mac = format!("02:00:00:00:02:{index:02x}");
        let details = match kind {
            "nic" => format!(
                r#""master":"bond{}","linkinfo":{{"info_slave_kind":"bond","info_slave_data":{{"state":"ACTIVE","mii_status":"UP","link_failure_count":0,"perm_hwaddr":"{mac}","queue_id":0,"ad_aggregator_id":1}}}},"#,
                (index - 1) / PORTS_OF_A_BOND
            ),
            "bond" => r#""master":"vmbr0","linkinfo":{"info_kind":"bond","info_data":{"mode":"802.3ad","miimon":100,"updelay":0,"downdelay":0},"info_slave_kind":"bridge","info_slave_data":{"state":"forwarding","priority":32,"cost":100}},"#.to_owned(),
            "bridge" => r#""linkinfo":{"info_kind":"bridge","info_data":{"forward_delay":0,"stp_state":0,"vlan_filtering":1,"vlan_protocol":"802.1Q","vlan_default_pvid":1}},"#.to_owned(),
            "tap" => r#""master":"vmbr0","linkinfo":{"info_kind":"tun","info_data":{"type":"tap"},"info_slave_kind":"bridge","info_slave_data":{"state":"forwarding","priority":32,"cost":100}},"#.to_owned(),
            _ => String::new(),
        };
        let comma = if index == 0 { "" } else { "," };
        let counters =
            r#"{"bytes":123456789012,"packets":123456789,"errors":0,"dropped":12,"over_errors":0}"#;
        let _ = write!(
            text,
            r#"{comma}{{"ifindex":{},"ifname":"{name}","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"qdisc":"mq","operstate":"UP","group":"default","txqlen":1000,"link_type":"ether","address":"{mac}","broadcast":"ff:ff:ff:ff:ff:ff",{details}"addr_info":[{{"family":"inet","local":"10.0.0.{index}","prefixlen":24,"scope":"global","label":"{name}","valid_life_time":4294967295,"preferred_life_time":4294967295}}],"stats64":{{"rx":{counters},"tx":{counters}}}}}"#,
            index + 1
        );
    }
    text.push(']');
    text
}

/// As `bridge -j vlan show` prints a trunk: every VLAN by itself.
fn vlans() -> String {
    let mut text = String::from("[");
    for port in 0..BRIDGE_PORTS {
        let (name, _) = link_name(BONDS * PORTS_OF_A_BOND + 1 + port);
        let comma = if port == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"ifname":"{name}","vlans":[{{"vlan":1,"flags":["PVID","Egress Untagged"]}}"#
        );
        for vlan in 2..=VLANS {
            let _ = write!(text, r#",{{"vlan":{vlan}}}"#);
        }
        text.push_str("]}");
    }
    text.push(']');
    text
}

fn quorum() -> String {
    let mut text = String::from(
        "Quorum information\n------------------\nDate:             Fri Nov 21 03:46:01 2025\n\
         Quorum provider:  corosync_votequorum\nNodes:            8\nNode ID:          1\nRing ID:          1.19\n\
         Quorate:          Yes\n\nVotequorum information\n----------------------\nExpected votes:   8\n\
         Highest expected: 8\nTotal votes:      8\nQuorum:           5  \nFlags:            Quorate \n\n\
         Membership information\n----------------------\n    Nodeid      Votes Name\n",
    );
    for node in 1..=8 {
        let local = if node == 1 { " (local)" } else { "" };
        let _ = writeln!(text, "         {node}          1 pve-0{node}{local}");
    }
    text
}

/// Messages of all kinds in turn, among fields that nobody needs, as journald adds them.
fn journal() -> String {
    let mut text = String::new();
    for index in 0..JOURNAL_ENTRIES {
        let (program, unit, transport, message) = match index % 4 {
            0 => (
                "kernel",
                "",
                "kernel",
                "bond0: (slave eno1): link status definitely down, disabling slave".to_owned(),
            ),
            1 => (
                "corosync",
                "corosync.service",
                "journal",
                format!("[KNET  ] link: host: {} link: 0 is down", index % 8 + 1),
            ),
            2 => (
                "corosync",
                "corosync.service",
                "journal",
                format!("[TOTEM ] Retransmit List: {index:x} {:x}", index + 1),
            ),
            _ => (
                "pveproxy",
                "pveproxy.service",
                "syslog",
                format!("worker {index} started"),
            ),
        };
        let us = FIRST_US + index * 17_000_003;
        let _ = writeln!(
            text,
            r#"{{"__CURSOR":"s=0c6f3b1e4d0a4d5f8f0d6c1b2a394857;i={index:x};b=5d4c3b2a190817263544536271809f0e;m={us:x};t={us:x};x=1b2c3d4e5f607182","__REALTIME_TIMESTAMP":"{us}","__MONOTONIC_TIMESTAMP":"{index}","_BOOT_ID":"5d4c3b2a190817263544536271809f0e","_MACHINE_ID":"0123456789abcdef0123456789abcdef","_HOSTNAME":"pve-01","PRIORITY":"5","_TRANSPORT":"{transport}","SYSLOG_FACILITY":"3","SYSLOG_IDENTIFIER":"{program}","_UID":"0","_GID":"0","_COMM":"{program}","_EXE":"/usr/sbin/{program}","_CMDLINE":"/usr/sbin/{program} -f {}","_CAP_EFFECTIVE":"1ffffffffff","_SELINUX_CONTEXT":"unconfined\n","_SYSTEMD_CGROUP":"/system.slice/{unit}","_SYSTEMD_UNIT":"{unit}","_SYSTEMD_SLICE":"system.slice","_SYSTEMD_INVOCATION_ID":"89abcdef0123456789abcdef01234567","_PID":"1234","_SOURCE_REALTIME_TIMESTAMP":"{us}","MESSAGE":"{message}"}}"#,
            "x".repeat(120)
        );
    }
    text
}
