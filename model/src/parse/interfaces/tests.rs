//! The fixtures are written after what ifupdown2 and Proxmox VE write; none is a capture.

use super::*;
use crate::fact::bond::{BondMode, LacpRate};
use crate::fact::interfaces::{ConfVlan, OvsKind};

const PVE: &str = include_str!("../../../fixtures/interfaces/written-pve-bond-vlans");
const SDN: &str = include_str!("../../../fixtures/interfaces/written-sdn-vxlan");
const OVS: &str = include_str!("../../../fixtures/interfaces/written-ovs");
const FILE: &str = "etc/network/interfaces";

#[track_caller]
fn read(text: &str) -> Configuration {
    let parsed = parse(FILE, text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

#[track_caller]
fn interface(text: &str, name: &str) -> Interface {
    let configuration = read(text);
    let found = configuration.interface(name);
    found
        .unwrap_or_else(|| panic!("{name} is not in {configuration:?}"))
        .clone()
}

#[track_caller]
fn check_bad(text: &str, line_number: usize, why: &str) -> Configuration {
    let parsed = parse(FILE, text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 1, "{:?}", parsed.bad_lines);
    assert_eq!(parsed.bad_lines[0].line_number, line_number);
    assert!(
        parsed.bad_lines[0].why.contains(why),
        "{}",
        parsed.bad_lines[0]
    );
    parsed.value
}

fn names(configuration: &Configuration) -> Vec<&str> {
    configuration
        .interfaces
        .iter()
        .map(|interface| interface.name.as_str())
        .collect()
}

fn vlan(id: u64, raw_device: &str) -> Option<ConfVlan> {
    Some(ConfVlan {
        id: Some(VlanId::new(id).unwrap()),
        raw_device: Some(raw_device.to_owned()),
        protocol: None,
    })
}

#[test]
fn a_file_of_proxmox_is_read_whole() {
    let configuration = read(PVE);
    assert_eq!(
        names(&configuration),
        [
            "lo", "eno1", "eno2", "eno3", "bond0", "vmbr0", "bond0.30", "vlan40", "vmbr0.5",
            "vmbr1"
        ]
    );
    assert_eq!(
        configuration.sources[0].pattern,
        "/etc/network/interfaces.d/*"
    );
    assert!(configuration.comments[0].starts_with("network interface settings"));
    assert!(!configuration.interface("eno3").unwrap().auto);
    let eno1 = configuration.interface("eno1").unwrap();
    assert!(eno1.auto);
    assert_eq!(eno1.stanzas[0].comments, ["left port, switch A"]);
    assert_eq!(eno1.stanzas[0].method, Some(Method::Manual));
}

#[test]
fn a_bond_is_read_with_numbers_for_words() {
    let interface = interface(PVE, "bond0");
    let bond = interface.bond.unwrap();
    assert_eq!(bond.slaves, ["eno1", "eno2"]);
    assert_eq!(bond.mode, Some(BondMode::Ieee8023ad));
    assert_eq!(bond.mii_polling_ms, Some(100));
    assert_eq!(bond.transmit_hash_policy.as_deref(), Some("layer3+4"));
    assert_eq!(bond.lacp_rate, Some(LacpRate::Fast));
    assert_eq!(interface.mtu_bytes, Some(9000));
}

#[test]
fn two_stanzas_of_one_interface_are_one_interface() {
    let interface = interface(PVE, "vmbr0");
    assert_eq!(interface.stanzas.len(), 2);
    let addresses: Vec<_> = interface
        .addresses
        .iter()
        .map(|address| (address.address.to_string(), address.prefix_length))
        .collect();
    assert_eq!(
        addresses,
        [
            ("10.20.0.13".into(), Some(24)),
            ("2001:db8:20::13".into(), Some(64))
        ]
    );
    assert_eq!(interface.gateways.len(), 2);
    let bridge = interface.bridge.unwrap();
    assert_eq!(bridge.ports, ["bond0"]);
    assert_eq!(
        (bridge.vlan_aware, bridge.stp, bridge.no_ports),
        (Some(true), Some(false), false)
    );
    let vids = interface.bridge_vlans.unwrap().vids;
    assert_eq!((vids[0].first.get(), vids[0].last.get()), (2, 4094));
}

#[test]
fn vlans_are_known_by_name_or_by_option() {
    assert_eq!(interface(PVE, "bond0.30").vlan, vlan(30, "bond0"));
    assert_eq!(interface(PVE, "vmbr0.5").vlan, vlan(5, "vmbr0"));
    assert_eq!(interface(PVE, "vlan40").vlan, vlan(40, "bond0"));
    assert_eq!(
        interface("iface eno1.100.20 inet manual", "eno1.100.20").vlan,
        vlan(20, "eno1.100")
    );
    let by_option = "iface storage\n vlan-raw-device bond1\n vlan-id 77\n";
    assert_eq!(interface(by_option, "storage").vlan, vlan(77, "bond1"));
    // The name of a bridge that Proxmox VE makes on eno1.5, a second address, and a name with a dot.
    for name in ["vmbr0v5", "eno1:1", "eno1.5:1", "uplink.a"] {
        assert_eq!(
            interface(&format!("iface {name} inet manual"), name).vlan,
            None,
            "{name}"
        );
    }
}

#[test]
fn a_netmask_belongs_to_the_address_of_its_own_stanza() {
    assert_eq!(
        interface(PVE, "bond0.30").addresses[0].prefix_length,
        Some(24)
    );
    let above = interface("iface a inet static\n netmask 20\n address 10.0.0.1\n", "a");
    assert_eq!(above.addresses[0].prefix_length, Some(20));
    let text =
        "iface a inet static\n address 10.0.0.1\niface a inet static\n address ten\n netmask 8\n";
    let configuration = check_bad(text, 4, "not an IP address");
    let addresses = &configuration.interface("a").unwrap().addresses;
    assert_eq!((addresses.len(), addresses[0].prefix_length), (1, None));
}

#[test]
fn a_bad_netmask_leaves_the_address() {
    for text in [
        "iface a\n address 10.0.0.1/33\n",
        "iface a\n address 10.0.0.1/255.0.255.0\n",
        "iface a\n address 2001:db8::1/129\n",
    ] {
        let configuration = check_bad(text, 2, "neither a prefix length nor a netmask");
        assert_eq!(
            configuration.interface("a").unwrap().addresses[0].prefix_length,
            None
        );
    }
}

#[test]
fn commands_are_kept_in_order_with_continued_lines_joined() {
    let interface = interface(PVE, "bond0.30");
    assert_eq!(interface.commands[0].phase, "post-up");
    assert_eq!(
        interface.commands[0].command,
        "ip route add 10.99.0.0/16 via 10.30.0.1"
    );
}

#[test]
fn a_comment_that_ends_in_a_backslash_swallows_the_next_line_as_in_ifupdown2() {
    let interface = interface("iface a\n# old: \\\n mtu 9000\n mtu 1500\n", "a");
    assert_eq!(interface.mtu_bytes, Some(1500));
    assert_eq!(interface.stanzas[0].comments, ["old: mtu 9000"]);
}

#[test]
fn a_bridge_without_ports_says_so_and_underscores_are_dashes() {
    let interface = interface(PVE, "vmbr1");
    assert_eq!(interface.stanzas[0].options[0].key, "bridge-ports");
    let bridge = interface.bridge.unwrap();
    assert!(bridge.no_ports);
    assert_eq!(bridge.ports, Vec::<String>::new());
}

#[test]
fn ports_by_pattern_are_not_taken_for_names() {
    let ports = |list: &str| {
        let bridge = interface(&format!("iface br0\n bridge-ports {list}\n"), "br0")
            .bridge
            .unwrap();
        let patterns = bridge.port_patterns.iter();
        let patterns: Vec<_> = patterns
            .map(|pattern| format!("{} {}", pattern.kind, pattern.pattern))
            .collect();
        (bridge.ports.join(" "), patterns.join(", "))
    };
    assert_eq!(
        ports("regex eth.* noregex eno1"),
        ("eno1".into(), "regex eth.*".into())
    );
    assert_eq!(
        ports("regex eth.* em[12] eno1"),
        ("eno1".into(), "regex eth.*, regex em[12]".into())
    );
    assert_eq!(
        ports("eno3 glob swp1-3.100"),
        ("eno3".into(), "glob swp1-3.100".into())
    );
    assert_eq!(ports("all"), (String::new(), "all all".into()));
}

#[test]
fn a_port_that_names_its_bond_is_no_bond() {
    let text = "iface eno1 inet manual\n bond-primary eno1\n bond-master bond0\n bond-mode 1\n";
    let interface = interface(text, "eno1");
    assert_eq!(
        (interface.bond, interface.bond_master.as_deref()),
        (None, Some("bond0"))
    );
    assert_eq!(interface.stanzas[0].options.len(), 3);
}

#[test]
fn a_bond_is_read_in_older_words_too() {
    let text = "iface bond1 inet manual\n slaves none\n bond_mode active-backup\n bond_primary eno5\n \
                bond-arp-interval 200\n bond-arp-ip-target 10.0.0.1,10.0.0.2\n bond-min-links 1\n";
    let bond = interface(text, "bond1").bond.unwrap();
    assert_eq!(
        (bond.slaves.len(), bond.mode),
        (0, Some(BondMode::ActiveBackup))
    );
    assert_eq!(bond.primary.as_deref(), Some("eno5"));
    assert_eq!(
        (bond.arp_polling_ms, bond.arp_targets.len()),
        (Some(200), 2)
    );
    assert_eq!(bond.min_links, Some(1));
}

#[test]
fn open_vswitch_is_read_with_its_settings() {
    let bond = interface(OVS, "bond0");
    assert!(!bond.auto);
    assert!(bond.allow.contains("vmbr0"));
    assert_eq!((bond.bond, bond.mtu_bytes), (None, Some(9000)));
    let ovs = bond.ovs.unwrap();
    assert_eq!(ovs.kind, Some(OvsKind::Bond));
    assert_eq!(ovs.bonds, ["eno1", "eno2"]);
    assert_eq!(ovs.bridge.as_deref(), Some("vmbr0"));
    assert_eq!(ovs.bond_mode.as_deref(), Some("balance-slb"));
    assert_eq!(ovs.lacp.as_deref(), Some("active"));
    assert_eq!(ovs.settings[2].key, "other_config:lacp-time");
    assert_eq!(
        interface(OVS, "vmbr0").ovs.unwrap().ports,
        ["bond0", "mgmt.5"]
    );
    let port = interface(OVS, "mgmt.5");
    assert_eq!(port.vlan, None);
    assert_eq!(port.ovs.unwrap().tag, Some(VlanId::new(5).unwrap()));
}

#[test]
fn the_short_stanzas_of_sdn_are_read() {
    let vxlan = interface(SDN, "vxlan_vnet1");
    assert_eq!(
        (vxlan.stanzas[0].family.clone(), vxlan.mtu_bytes),
        (None, Some(1450))
    );
    let remotes = vxlan.stanzas[0]
        .options
        .iter()
        .filter(|option| option.key == "vxlan-remoteip");
    assert_eq!(remotes.count(), 2);
    assert_eq!(
        interface(SDN, "vnet1").bridge.unwrap().ports,
        ["vxlan_vnet1"]
    );
}

#[test]
fn a_second_file_adds_to_what_the_first_says() {
    let mut configuration = read("auto vnet1\niface vmbr0 inet manual\n mtu 9000\n");
    let parsed = parse_onto(
        &mut configuration,
        "etc/network/interfaces.d/x",
        "iface vnet1\n mtu 1450\niface vmbr0 inet6 manual\n mtu 1500\n",
    );
    assert_eq!(parsed.unwrap().bad_lines, []);
    assert_eq!(names(&configuration), ["vnet1", "vmbr0"]);
    assert!(configuration.interface("vnet1").unwrap().auto);
    let vmbr0 = configuration.interface("vmbr0").unwrap();
    assert_eq!(vmbr0.mtu_bytes, Some(9000));
    assert_eq!(vmbr0.stanzas[1].file, "etc/network/interfaces.d/x");
    let before = configuration.clone();
    assert!(parse_onto(&mut configuration, "x", "<html>").is_err());
    assert_eq!(configuration, before);
}

#[test]
fn options_behind_a_blank_line_belong_to_the_stanza_above_but_are_shown_as_outside_too() {
    let text = "iface a inet static\n address 10.0.0.1/8\n\n# DNS\ndns-nameservers 8.8.8.8\n";
    let configuration = read(text);
    assert_eq!(configuration.outside, ["dns-nameservers 8.8.8.8"]);
    assert_eq!(configuration.comments, ["DNS"]);
    let options = &configuration.interface("a").unwrap().stanzas[0].options;
    assert_eq!(options[1].key, "dns-nameservers");
    let indented = read("iface a inet manual\n\n post-up true\n");
    assert_eq!(indented.outside, Vec::<String>::new());
    assert_eq!(
        read("auto a\ndns-search b.test\n").outside,
        ["dns-search b.test"]
    );
}

#[test]
fn what_only_ifupdown_knows_is_kept() {
    let text = "no-auto-down lo\nmapping eth0 eth1\n script /bin/which\n map HOME eth0-home\n\
                source-directory interfaces.d\nallow-hotplug eth0 eth1\n\
                iface eth0-home inet static inherits eth0\n address 10.0.0.1\n";
    let configuration = read(text);
    assert_eq!(configuration.outside, ["no-auto-down lo"]);
    assert_eq!(configuration.mappings[0].patterns, ["eth0", "eth1"]);
    assert_eq!(configuration.mappings[0].options[1].value, "HOME eth0-home");
    assert!(configuration.sources[0].directory);
    assert!(
        configuration
            .interface("eth1")
            .unwrap()
            .allow
            .contains("hotplug")
    );
    let home = configuration.interface("eth0-home").unwrap();
    assert_eq!(home.stanzas[0].inherits.as_deref(), Some("eth0"));
}

#[test]
fn a_stanza_for_a_vlan_of_a_bridge_makes_no_interface_and_is_kept_as_text() {
    let text = "iface br\n mtu 9000\nvlan br.5\n bridge-igmp-querier-src 10.0.0.1\n";
    let configuration = read(text);
    assert_eq!(names(&configuration), ["br"]);
    assert_eq!(configuration.interfaces[0].stanzas[0].options.len(), 1);
    assert_eq!(
        configuration.outside,
        ["vlan br.5", "bridge-igmp-querier-src 10.0.0.1"]
    );
}

#[test]
fn an_alternative_name_longer_than_an_interface_name_is_a_name() {
    let name = "enx-left-port-of-switch-a-17";
    assert_eq!(
        interface(&format!("iface {name} inet manual"), name).name,
        name
    );
}

#[test]
fn a_bad_value_costs_itself_and_nothing_else() {
    let text = "iface vmbr0 inet static\n mtu big\n bridge-ports eno1\n";
    let configuration = check_bad(text, 2, "not a number");
    let vmbr0 = configuration.interface("vmbr0").unwrap();
    assert_eq!(vmbr0.mtu_bytes, None);
    assert_eq!(vmbr0.bridge.as_ref().unwrap().ports, ["eno1"]);
    assert_eq!(vmbr0.stanzas[0].options[0].value, "big");

    let vids = check_bad(
        "iface b\n bridge-vids 2 9999 10-20,30\n",
        2,
        "not a VLAN id",
    );
    let vids = &vids
        .interface("b")
        .unwrap()
        .bridge_vlans
        .as_ref()
        .unwrap()
        .vids;
    assert_eq!(vids.len(), 3);

    check_bad("iface b\n bridge-vids 20-10\n", 2, "ends before");
    check_bad(
        "iface b\n bridge-vlan-aware maybe\n",
        2,
        "neither yes nor no",
    );
    let commented = check_bad(
        "iface b\n bridge-ports en7 # uplink to sw 2\n",
        2,
        "comment",
    );
    let bridge = commented.interface("b").unwrap().bridge.as_ref().unwrap();
    assert_eq!(bridge.ports, ["en7"]);

    check_bad("iface b\n gateway\n", 2, "no value");
    check_bad("iface b\n hwaddress 00:11\u{fffd}\n", 2, "hardware address");
    check_bad("iface b\n ovs_options tag=5000 lacp=off\n", 2, "VLAN id");
    check_bad("iface b.5000\n mtu 9000\n", 1, "VLAN id");
    check_bad("auto\niface b\n", 1, "missing");
    check_bad("iface b\n%for i in range(9):\n", 2, "template");
    check_bad("iface b inet static or so\n", 1, "FAMILY METHOD");
}

#[test]
fn options_behind_an_unreadable_head_are_given_to_nobody() {
    let configuration = check_bad("iface a\n mtu 1500\niface\n mtu 9000\n", 3, "no name");
    assert_eq!(configuration.interface("a").unwrap().mtu_bytes, Some(1500));
    assert_eq!(configuration.interfaces.len(), 1);
}

#[test]
fn line_ends_tabs_and_indentation_change_nothing() {
    let expected = read(PVE);
    assert_eq!(read(&PVE.replace('\n', "\r\n")), expected);
    assert_eq!(read(&PVE.replace('\t', "      ")), expected);
    assert_eq!(read(PVE.trim_end()), expected);
    let indented: String = PVE.lines().map(|line| format!("   {line}\n")).collect();
    assert_eq!(read(&indented), expected);
}

#[test]
fn a_truncated_file_gives_what_it_still_says() {
    let half: String = PVE.chars().take(400).collect();
    let parsed = parse(FILE, &half).unwrap();
    assert!(parsed.value.interface("eno2").is_some());
}

#[test]
fn hardware_addresses_are_read_in_both_forms() {
    let mac = |value: &str| interface(&format!("iface a\n hwaddress {value}\n"), "a").mac;
    assert_eq!(
        mac("ether 00:11:22:33:44:55").unwrap().to_string(),
        "00:11:22:33:44:55"
    );
    assert_eq!(
        mac("00:11:22:33:44:55").unwrap().to_string(),
        "00:11:22:33:44:55"
    );
    assert_eq!(mac("random"), None);
}

#[test]
fn comments_alone_are_a_file_but_nothing_and_something_else_are_not() {
    assert_eq!(read("#version:3\n").comments, ["version:3"]);
    assert_eq!(parse(FILE, " \r\n"), Err(Unreadable::Empty));
    assert!(matches!(
        parse(FILE, "total 44\n"),
        Err(Unreadable::Foreign { .. })
    ));
}
