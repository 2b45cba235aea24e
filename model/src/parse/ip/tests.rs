use std::fmt::Write as _;

use super::*;
use crate::fact::bond::{BondMode, LacpRate, MiiStatus};
use crate::fact::link::{
    AddressFamily, BondSlaveState, BridgePortState, Lifetime, OperState, Statistics,
};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/ip/", $name))
    };
}

const JSON: &str = fixture!("iproute2-6.15-j-d-s-addr.json");
const LINK_IN_COLOUR: &str = fixture!("iproute2-6.15-d-s-link-in-colour.txt");
const ONE_LINE: &str = fixture!("iproute2-6.15-o-d-s-link-in-colour.txt");
const ADDR_IN_COLOUR: &str = fixture!("iproute2-6.15-d-addr-in-colour.txt");

#[track_caller]
fn links(text: &str) -> Vec<Link> {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, []);
    parsed.value
}

#[track_caller]
fn link(text: &str, name: &str) -> Link {
    let mut links = links(text);
    links.retain(|link| link.name.as_str() == name);
    assert_eq!(links.len(), 1, "{name}");
    links.remove(0)
}

/// The one link of a text, and the reasons of its bad lines with their numbers.
#[track_caller]
fn spoilt(text: &str) -> (Link, Vec<(usize, String)>) {
    let mut parsed = parse(text).unwrap();
    assert_eq!(parsed.value.len(), 1);
    let bad = parsed.bad_lines.into_iter();
    let bad = bad.map(|bad| (bad.line_number, bad.why)).collect();
    (parsed.value.remove(0), bad)
}

fn name(name: &str) -> Option<IfaceName> {
    Some(IfaceName::new(name).unwrap())
}

/// What two outputs of the same moment must agree on.
fn comparable(mut links: Vec<Link>) -> Vec<Link> {
    for link in &mut links {
        link.statistics = None;
        link.link_netns = None;
        for address in link.addresses.iter_mut().flatten() {
            (address.valid, address.preferred) = (None, None);
        }
    }
    links
}

#[test]
fn text_and_json_of_one_node_say_the_same() {
    assert_eq!(comparable(links(JSON)), comparable(links(ADDR_IN_COLOUR)));
    let mut without_addresses = comparable(links(JSON));
    for link in &mut without_addresses {
        link.addresses = None;
    }
    assert_eq!(without_addresses, comparable(links(LINK_IN_COLOUR)));
    assert_eq!(without_addresses, comparable(links(ONE_LINE)));
    let old = [
        fixture!("iproute2-6.1-j-d-s-addr.json"),
        fixture!("iproute2-6.1-s-s-d-addr.txt"),
    ];
    assert_eq!(
        comparable(links(old[0])).len(),
        comparable(links(old[1])).len()
    );
}

#[test]
fn facts_survive_json() {
    let links = links(JSON);
    let json = serde_json::to_string(&links).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Link>>(&json).unwrap(), links);
}

#[test]
fn a_bond_with_its_lacp_partner_is_read() {
    for text in [JSON, LINK_IN_COLOUR] {
        let bond = link(text, "bond0");
        assert_eq!(
            (bond.kind.as_deref(), bond.master),
            (Some("bond"), name("vmbr0"))
        );
        let details = bond.bond.unwrap();
        assert_eq!(details.mode, Some(BondMode::Ieee8023ad));
        assert_eq!(details.lacp_rate, Some(LacpRate::Fast));
        assert_eq!(details.arp_validate.as_deref(), Some("none"));
        let aggregator = details.active_aggregator.unwrap();
        assert_eq!((aggregator.id, aggregator.ports), (Some(1), Some(1)));
        let partner = aggregator.partner_mac.unwrap();
        assert_eq!(partner.to_string(), "4e:05:d8:fe:51:87");
        assert_eq!(
            bond.bridge_slave.unwrap().state,
            Some(BridgePortState::Forwarding)
        );
        let backup = link(text, "bond1").bond.unwrap();
        assert_eq!(backup.mode, Some(BondMode::ActiveBackup));
        assert_eq!(backup.active_slave, name("eno3"));
        assert_eq!(backup.active_aggregator, None);
    }
}

#[test]
fn a_bond_port_without_carrier_is_read() {
    for text in [JSON, LINK_IN_COLOUR] {
        let port = link(text, "eno2");
        assert_eq!(port.operstate, Some(OperState::Down));
        assert_eq!((port.admin_up, port.carrier), (Some(true), Some(false)));
        assert_eq!((port.link, port.link_index), (None, Some(3)));
        let slave = port.bond_slave.unwrap();
        assert_eq!(slave.state, Some(BondSlaveState::Backup));
        assert_eq!(slave.mii_status, Some(MiiStatus::Down));
        assert_eq!(slave.failures, Some(2));
        assert_eq!(
            (slave.actor_port_state, slave.partner_port_state),
            (Some(15), Some(55))
        );
        let permanent = slave.permanent_mac.unwrap();
        assert_eq!(permanent.to_string(), "9a:b4:ac:44:c2:af");
    }
}

#[test]
fn vlans_bridges_aliases_and_altnames_are_read() {
    for text in [JSON, LINK_IN_COLOUR] {
        let vlan = link(text, "vmbr0.30");
        assert_eq!(vlan.link, name("vmbr0"));
        let vlan = vlan.vlan.unwrap();
        assert_eq!(vlan.id.unwrap().get(), 30);
        assert_eq!(
            (vlan.protocol.as_deref(), vlan.flags),
            (Some("802.1Q"), vec!["REORDER_HDR".into()])
        );
        assert_eq!(
            link(text, "dummy0.7").vlan.unwrap().protocol.as_deref(),
            Some("802.1ad")
        );
        let bridge = link(text, "vmbr0").bridge.unwrap();
        assert_eq!(
            (bridge.vlan_filtering, bridge.vlan_default_pvid),
            (Some(true), Some(1))
        );
        assert_eq!(bridge.forward_delay_ms, Some(15_000));
        assert_eq!(
            link(text, "vmbr1").bridge.unwrap().vlan_filtering,
            Some(false)
        );
        assert_eq!(link(text, "vxlan9").vxlan.unwrap().vni, Some(9));
        let port = link(text, "eno1");
        assert_eq!(port.alias.as_deref(), Some("to sw-a port 7: rack 3"));
        assert_eq!(port.altnames, ["enp3s0f0np0", "enxaabbccddeeff"]);
    }
}

#[test]
fn addresses_are_read_with_prefix_scope_and_lifetime() {
    for text in [JSON, ADDR_IN_COLOUR] {
        let addresses = link(text, "vmbr0").addresses.unwrap();
        assert_eq!(addresses[0].address.to_string(), "10.0.0.5");
        assert_eq!(
            (addresses[0].prefix_len, &addresses[0].family),
            (Some(24), &AddressFamily::Inet)
        );
        assert_eq!(addresses[0].broadcast.unwrap().to_string(), "10.0.0.255");
        assert_eq!(addresses[0].valid, Some(Lifetime::Forever));
        assert_eq!(addresses[1].flags, ["dynamic"]);
        assert!(matches!(
            addresses[1].valid,
            Some(Lifetime::Seconds(3500..=3600))
        ));
        let peer = link(text, "dummy0").addresses.unwrap().remove(0);
        assert_eq!(peer.peer.unwrap().to_string(), "192.168.9.1");
        assert_eq!(
            (peer.prefix_len, peer.label.as_deref()),
            (Some(32), Some("dummy0:1"))
        );
        assert_eq!(link(text, "eno1").addresses, Some(vec![]));
    }
    assert_eq!(link(LINK_IN_COLOUR, "vmbr0").addresses, None);
    let one_line = link(fixture!("iproute2-6.1-o-addr.txt"), "vmbr0")
        .addresses
        .unwrap();
    assert_eq!(one_line.len(), 3);
    assert_eq!(one_line[2].valid, Some(Lifetime::Forever));
}

#[test]
fn brief_outputs_are_read() {
    let of_addr = fixture!("iproute2-6.1-br-addr.txt");
    let link_of_addr = link(of_addr, "vmbr0");
    assert_eq!(link_of_addr.addresses.unwrap().len(), 3);
    assert_eq!(
        link(of_addr, "eno2").operstate,
        Some(OperState::LowerLayerDown)
    );
    assert_eq!(link(of_addr, "eno2").link, name("eno2p"));
    let of_link = fixture!("iproute2-6.15-br-link-in-colour.txt");
    let port = link(of_link, "eno2");
    assert_eq!(
        (port.carrier, port.link_index, port.addresses),
        (Some(false), Some(3), None)
    );
    assert_eq!(port.mac.unwrap().to_string(), "82:f9:af:51:0f:c8");
}

#[test]
fn counters_are_taken_by_the_names_above_them() {
    let statistics = link(fixture!("iproute2-6.1-d-s-link.txt"), "vmbr0")
        .statistics
        .unwrap();
    assert_eq!(
        (statistics.rx_missed_errors, statistics.rx_over_errors),
        (Some(0), None)
    );
    assert!(statistics.rx_bytes > Some(0) && statistics.tx_packets > Some(0));
    let twice = link(fixture!("iproute2-6.1-s-s-d-addr.txt"), "eno2")
        .statistics
        .unwrap();
    assert_eq!(
        (twice.rx_over_errors, twice.carrier_changes),
        (Some(0), Some(1))
    );
}

#[test]
fn virtual_functions_keep_their_counters_and_addresses_to_themselves() {
    let text = "2: ens1: <BROADCAST,UP,LOWER_UP> mtu 1500 state UP mode DEFAULT\n\
        \x20   link/ether b4:96:91:00:00:01 brd ff:ff:ff:ff:ff:ff promiscuity 0\n\
        \x20   RX: bytes  packets  errors  dropped missed  mcast\n    10 1 0 0 0 0\n\
        \x20   TX: bytes  packets  errors  dropped carrier collsns\n    20 2 0 0 0 0\n\
        \x20   vf 0     link/ether 6e:cc:c3:00:00:02 brd ff:ff:ff:ff:ff:ff, vlan 5, spoof checking on, link-state auto, trust off\n\
        \x20   RX: bytes  packets  mcast   bcast   dropped\n    999 9 9 9 9\n\
        \x20   TX: bytes  packets   dropped\n    888 8 8\n\
        \x20   vf 1 MAC 6e:cc:c3:00:00:03, spoof checking off, link-state disable\n\
        \x20   altname enp1s0\n";
    let link = link(text, "ens1");
    assert_eq!(link.mac.unwrap().to_string(), "b4:96:91:00:00:01");
    let expect = Statistics {
        rx_bytes: Some(10),
        rx_packets: Some(1),
        rx_errors: Some(0),
        rx_dropped: Some(0),
        rx_missed_errors: Some(0),
        rx_multicast: Some(0),
        tx_bytes: Some(20),
        tx_packets: Some(2),
        tx_errors: Some(0),
        tx_dropped: Some(0),
        tx_carrier_errors: Some(0),
        tx_collisions: Some(0),
        ..Statistics::default()
    };
    assert_eq!(link.statistics, Some(expect));
    assert_eq!(link.altnames, ["enp1s0"]);
    let vf = &link.virtual_functions[0];
    assert_eq!(
        (vf.number, vf.vlan.unwrap().get(), vf.trust),
        (Some(0), 5, Some(false))
    );
    let old = &link.virtual_functions[1];
    assert_eq!(old.mac.as_ref().unwrap().to_string(), "6e:cc:c3:00:00:03");
    assert_eq!(
        (old.spoof_checking, old.link_state.as_deref()),
        (Some(false), Some("disable"))
    );
}

#[test]
fn an_attribute_that_a_mail_program_put_on_the_next_line_is_no_kind() {
    let text = "7: lan1: <BROADCAST,UP> mtu 1400 qdisc noqueue master br7\n        state LOWERLAYERDOWN qlen 500\n    \
                link/ether 0a:00:00:00:00:07 brd ff:ff:ff:ff:ff:ff promiscuity 1 minmtu 68\n    maxmtu 2000\n    \
                root_block off fastleave off\n    bridge_slave state disabled priority 32\n";
    let link = link(text, "lan1");
    assert_eq!(link.kind, None);
    assert_eq!(link.operstate, Some(OperState::LowerLayerDown));
    assert_eq!(link.tx_queue_length, Some(500));
    assert_eq!(link.max_mtu_bytes, Some(2000));
    let port = link.bridge_slave.unwrap();
    assert_eq!(port.state, Some(BridgePortState::Disabled));
}

#[test]
fn the_beginning_of_a_hardware_address_is_none() {
    let (link, bad) = spoilt("3: ib4: <UP> mtu 2044\n    link/infiniband 80:00:02:08 brd 00:ff\n");
    assert_eq!((link.mac, link.broadcast_mac), (None, None));
    assert_eq!((bad.len(), bad[0].0), (2, 2));
}

#[test]
fn a_line_wrapped_inside_a_word_is_one_line() {
    let whole = "3: eno1: <BROADCAST,MULTICAST,SLAVE,UP,LOWER_UP> mtu 9000 qdisc mq master bond0 state UP mode DEFAULT group default qlen 1000\n    link/ether b4:96:91:e5:c8:a9 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 68 maxmtu 9702\n    bond_slave state ACTIVE mii_status UP link_failure_count 3 perm_hwaddr b4:96:91:e5:c8:a9 queue_id 7\n";
    let expect = link(whole, "eno1");
    assert_eq!(expect.bond_slave.as_ref().unwrap().queue_id, Some(7));
    for width in 80..100 {
        let mut wrapped = String::new();
        for line in whole.lines() {
            let pieces: Vec<_> = line.as_bytes().chunks(width).collect();
            for piece in pieces {
                wrapped.push_str(std::str::from_utf8(piece).unwrap());
                wrapped.push('\n');
            }
        }
        assert_eq!(
            links(&wrapped),
            std::slice::from_ref(&expect),
            "{width}\n{wrapped}"
        );
    }
    let prompt = format!("{whole}root@pve1:~# \n");
    assert_eq!(link(&prompt, "eno1").master, name("bond0"));
}

#[test]
fn an_attribute_without_a_value_costs_only_itself() {
    let (link, bad) =
        spoilt("2: eno1: <UP> mtu qdisc mq master state UP qlen 1000 unpaired\n    bond_slave\n");
    assert_eq!((link.mtu_bytes, link.master), (None, None));
    assert_eq!(
        (link.qdisc.as_deref(), link.operstate),
        (Some("mq"), Some(OperState::Up))
    );
    assert_eq!(link.tx_queue_length, Some(1000));
    assert_eq!(bad.len(), 2);
    assert_eq!(bad[0], (1, "mtu: the value is not a number".into()));
}

#[test]
fn a_text_may_end_anywhere() {
    for text in [LINK_IN_COLOUR, ADDR_IN_COLOUR, ONE_LINE, JSON] {
        let whole = links(text);
        for end in (0..text.len())
            .step_by(211)
            .filter(|end| text.is_char_boundary(*end))
        {
            let Ok(parsed) = parse(&text[..end]) else {
                continue;
            };
            // All but the interface that is cut are as they are in the whole text.
            let kept = parsed.value.len().saturating_sub(1);
            for (cut, link) in parsed.value.iter().zip(&whole).take(kept) {
                let mut link = link.clone();
                if cut.addresses.is_none() {
                    link.addresses = None;
                }
                assert_eq!(cut, &link, "{end}");
            }
        }
    }
    let (link, bad) = spoilt("2: eno1: <UP,LOWER_UP> mtu 1500\n    link/ether 52:54:00:36:\n");
    assert_eq!((link.mtu_bytes, link.mac), (Some(1500), None));
    assert_eq!(bad.len(), 1);
    let (link, _) = spoilt("2: eno1: <BROADCAST,MULTICAST,UP");
    assert_eq!((link.flags, link.carrier), (None, None));
}

#[test]
fn an_interface_that_may_be_cut_off_is_not_said_to_be_without_addresses() {
    let text = "1: lo: <UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\n2: eno1: <UP> mtu 1500\n\
                3: eno2: <UP> mtu 1500";
    assert_eq!(link(text, "eno1").addresses, Some(vec![]));
    assert_eq!(link(text, "eno2").addresses, None);
    assert_eq!(link(&format!("{text}\n"), "eno2").addresses, Some(vec![]));
}

#[test]
fn what_stands_behind_the_output_is_no_kind() {
    for behind in [
        "--",
        "root@pve1:~# bridge vlan",
        "done",
        "+ bridge vlan show",
    ] {
        let text = format!("2: eno1: <UP> mtu 1500\n    link/ether 00:11:22:33:44:55\n{behind}\n");
        assert_eq!(link(&text, "eno1").kind, None, "{behind}");
    }
}

#[test]
fn line_ends_indentation_and_tabs_make_no_difference() {
    let text = fixture!("iproute2-6.1-d-s-link.txt");
    let expect = links(text);
    let indented: String = text.lines().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "        {line}");
        all
    });
    let trimmed: Vec<&str> = text.lines().map(str::trim).collect();
    for other in [
        text.replace('\n', "\r\n"),
        text.trim_end().to_owned(),
        text.replace("    ", "\t"),
        indented,
        trimmed.join("\n"),
        format!("root@pve1:~# ip -d -s link\n{text}"),
    ] {
        assert_eq!(links(&other), expect);
    }
}

#[test]
fn a_name_that_cannot_be_one_costs_its_own_lines_only() {
    let text = "1: a-name-that-is-too-long: <UP> mtu 1\n    link/ether 00:11:22:33:44:55\n\
                2: eno1: <UP> mtu 1500\n";
    let (link, bad) = spoilt(text);
    assert_eq!(
        (link.name.as_str(), link.mac, link.mtu_bytes),
        ("eno1", None, Some(1500))
    );
    assert_eq!(bad[0].0, 1);
    let json = r#"[{"ifname":"a-name-that-is-too-long"},7,{"ifname":null,"mtu":1},{},{"ifname":"eno1","mtu":1500}]"#;
    let (link, bad) = spoilt(json);
    assert_eq!((link.name.as_str(), link.mtu_bytes), ("eno1", Some(1500)));
    assert_eq!(bad.len(), 3);
}

#[test]
fn a_json_value_of_another_type_costs_only_itself() {
    let json = r#"[{"ifname":"eno1","mtu":{"a":1},"flags":"UP","txqlen":"many","qdisc":null,"address":"00:11:22:33:44:55",
        "addr_info":[1,{"family":"inet","local":"10.0.0.300"},{"family":"inet","local":"10.0.0.3","prefixlen":64}],
        "stats64":{"rx":{"bytes":-1,"packets":5}},"linkinfo":{"info_kind":"bond","info_data":{"mode":7,"miimon":"x"}}}]"#;
    let (link, bad) = spoilt(json);
    assert_eq!(
        (link.mtu_bytes, &link.flags, &link.qdisc),
        (None, &None, &None)
    );
    assert_eq!(link.mac.unwrap().to_string(), "00:11:22:33:44:55");
    let address = &link.addresses.unwrap()[0];
    assert_eq!(
        (address.address.to_string().as_str(), address.prefix_len),
        ("10.0.0.3", None)
    );
    assert_eq!(link.statistics.unwrap().rx_packets, Some(5));
    assert_eq!(link.bond.unwrap().mode, Some(BondMode::Other("7".into())));
    assert_eq!(bad.len(), 8, "{bad:?}");
}

#[test]
fn unknown_words_flags_and_keys_are_kept_or_skipped() {
    let link = link(
        "2: x@NONE: <UP,40000> mtu 1500 state 0x9 futurekey 7\n    link/[778] whatever\n    newkind option 3\n",
        "x",
    );
    assert_eq!(link.operstate, Some(OperState::Other("0x9".into())));
    assert_eq!(link.flags.unwrap(), ["UP", "40000"]);
    assert_eq!((link.link, link.kind.as_deref()), (None, Some("newkind")));
    assert_eq!(link.mac, None);
}

#[test]
fn a_20_byte_address_and_a_dormant_link_are_facts() {
    let address = "80:00:02:08:fe:80:00:00:00:00:00:00:e4:1d:2d:03:00:1d:67:f1";
    let text = format!(
        "4: ib0: <NO-CARRIER,UP,LOWER_UP> mtu 2044 state DORMANT\n    link/infiniband {address} brd {address}\n"
    );
    let link = link(&text, "ib0");
    assert_eq!(link.mac.unwrap().to_string(), address);
    assert_eq!(
        (link.carrier, link.operstate),
        (Some(true), Some(OperState::Dormant))
    );
}

#[test]
fn outputs_of_one_node_are_merged_by_name() {
    let mut merged = links(LINK_IN_COLOUR);
    merge(&mut merged, links(JSON));
    assert_eq!(merged.len(), 16);
    assert_eq!(merged[1].addresses.as_ref().unwrap().len(), 3);
    assert!(merged[1].bridge.is_some());
    let both = format!("{LINK_IN_COLOUR}{ADDR_IN_COLOUR}");
    assert_eq!(links(&both).len(), 16);
    assert_eq!(links(&format!("{JSON}\n{JSON}")).len(), 16);
}

#[test]
fn a_text_that_is_no_answer_says_what_it_is() {
    for text in ["", "\r\n \n", "\u{feff}"] {
        assert_eq!(parse(text), Err(Unreadable::Empty), "{text:?}");
    }
    for text in [
        "Device \"eno9\" does not exist.\n",
        "Cannot open netlink socket: Permission denied",
        "bash: ip: command not found",
    ] {
        assert!(
            matches!(parse(text), Err(Unreadable::ToolFailed { .. })),
            "{text}"
        );
    }
    for text in ["Hello\nworld up 3\n", "[1,2]", r#"[{"vlan":1}]"#] {
        assert!(
            matches!(parse(text), Err(Unreadable::Foreign { .. })),
            "{text}"
        );
    }
    assert!(matches!(
        parse(r#"[{"ifname":"#),
        Err(Unreadable::BadLine(_))
    ));
    assert_eq!(links("[]"), []);
}

#[test]
fn bytes_that_are_not_utf_8_stay_where_they_are() {
    let link = link(
        "2: eno1: <UP> mtu 1500\n    link/ether 00:11:22:33:44:55\n    alias caf\u{fffd}\n",
        "eno1",
    );
    assert_eq!(link.alias.as_deref(), Some("caf\u{fffd}"));
}

#[test]
fn garbage_does_not_grow_a_report() {
    let mut text = String::new();
    for number in 0..20_000 {
        let _ = writeln!(text, "{number}: n{number}: <UP>\n    altname a");
    }
    let parsed = parse(&text).unwrap();
    assert_eq!(parsed.value.len(), MAX_LINKS);
    let _ = parse(&format!("1: a: {}", "mtu ".repeat(100_000)));
    let _ = parse(&"[".repeat(100_000));
}
