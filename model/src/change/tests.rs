use jiff::Timestamp;

use super::*;
use crate::fact::bond::Bond;
use crate::fact::bridge::Bridge;
use crate::fact::corosync::Corosync;
use crate::fact::link::Link;

fn known<T>(value: T) -> Reading<T> {
    Reading::Known {
        value,
        at: Timestamp::UNIX_EPOCH,
        problems: Vec::new(),
    }
}

#[track_caller]
fn check(before: &Fact, after: &Fact, expect: &[&str]) {
    let changes = changes(before, after);
    let said: Vec<&str> = changes
        .iter()
        .map(|change| change.sentence.as_str())
        .collect();
    assert_eq!(said, expect);
}

fn links(text: &str) -> Fact {
    let parsed: Vec<Link> = crate::parse::ip::parse(text).unwrap().value;
    Fact::Links(known(parsed))
}

fn link(rest: &str) -> Fact {
    links(&format!(
        "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 state UP\n{rest}"
    ))
}

#[test]
fn a_pulled_cable_is_one_line() {
    let down = links("2: eth0: <NO-CARRIER,BROADCAST,UP> mtu 1500 state DOWN\n");
    check(&link(""), &down, &["eth0: lost its carrier"]);
    check(&down, &link(""), &["eth0: has carrier"]);
    let changes = changes(&link(""), &down);
    let paths: Vec<&str> = changes[0]
        .changes
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    assert!(paths.contains(&"carrier"), "{paths:?}");
}

#[test]
fn addresses_mtu_and_interfaces_come_and_go() {
    let one = "    inet 10.20.0.11/24 scope global eth0\n";
    let two = format!("{one}    inet 10.30.0.11/24 scope global eth0\n");
    check(
        &link(one),
        &link(&two),
        &["eth0: got the address 10.30.0.11/24"],
    );
    check(
        &link(&two),
        &link(one),
        &["eth0: lost the address 10.30.0.11/24"],
    );
    let jumbo = links("2: eth0: <BROADCAST,UP,LOWER_UP> mtu 9000 state UP\n");
    check(
        &link(""),
        &jumbo,
        &["eth0: MTU is 9000 bytes, was 1500 bytes"],
    );
    check(
        &link(""),
        &links("3: eth1: <BROADCAST,UP,LOWER_UP> mtu 1500 state UP\n"),
        &["eth0 is gone", "eth1 is new (interface, with carrier)"],
    );
}

#[test]
fn a_flap_between_two_looks_is_told() {
    let with = |count: u64| {
        let Fact::Links(Reading::Known { mut value, .. }) = link("") else {
            panic!()
        };
        let counters = value[0].statistics.get_or_insert_default();
        counters.carrier_changes = Some(count);
        counters.rx_bytes = Some(count * 1000);
        Fact::Links(known(value))
    };
    check(
        &with(2),
        &with(4),
        &["eth0: its carrier changed 2 times between two looks, and is as it was"],
    );
    check(&with(2), &with(2), &[]);
}

fn bond(port: &str) -> Fact {
    let text = format!(
        "Ethernet Channel Bonding Driver: v6.12\n\nBonding Mode: IEEE 802.3ad Dynamic link aggregation\nMII Status: up\n\n\
         Slave Interface: eno0\nMII Status: up\nSpeed: 10000 Mbps\nDuplex: full\n\n\
         Slave Interface: eno1\n{port}Duplex: full\n"
    );
    let name = crate::name::IfaceName::new("bond0").unwrap();
    let bond: Bond = crate::parse::bonding::parse(name, &text).unwrap().value;
    Fact::Bonds(known(vec![bond]))
}

#[test]
fn a_port_that_goes_down_says_how_many_are_left() {
    let up = bond("MII Status: up\nSpeed: 10000 Mbps\n");
    check(
        &up,
        &bond("MII Status: down\nSpeed: 10000 Mbps\n"),
        &["bond0: port eno1 is down; 1 of 2 ports up"],
    );
    check(
        &up,
        &bond("MII Status: up\nSpeed: 100 Mbps\n"),
        &["bond0: port eno1: speed is 100 Mbit/s, was 10000 Mbit/s; 2 of 2 ports up"],
    );
}

#[test]
fn a_vlan_that_a_port_lost_is_named() {
    let bridges = |vlans: &str| {
        let json = format!(
            r#"[{{"name":"vmbr0","operstate":"UP","vlan_filtering":true,"vlan_protocol":null,"default_pvid":1,
            "stp_state":0,"forward_delay_ms":null,"vlans":null,
            "ports":[{{"name":"bond0","state":"forwarding","vlans":{vlans}}}]}}]"#
        );
        let bridges: Vec<Bridge> = serde_json::from_str(&json).unwrap();
        Fact::Bridges(known(bridges))
    };
    let all = bridges(r#"[{"first":1,"last":40,"pvid":false,"untagged":false}]"#);
    let less = bridges(
        r#"[{"first":1,"last":29,"pvid":false,"untagged":false},{"first":31,"last":40,"pvid":false,"untagged":false}]"#,
    );
    check(&all, &less, &["vmbr0: port bond0 lost VLAN 30"]);
    check(&less, &all, &["vmbr0: port bond0 got VLAN 30"]);
}

#[test]
fn corosync_says_who_left_and_what_that_means() {
    let corosync = |json: serde_json::Value| {
        let mut whole = serde_json::to_value(Corosync::default()).unwrap();
        for (key, value) in json.as_object().unwrap() {
            whole[key] = value.clone();
        }
        Fact::Corosync(known(serde_json::from_value(whole).unwrap()))
    };
    let member = |id: u32| {
        serde_json::json!({"node_id": id, "name": format!("pve-0{id}"), "votes": 1,
        "addresses": null, "local": null, "qdevice_flags": null, "state": null, "joined": null, "config_version": null})
    };
    let peer = |id: u32, connected: bool| {
        serde_json::json!({"node_id": id, "connected": connected, "enabled": true,
        "address": null, "mtu_bytes": null, "local": null, "status": null})
    };
    let links = |connected: bool| {
        serde_json::json!([{"link": 0, "transport": null, "address": "10.20.0.11",
        "status": null, "faulty": null, "positions": null, "peers": [peer(2, connected), peer(3, true)]}])
    };
    let before = corosync(
        serde_json::json!({"quorate": true, "total_votes": 3, "expected_votes": 3, "quorum": 2,
        "members": [member(1), member(2), member(3)], "links": links(true)}),
    );
    let after = corosync(
        serde_json::json!({"quorate": true, "total_votes": 2, "expected_votes": 3, "quorum": 2,
        "members": [member(1), member(3)], "not_members": [member(2)], "links": links(false)}),
    );
    check(
        &before,
        &after,
        &[
            "membership: pve-02 (node 2) left; 2 of 3 nodes are members",
            "quorum: 2 of 3 votes; 2 are needed",
            "link 0: no longer connected to pve-02 (node 2)",
        ],
    );
}

#[test]
fn a_family_that_cannot_be_read_any_more_is_told_once() {
    let failed = |why: &str| {
        Fact::Members(Reading::Failed {
            why: why.to_owned(),
        })
    };
    check(
        &Fact::Members(Reading::Absent),
        &failed("x"),
        &["members cannot be read: x"],
    );
    check(&failed("12:01 x"), &failed("13:02 x"), &[]);
    check(
        &failed("x"),
        &Fact::Members(Reading::Absent),
        &["members: there is nothing of it any more"],
    );
    check(&Fact::Members(Reading::NeverHeard), &failed("x"), &[]);
}

/// A family of which only this is known, of its own JSON.
#[track_caller]
fn plain<T: serde::Serialize + serde::de::DeserializeOwned>(
    whole: &T,
    parts: &serde_json::Value,
) -> Reading<T> {
    let mut json = serde_json::to_value(whole).unwrap();
    for (key, value) in parts.as_object().unwrap() {
        json[key] = value.clone();
    }
    known(serde_json::from_value(json).unwrap())
}

#[test]
fn a_minute_that_goes_by_is_no_change_of_the_storages() {
    let storage = |at: &str, used: u64, fails: u32, storage: &str| {
        let seen = |node: &str, storage: &str| {
            serde_json::json!({"node": node, "storage": storage, "at": at, "total_bytes": 100,
            "used_bytes": used})
        };
        let replicated = |guest: u32, fails: u32| {
            serde_json::json!({"guest": guest, "target": "local/pve-02", "last_sync": at, "last_try": at,
            "fail_count": fails, "error": null, "pid": null})
        };
        let parts = serde_json::json!({
            "seen": [seen("pve-01", "local"), seen("pve-02", "local"), seen("pve-01", storage)],
            "replicated": [replicated(100, 0), replicated(101, fails)],
        });
        Fact::Storage(plain(&crate::fact::storage::Storage::default(), &parts))
    };
    let before = storage("2026-11-20T10:00:00Z", 1, 0, "backup");
    check(
        &before,
        &storage("2026-11-20T10:01:00Z", 2, 0, "backup"),
        &[],
    );
    check(
        &before,
        &storage("2026-11-20T10:01:00Z", 2, 1, "backup"),
        &["storage replicated[101 local/pve-02].fail_count is 1, was 0"],
    );
    check(
        &before,
        &storage("2026-11-20T10:01:00Z", 2, 0, "other"),
        &[
            r#"storage seen[pve-01 backup] is unknown, was {"node":"pve-01","storage":"backup","total_bytes":100}"#,
            r#"storage seen[pve-01 other] is {"node":"pve-01","storage":"other","total_bytes":100}, was unknown"#,
        ],
    );
}

#[test]
fn a_minute_that_goes_by_is_no_change_of_the_neighbours() {
    use crate::fact::lldp::Neighbour;
    let heard = |minute: u32, pvid: Option<u64>| {
        let neighbour = |id: u32, pvid: Option<u64>| Neighbour {
            interface: crate::name::IfaceName::new("eno1").ok(),
            via: Some(crate::fact::lldp::Protocol::Lldp),
            remote_id: Some(id),
            age: Some(format!("0 day, 00:0{minute}:39")),
            pvid: pvid.and_then(|id| crate::name::VlanId::new(id).ok()),
            ..Neighbour::default()
        };
        Fact::Lldp(known(vec![neighbour(1, None), neighbour(2, pvid)]))
    };
    check(&heard(1, None), &heard(2, None), &[]);
    check(
        &heard(1, None),
        &heard(2, Some(30)),
        &["lldp [eno1 LLDP 2].pvid is 30, was unknown"],
    );
}

#[test]
fn jobs_of_systemd_are_told_one_by_one() {
    let power = |units: &[&str]| {
        let listed: Vec<_> = units
            .iter()
            .map(|unit| serde_json::json!({"unit": unit, "verb": "stop", "state": "running"}))
            .collect();
        let parts = serde_json::json!({"systemd": {"version": null, "state": "running", "failed_units": 0,
            "queued_jobs": listed.len(), "jobs": {"listed": listed}}});
        Fact::Power(plain(&crate::fact::power::Power::default(), &parts))
    };
    check(
        &power(&["a.service", "b.service"]),
        &power(&["b.service"]),
        &[
            r#"power systemd.jobs.listed[a.service] is unknown, was {"unit":"a.service","verb":"stop","state":"running"}"#,
        ],
    );
}

#[test]
fn what_corosync_did_not_know_before_is_told() {
    use crate::fact::corosync::{LinkPeer, LinkStatus};
    let corosync = |quorate: Option<bool>, highest: u32, peers: &[(u32, Option<bool>, bool)]| {
        let peer = |(id, connected, enabled): &(u32, Option<bool>, bool)| -> LinkPeer {
            serde_json::from_value(serde_json::json!({"node_id": id, "connected": connected,
            "enabled": enabled, "address": null, "mtu_bytes": null, "local": null, "status": null}))
            .unwrap()
        };
        let peers: Vec<LinkPeer> = peers.iter().map(peer).collect();
        let link: LinkStatus =
            serde_json::from_value(serde_json::json!({"link": 0, "transport": null,
        "address": null, "status": null, "faulty": null, "positions": null, "peers": peers}))
            .unwrap();
        Fact::Corosync(known(Corosync {
            quorate,
            highest_expected: Some(highest),
            links: Some(vec![link]),
            ..Corosync::default()
        }))
    };
    let before = corosync(None, 3, &[(2, None, true)]);
    check(
        &before,
        &corosync(None, 3, &[(2, Some(false), true), (3, Some(false), true)]),
        &["link 0: not connected to node 2, node 3"],
    );
    check(
        &before,
        &corosync(None, 4, &[(2, None, false)]),
        &["corosync: highest_expected is 4, was 3; links[0].peers[2].enabled is false, was true"],
    );
    let changes = changes(&before, &corosync(Some(false), 3, &[(2, None, true)]));
    assert!(
        changes[0]
            .sentence
            .starts_with("quorum: this node is not quorate")
    );
}

/// The interface of [`link`], with something else in it.
fn link_with(change: impl FnOnce(&mut Link)) -> Fact {
    let Fact::Links(Reading::Known { mut value, .. }) =
        link("    inet 10.20.0.11/24 scope global eth0\n")
    else {
        panic!()
    };
    change(&mut value[0]);
    Fact::Links(known(value))
}

#[test]
fn addresses_that_cannot_be_read_are_not_lost() {
    let with = link_with(|_| {});
    let unknown = link_with(|link| link.addresses = None);
    check(&with, &unknown, &["eth0: its addresses are unknown"]);
    check(&unknown, &with, &["eth0: its addresses are 10.20.0.11/24"]);
}

#[test]
fn a_carrier_comes_back_with_its_speed() {
    let at = |speed: Option<u32>| {
        link_with(|link| {
            link.carrier = Some(speed.is_some());
            link.speed_mbps = speed;
        })
    };
    check(
        &at(None),
        &at(Some(100)),
        &["eth0: has carrier; speed is 100 Mbit/s"],
    );
    check(
        &at(Some(1000)),
        &at(Some(100)),
        &["eth0: speed is 100 Mbit/s, was 1000 Mbit/s"],
    );
    check(&at(Some(1000)), &at(None), &["eth0: lost its carrier"]);
}
