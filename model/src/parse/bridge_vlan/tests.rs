use std::fmt::Write as _;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/bridge_vlan/", $name))
    };
}

/// The ports of a text as `port: 1 PVID untagged, 2-4094`, one a line.
fn say(ports: &[PortVlans]) -> String {
    let mut said = String::new();
    for port in ports {
        let vlans = port.vlans.iter().map(|range| {
            let pvid = if range.pvid { " PVID" } else { "" };
            let untagged = if range.untagged { " untagged" } else { "" };
            format!("{}-{}{pvid}{untagged}", range.first, range.last)
        });
        let vlans: Vec<String> = vlans.collect();
        let _ = writeln!(said, "{}: {}", port.name, vlans.join(", "));
    }
    said
}

#[track_caller]
fn check(text: &str, expect: &str) {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, []);
    assert_eq!(say(&parsed.value), expect);
}

#[track_caller]
fn check_spoilt(text: &str, bad_lines: usize, expect: &str) {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines.len(), bad_lines, "{:?}", parsed.bad_lines);
    assert_eq!(say(&parsed.value), expect);
}

const NODE: &str = "vmbr0: 1-1 PVID untagged, 5-5, 30-30\n\
                    vmbr1: 1-1 PVID untagged\n\
                    bond0: 1-1 PVID untagged, 2-4094\n\
                    bond1.40: 1-1 PVID untagged\n\
                    tap100i0: 30-30 PVID untagged\n\
                    veth101i0: 1-1 PVID untagged, 100-110, 200-200\n";

#[test]
fn all_forms_of_one_node_say_the_same() {
    check(fixture!("iproute2-6.15-j.json"), NODE);
    check(fixture!("iproute2-6.15-j-compressvlans.json"), NODE);
    check(fixture!("iproute2-6.15-j-compressvlans-d.json"), NODE);
    check(
        fixture!("iproute2-6.15-compressvlans-d-in-colour.txt"),
        NODE,
    );
    let statistics =
        fixture!("iproute2-6.15-j-compressvlans.json").replace("\"vlan\":", "\"vid\":");
    check(&statistics, NODE);
}

#[test]
fn the_old_json_keyed_by_port_is_read() {
    check(
        r#"{"eth0":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":2,"vlanEnd":9}],"eth1":[]}"#,
        "eth0: 1-1 PVID untagged, 2-9\neth1: \n",
    );
}

#[test]
fn the_old_text_with_tabs_is_read() {
    check(
        "port\tvlan ids\neth0\t 1 PVID Egress Untagged\n\t 2-4094\n\nvmbr0\tNone\neth1\t 7\n\n",
        "eth0: 1-1 PVID untagged, 2-4094\nvmbr0: \neth1: 7-7\n",
    );
}

#[test]
fn line_ends_indentation_and_its_loss_make_no_difference() {
    let text = fixture!("iproute2-6.15-compressvlans-d-in-colour.txt");
    let indented: String = text.lines().map(|line| format!("\t{line}\n")).collect();
    let trimmed: Vec<&str> = text.lines().map(str::trim).collect();
    check(&text.replace('\n', "\r\n"), NODE);
    check(text.trim_end(), NODE);
    check(&indented, NODE);
    check(&trimmed.join("\n"), NODE);
    check(
        "port vlan-id\n100 1 PVID Egress Untagged\n    5\n",
        "100: 1-1 PVID untagged, 5-5\n",
    );
}

#[test]
fn entries_that_cannot_be_read_cost_only_themselves() {
    check_spoilt(
        "port              vlan-id\neth0              1 PVID\n                  5000\n                  9-7\n                  8\n",
        2,
        "eth0: 1-1 PVID, 8-8\n",
    );
    check_spoilt(
        r#"[7,{"ifname":"eth0","vlans":[{"vlan":"x"},{"vlan":0},3,{"vlan":8,"vlanEnd":[1]},{"vlan":9}]},
            {"ifname":"eth1","vlans":{}},{"vlans":[]},{"ifname":"way-too-long-for-a-name","vlans":[]},
            {"ifname":"eth2","vlans":[{"flags":"PVID","vlan":4}]}]"#,
        8,
        "eth0: 9-9\neth2: 4-4 PVID\n",
    );
    check_spoilt(
        "port vlan-id\nthis-name-is-too-long 1\n    5\neth0 7\n",
        1,
        "eth0: 7-7\n",
    );
}

#[test]
fn a_text_may_end_anywhere() {
    check_spoilt(
        r#"[{"ifname":"eth0","vlans":[{"vlan":1}]},{"ifname":"eth1","vlans":[{"vlan":2},{"vl"#,
        1,
        "eth0: 1-1\neth1: 2-2\n",
    );
    for text in [
        fixture!("iproute2-6.15-j-compressvlans.json"),
        fixture!("iproute2-6.15-compressvlans-d-in-colour.txt"),
    ] {
        for end in 0..text.len() {
            let _ = parse(&text[..end]);
        }
    }
}

#[test]
fn other_tables_of_vlans_are_refused() {
    for text in [
        fixture!("iproute2-6.15-tunnelshow.txt"),
        "port\tvlan ids\ttunnel id\nvx0\t 5\t 105\n",
        r#"[{"ifname":"vx0","tunnels":[{"vlan":5,"tunid":105}]}]"#,
        "port              vlan-id\nvmbr0             1\n                    mcast_snooping 1 mcast_querier 0\n",
        r#"[{"ifname":"vmbr0","vlans":[{"vlan":1,"mcast_snooping":1}]}]"#,
    ] {
        assert!(
            matches!(parse(text), Err(Unreadable::Foreign { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_text_that_is_no_answer_says_what_it_is() {
    assert_eq!(parse(" \n"), Err(Unreadable::Empty));
    for text in [
        "Dump terminated\n",
        "RTNETLINK answers: Operation not supported\nDump terminated\n",
        "Cannot find device \"eth9\"",
    ] {
        assert!(
            matches!(parse(text), Err(Unreadable::ToolFailed { .. })),
            "{text}"
        );
    }
    assert!(matches!(
        parse("good morning\n"),
        Err(Unreadable::Foreign { .. })
    ));
    assert!(matches!(parse("["), Err(Unreadable::BadLine(_))));
    check("[]", "");
    check("port              vlan-id  \n", "");
}

#[test]
fn ports_named_twice_and_vlans_out_of_order_are_put_together() {
    check(
        r#"[{"ifname":"a","vlans":[{"vlan":9},{"vlan":3,"vlanEnd":5},{"vlan":4,"flags":["PVID"]}]},{"ifname":"a","vlans":[{"vlan":10}]}]"#,
        "a: 3-3, 4-4 PVID, 5-5, 9-10\n",
    );
}

#[test]
fn twenty_ports_with_every_vlan_are_folded() {
    let mut text = String::from("[");
    for port in 0..20 {
        let _ = write!(
            text,
            "{}{{\"ifname\":\"tap{port}\",\"vlans\":[",
            if port == 0 { "" } else { "," }
        );
        for vlan in 1..=4094 {
            let _ = write!(
                text,
                "{}{{\"vlan\":{vlan}}}",
                if vlan == 1 { "" } else { "," }
            );
        }
        text.push_str("]}");
    }
    text.push(']');
    let parsed = parse(&text).unwrap();
    assert_eq!(parsed.value.len(), 20);
    assert!(
        parsed
            .value
            .iter()
            .all(|port| port.vlans.len() == 1 && port.vlans.capacity() < 8)
    );
}

#[test]
fn garbage_does_not_grow_a_report() {
    let entries: Vec<String> = (0..200_000)
        .map(|entry| format!("{{\"vlan\":{}}}", 1 + entry * 7 % 4093))
        .collect();
    let text = format!("[{{\"ifname\":\"a\",\"vlans\":[{}]}}]", entries.join(","));
    assert!(parse(&text).unwrap().value[0].vlans.len() <= 4094);
}
