//! By which hardware addresses the kernel reaches one address: RTM_NEWNEIGH of IPv4 and IPv6. Of the table, which can be
//! long and changes all the time, nothing else is kept.

use core::net::IpAddr;
use std::collections::BTreeSet;

use model::fact::hardware_address::HardwareAddress;
use netlink_packet_core::parse_u16;
use nix::libc;

use super::attribute::{Attribute, Unread, each};

/// sizeof(struct ndmsg)
const HEADER_BYTES: usize = 12;

pub(super) struct Found {
    pub(super) address: IpAddr,
    pub(super) reached_by: BTreeSet<HardwareAddress>,
    pub(super) unread: Unread,
}

impl Found {
    pub(super) fn of(address: IpAddr) -> Self {
        Self {
            address,
            reached_by: BTreeSet::new(),
            unread: Unread::default(),
        }
    }

    pub(super) fn take(&mut self, message: &[u8]) {
        let (Some(Ok(state)), Some(attributes)) = (
            message.get(8..10).map(parse_u16),
            message.get(HEADER_BYTES..),
        ) else {
            self.unread
                .say("a message on a neighbour is too short".to_owned());
            return;
        };
        let (mut is_it, mut hardware) = (false, None);
        let take = |attribute: Attribute<'_>| {
            match attribute.kind {
                libc::NDA_DST => is_it = is_address(attribute.bytes, self.address),
                libc::NDA_LLADDR => hardware = HardwareAddress::from_bytes(attribute.bytes),
                _ => {}
            }
            Ok(())
        };
        let unread = &mut self.unread;
        each(attributes, take, |why| {
            unread.say(format!("a neighbour: {why}"));
        });
        // What nobody answered for, or was a try that failed, is no neighbour.
        let answered = state & (libc::NUD_INCOMPLETE | libc::NUD_FAILED) == 0;
        if let Some(hardware) = hardware.filter(|_| is_it && answered) {
            self.reached_by.insert(hardware);
        }
    }
}

fn is_address(bytes: &[u8], address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => bytes == address.octets(),
        IpAddr::V6(address) => bytes == address.octets(),
    }
}
