//! The options of an `iface` stanza that matter here: bond, bridge, VLAN, Open vSwitch, addresses and MTU.
//! See ifupdown2's addons, interfaces-bond(5), bridge-utils-interfaces(5) and pve-common. An option that is not
//! known here is not lost: the stanza keeps every option as text.

use core::net::IpAddr;

use crate::fact::bond::{BondMode, LacpRate};
use crate::fact::interfaces::{
    ConfAddress, ConfBond, ConfBridge, ConfBridgeVlans, ConfOption, ConfOvs, Hook, Interface,
    OvsKind, PortPattern, VlanRange,
};
use crate::name::VlanId;
use crate::text::{BadLine, BadLines, Line};

/// What joins the `address` and `netmask` lines of one stanza.
#[derive(Default)]
pub(super) struct Addressing {
    /// A netmask that stands above its address.
    waiting: Option<u8>,
    /// The last address of this stanza, by its place among the interface's.
    last: Option<usize>,
    /// The last `address` line of this stanza could not be read: a netmask below it is that one's.
    lost: bool,
}

/// Reads one option into the interface.
pub(super) fn read(
    interface: &mut Interface,
    addressing: &mut Addressing,
    line: Line<'_>,
    option: &ConfOption,
    bad_lines: &mut BadLines,
) {
    let key = option.key.as_str();
    let value = match option.value.split_once(" #") {
        Some((value, _)) if !is_command(key) => {
            let why = "a comment cannot stand behind a value: ifupdown takes it for a part of it";
            bad_lines.push(BadLine::new(line, why));
            value.trim_end()
        }
        _ => option.value.as_str(),
    };
    let done = match key {
        "mtu" | "ovs-mtu" => first(&mut interface.mtu_bytes, line.number(value, "the MTU")),
        "address" => address(interface, addressing, line, value),
        "netmask" => mask(interface, addressing, line, value),
        "gateway" => ip(line, value).map(|gateway| interface.gateways.push(gateway)),
        "hwaddress" => hardware_address(interface, line, value),
        key if is_command(key) => {
            interface.commands.push(Hook {
                phase: option.key.clone(),
                command: value.to_owned(),
            });
            Ok(())
        }
        "bond-master" => {
            // A port that names its bond may repeat the bond's own options (ifenslave); it is no bond for that.
            interface.bond = None;
            first(&mut interface.bond_master, Ok(value.to_owned()))
        }
        key if key == "slaves" || key.starts_with("bond-") => match interface.bond_master {
            Some(_) => Ok(()),
            None => bond(&mut interface.bond, line, key, value),
        },
        key if key.starts_with("bridge-") => bridge(interface, line, key, value, bad_lines),
        key if key.starts_with("vlan-") => vlan(interface, line, key, value),
        key if key.starts_with("ovs-") => ovs(interface, line, key, value),
        _ => Ok(()),
    };
    bad_lines.keep(done);
}

/// The shell knows comments itself.
fn is_command(key: &str) -> bool {
    const PHASES: [&str; 6] = ["pre-up", "up", "post-up", "pre-down", "down", "post-down"];
    PHASES.contains(&key)
}

/// Of two values for one option the first holds, as in ifupdown2.
fn first<T>(slot: &mut Option<T>, value: Result<T, BadLine>) -> Result<(), BadLine> {
    let value = value?;
    slot.get_or_insert(value);
    Ok(())
}

fn ip(line: Line<'_>, value: &str) -> Result<IpAddr, BadLine> {
    value
        .parse()
        .map_err(|_| BadLine::new(line, "it is not an IP address"))
}

fn address(
    interface: &mut Interface,
    addressing: &mut Addressing,
    line: Line<'_>,
    value: &str,
) -> Result<(), BadLine> {
    addressing.lost = true;
    let (address, prefix) = match value.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (value, None),
    };
    let address = ip(line, address)?;
    let read = prefix.map(|prefix| prefix_length(line, prefix, address.is_ipv4()));
    let prefix_length = match &read {
        Some(read) => read.as_ref().ok().copied(),
        None => addressing.waiting.take(),
    };
    addressing.lost = false;
    addressing.last = Some(interface.addresses.len());
    interface.addresses.push(ConfAddress {
        address,
        prefix_length,
    });
    read.transpose().map(|_| ())
}

/// `netmask` belongs to the address above it, or else to the one below it.
fn mask(
    interface: &mut Interface,
    addressing: &mut Addressing,
    line: Line<'_>,
    value: &str,
) -> Result<(), BadLine> {
    if addressing.lost {
        return Ok(());
    }
    let last = addressing
        .last
        .and_then(|at| interface.addresses.get_mut(at));
    match last {
        Some(last) => {
            let length = prefix_length(line, value, last.address.is_ipv4())?;
            last.prefix_length.get_or_insert(length);
        }
        None => addressing.waiting = Some(prefix_length(line, value, !value.contains(':'))?),
    }
    Ok(())
}

/// `24` or `255.255.255.0`
fn prefix_length(line: Line<'_>, text: &str, ipv4: bool) -> Result<u8, BadLine> {
    let most = if ipv4 { 32 } else { 128 };
    let length = match text.parse::<u8>() {
        Ok(length) => Some(length),
        Err(_) => match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(mask)) => length_of(u128::from(mask.to_bits()) << 96),
            Ok(IpAddr::V6(mask)) => length_of(mask.to_bits()),
            Err(_) => None,
        },
    };
    length
        .filter(|length| *length <= most)
        .ok_or_else(|| BadLine::new(line, "it has neither a prefix length nor a netmask"))
}

/// How many ones a mask begins with; `None` if there are ones behind them.
fn length_of(mask: u128) -> Option<u8> {
    let length = mask.leading_ones();
    (length == mask.count_ones()).then(|| u8::try_from(length).ok())?
}

fn hardware_address(interface: &mut Interface, line: Line<'_>, value: &str) -> Result<(), BadLine> {
    let address = value.strip_prefix("ether").unwrap_or(value).trim();
    if address == "random" {
        return Ok(());
    }
    let parsed = address.parse();
    first(
        &mut interface.mac,
        parsed.map_err(|_| BadLine::new(line, "it is not a hardware address")),
    )
}

fn bond(
    bond: &mut Option<ConfBond>,
    line: Line<'_>,
    key: &str,
    value: &str,
) -> Result<(), BadLine> {
    let bond = bond.get_or_insert_default();
    match key {
        "slaves" | "bond-slaves" | "bond-ports" => {
            ports(value, &mut bond.slaves, &mut bond.slave_patterns);
            Ok(())
        }
        "bond-mode" => first(&mut bond.mode, Ok(bond_mode(value))),
        "bond-miimon" => first(&mut bond.mii_polling_ms, line.number(value, "the time")),
        "bond-updelay" => first(&mut bond.up_delay_ms, line.number(value, "the time")),
        "bond-downdelay" => first(&mut bond.down_delay_ms, line.number(value, "the time")),
        "bond-arp-interval" => first(&mut bond.arp_polling_ms, line.number(value, "the time")),
        "bond-arp-ip-target" => {
            let words = value.split(|sign: char| sign == ',' || sign.is_whitespace());
            for target in words.filter(|word| !word.is_empty()) {
                bond.arp_targets
                    .push(ip(line, target.trim_start_matches('+'))?);
            }
            Ok(())
        }
        "bond-xmit-hash-policy" => {
            let policy = hash_policy(value).to_owned();
            first(&mut bond.transmit_hash_policy, Ok(policy))
        }
        "bond-primary" => first(&mut bond.primary, Ok(value.to_owned())),
        "bond-lacp-rate" => first(&mut bond.lacp_rate, Ok(lacp_rate(value))),
        "bond-min-links" => first(&mut bond.min_links, line.number(value, "the count")),
        _ => Ok(()),
    }
}

/// By its word or by the kernel's number.
fn bond_mode(value: &str) -> BondMode {
    match value {
        "0" => BondMode::BalanceRr,
        "1" => BondMode::ActiveBackup,
        "2" => BondMode::BalanceXor,
        "3" => BondMode::Broadcast,
        "4" => BondMode::Ieee8023ad,
        "5" => BondMode::BalanceTlb,
        "6" => BondMode::BalanceAlb,
        word => BondMode::from_word(word),
    }
}

fn hash_policy(value: &str) -> &str {
    match value {
        "0" => "layer2",
        "1" => "layer3+4",
        "2" => "layer2+3",
        "3" => "encap2+3",
        "4" => "encap3+4",
        "5" => "vlan+srcmac",
        word => word,
    }
}

fn lacp_rate(value: &str) -> LacpRate {
    match value {
        "0" => LacpRate::Slow,
        "1" => LacpRate::Fast,
        word => LacpRate::from_word(word),
    }
}

/// Adds the ports of a list, and says whether it holds the word `none`. In bridge-utils `regex` holds for all words
/// behind it, in ifupdown2 only for the next: what looks like a pattern is one in both.
fn ports(list: &str, ports: &mut Vec<String>, patterns: &mut Vec<PortPattern>) -> bool {
    let mut none = false;
    let mut kind = None;
    let mut next_is_pattern = false;
    for word in list.split_whitespace() {
        match word {
            "none" => none = true,
            "regex" | "glob" => {
                kind = Some(word);
                next_is_pattern = true;
            }
            "noregex" | "noglob" => kind = None,
            "all" => patterns.push(PortPattern {
                kind: word.to_owned(),
                pattern: word.to_owned(),
            }),
            _ => match kind {
                Some(kind) if next_is_pattern || word.contains(PATTERN_SIGNS) => {
                    patterns.push(PortPattern {
                        kind: kind.to_owned(),
                        pattern: word.to_owned(),
                    });
                    next_is_pattern = false;
                }
                _ => ports.push(word.to_owned()),
            },
        }
    }
    none
}

/// No interface that Proxmox VE makes has one of these in its name.
const PATTERN_SIGNS: [char; 11] = ['*', '?', '+', '[', ']', '(', ')', '|', '^', '$', '\\'];

fn bridge(
    interface: &mut Interface,
    line: Line<'_>,
    key: &str,
    value: &str,
    bad_lines: &mut BadLines,
) -> Result<(), BadLine> {
    let vlans = &mut interface.bridge_vlans;
    let bridge = &mut interface.bridge;
    match key {
        "bridge-ports" => {
            let bridge = bridge.get_or_insert_default();
            let ConfBridge {
                ports: named,
                port_patterns,
                ..
            } = bridge;
            bridge.no_ports |= ports(value, named, port_patterns);
            Ok(())
        }
        "bridge-vlan-aware" => {
            let bridge = bridge.get_or_insert_default();
            first(&mut bridge.vlan_aware, switch(line, value))
        }
        "bridge-stp" => first(&mut bridge.get_or_insert_default().stp, switch(line, value)),
        "bridge-vids" => {
            let ConfBridgeVlans { vids, .. } = vlans.get_or_insert_default();
            vlan_ranges(vids, line, value, bad_lines);
            Ok(())
        }
        "bridge-pvid" => first(
            &mut vlans.get_or_insert_default().pvid,
            vlan_id(line, value),
        ),
        "bridge-access" => first(
            &mut vlans.get_or_insert_default().access,
            vlan_id(line, value),
        ),
        _ => Ok(()),
    }
}

fn switch(line: Line<'_>, value: &str) -> Result<bool, BadLine> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "on" | "1" | "true" => Ok(true),
        "no" | "off" | "0" | "false" => Ok(false),
        _ => Err(BadLine::new(line, "it is neither yes nor no")),
    }
}

fn vlan_id(line: Line<'_>, value: &str) -> Result<VlanId, BadLine> {
    let id = value.parse().ok().and_then(|id| VlanId::new(id).ok());
    id.ok_or_else(|| BadLine::new(line, "it is not a VLAN id: 1 to 4094"))
}

/// `2-4094`, `2 4 10-20` or `2,4,10-20`; one bad part does not lose the others.
fn vlan_ranges(ranges: &mut Vec<VlanRange>, line: Line<'_>, value: &str, bad_lines: &mut BadLines) {
    let parts = value.split(|sign: char| sign == ',' || sign == ';' || sign.is_whitespace());
    for part in parts.filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let ends =
            bad_lines.keep(vlan_id(line, from).and_then(|from| Ok((from, vlan_id(line, to)?))));
        match ends {
            Some((first, last)) if first.get() <= last.get() => {
                ranges.push(VlanRange { first, last });
            }
            Some(_) => bad_lines.push(BadLine::new(line, "the range ends before it begins")),
            None => {}
        }
    }
}

/// What is said in words goes before what the name says.
fn vlan(interface: &mut Interface, line: Line<'_>, key: &str, value: &str) -> Result<(), BadLine> {
    match key {
        "vlan-raw-device" => {
            let by_name = interface.name.strip_prefix("vlan");
            let vlan = interface.vlan.get_or_insert_default();
            vlan.raw_device = Some(value.to_owned());
            if vlan.id.is_none()
                && let Some(id) = by_name
            {
                vlan.id = id.parse().ok().and_then(|id| VlanId::new(id).ok());
            }
        }
        "vlan-id" => interface.vlan.get_or_insert_default().id = Some(vlan_id(line, value)?),
        "vlan-protocol" => {
            interface.vlan.get_or_insert_default().protocol = Some(value.to_owned());
        }
        _ => {}
    }
    Ok(())
}

fn ovs(interface: &mut Interface, line: Line<'_>, key: &str, value: &str) -> Result<(), BadLine> {
    // A dot in the name of an interface that Open vSwitch makes says nothing about VLANs.
    interface.vlan = None;
    let ovs = interface.ovs.get_or_insert_default();
    let names = || value.split_whitespace().map(str::to_owned);
    match key {
        "ovs-type" => return first(&mut ovs.kind, Ok(OvsKind::from_word(value))),
        "ovs-bridge" => return first(&mut ovs.bridge, Ok(value.to_owned())),
        "ovs-bonds" => ovs.bonds.extend(names()),
        "ovs-ports" => ovs.ports.extend(names()),
        "ovs-options" => return ovs_settings(ovs, line, value),
        _ => {}
    }
    Ok(())
}

fn ovs_settings(ovs: &mut ConfOvs, line: Line<'_>, value: &str) -> Result<(), BadLine> {
    let mut done = Ok(());
    for word in value.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        ovs.settings.push(ConfOption {
            key: key.to_owned(),
            value: value.to_owned(),
        });
        match key {
            "tag" => match vlan_id(line, value) {
                Ok(tag) => ovs.tag = Some(tag),
                Err(bad_line) => done = Err(bad_line),
            },
            "bond_mode" => ovs.bond_mode = Some(value.to_owned()),
            "lacp" => ovs.lacp = Some(value.to_owned()),
            _ => {}
        }
    }
    done
}
