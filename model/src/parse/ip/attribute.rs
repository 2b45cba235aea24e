//! The attributes of an interface by name, one table a part. iproute2 prints the same attribute as `key value` and as
//! JSON, sometimes under two names; both come here as text.

use core::net::IpAddr;
use std::str::FromStr;

use crate::fact::bond::{Aggregator, BondMode, LacpRate, MiiStatus};
use crate::fact::hardware_address::HardwareAddress;
use crate::fact::link::{
    BondDetails, BondSlaveDetails, BondSlaveState, BridgeDetails, BridgePortState,
    BridgeSlaveDetails, Link, OperState, VlanDetails, VxlanDetails,
};
use crate::name::{IfaceName, VlanId};

/// `Ok(false)`: it is no attribute of this part. `Err`: it is one, but its value is not what the text says.
pub(super) type Taken = Result<bool, &'static str>;

/// Which part of an interface `key value` belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The line with the name.
    Header,
    /// The line with the hardware address.
    Hardware,
    Kind(Kind),
    SlaveKind(Kind),
}

/// The kinds whose details are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bond,
    Bridge,
    Vlan,
    Vxlan,
    Other,
}

impl Kind {
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "bond" => Self::Bond,
            "bridge" => Self::Bridge,
            "vlan" => Self::Vlan,
            "vxlan" => Self::Vxlan,
            _ => Self::Other,
        }
    }
}

/// Gives the interface details of this kind, so that an empty line of details differs from none.
pub(super) fn begin(link: &mut Link, part: Part) {
    match part {
        Part::Kind(Kind::Bond) => drop(link.bond.get_or_insert_default()),
        Part::Kind(Kind::Bridge) => drop(link.bridge.get_or_insert_default()),
        Part::Kind(Kind::Vlan) => drop(link.vlan.get_or_insert_default()),
        Part::Kind(Kind::Vxlan) => drop(link.vxlan.get_or_insert_default()),
        Part::SlaveKind(Kind::Bond) => drop(link.bond_slave.get_or_insert_default()),
        Part::SlaveKind(Kind::Bridge) => drop(link.bridge_slave.get_or_insert_default()),
        Part::Header | Part::Hardware | Part::Kind(_) | Part::SlaveKind(_) => {}
    }
}

/// Takes one attribute; behind a part's own attributes stand those of the device.
pub(super) fn take(link: &mut Link, part: Part, key: &str, value: &str) -> Taken {
    let own = match part {
        Part::Header => return header(link, key, value),
        Part::Hardware => hardware(link, key, value),
        Part::Kind(Kind::Bond) => bond(link.bond.get_or_insert_default(), key, value),
        Part::Kind(Kind::Bridge) => bridge(link.bridge.get_or_insert_default(), key, value),
        Part::Kind(Kind::Vlan) => vlan(link.vlan.get_or_insert_default(), key, value),
        Part::Kind(Kind::Vxlan) => vxlan(link.vxlan.get_or_insert_default(), key, value),
        Part::SlaveKind(Kind::Bond) => {
            bond_slave(link.bond_slave.get_or_insert_default(), key, value)
        }
        Part::SlaveKind(Kind::Bridge) => {
            bridge_slave(link.bridge_slave.get_or_insert_default(), key, value)
        }
        Part::Kind(_) | Part::SlaveKind(_) => Ok(false),
    }?;
    if own {
        Ok(true)
    } else {
        device(link, key, value)
    }
}

/// Is this word an attribute of this part?
pub(super) fn is_key(part: Part, word: &str) -> bool {
    if !word.starts_with(|first: char| first.is_ascii_lowercase()) {
        return false;
    }
    // Without a value no attribute is taken, and every one says so.
    let mut scratch = match IfaceName::new("x") {
        Ok(name) => Link::named(name),
        Err(_) => return false,
    };
    take(&mut scratch, part, word, "") != Ok(false)
}

fn header(link: &mut Link, key: &str, value: &str) -> Taken {
    match key {
        "mtu" => link.mtu_bytes = Some(number(value)?),
        "qdisc" => link.qdisc = Some(word(value)?),
        "master" => link.master = Some(name(value)?),
        // A number where iproute2 does not know the word.
        "state" | "operstate" | "operstate_index" => {
            link.operstate = Some(OperState::from_word(&word(value)?));
        }
        "group" => link.group = Some(word(value)?),
        "qlen" | "txqlen" => link.tx_queue_length = Some(number(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn hardware(link: &mut Link, key: &str, value: &str) -> Taken {
    match key {
        "link_type" => link.link_type = Some(word(value)?),
        "address" => hardware_address(link, value)?,
        "brd" | "peer" | "broadcast" => link.broadcast_mac = mac_unless_ip(value)?,
        "permaddr" => link.permanent_mac = Some(mac(value)?),
        "link-netnsid" | "link_netnsid" | "link-netns" | "link_netns" => {
            link.link_netns = Some(word(value)?);
        }
        "protodown" | "proto_down" => link.proto_down = Some(flag(value)?),
        "promiscuity" => link.promiscuity = Some(number(value)?),
        "allmulti" => link.allmulti = Some(number(value)?),
        "minmtu" | "min_mtu" => link.min_mtu_bytes = Some(number(value)?),
        "maxmtu" | "max_mtu" => link.max_mtu_bytes = Some(number(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// What `-d` prints last, on whichever line that is.
fn device(link: &mut Link, key: &str, value: &str) -> Taken {
    match key {
        "parentbus" => link.parent_bus = Some(word(value)?),
        "parentdev" => link.parent_device = Some(word(value)?),
        "portname" | "phys_port_name" => link.phys_port_name = Some(word(value)?),
        "portid" | "phys_port_id" => link.phys_port_id = Some(word(value)?),
        "switchid" | "phys_switch_id" => link.phys_switch_id = Some(word(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn vlan(vlan: &mut VlanDetails, key: &str, value: &str) -> Taken {
    match key {
        "protocol" => vlan.protocol = Some(word(value)?),
        "id" => vlan.id = Some(vlan_id(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn vxlan(vxlan: &mut VxlanDetails, key: &str, value: &str) -> Taken {
    match key {
        "id" => vxlan.vni = Some(number(value)?),
        "local" | "local6" => vxlan.local = Some(ip(value)?),
        "remote" | "remote6" => vxlan.remote = Some(ip(value)?),
        "group" | "group6" => vxlan.group = Some(ip(value)?),
        "dstport" | "port" => vxlan.udp_port = Some(number(value)?),
        "dev" | "link" => vxlan.device = Some(name(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn bond(bond: &mut BondDetails, key: &str, value: &str) -> Taken {
    match key {
        "mode" => bond.mode = Some(BondMode::from_word(&word(value)?)),
        "active_slave" => bond.active_slave = Some(name(value)?),
        "primary" => bond.primary_slave = Some(name(value)?),
        "primary_reselect" => bond.primary_reselect = Some(word(value)?),
        "fail_over_mac" => bond.fail_over_mac = Some(word(value)?),
        "xmit_hash_policy" => bond.transmit_hash_policy = Some(word(value)?),
        "miimon" => bond.mii_polling_ms = Some(number(value)?),
        "updelay" => bond.up_delay_ms = Some(number(value)?),
        "downdelay" => bond.down_delay_ms = Some(number(value)?),
        "peer_notify_delay" => bond.peer_notification_delay_ms = Some(number(value)?),
        "arp_interval" => bond.arp_polling_ms = Some(number(value)?),
        "arp_ip_target" | "ns_ip6_target" => {
            let targets = value.split(',').filter(|target| !target.is_empty());
            bond.arp_targets.extend(targets.map(str::to_owned));
        }
        "arp_validate" => bond.arp_validate = Some(word(value)?),
        "min_links" => bond.min_links = Some(number(value)?),
        "lacp_active" | "ad_lacp_active" => bond.lacp_active = Some(word(value)?),
        "lacp_rate" | "ad_lacp_rate" => bond.lacp_rate = Some(LacpRate::from_word(&word(value)?)),
        "ad_select" => bond.ad_select = Some(word(value)?),
        "ad_actor_sys_prio" => bond.system_priority = Some(number(value)?),
        "ad_actor_system" => bond.system_mac = Some(mac(value)?),
        "ad_aggregator" | "ad_num_ports" | "ad_actor_key" | "ad_partner_key" | "ad_partner_mac" => {
            let key = key.strip_prefix("ad_").unwrap_or(key);
            return aggregator(bond.active_aggregator.get_or_insert_default(), key, value);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// JSON's `ad_info`; in plain text each key has `ad_` before it.
pub(super) fn aggregator(aggregator: &mut Aggregator, key: &str, value: &str) -> Taken {
    match key {
        "aggregator" => aggregator.id = Some(number(value)?),
        "num_ports" => aggregator.ports = Some(number(value)?),
        "actor_key" => aggregator.actor_key = Some(number(value)?),
        "partner_key" => aggregator.partner_key = Some(number(value)?),
        "partner_mac" => aggregator.partner_mac = Some(mac(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn bond_slave(slave: &mut BondSlaveDetails, key: &str, value: &str) -> Taken {
    match key {
        "state" | "state_index" => slave.state = Some(BondSlaveState::from_word(&word(value)?)),
        // `GOING_DOWN` here, `going down` in /proc/net/bonding.
        "mii_status" | "mii_status_index" => {
            let status = word(value)?.replace('_', " ");
            slave.mii_status = Some(MiiStatus::from_word(&status));
        }
        "link_failure_count" => slave.failures = Some(number(value)?),
        "perm_hwaddr" => slave.permanent_mac = Some(mac(value)?),
        "queue_id" => slave.queue_id = Some(number(value)?),
        "prio" => slave.priority = Some(number(value)?),
        "ad_aggregator_id" => slave.aggregator_id = Some(number(value)?),
        "ad_actor_oper_port_state" => slave.actor_port_state = Some(number(value)?),
        "ad_partner_oper_port_state" => slave.partner_port_state = Some(number(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn bridge(bridge: &mut BridgeDetails, key: &str, value: &str) -> Taken {
    match key {
        "vlan_filtering" => bridge.vlan_filtering = Some(flag(value)?),
        "vlan_protocol" => bridge.vlan_protocol = Some(word(value)?),
        "vlan_default_pvid" => bridge.vlan_default_pvid = Some(number(value)?),
        "stp_state" => bridge.stp_state = Some(number(value)?),
        "forward_delay" => bridge.forward_delay_ms = Some(centiseconds(value)?),
        "hello_time" => bridge.hello_time_ms = Some(centiseconds(value)?),
        "max_age" => bridge.max_age_ms = Some(centiseconds(value)?),
        "ageing_time" => bridge.ageing_time_ms = Some(centiseconds(value)?),
        "priority" => bridge.priority = Some(number(value)?),
        "bridge_id" => bridge.bridge_id = Some(word(value)?),
        "designated_root" | "root_id" => bridge.root_id = Some(word(value)?),
        "root_port" => bridge.root_port = Some(number(value)?),
        "root_path_cost" => bridge.root_path_cost = Some(number(value)?),
        "topology_change" => bridge.topology_change = Some(flag(value)?),
        "mcast_snooping" => bridge.multicast_snooping = Some(flag(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn bridge_slave(slave: &mut BridgeSlaveDetails, key: &str, value: &str) -> Taken {
    match key {
        "state" | "state_index" => slave.state = Some(BridgePortState::from_word(&word(value)?)),
        "priority" => slave.priority = Some(number(value)?),
        "cost" => slave.cost = Some(number(value)?),
        "port_no" | "no" => slave.port_number = Some(hexadecimal(value)?),
        "designated_bridge" | "bridge_id" => slave.designated_bridge = Some(word(value)?),
        "designated_root" | "root_id" => slave.designated_root = Some(word(value)?),
        "hairpin" => slave.hairpin = Some(flag(value)?),
        "guard" => slave.bpdu_guard = Some(flag(value)?),
        "root_block" => slave.root_block = Some(flag(value)?),
        "learning" => slave.learning = Some(flag(value)?),
        "flood" => slave.flood = Some(flag(value)?),
        "isolated" => slave.isolated = Some(flag(value)?),
        "locked" => slave.locked = Some(flag(value)?),
        "vlan_tunnel" => slave.vlan_tunnel = Some(flag(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn number<N: FromStr>(value: &str) -> Result<N, &'static str> {
    value.parse().map_err(|_| "the value is not a number")
}

pub(super) fn word(value: &str) -> Result<String, &'static str> {
    if value.is_empty() {
        Err("the value is missing")
    } else {
        Ok(value.to_owned())
    }
}

pub(super) fn flag(value: &str) -> Result<bool, &'static str> {
    match value {
        "1" | "on" | "true" | "yes" => Ok(true),
        "0" | "off" | "false" | "no" => Ok(false),
        _ => Err("the value is neither on nor off"),
    }
}

pub(super) fn mac(value: &str) -> Result<HardwareAddress, &'static str> {
    value
        .parse()
        .map_err(|_| "the value is not a hardware address")
}

/// Notes the interface's own address. One of the wrong length has lost its end.
pub(super) fn hardware_address(link: &mut Link, value: &str) -> Result<(), &'static str> {
    let mac = mac_unless_ip(value)?;
    let is_cut = link.link_type.as_deref() == Some("ether") && value.len() != ETHERNET_CHARS;
    if is_cut && mac.is_some() {
        return Err("the hardware address has not six bytes");
    }
    link.mac = mac;
    Ok(())
}

/// `00:11:22:33:44:55`
const ETHERNET_CHARS: usize = 17;

/// Tunnels over IP print their end points where others print hardware addresses.
fn mac_unless_ip(value: &str) -> Result<Option<HardwareAddress>, &'static str> {
    match mac(value) {
        Ok(mac) => Ok(Some(mac)),
        Err(_) if value.parse::<IpAddr>().is_ok() => Ok(None),
        Err(why) => Err(why),
    }
}

pub(super) fn vlan_id(value: &str) -> Result<VlanId, &'static str> {
    VlanId::new(number(value)?).map_err(|_| "a VLAN id is 1 to 4094")
}

fn name(value: &str) -> Result<IfaceName, &'static str> {
    IfaceName::new(value).map_err(|_| "the value is not an interface name")
}

fn ip(value: &str) -> Result<IpAddr, &'static str> {
    value.parse().map_err(|_| "the value is not an IP address")
}

/// `0x8001` in new versions, `8001` without the prefix in none; a plain number in old ones.
fn hexadecimal(value: &str) -> Result<u32, &'static str> {
    match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).map_err(|_| "the value is not a number"),
        None => number(value),
    }
}

/// The kernel counts a bridge's times in hundredths of a second (USER_HZ).
fn centiseconds(value: &str) -> Result<u64, &'static str> {
    number::<u64>(value).map(|hundredths| hundredths.saturating_mul(10))
}
