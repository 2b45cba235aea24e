//! The kernel's own account of its network, over rtnetlink: links, addresses, VLANs of bridges, what bridges have
//! learnt, who is reached how; and a listener that says at once that something of it changed.
//!
//! netlink-sys and netlink-packet-route are used directly, and not the `rtnetlink` crate on top of them: its channel of
//! messages has no bound, and it silently skips a message that it cannot decode. Here every answer is taken out of the
//! socket by whoever asked, a value that cannot be decoded costs only itself and is said, and of what the listener
//! hears nothing is kept.
//!
//! Truth comes from rtnetlink(7), the kernel's include/uapi/linux/if_link.h, if_addr.h, neighbour.h and if_bridge.h; words
//! (`UP`, `802.1ad`, `global`) are those of iproute2, so that a fact is the same whether it was read here or parsed from a
//! captured `ip -j -d -s addr`.
//!
//! Nothing here needs a privilege. Without CAP_NET_ADMIN the kernel leaves out of an 802.3ad bond's details its own
//! system priority and system MAC address (`ad_actor_sys_prio`, `ad_actor_system`); all else is the same. The listener
//! cannot raise its buffer above `net.core.rmem_max`, and does not try to.

mod address;
mod ask;
mod attribute;
mod bond;
mod bridge;
mod forwarding;
mod link;
mod listen;
mod names;
mod neighbour;
#[cfg(test)]
mod tests;
mod virtual_function;
mod vlan;

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use model::fact::bridge::PortVlans;
use model::fact::hardware_address::HardwareAddress;
use model::fact::link::Link;
use model::name::IfaceName;

pub(crate) use ask::NetlinkError;
pub(crate) use forwarding::Learnt;
#[cfg(test)]
pub(crate) use listen::Heard;
pub(crate) use listen::listen;

use ask::{Question, ask};
use attribute::Unread;

/// What the kernel answered, and what of it could not be read.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    /// In sentences; bounded.
    pub(crate) problems: Vec<String>,
}

/// Names by the kernel's numbers, as in the answer that they come from.
pub(crate) type Names = BTreeMap<u32, IfaceName>;

/// Every interface of this network namespace with its addresses.
pub(crate) fn links() -> Result<Answer<Vec<Link>>, NetlinkError> {
    let mut found = ask(&Question::LINKS, link::Found::default, link::Found::take)?;
    let mut unread = std::mem::take(&mut found.value.unread);
    unread.extend(found.problems);
    let names = found.value.names();
    match ask(
        &Question::ADDRESSES,
        address::Found::default,
        |found, message| {
            found.take(message, &names);
        },
    ) {
        Ok(addresses) => {
            found.value.put(addresses.value.by_index, &mut unread);
            unread.merge(addresses.value.unread);
            unread.extend(addresses.problems);
        }
        // The links without their addresses are better than nothing, and say `None` of them.
        Err(error) => unread.say(crate::host::said(&error)),
    }
    Ok(Answer {
        value: found.value.finish(&mut unread),
        problems: unread.into_sentences(),
    })
}

/// The VLANs of every bridge and every port of a bridge that has any.
pub(crate) fn bridge_vlans(names: &Names) -> Result<Answer<Vec<PortVlans>>, NetlinkError> {
    let found = ask(
        &Question::BRIDGE_VLANS,
        vlan::Found::default,
        |found, message| {
            found.take(message, names);
        },
    )?;
    Ok(answer(
        found.value.ports,
        found.value.unread,
        found.problems,
    ))
}

/// How many addresses every bridge has learnt, by port and VLAN.
pub(crate) fn learnt() -> Result<Answer<Learnt>, NetlinkError> {
    let found = ask(
        &Question::FORWARDING,
        forwarding::Found::default,
        forwarding::Found::take,
    )?;
    Ok(answer(
        found.value.learnt,
        found.value.unread,
        found.problems,
    ))
}

/// By which hardware addresses an address of another machine is reached, if it is on a network of this node's own.
pub(crate) fn reached_by(
    address: IpAddr,
) -> Result<Answer<BTreeSet<HardwareAddress>>, NetlinkError> {
    let found = ask(
        &Question::NEIGHBOURS,
        || neighbour::Found::of(address),
        neighbour::Found::take,
    )?;
    Ok(answer(
        found.value.reached_by,
        found.value.unread,
        found.problems,
    ))
}

fn answer<T>(value: T, mut unread: Unread, problems: Vec<String>) -> Answer<T> {
    unread.extend(problems);
    Answer {
        value,
        problems: unread.into_sentences(),
    }
}

/// Names by number.
pub(crate) fn names_of(links: &[Link]) -> Names {
    links
        .iter()
        .filter_map(|link| Some((link.ifindex?, link.name.clone())))
        .collect()
}
