//! Two texts that describe the same interfaces, made one.

use std::collections::BTreeMap;

use super::MAX_PER_LINK;
use crate::fact::link::{Address, Link};

/// Adds to each interface what only the other text says of it, and the interfaces that only the other text knows.
/// Where both speak, the first holds.
pub fn merge(links: &mut Vec<Link>, more: Vec<Link>) {
    let mut places: BTreeMap<_, _> = links
        .iter()
        .enumerate()
        .map(|(place, link)| (link.name.clone(), place))
        .collect();
    for other in more {
        let place = places.get(&other.name).copied();
        match place.and_then(|place| links.get_mut(place)) {
            Some(link) => add(link, other),
            None => {
                places.insert(other.name.clone(), links.len());
                links.push(other);
            }
        }
    }
}

fn fill<T>(mine: &mut Option<T>, other: Option<T>) {
    if mine.is_none() {
        *mine = other;
    }
}

/// Fills the fields named first, takes those named last out of `other`; one that is not named does not compile.
macro_rules! fill_fields {
    ($link:ident, $other:ident, { $($filled:ident),+ }, { $($taken:ident),+ }) => {
        let Link { name: _, $($taken,)+ $($filled),+ } = $other;
        $(fill(&mut $link.$filled, $filled);)+
    };
}

pub(super) fn add(mine: &mut Link, other: Link) {
    // Counters of one moment belong together: another text's are taken only where there are none at all.
    fill_fields!(mine, other, {
        ifindex, link, link_index, link_netns, flags, admin_up, carrier, operstate,
        mtu_bytes, min_mtu_bytes, max_mtu_bytes, qdisc, master, group, tx_queue_length,
        link_type, mac, broadcast_mac, permanent_mac, alias, promiscuity, allmulti,
        proto_down, parent_bus, parent_device, phys_port_name, phys_port_id,
        phys_switch_id, speed_mbps, duplex, driver, kind, slave_kind, vlan, vxlan, bond, bond_slave, bridge,
        bridge_slave, statistics
    }, { altnames, addresses, virtual_functions });
    for altname in altnames {
        if !mine.altnames.contains(&altname) && mine.altnames.len() < MAX_PER_LINK {
            mine.altnames.push(altname);
        }
    }
    if let Some(addresses) = addresses {
        add_addresses(mine.addresses.get_or_insert_default(), addresses);
    }
    if mine.virtual_functions.is_empty() {
        mine.virtual_functions = virtual_functions;
    }
}

/// One text may hold only IPv4 and the other only IPv6.
fn add_addresses(addresses: &mut Vec<Address>, more: Vec<Address>) {
    for other in more {
        let same = |address: &&mut Address| {
            (address.address, address.peer) == (other.address, other.peer)
                && address.prefix_len == other.prefix_len
        };
        let is_full = addresses.len() >= MAX_PER_LINK;
        match addresses.iter_mut().find(same) {
            None if is_full => {}
            None => addresses.push(other),
            Some(address) => {
                fill(&mut address.broadcast, other.broadcast);
                fill(&mut address.scope, other.scope);
                fill(&mut address.protocol, other.protocol);
                fill(&mut address.label, other.label);
                fill(&mut address.valid, other.valid);
                fill(&mut address.preferred, other.preferred);
                if address.flags.is_empty() {
                    address.flags = other.flags;
                }
            }
        }
    }
}
