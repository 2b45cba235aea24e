//! What bridges have learnt: RTM_NEWNEIGH of AF_BRIDGE, counted and not kept. A bridge with 100,000 entries costs the time
//! of reading them, and no memory.
//!
//! Counted is what a bridge learnt from frames and has not forgotten. Its own and its ports' addresses (permanent),
//! those set by hand (static, NUD_NOARP) and those that a control plane told it (extern_learn) are not on the wire.

use std::collections::BTreeMap;

use netlink_packet_core::{parse_u16, parse_u32};
use nix::libc;

use super::attribute::{Attribute, Unread, each};

/// How many ports and VLANs, all bridges together, are told apart.
const MAX_COUNTS: usize = 16_384;
/// sizeof(struct ndmsg)
const HEADER_BYTES: usize = 12;
const NDA_MASTER: u16 = 9;
const NTF_EXT_LEARNED: u8 = 0x10;

/// Where an address was learnt: bridge and port by their numbers, and the VLAN where the bridge tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) bridge: u32,
    pub(crate) port: u32,
    pub(crate) vlan: Option<u16>,
}

pub(crate) type Learnt = BTreeMap<Place, u32>;

#[derive(Default)]
pub(super) struct Found {
    pub(super) learnt: Learnt,
    pub(super) unread: Unread,
}

impl Found {
    pub(super) fn take(&mut self, message: &[u8]) {
        let Some((place, is_learnt)) = self.place(message) else {
            return;
        };
        if !is_learnt {
            return;
        }
        if let Some(count) = self.learnt.get_mut(&place) {
            *count = count.saturating_add(1);
        } else if self.learnt.len() < MAX_COUNTS {
            self.learnt.insert(place, 1);
        } else {
            let port = place.port;
            self.unread.say(format!(
                "learnt addresses of interface {port}: only {MAX_COUNTS} ports and VLANs are told apart"
            ));
        }
    }

    /// `None` for what is no entry of a bridge: devices have such tables of their own.
    fn place(&mut self, message: &[u8]) -> Option<(Place, bool)> {
        let (Some(Ok(port)), Some(Ok(state)), Some(flags), Some(attributes)) = (
            message.get(4..8).map(parse_u32),
            message.get(8..10).map(parse_u16),
            message.get(10),
            message.get(HEADER_BYTES..),
        ) else {
            self.unread
                .say("a message on a learnt address is too short".to_owned());
            return None;
        };
        let (mut bridge, mut vlan) = (None, None);
        let take = |attribute: Attribute<'_>| {
            match attribute.kind {
                NDA_MASTER => bridge = Some(attribute.u32()?),
                libc::NDA_VLAN => vlan = Some(attribute.u16()?),
                _ => {}
            }
            Ok(())
        };
        let unread = &mut self.unread;
        each(attributes, take, |why| {
            unread.say(format!("learnt addresses of interface {port}: {why}"));
        });
        let is_learnt =
            state & (libc::NUD_PERMANENT | libc::NUD_NOARP) == 0 && flags & NTF_EXT_LEARNED == 0;
        let bridge = bridge?;
        Some((Place { bridge, port, vlan }, is_learnt))
    }
}
