//! Links: RTM_NEWLINK to [`Link`]. What a message says of another interface it says by number; names come when the
//! whole list is there.

use std::collections::{BTreeMap, HashMap};

use model::fact::hardware_address::HardwareAddress;
use model::fact::link::{Address, Link, OperState, Statistics};
use model::name::IfaceName;
use model::parse::ip::{MAX_LINKS, MAX_PER_LINK};
use netlink_packet_core::{parse_u16, parse_u32};
use netlink_packet_route::link::Stats64;
use nix::libc;

use super::attribute::{Attribute, Bad, Unread, each};
use super::{Names, bond, bridge, names, virtual_function};

/// sizeof(struct ifinfomsg)
const HEADER_BYTES: usize = 16;
const IFLA_ALT_IFNAME: u16 = 53;
/// sizeof(struct rtnl_link_stats64) of today's kernels; older ones send less of it.
const STATISTICS_BYTES: usize = 200;

/// The links of one answer.
#[derive(Default)]
pub(super) struct Found {
    links: Vec<(Link, Others)>,
    pub(super) unread: Unread,
    beyond_bound: usize,
}

/// Other interfaces that a link names by number.
#[derive(Default)]
pub(super) struct Others {
    link: Option<u32>,
    /// The namespace that `link` lives in, if it is another one.
    netns: Option<i32>,
    master: Option<u32>,
    pub(super) active_slave: Option<u32>,
    pub(super) primary_slave: Option<u32>,
    pub(super) vxlan_device: Option<u32>,
}

/// The part of a message before its attributes (struct ifinfomsg).
struct Header {
    link_type: u16,
    index: u32,
    flags: u32,
}

impl Header {
    fn of(message: &[u8]) -> Option<(Self, &[u8])> {
        let header = Self {
            link_type: parse_u16(message.get(2..4)?).ok()?,
            index: parse_u32(message.get(4..8)?).ok()?,
            flags: parse_u32(message.get(8..12)?).ok()?,
        };
        Some((header, message.get(HEADER_BYTES..)?))
    }
}

/// The index and the attributes of a message on a link, of whatever family.
pub(super) fn index_and_attributes(message: &[u8]) -> Option<(u32, &[u8])> {
    Header::of(message).map(|(header, attributes)| (header.index, attributes))
}

/// The name in a message on a link.
pub(super) fn name_in(attributes: &[u8]) -> Option<Result<IfaceName, Bad>> {
    let mut name = None;
    each(
        attributes,
        |attribute| {
            if attribute.kind == libc::IFLA_IFNAME {
                name = Some(attribute.name());
            }
            Ok(())
        },
        |_| {},
    );
    name
}

impl Found {
    pub(super) fn take(&mut self, message: &[u8]) {
        let Some((header, attributes)) = Header::of(message) else {
            self.unread
                .say("a message on an interface is too short".to_owned());
            return;
        };
        let index = header.index;
        if self.links.len() >= MAX_LINKS {
            self.beyond_bound += 1;
            return;
        }
        let name = match name_in(attributes) {
            Some(Ok(name)) => name,
            Some(Err(Bad(why))) => {
                self.unread.say(format!("interface {index}: {why}"));
                return;
            }
            None => {
                self.unread.say(format!("interface {index} has no name"));
                return;
            }
        };
        let mut reader = Reader {
            link: Link::named(name),
            others: Others::default(),
            link_type: header.link_type,
        };
        reader.link.ifindex = Some(index);
        reader.link.link_type = Some(names::link_type(header.link_type));
        let flags = names::link_flags(header.flags);
        reader.link.set_flags(flags.iter().map(String::as_str));
        let mut bad = Vec::new();
        reader.attributes(attributes, &mut bad);
        for why in bad {
            self.unread
                .say(format!("{} ({index}): {why}", reader.link.name));
        }
        self.links.push((reader.link, reader.others));
    }

    pub(super) fn names(&self) -> Names {
        let named = |(link, _): &(Link, Others)| Some((link.ifindex?, link.name.clone()));
        self.links.iter().filter_map(named).collect()
    }

    /// Gives every link its addresses; without any it has none, which is known now.
    pub(super) fn put(&mut self, mut addresses: BTreeMap<u32, Vec<Address>>, unread: &mut Unread) {
        for (link, _) in &mut self.links {
            let own = link.ifindex.and_then(|index| addresses.remove(&index));
            link.addresses = Some(own.unwrap_or_default());
        }
        for index in addresses.into_keys() {
            unread.say(format!(
                "interface {index} has addresses, but is not listed"
            ));
        }
    }

    /// The links, with names for numbers, in the order of their numbers.
    pub(super) fn finish(mut self, unread: &mut Unread) -> Vec<Link> {
        if self.beyond_bound > 0 {
            unread.say(format!(
                "only the first {MAX_LINKS} interfaces are kept, {} are not",
                self.beyond_bound
            ));
        }
        let names = self.names();
        let up: HashMap<u32, bool> = self
            .links
            .iter()
            .filter_map(|(link, _)| Some((link.ifindex?, link.admin_up?)))
            .collect();
        for (link, others) in &mut self.links {
            resolve(link, others, &names, &up, unread);
        }
        let mut links: Vec<Link> = self.links.into_iter().map(|(link, _)| link).collect();
        links.sort_by_key(|link| link.ifindex);
        links
    }
}

fn resolve(
    link: &mut Link,
    others: &Others,
    names: &Names,
    up: &HashMap<u32, bool>,
    unread: &mut Unread,
) {
    let mut name_of = |index: u32, what: &str| {
        let name = names.get(&index).cloned();
        if name.is_none() {
            unread.say(format!("{}: {what} {index} is not listed", link.name));
        }
        name
    };
    if let Some(index) = others.master {
        link.master = name_of(index, "its master");
    }
    if let Some(bond) = &mut link.bond {
        let mut port = |index: Option<u32>| name_of(index?, "its port");
        bond.active_slave = port(others.active_slave);
        bond.primary_slave = port(others.primary_slave);
    }
    if let (Some(vxlan), Some(index)) = (&mut link.vxlan, others.vxlan_device) {
        vxlan.device = name_of(index, "its device");
    }
    match (others.link, others.netns) {
        // Zero: a tunnel that stands on no interface.
        (None | Some(0), _) => {}
        (Some(index), Some(_)) => link.link_index = Some(index),
        (Some(index), None) => match names.get(&index) {
            Some(name) => {
                link.link = Some(name.clone());
                if up.get(&index) == Some(&false)
                    && let Some(flags) = &mut link.flags
                {
                    flags.push("M-DOWN".to_owned());
                }
            }
            None => link.link_index = Some(index),
        },
    }
}

struct Reader {
    link: Link,
    others: Others,
    link_type: u16,
}

impl Reader {
    fn attributes(&mut self, bytes: &[u8], bad: &mut Vec<String>) {
        let mut nested = Vec::new();
        each(
            bytes,
            |attribute| match attribute.kind {
                libc::IFLA_LINKINFO | libc::IFLA_PROP_LIST | libc::IFLA_VFINFO_LIST => {
                    nested.push(attribute);
                    Ok(())
                }
                _ => self.attribute(&attribute),
            },
            |why| bad.push(why),
        );
        for attribute in nested {
            match attribute.kind {
                libc::IFLA_LINKINFO => self.info(attribute.bytes, bad),
                libc::IFLA_PROP_LIST => self.properties(attribute.bytes, bad),
                _ => {
                    let functions = &mut self.link.virtual_functions;
                    virtual_function::list(attribute.bytes, self.link_type, functions, bad);
                }
            }
        }
    }

    fn attribute(&mut self, attribute: &Attribute<'_>) -> Result<(), Bad> {
        let link = &mut self.link;
        match attribute.kind {
            libc::IFLA_MTU => link.mtu_bytes = Some(attribute.u32()?),
            libc::IFLA_MIN_MTU => link.min_mtu_bytes = Some(attribute.u32()?),
            libc::IFLA_MAX_MTU => link.max_mtu_bytes = Some(attribute.u32()?),
            libc::IFLA_QDISC => link.qdisc = Some(attribute.text()),
            libc::IFLA_LINK => self.others.link = Some(attribute.u32()?),
            libc::IFLA_LINK_NETNSID => {
                let netns = attribute.i32()?;
                self.others.netns = Some(netns);
                link.link_netns = Some(netns.to_string());
            }
            libc::IFLA_MASTER => self.others.master = Some(attribute.u32()?),
            libc::IFLA_OPERSTATE => {
                link.operstate = Some(OperState::from_word(&names::operstate(attribute.u8()?)));
            }
            libc::IFLA_GROUP => link.group = Some(names::group(attribute.u32()?)),
            // iproute2 keeps silent of a queue without length.
            libc::IFLA_TXQLEN => {
                link.tx_queue_length = Some(attribute.u32()?).filter(|length| *length > 0);
            }
            libc::IFLA_ADDRESS => link.mac = hardware_address(self.link_type, attribute.bytes)?,
            libc::IFLA_BROADCAST => {
                link.broadcast_mac = hardware_address(self.link_type, attribute.bytes)?;
            }
            libc::IFLA_PERM_ADDRESS => {
                link.permanent_mac = hardware_address(self.link_type, attribute.bytes)?;
            }
            libc::IFLA_IFALIAS => link.alias = Some(attribute.text()),
            libc::IFLA_PROMISCUITY => link.promiscuity = Some(attribute.u32()?),
            libc::IFLA_ALLMULTI => link.allmulti = Some(attribute.u32()?),
            libc::IFLA_PROTO_DOWN => {
                link.proto_down = Some(attribute.flag()?).filter(|is_down| *is_down);
            }
            libc::IFLA_PARENT_DEV_BUS_NAME => link.parent_bus = Some(attribute.text()),
            libc::IFLA_PARENT_DEV_NAME => link.parent_device = Some(attribute.text()),
            libc::IFLA_PHYS_PORT_NAME => link.phys_port_name = Some(attribute.text()),
            libc::IFLA_PHYS_PORT_ID => {
                link.phys_port_id = Some(names::hexadecimal(attribute.bytes));
            }
            libc::IFLA_PHYS_SWITCH_ID => {
                link.phys_switch_id = Some(names::hexadecimal(attribute.bytes));
            }
            libc::IFLA_STATS64 => statistics(link.statistics.get_or_insert_default(), attribute)?,
            libc::IFLA_CARRIER_CHANGES => {
                let changes = attribute.u32()?;
                link.statistics.get_or_insert_default().carrier_changes = Some(changes.into());
            }
            _ => {}
        }
        // Printed only where it differs.
        if link.permanent_mac == link.mac {
            link.permanent_mac = None;
        }
        Ok(())
    }

    /// Other names of the same interface.
    fn properties(&mut self, bytes: &[u8], bad: &mut Vec<String>) {
        let altnames = &mut self.link.altnames;
        let take = |attribute: Attribute<'_>| {
            if attribute.kind == IFLA_ALT_IFNAME {
                if altnames.len() >= MAX_PER_LINK {
                    return Err(Bad(format!("only {MAX_PER_LINK} other names are kept")));
                }
                altnames.push(attribute.text());
            }
            Ok(())
        };
        each(bytes, take, |why| bad.push(why));
    }

    /// What kind of interface it is, and what kind of port, with the details of each.
    fn info(&mut self, bytes: &[u8], bad: &mut Vec<String>) {
        let mut details = Vec::new();
        let link = &mut self.link;
        let take = |attribute: Attribute<'_>| {
            match attribute.kind {
                libc::IFLA_INFO_KIND => link.kind = Some(attribute.text()),
                libc::IFLA_INFO_SLAVE_KIND => link.slave_kind = Some(attribute.text()),
                _ => {}
            }
            Ok(())
        };
        each(bytes, take, |why| bad.push(why));
        each(
            bytes,
            |attribute| {
                if [libc::IFLA_INFO_DATA, libc::IFLA_INFO_SLAVE_DATA].contains(&attribute.kind) {
                    details.push((attribute.kind, attribute.bytes));
                }
                Ok(())
            },
            |_| {},
        );
        let of = |kind| details.iter().find(|(of, _)| *of == kind);
        let own = of(libc::IFLA_INFO_DATA).map_or(&[][..], |(_, bytes)| bytes);
        let ports = of(libc::IFLA_INFO_SLAVE_DATA).map_or(&[][..], |(_, bytes)| bytes);
        let others = &mut self.others;
        match link.kind.as_deref() {
            Some("bond") => link.bond = Some(bond::details(own, others, bad)),
            Some("bridge") => link.bridge = Some(bridge::details(own, bad)),
            Some("vlan") => link.vlan = Some(super::vlan::details(own, bad)),
            Some("vxlan") => link.vxlan = Some(super::vlan::vxlan(own, others, bad)),
            _ => {}
        }
        match link.slave_kind.as_deref() {
            Some("bond") => link.bond_slave = Some(bond::port(ports, bad)),
            Some("bridge") => link.bridge_slave = Some(bridge::port(ports, bad)),
            _ => {}
        }
    }
}

/// `None` for tunnels over IP, which have their end point there.
fn hardware_address(link_type: u16, bytes: &[u8]) -> Result<Option<HardwareAddress>, Bad> {
    if names::has_ip_for_mac(link_type) || bytes.is_empty() {
        return Ok(None);
    }
    let mac = HardwareAddress::from_bytes(bytes).ok_or("it is no hardware address")?;
    Ok(Some(mac))
}

fn statistics(mine: &mut Statistics, attribute: &Attribute<'_>) -> Result<(), Bad> {
    let mut bytes = attribute.bytes.to_vec();
    let stated = bytes.len();
    bytes.resize(stated.max(STATISTICS_BYTES), 0);
    let all = Stats64::parse(bytes.as_slice())?;
    *mine = Statistics {
        rx_bytes: Some(all.rx_bytes),
        rx_packets: Some(all.rx_packets),
        rx_errors: Some(all.rx_errors),
        rx_dropped: Some(all.rx_dropped),
        rx_over_errors: Some(all.rx_over_errors),
        rx_missed_errors: Some(all.rx_missed_errors),
        rx_multicast: Some(all.multicast),
        rx_length_errors: Some(all.rx_length_errors),
        rx_crc_errors: Some(all.rx_crc_errors),
        rx_frame_errors: Some(all.rx_frame_errors),
        rx_fifo_errors: Some(all.rx_fifo_errors),
        // The last but one, which kernels before 4.6 do not have.
        rx_nohandler: (stated >= STATISTICS_BYTES - 8).then_some(all.rx_nohandler),
        tx_bytes: Some(all.tx_bytes),
        tx_packets: Some(all.tx_packets),
        tx_errors: Some(all.tx_errors),
        tx_dropped: Some(all.tx_dropped),
        tx_carrier_errors: Some(all.tx_carrier_errors),
        tx_collisions: Some(all.collisions),
        tx_aborted_errors: Some(all.tx_aborted_errors),
        tx_fifo_errors: Some(all.tx_fifo_errors),
        tx_window_errors: Some(all.tx_window_errors),
        tx_heartbeat_errors: Some(all.tx_heartbeat_errors),
        carrier_changes: mine.carrier_changes,
    };
    Ok(())
}
