//! Bridges and their ports: IFLA_BR_* and IFLA_BRPORT_*.

use model::fact::link::{BridgeDetails, BridgePortState, BridgeSlaveDetails};
use netlink_packet_core::Parseable as _;
use netlink_packet_route::link::{BridgeId, InfoBridge, InfoBridgePort};

use super::attribute::{Attribute, Bad, each};
use super::names;

pub(super) fn details(bytes: &[u8], bad: &mut Vec<String>) -> BridgeDetails {
    let mut bridge = BridgeDetails::default();
    let take = |attribute: Attribute<'_>| own(&mut bridge, &attribute);
    each(bytes, take, |why| bad.push(format!("bridge: {why}")));
    bridge
}

fn own(bridge: &mut BridgeDetails, attribute: &Attribute<'_>) -> Result<(), Bad> {
    match InfoBridge::parse(&attribute.whole)? {
        InfoBridge::VlanFiltering(on) => bridge.vlan_filtering = Some(on),
        InfoBridge::VlanProtocol(protocol) => bridge.vlan_protocol = Some(protocol.to_string()),
        InfoBridge::VlanDefaultPvid(id) => bridge.vlan_default_pvid = Some(id),
        InfoBridge::StpState(state) => bridge.stp_state = Some(state.into()),
        InfoBridge::ForwardDelay(time) => bridge.forward_delay_ms = Some(ms(time)),
        InfoBridge::HelloTime(time) => bridge.hello_time_ms = Some(ms(time)),
        InfoBridge::MaxAge(time) => bridge.max_age_ms = Some(ms(time)),
        InfoBridge::AgeingTime(time) => bridge.ageing_time_ms = Some(ms(time)),
        InfoBridge::Priority(priority) => bridge.priority = Some(priority.into()),
        InfoBridge::BridgeId(id) => bridge.bridge_id = Some(identity(&id)),
        InfoBridge::RootId(id) => bridge.root_id = Some(identity(&id)),
        InfoBridge::RootPort(port) => bridge.root_port = Some(port.into()),
        InfoBridge::RootPathCost(cost) => bridge.root_path_cost = Some(cost),
        InfoBridge::TopologyChange(changing) => bridge.topology_change = Some(changing != 0),
        InfoBridge::MulticastSnooping(on) => bridge.multicast_snooping = Some(on),
        _ => {}
    }
    Ok(())
}

/// The kernel counts a bridge's times in hundredths of a second (USER_HZ).
fn ms(hundredths: u32) -> u64 {
    u64::from(hundredths) * 10
}

fn identity(id: &BridgeId) -> String {
    names::bridge_id(id.priority, id.address)
}

pub(super) fn port(bytes: &[u8], bad: &mut Vec<String>) -> BridgeSlaveDetails {
    let mut port = BridgeSlaveDetails::default();
    let take = |attribute: Attribute<'_>| of_port(&mut port, &attribute);
    each(bytes, take, |why| {
        bad.push(format!("port of a bridge: {why}"))
    });
    port
}

fn of_port(port: &mut BridgeSlaveDetails, attribute: &Attribute<'_>) -> Result<(), Bad> {
    match InfoBridgePort::parse(&attribute.whole)? {
        InfoBridgePort::State(state) => {
            port.state = Some(BridgePortState::from_word(&state.to_string()));
        }
        InfoBridgePort::Priority(priority) => port.priority = Some(priority.into()),
        InfoBridgePort::Cost(cost) => port.cost = Some(cost),
        InfoBridgePort::PortNumber(number) => port.port_number = Some(number.into()),
        InfoBridgePort::BridgeId(id) => port.designated_bridge = Some(identity(&id)),
        InfoBridgePort::RootId(id) => port.designated_root = Some(identity(&id)),
        InfoBridgePort::HairpinMode(on) => port.hairpin = Some(on),
        InfoBridgePort::Guard(on) => port.bpdu_guard = Some(on),
        InfoBridgePort::Protect(on) => port.root_block = Some(on),
        InfoBridgePort::Learning(on) => port.learning = Some(on),
        InfoBridgePort::UnicastFlood(on) => port.flood = Some(on),
        InfoBridgePort::Isolated(on) => port.isolated = Some(on),
        InfoBridgePort::Locked(on) => port.locked = Some(on),
        InfoBridgePort::VlanTunnel(on) => port.vlan_tunnel = Some(on),
        _ => {}
    }
    Ok(())
}
