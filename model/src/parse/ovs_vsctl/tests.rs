use super::*;

const BONDS: &str = include_str!("../../../fixtures/ovs_vsctl/ovs-3.1.0-bond-tags-tunnels.txt");

#[track_caller]
fn ovs(text: &str) -> Ovs {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

fn port<'a>(ovs: &'a Ovs, name: &str) -> &'a OvsPort {
    let mut ports = ovs.bridges.iter().flat_map(|bridge| &bridge.ports);
    ports
        .find(|port| port.name.as_deref() == Some(name))
        .unwrap()
}

#[test]
fn a_database_is_read_whole() {
    let ovs = ovs(BONDS);
    assert_eq!(
        ovs.uuid.as_deref(),
        Some("7f20df55-d0d1-45e1-b0d7-1e605581f041")
    );
    assert_eq!(ovs.version.as_deref(), Some("3.1.0"));
    assert_eq!(
        ovs.managers[0].target.as_deref(),
        Some("ptcp:6640:127.0.0.1")
    );
    let vmbr0 = &ovs.bridges[1];
    assert_eq!(vmbr0.name.as_deref(), Some("vmbr0"));
    assert_eq!(vmbr0.fail_mode, Some(FailMode::Secure));
    assert_eq!(vmbr0.datapath_type.as_deref(), Some("netdev"));
    assert_eq!(vmbr0.controllers[0].is_connected, Some(true));
    assert_eq!(ovs.managers[0].is_connected, None);
    assert_eq!((ovs.bridges[0].ports.len(), vmbr0.ports.len()), (7, 6));
}

#[test]
fn a_bond_is_a_port_of_several_interfaces() {
    let ovs = ovs(BONDS);
    let bond = port(&ovs, "bond0");
    let names: Vec<_> = bond
        .interfaces
        .iter()
        .filter_map(|one| one.name.as_deref())
        .collect();
    assert_eq!(names, ["eno2", "eno1"]);
    assert_eq!(bond.trunks.as_deref(), Some(&[1, 30, 31][..]));
    let native = port(&ovs, "eth0.40");
    assert_eq!(
        (native.tag, native.trunks.as_deref()),
        (Some(40), Some(&[50, 51][..]))
    );
}

#[test]
fn an_interface_says_its_kind_options_and_why_it_does_not_work() {
    let ovs = ovs(BONDS);
    let tunnel = &port(&ovs, "vx1").interfaces[0];
    assert_eq!(tunnel.kind, Some(OvsInterfaceKind::Vxlan));
    assert_eq!(tunnel.options["remote_ip"], "10.0.0.7");
    assert_eq!(tunnel.options["psk"], "a\"b, {c}");
    assert_eq!(
        port(&ovs, "vx2").interfaces[0].bfd_status["forwarding"],
        "false"
    );
    assert_eq!(
        port(&ovs, "patch-tun").interfaces[0].options["peer"],
        "patch-int"
    );
    let error = port(&ovs, "eth9").interfaces[0].error.as_deref();
    assert_eq!(
        error,
        Some("could not open network device eth9 (No such device)")
    );
    port(&ovs, "5port");
    port(&ovs, "true");
}

#[test]
fn indentation_crlf_tabs_and_its_loss_change_nothing() {
    let indented: String = BONDS
        .lines()
        .map(|line| format!("\t  {line}  \r\n"))
        .collect();
    assert_eq!(ovs(&indented), ovs(BONDS));
    let flat: String = BONDS
        .lines()
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    assert_eq!(ovs(&flat), ovs(BONDS));
    assert_eq!(ovs(BONDS.trim_end()), ovs(BONDS));
    assert_eq!(ovs(&BONDS.replace("    ", "\t")), ovs(BONDS));
}

#[test]
fn a_column_of_a_newer_version_is_kept_where_it_stands() {
    let text = "Bridge br0\n    mood: \"good\"\n    Port p0\n        shape: round\n        Interface i0\n            \
                color: red\nnews: 7\n";
    let ovs = ovs(text);
    let bridge = &ovs.bridges[0];
    assert_eq!(bridge.other["mood"], "good");
    assert_eq!(bridge.ports[0].other["shape"], "round");
    assert_eq!(bridge.ports[0].interfaces[0].other["color"], "red");
    assert_eq!(ovs.other["news"], "7");
}

#[test]
fn a_bad_line_costs_its_own_value_and_nothing_else() {
    let text = "Bridge br0\n    Port \"eth\n        tag: many\n        trunks: [1, x, 4096, 3\n        \
                Interface eth0\n            options: {peer, a=b}\n            type: internal\n";
    let parsed = parse(text).unwrap();
    let lines: Vec<_> = parsed.bad_lines.iter().map(|bad| bad.line_number).collect();
    assert_eq!(lines, [2, 3, 4, 6]);
    let port = &parsed.value.bridges[0].ports[0];
    assert_eq!(
        (&port.name, port.tag, port.trunks.as_deref()),
        (&None, None, Some(&[1, 3][..]))
    );
    assert_eq!(port.interfaces[0].options["a"], "b");
    assert_eq!(port.interfaces[0].kind, Some(OvsInterfaceKind::Internal));
}

#[test]
fn the_tail_of_a_text_is_given_to_nobody() {
    let parsed = parse("        tag: 7\n    Bridge br1\n        type: system\n").unwrap();
    assert_eq!(parsed.bad_lines.len(), 2);
    assert!(parsed.value.bridges[0].ports.is_empty());
}

#[test]
fn a_uuid_alone_is_open_vswitch_without_a_bridge() {
    let ovs = ovs(include_str!(
        "../../../fixtures/ovs_vsctl/ovs-3.1.0-no-bridge.txt"
    ));
    assert!(ovs.uuid.is_some());
    assert!(ovs.bridges.is_empty());
}

#[test]
fn an_error_is_never_an_empty_database() {
    let said = include_str!("../../../fixtures/ovs_vsctl/ovs-3.1.0-not-running.txt");
    let Err(Unreadable::ToolFailed { message }) = parse(said) else {
        panic!("it was read");
    };
    assert!(message.contains("database connection failed"), "{message}");
    assert_eq!(parse(""), Err(Unreadable::Empty));
    for text in ["hello", "total: 7\n", "\u{fffd}\u{fffd}: x"] {
        assert!(
            matches!(parse(text), Err(Unreadable::Foreign { .. })),
            "{text}"
        );
    }
}
