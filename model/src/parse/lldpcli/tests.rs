use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/lldpcli/lldpd-1.0.16-", $name))
    };
}

#[track_caller]
fn neighbours(text: &str) -> Vec<Neighbour> {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

fn one(inner: &str) -> String {
    format!(r#"{{"lldp":{{"interface":{{"eno1":{{"via":"LLDP",{inner}}}}}}}}}"#)
}

fn vlan_ids(neighbour: &Neighbour) -> Vec<Option<u16>> {
    neighbour
        .vlans
        .iter()
        .map(|vlan| vlan.id.map(VlanId::get))
        .collect()
}

#[test]
fn a_switch_port_is_read_whole() {
    let neighbours = neighbours(fixture!("three-neighbours.json"));
    assert_eq!(neighbours.len(), 3);
    let first = &neighbours[0];
    assert_eq!(first.interface.as_ref().unwrap().as_str(), "eno1");
    assert_eq!(
        (&first.via, first.remote_id),
        (&Some(Protocol::Lldp), Some(1))
    );
    let chassis = &first.chassis;
    assert_eq!(chassis.name.as_deref(), Some("sw-rack1-a"));
    let id = chassis.id.as_ref().unwrap();
    assert_eq!(
        (&id.kind, id.value.as_deref()),
        (&Some(IdKind::Mac), Some("c6:13:48:fc:2f:b0"))
    );
    assert_eq!(chassis.management_addresses, ["10.10.0.2", "fd00::2"]);
    assert_eq!(chassis.capabilities[3].kind, "Station");
    assert_eq!(chassis.capabilities[3].enabled, Some(true));
    let port = &first.port;
    assert_eq!(
        port.id.as_ref().unwrap().value.as_deref(),
        Some("Ethernet1/1")
    );
    assert_eq!(port.description.as_deref(), Some("pve-01 \"eno1\" uplink"));
    assert_eq!(
        (port.ttl_seconds, port.max_frame_bytes),
        (Some(120), Some(9236))
    );
    assert_eq!(port.aggregation_id, Some(7));
    assert!(port.other.contains_key("auto-negotiation"));
    assert_eq!(vlan_ids(first), [Some(30), Some(31), Some(1)]);
    assert_eq!(first.vlans[0].name.as_deref(), Some("storage"));
    assert_eq!(first.pvid.map(VlanId::get), Some(1));
    assert!(first.other.contains_key("lldp-med"));
}

#[test]
fn one_vlan_stands_without_brackets_and_a_port_can_hear_two() {
    let neighbours = neighbours(fixture!("three-neighbours.json"));
    assert_eq!(vlan_ids(&neighbours[1]), [Some(40)]);
    assert_eq!(neighbours[1].interface, neighbours[2].interface);
    assert_ne!(neighbours[1].chassis.id, neighbours[2].chassis.id);
}

#[test]
fn a_system_that_sent_no_name_has_none() {
    let nameless = &neighbours(fixture!("three-neighbours.json"))[2];
    assert_eq!(nameless.chassis.name, None);
    assert_eq!(
        nameless.chassis.id.as_ref().unwrap().value.as_deref(),
        Some("a2:af:26:87:bc:3d")
    );
    let called_id = one(r#""chassis":{"id":{"id":{"type":"mac","value":"x"}}}"#);
    assert_eq!(
        neighbours(&called_id)[0].chassis.name.as_deref(),
        Some("id")
    );
}

#[test]
fn json0_says_the_same_as_json() {
    let mut json = neighbours(fixture!("three-neighbours.json"));
    let mut json0 = neighbours(fixture!("three-neighbours.json0"));
    for neighbour in json.iter_mut().chain(&mut json0) {
        // What is kept as it stood looks as it stood, and time went on between the two captures.
        neighbour.other.clear();
        neighbour.chassis.other.clear();
        neighbour.port.other.clear();
        neighbour.age = None;
    }
    assert_eq!(json, json0);
    let json0 = neighbours(fixture!("one-neighbour.json0"));
    let json = neighbours(fixture!("one-neighbour.json"));
    assert_eq!(json0[0].chassis.name, json[0].chassis.name);
    assert_eq!(json0[0].port.aggregation_id, Some(7));
}

#[test]
fn lldpd_that_hears_nobody_is_an_answer() {
    for text in [
        fixture!("nobody.json"),
        fixture!("nobody.json0"),
        r#"{"lldp":[]}"#,
    ] {
        assert_eq!(neighbours(text), []);
    }
}

#[test]
fn an_error_is_never_an_empty_list() {
    let said = fixture!("not-running.txt");
    let Err(Unreadable::ToolFailed { message }) = parse(said) else {
        panic!("it was read");
    };
    assert!(
        message.ends_with("/run/lldpd.socket: No such file or directory"),
        "{message}"
    );
    let with_frame = format!("{said}{{\"lldp\":{{}}}}\n");
    assert!(matches!(
        parse(&with_frame),
        Err(Unreadable::ToolFailed { .. })
    ));
    assert!(matches!(
        parse("bash: lldpcli: command not found"),
        Err(Unreadable::ToolFailed { .. })
    ));
}

#[test]
fn a_frame_without_a_single_neighbour_in_it_is_no_empty_list() {
    for text in [
        fixture!("show-interfaces.json"),
        fixture!("three-neighbours-plain.txt"),
        r#"{"lldp":{"interface":7}}"#,
        r#"{"lldp":{"interface":{"eno1":{"tx":{"tx":"13"}}}}}"#,
        r#"{"lldp":null}"#,
        r#"{"local-chassis":{}}"#,
        r#"{"lldp":[3]}"#,
    ] {
        assert!(
            matches!(parse(text), Err(Unreadable::Foreign { .. })),
            "{text}"
        );
    }
}

#[test]
fn one_bad_element_loses_nothing_else() {
    let text = one(
        r#""chassis":{"sw1":{"id":7,"mgmt-ip":["10.0.0.1",{}],"capability":[5]}},
        "port":{"ttl":"soon","mfs":"9236"},"vlan":[{"vlan-id":"9999","value":"x"},{"vlan-id":30,"pvid":"yes"},9]"#,
    );
    let parsed = parse(&text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 6, "{:#?}", parsed.bad_lines);
    let neighbour = &parsed.value[0];
    assert_eq!(neighbour.chassis.management_addresses, ["10.0.0.1"]);
    assert_eq!(
        (neighbour.port.ttl_seconds, neighbour.port.max_frame_bytes),
        (None, Some(9236))
    );
    assert_eq!(vlan_ids(neighbour), [None, Some(30), None]);
    assert_eq!(neighbour.pvid.map(VlanId::get), Some(30));
}

#[test]
fn crlf_and_indentation_change_nothing_and_a_cut_text_is_no_answer() {
    let text = fixture!("three-neighbours.json");
    assert_eq!(neighbours(&text.replace('\n', "\r\n\t")), neighbours(text));
    assert_eq!(neighbours(text.trim()), neighbours(text));
    let end = text.trim_end().len();
    for length in (2..end).step_by(11) {
        assert!(parse(&text[..length]).is_err(), "{length}");
    }
    assert_eq!(parse("\n"), Err(Unreadable::Empty));
}

#[test]
fn a_name_that_is_not_utf8_is_kept_as_far_as_it_can_be() {
    let text = one("\"chassis\":{\"sw\u{fffd}1\":{\"id\":{\"type\":\"mac\",\"value\":\"x\"}}}");
    assert_eq!(
        neighbours(&text)[0].chassis.name.as_deref(),
        Some("sw\u{fffd}1")
    );
}
