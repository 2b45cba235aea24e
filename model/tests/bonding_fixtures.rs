//! Every captured `/proc/net/bonding` file is read without a bad line, and says what model/fixtures/bonding/README.md
//! says of it. The captures are made by `cargo xtask lab captures`; `UPDATE_EXPECT=1` takes over what new ones say.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "fixtures are files, and a test may panic outside its #[test] function too"
)]

use std::fmt::Write as _;
use std::path::PathBuf;

use expect_test::{Expect, expect};
use model::fact::bond::{Bond, BondPort, Churn, Lacp, LacpPdu, MiiStatus};
use model::fact::hardware_address::HardwareAddress;
use model::name::IfaceName;
use model::parse::bonding;

fn dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/bonding"))
}

/// The kernel's text; bytes that are not UTF-8 are replaced, as the agent does it.
fn text(name: &str) -> String {
    let path = dir().join(format!("lab-6.12-{name}.txt"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn read(name: &str) -> Bond {
    let bond = IfaceName::new("bond0").unwrap();
    let parsed = bonding::parse(bond, &text(name)).unwrap();
    assert_eq!(parsed.bad_lines, [], "{name}");
    parsed.value
}

#[track_caller]
fn check(name: &str, expect: &Expect) {
    expect.assert_eq(&say(&read(name)));
}

/// What the tests look at, one line for the bond and one for each port.
fn say(bond: &Bond) -> String {
    let mut said = format!("{} {}", or_none(&bond.mode), or_none(&bond.mii_status));
    let words = [
        (
            "active",
            bond.active_slave
                .as_ref()
                .map(|name| name.as_str().to_owned()),
        ),
        (
            "primary",
            bond.primary_slave
                .as_ref()
                .map(|name| name.as_str().to_owned()),
        ),
        ("reselect", bond.primary_reselect.clone()),
        ("fail_over_mac", bond.fail_over_mac.clone()),
        ("hash", bond.transmit_hash_policy.clone()),
        (
            "miimon",
            bond.mii_polling_ms
                .filter(|ms| *ms != 100)
                .map(|ms| ms.to_string()),
        ),
        ("up_delay", nonzero(bond.up_delay_ms)),
        ("down_delay", nonzero(bond.down_delay_ms)),
        (
            "peer_notification",
            nonzero(bond.peer_notification_delay_ms),
        ),
        ("arp", bond.arp_polling_ms.map(|ms| ms.to_string())),
        ("missed_max", bond.arp_missed_max.map(|max| max.to_string())),
        (
            "targets",
            (!bond.monitor_targets.is_empty()).then(|| bond.monitor_targets.join("+")),
        ),
    ];
    for (what, word) in words {
        if let Some(word) = word {
            write!(said, " {what}={word}").unwrap();
        }
    }
    if let Some(lacp) = &bond.lacp {
        said.push_str(&say_lacp(lacp));
    }
    said.push('\n');
    for port in &bond.slaves {
        said.push_str(&say_port(port));
    }
    said
}

fn say_lacp(lacp: &Lacp) -> String {
    let mut said = String::new();
    write!(
        said,
        " lacp={}/{} min_links={} select={} system={}/{}",
        or_none(&lacp.active),
        or_none(&lacp.rate),
        or_none(&lacp.min_links),
        or_none(&lacp.selection_policy),
        or_none(&lacp.system_priority),
        or_none(&lacp.system_mac),
    )
    .unwrap();
    if lacp.no_active_aggregator {
        said.push_str(" no-active-aggregator");
    }
    if let Some(aggregator) = &lacp.active_aggregator {
        write!(
            said,
            " aggregator={} of {} keys={}/{} partner={}",
            or_none(&aggregator.id),
            or_none(&aggregator.ports),
            or_none(&aggregator.actor_key),
            or_none(&aggregator.partner_key),
            or_none(&aggregator.partner_mac),
        )
        .unwrap();
    }
    said
}

fn say_port(port: &BondPort) -> String {
    let speed = if port.speed_unknown {
        "unknown".to_owned()
    } else {
        or_none(&port.speed_mbps)
    };
    let mut said = format!(
        "{} {} {speed}/{} failures={} mac={} queue={}",
        port.name.as_str(),
        or_none(&port.mii_status),
        or_none(&port.duplex),
        or_none(&port.failures),
        or_none(&port.permanent_mac.as_ref().map(HardwareAddress::to_string)),
        or_none(&port.queue_id),
    );
    if port.aggregator_id.is_some() || port.actor_churn.is_some() {
        write!(
            said,
            " aggregator={} churn={}/{} {}/{}",
            or_none(&port.aggregator_id),
            or_none(&port.actor_churn),
            or_none(&port.partner_churn),
            or_none(&port.actor_churned_count),
            or_none(&port.partner_churned_count),
        )
        .unwrap();
    }
    for (what, pdu) in [("actor", &port.actor_pdu), ("partner", &port.partner_pdu)] {
        if let Some(pdu) = pdu {
            write!(said, " {what}[{}]", say_pdu(pdu)).unwrap();
        }
    }
    said.push('\n');
    said
}

fn say_pdu(pdu: &LacpPdu) -> String {
    format!(
        "{}/{} key={} port={}/{} state={}",
        or_none(&pdu.system_priority),
        or_none(&pdu.system_mac),
        or_none(&pdu.key),
        or_none(&pdu.port_priority),
        or_none(&pdu.port_number),
        or_none(&pdu.port_state),
    )
}

fn nonzero(ms: Option<u32>) -> Option<String> {
    ms.filter(|ms| *ms != 0).map(|ms| ms.to_string())
}

fn or_none(value: &Option<impl ToString>) -> String {
    value
        .as_ref()
        .map_or_else(|| "-".to_owned(), ToString::to_string)
}

#[test]
fn balance_rr_loses_its_ports_and_gets_them_back() {
    check(
        "balance-rr-healthy",
        &expect![[r#"
        balance-rr up
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-rr-one-port-down",
        &expect![[r#"
        balance-rr up
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-rr-all-ports-down",
        &expect![[r#"
        balance-rr down
        eno1 down 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-rr-ports-back",
        &expect![[r#"
        balance-rr up
        eno1 up 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
}

#[test]
fn active_backup_loses_its_ports_and_gets_them_back() {
    check(
        "active-backup-healthy",
        &expect![[r#"
        active-backup up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-one-port-down",
        &expect![[r#"
        active-backup up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-all-ports-down",
        &expect![[r#"
        active-backup down
        eno1 down 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-ports-back",
        &expect![[r#"
        active-backup up active=eno1
        eno1 up 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
}

#[test]
fn balance_xor_loses_its_ports_and_gets_them_back() {
    check(
        "balance-xor-healthy",
        &expect![[r#"
        balance-xor up hash=layer2 (0)
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-xor-one-port-down",
        &expect![[r#"
        balance-xor up hash=layer2 (0)
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-xor-all-ports-down",
        &expect![[r#"
        balance-xor down hash=layer2 (0)
        eno1 down 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-xor-ports-back",
        &expect![[r#"
        balance-xor up hash=layer2 (0)
        eno1 up 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
}

#[test]
fn broadcast_loses_its_ports_and_gets_them_back() {
    check(
        "broadcast-healthy",
        &expect![[r#"
        broadcast up
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "broadcast-one-port-down",
        &expect![[r#"
        broadcast up
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "broadcast-all-ports-down",
        &expect![[r#"
        broadcast down
        eno1 down 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "broadcast-ports-back",
        &expect![[r#"
        broadcast up
        eno1 up 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
}

#[test]
fn lacp_loses_its_ports_and_gets_them_back() {
    check(
        "802.3ad-healthy",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 2 keys=15/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=63]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=63]
    "#]],
    );
    check(
        "802.3ad-one-port-down",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 1 keys=15/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=63]
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=0 port=255/2 state=15] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=55]
    "#]],
    );
    check(
        "802.3ad-all-ports-down",
        &expect![[r#"
        802.3ad down hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 no-active-aggregator
        eno1 down 10000/full failures=1 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=0 port=255/1 state=7] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=55]
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=0 port=255/2 state=15] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=55]
    "#]],
    );
    check(
        "802.3ad-ports-back",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=2 of 2 keys=15/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=1 mac=02:00:00:00:00:01 queue=0 aggregator=2 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=63]
        eno2 up 10000/full failures=1 mac=02:00:00:00:00:02 queue=0 aggregator=2 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=63]
    "#]],
    );
}

#[test]
fn balance_tlb_loses_its_ports_and_gets_them_back() {
    check(
        "balance-tlb-healthy",
        &expect![[r#"
        balance-tlb up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-tlb-one-port-down",
        &expect![[r#"
        balance-tlb up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-tlb-all-ports-down",
        &expect![[r#"
        balance-tlb down
        eno1 down 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-tlb-ports-back",
        &expect![[r#"
        balance-tlb up active=eno1
        eno1 up 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
}

#[test]
fn balance_alb_loses_its_ports_and_gets_them_back() {
    check(
        "balance-alb-healthy",
        &expect![[r#"
        balance-alb up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-alb-one-port-down",
        &expect![[r#"
        balance-alb up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-alb-all-ports-down",
        &expect![[r#"
        balance-alb down
        eno1 down 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-alb-ports-back",
        &expect![[r#"
        balance-alb up active=eno1
        eno1 up 10000/full failures=1 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
}

#[test]
fn monitoring_by_arp_and_neighbour_discovery() {
    check(
        "active-backup-arp",
        &expect![[r#"
        active-backup up active=eno1 miimon=0 arp=1000 missed_max=3 targets=10.9.0.2+10.9.0.3
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-arp-silence",
        &expect![[r#"
        active-backup down miimon=0 arp=1000 missed_max=3 targets=10.9.0.2+10.9.0.3
        eno1 down 10000/full failures=4 mac=02:00:00:00:00:01 queue=0
        eno2 going back 10000/full failures=4 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-arp-targets-gone-flapping",
        &expect![[r#"
        active-backup up active=eno1 miimon=0 arp=1000 missed_max=3 targets=10.9.0.2+10.9.0.3
        eno1 up 10000/full failures=3 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=3 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-ns-ip6",
        &expect![[r#"
        active-backup up active=eno1 miimon=0 arp=500 missed_max=2 targets=2001:db8::2+fe80::2
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
}

#[test]
fn ports_in_a_delay_are_neither_up_nor_down() {
    check(
        "active-backup-delays-going-back",
        &expect![[r#"
        active-backup up active=eno1 up_delay=30000 down_delay=20000 peer_notification=500
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 going back 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-going-down",
        &expect![[r#"
        active-backup up active=eno1 down_delay=60000
        eno1 going down 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
}

#[test]
fn a_primary_port_and_who_is_active() {
    check(
        "active-backup-primary-always-fom-active",
        &expect![[r#"
        active-backup up active=eno2 primary=eno2 reselect=always fail_over_mac=active
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-primary-better-fom-follow",
        &expect![[r#"
        active-backup up active=eno1 primary=eno1 reselect=better fail_over_mac=follow
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-primary-failure-stays-on-other",
        &expect![[r#"
        active-backup up active=eno1 primary=eno2 reselect=failure fail_over_mac=active
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=1 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-primary-gone-no-slaves",
        &expect![[r#"
        active-backup down fail_over_mac=follow
    "#]],
    );
}

#[test]
fn odd_names_speeds_and_queues() {
    check(
        "802.3ad-four-ports-long-names",
        &expect![[r#"
        802.3ad up hash=encap3+4 (4) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 4 keys=15/15 partner=02:00:00:00:fa:01
        enp129s0f1np001 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=63]
        enp129s0f2np002 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=63]
        enp129s0f3np003 up 10000/full failures=0 mac=02:00:00:00:00:03 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/3 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/3 state=63]
        enp129s0f4np004 up 10000/full failures=0 mac=02:00:00:00:00:04 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/4 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/4 state=63]
    "#]],
    );
    check(
        "802.3ad-speed-unknown",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/slow min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 1 keys=0/1 partner=00:00:00:00:00:00
        eno1 up unknown/unknown failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=0 port=255/1 state=69] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=0]
        eno2 up unknown/unknown failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=2 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=0 port=255/2 state=69] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=0]
    "#]],
    );
    check(
        "802.3ad-speeds-differ",
        &expect![[r#"
        802.3ad up hash=layer2+3 (2) lacp=on/slow min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 1 keys=9/1 partner=00:00:00:00:00:00
        eno1 up 1000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=9 port=255/1 state=205] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=2]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=2 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=197] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=2]
        eno3 up 100/half failures=0 mac=02:00:00:00:00:03 queue=0 aggregator=3 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=6 port=255/3 state=69] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=0]
    "#]],
    );
    check(
        "active-backup-odd-port-names",
        &expect![[r#"
        active-backup up active=eth-ä
        eth-ä up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        p�"\ up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-queue-id",
        &expect![[r#"
        active-backup up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=7
    "#]],
    );
    check(
        "active-backup-speed-unknown",
        &expect![[r#"
        active-backup up active=eno1
        eno1 up unknown/unknown failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up unknown/unknown failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "balance-xor-speeds-differ",
        &expect![[r#"
        balance-xor up hash=vlan+srcmac (5)
        eno1 up 1000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
        eno3 up 100/half failures=0 mac=02:00:00:00:00:03 queue=0
    "#]],
    );
}

#[test]
fn bonds_that_carry_nothing_say_so_in_several_ways() {
    check(
        "802.3ad-never-set-up",
        &expect![[r#"
        802.3ad down hash=layer2 (0) lacp=on/slow min_links=0 select=stable system=65535/02:00:00:00:00:01 no-active-aggregator
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "802.3ad-no-slaves",
        &expect![[r#"
        802.3ad down hash=layer2 (0) lacp=on/slow min_links=0 select=stable system=0/00:00:00:00:00:00 no-active-aggregator
    "#]],
    );
    check(
        "802.3ad-no-slaves-set-down",
        &expect![[r#"
        802.3ad down hash=layer2 (0) lacp=on/slow min_links=0 select=stable system=0/00:00:00:00:00:00 no-active-aggregator
    "#]],
    );
    check(
        "active-backup-bond-set-down",
        &expect![[r#"
        active-backup up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=7
    "#]],
    );
    check(
        "active-backup-no-monitoring-all-ports-down",
        &expect![[r#"
        active-backup up active=eno1 miimon=0
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0
    "#]],
    );
    check(
        "active-backup-no-slaves",
        &expect![[r#"
        active-backup down
    "#]],
    );
    check(
        "active-backup-port-set-down",
        &expect![[r#"
        active-backup up active=eno1
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=7
    "#]],
    );
}

#[test]
fn lacp_in_all_its_states() {
    check(
        "802.3ad-lacp-active-off-both",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=off/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 2 keys=15/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=6] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=6]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=6] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=6]
    "#]],
    );
    check(
        "802.3ad-min-links-not-met",
        &expect![[r#"
        802.3ad down hash=layer2 (0) lacp=on/fast min_links=2 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 1 keys=15/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=63]
        eno2 down 10000/full failures=1 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=0 port=255/2 state=15] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=55]
    "#]],
    );
    check(
        "802.3ad-no-partner",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 1 keys=15/1 partner=00:00:00:00:00:00
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=199] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=2]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=2 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=199] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=2]
    "#]],
    );
    check(
        "802.3ad-no-partner-churned",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 1 keys=15/1 partner=00:00:00:00:00:00
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=none/churned 0/1 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=79] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=0]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=2 churn=churned/churned 1/1 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=71] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=0]
    "#]],
    );
    check(
        "802.3ad-one-port-mute-defaulted",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 1 keys=15/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=63]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=2 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=71] partner[65535/00:00:00:00:00:00 key=1 port=255/1 state=0]
    "#]],
    );
    check(
        "802.3ad-one-port-mute-expired",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 2 keys=15/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=63]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=143] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=55]
    "#]],
    );
    check(
        "802.3ad-one-slave",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=1 of 1 keys=15/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=63] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=63]
    "#]],
    );
    check(
        "802.3ad-slow-options",
        &expect![[r#"
        802.3ad up hash=layer3+4 (1) lacp=on/slow min_links=1 select=bandwidth system=100/02:aa:bb:cc:dd:ee aggregator=1 of 2 keys=335/15 partner=02:00:00:00:fa:01
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[100/02:aa:bb:cc:dd:ee key=335 port=255/1 state=61] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=61]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[100/02:aa:bb:cc:dd:ee key=335 port=255/2 state=61] partner[65535/02:00:00:00:fa:01 key=15 port=255/2 state=61]
    "#]],
    );
}

#[test]
fn lacp_with_two_partners_or_a_reader_without_rights() {
    check(
        "802.3ad-two-aggregators",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=2 of 1 keys=15/15 partner=02:00:00:00:fa:02
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=7] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=15]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=2 churn=monitoring/monitoring 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=63] partner[65535/02:00:00:00:fa:02 key=15 port=255/1 state=63]
    "#]],
    );
    check(
        "802.3ad-two-aggregators-churned",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=65535/02:00:00:00:00:01 aggregator=2 of 1 keys=15/15 partner=02:00:00:00:fa:02
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=churned/none 1/0 actor[65535/02:00:00:00:00:01 key=15 port=255/1 state=7] partner[65535/02:00:00:00:fa:01 key=15 port=255/1 state=15]
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=2 churn=none/none 0/0 actor[65535/02:00:00:00:00:01 key=15 port=255/2 state=63] partner[65535/02:00:00:00:fa:02 key=15 port=255/1 state=63]
    "#]],
    );
    check(
        "802.3ad-without-cap-net-admin",
        &expect![[r#"
        802.3ad up hash=layer2 (0) lacp=on/fast min_links=0 select=stable system=-/-
        eno1 up 10000/full failures=0 mac=02:00:00:00:00:01 queue=0 aggregator=1 churn=monitoring/monitoring 0/0
        eno2 up 10000/full failures=0 mac=02:00:00:00:00:02 queue=0 aggregator=1 churn=monitoring/monitoring 0/0
    "#]],
    );
}

#[test]
fn a_reader_without_cap_net_admin_is_told_nothing_of_partners() {
    let bond = read("802.3ad-without-cap-net-admin");
    let lacp = bond.lacp.unwrap();
    assert!(lacp.system_mac.is_none() && lacp.active_aggregator.is_none());
    assert!(!lacp.no_active_aggregator);
    assert!(bond.partner_mac.is_none());
    for port in bond.slaves {
        assert!(port.partner_mac.is_none() && port.partner_pdu.is_none());
        assert!(port.aggregator_id.is_some());
    }
}

#[test]
fn nobody_on_the_other_side_is_an_address_of_zeros_and_then_churn() {
    for name in ["802.3ad-no-partner", "802.3ad-no-partner-churned"] {
        let bond = read(name);
        assert!(bond.partner_mac.unwrap().is_zero(), "{name}");
        for port in bond.slaves {
            assert!(port.partner_mac.unwrap().is_zero(), "{name}");
            let churned = name.ends_with("churned");
            assert_eq!(
                port.partner_churn == Some(Churn::Churned),
                churned,
                "{name}"
            );
        }
    }
}

#[test]
fn two_switches_on_one_bond_are_two_partners_in_two_aggregators() {
    for name in ["802.3ad-two-aggregators", "802.3ad-two-aggregators-churned"] {
        let bond = read(name);
        let (one, two) = (&bond.slaves[0], &bond.slaves[1]);
        assert_ne!(one.partner_mac, two.partner_mac, "{name}");
        assert_ne!(one.aggregator_id, two.aggregator_id, "{name}");
        let active = bond
            .lacp
            .as_ref()
            .unwrap()
            .active_aggregator
            .as_ref()
            .unwrap();
        let at_work = if one.aggregator_id == active.id {
            one
        } else {
            two
        };
        assert_eq!(at_work.aggregator_id, active.id, "{name}");
        assert_eq!(bond.partner_mac, at_work.partner_mac, "{name}");
    }
}

#[test]
fn a_port_that_is_down_goes_on_showing_its_last_speed_and_partner() {
    let port = read("802.3ad-one-port-down").slaves.remove(1);
    assert_eq!(port.mii_status, Some(MiiStatus::Down));
    assert_eq!(port.speed_mbps, Some(10000));
    assert!(!port.partner_mac.unwrap().is_zero());
}

#[test]
fn a_bond_that_watches_nothing_says_up_with_every_cable_pulled() {
    let bond = read("active-backup-no-monitoring-all-ports-down");
    assert_eq!((bond.mii_polling_ms, bond.arp_polling_ms), (Some(0), None));
    assert_eq!(bond.mii_status, Some(MiiStatus::Up));
}

#[test]
fn every_capture_is_checked_here_and_told_of_in_the_readme() {
    let here = include_str!("bonding_fixtures.rs");
    let readme = include_str!("../fixtures/bonding/README.md");
    let mut captures = 0;
    for entry in std::fs::read_dir(dir()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file
            .strip_prefix("lab-6.12-")
            .and_then(|name| name.strip_suffix(".txt"));
        let Some(name) = name else { continue };
        captures += 1;
        assert!(here.contains(&format!("{name:?}")), "no test reads {file}");
        assert!(
            readme.contains(&format!("`{name}`")),
            "the README does not tell of {file}"
        );
    }
    assert!(captures > 0, "no captures in {}", dir().display());
}
