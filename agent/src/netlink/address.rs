//! Addresses: RTM_NEWADDR to [`Address`], by the number of their interface.

use std::collections::BTreeMap;

use model::fact::link::{Address, AddressFamily, Lifetime};
use model::parse::ip::MAX_PER_LINK;
use netlink_packet_core::{Parseable as _, parse_u32};
use netlink_packet_route::address::{AddressAttribute, AddressProtocol, CacheInfo};
use nix::libc;

use super::attribute::{Attribute, Bad, Unread, each};
use super::{Names, names};

/// sizeof(struct ifaddrmsg)
const HEADER_BYTES: usize = 8;

/// The addresses of one answer.
#[derive(Default)]
pub(super) struct Found {
    pub(super) by_index: BTreeMap<u32, Vec<Address>>,
    pub(super) unread: Unread,
}

/// One message, before it is an address.
struct Parts {
    prefix_len: u8,
    scope: u8,
    flags: u32,
    local: Option<core::net::IpAddr>,
    address: Option<core::net::IpAddr>,
    broadcast: Option<core::net::IpAddr>,
    label: Option<String>,
    protocol: Option<String>,
    lifetimes: Option<CacheInfo>,
}

impl Found {
    pub(super) fn take(&mut self, message: &[u8], names: &Names) {
        let (Some([family, prefix_len, flags, scope]), Some(Ok(index))) =
            (message.first_chunk(), message.get(4..8).map(parse_u32))
        else {
            self.unread
                .say("a message on an address is too short".to_owned());
            return;
        };
        let family = match i32::from(*family) {
            libc::AF_INET => AddressFamily::Inet,
            libc::AF_INET6 => AddressFamily::Inet6,
            // Phonet, MCTP, and whatever else has addresses.
            _ => return,
        };
        let mut parts = Parts {
            prefix_len: *prefix_len,
            scope: *scope,
            flags: (*flags).into(),
            local: None,
            address: None,
            broadcast: None,
            label: None,
            protocol: None,
            lifetimes: None,
        };
        let mut bad = Vec::new();
        let attributes = message.get(HEADER_BYTES..).unwrap_or_default();
        each(
            attributes,
            |attribute| parts.take(&attribute),
            |why| bad.push(why),
        );
        let of = match names.get(&index) {
            Some(name) => name.to_string(),
            None => format!("interface {index}"),
        };
        let addresses = self.by_index.entry(index).or_default();
        if addresses.len() >= MAX_PER_LINK {
            bad.push(format!("only {MAX_PER_LINK} addresses are kept"));
        } else {
            match parts.finish(family) {
                Ok(address) => addresses.push(address),
                Err(Bad(why)) => bad.push(why),
            }
        }
        for why in bad {
            self.unread.say(format!("{of}: address: {why}"));
        }
    }
}

impl Parts {
    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), Bad> {
        if attribute.kind == libc::IFA_LABEL {
            self.label = Some(attribute.text());
            return Ok(());
        }
        match AddressAttribute::parse(&attribute.whole)? {
            AddressAttribute::Address(ip) => self.address = Some(ip),
            AddressAttribute::Local(ip) => self.local = Some(ip),
            AddressAttribute::Broadcast(ip) => self.broadcast = Some(ip.into()),
            // The message's header has room for the first eight only.
            AddressAttribute::Flags(flags) => self.flags = flags.bits(),
            AddressAttribute::CacheInfo(lifetimes) => self.lifetimes = Some(lifetimes),
            AddressAttribute::Protocol(protocol) => self.protocol = Some(who(protocol)),
            _ => {}
        }
        Ok(())
    }

    fn finish(self, family: AddressFamily) -> Result<Address, Bad> {
        // Only a point-to-point address has two; IPv6 has no IFA_LOCAL otherwise.
        let own = self.local.or(self.address).ok_or("there is none in it")?;
        let deprecated = self.flags & libc::IFA_F_DEPRECATED != 0;
        let flags = flags(self.flags, &family);
        Ok(Address {
            family,
            address: own,
            prefix_len: Some(self.prefix_len),
            peer: self.address.filter(|peer| *peer != own),
            broadcast: self.broadcast,
            scope: Some(names::scope(self.scope)),
            flags,
            protocol: self.protocol,
            label: self.label,
            valid: self
                .lifetimes
                .as_ref()
                .map(|times| lifetime(times.ifa_valid, false)),
            preferred: self
                .lifetimes
                .as_ref()
                .map(|times| lifetime(times.ifa_preferred, deprecated)),
        })
    }
}

fn who(protocol: AddressProtocol) -> String {
    names::address_protocol(match protocol {
        AddressProtocol::Loopback => 1,
        AddressProtocol::RouterAnnouncement => 2,
        AddressProtocol::LinkLocal => 3,
        AddressProtocol::Other(number) => number,
        _ => 0,
    })
}

/// In alphabetical order, as from the output of `ip`.
fn flags(flags: u32, family: &AddressFamily) -> Vec<String> {
    let secondary = match family {
        AddressFamily::Inet6 => "temporary",
        _ => "secondary",
    };
    let words = [
        (libc::IFA_F_MCAUTOJOIN, "autojoin"),
        (libc::IFA_F_DADFAILED, "dadfailed"),
        (libc::IFA_F_DEPRECATED, "deprecated"),
        (libc::IFA_F_HOMEADDRESS, "home"),
        (libc::IFA_F_MANAGETEMPADDR, "mngtmpaddr"),
        (libc::IFA_F_NODAD, "nodad"),
        (libc::IFA_F_NOPREFIXROUTE, "noprefixroute"),
        (libc::IFA_F_OPTIMISTIC, "optimistic"),
        (libc::IFA_F_STABLE_PRIVACY, "stable-privacy"),
        (libc::IFA_F_TENTATIVE, "tentative"),
        (libc::IFA_F_SECONDARY, secondary),
    ];
    let mut set: Vec<String> = words
        .into_iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, word)| word.to_owned())
        .collect();
    if flags & libc::IFA_F_PERMANENT == 0 {
        set.push("dynamic".to_owned());
    }
    set.sort();
    set
}

/// The largest number is for ever. What has run out is below zero, which only a deprecated address can be.
fn lifetime(seconds: u32, deprecated: bool) -> Lifetime {
    match seconds {
        u32::MAX => Lifetime::Forever,
        seconds if deprecated && seconds.cast_signed() < 0 => Lifetime::Seconds(0),
        seconds => Lifetime::Seconds(seconds),
    }
}
