//! Addresses: `inet 10.0.0.5/24 brd 10.0.0.255 scope global dynamic vmbr0`, and the line of lifetimes behind it.

use core::net::IpAddr;

use crate::fact::link::{Address, AddressFamily, Lifetime};

/// Words that iproute2 prints alone.
const FLAGS: &[&str] = &[
    "dynamic",
    "secondary",
    "temporary",
    "nodad",
    "optimistic",
    "dadfailed",
    "home",
    "deprecated",
    "tentative",
    "permanent",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "stable-privacy",
];

/// Is this word a flag of addresses? JSON has them as keys with the value `true`.
pub(super) fn is_flag(word: &str) -> bool {
    FLAGS.contains(&word)
}

/// Reads one line of text. With the address comes the reason why something else on the line could not be read.
pub(super) fn read(text: &str) -> Result<(Address, Option<&'static str>), &'static str> {
    let mut words = text.split_whitespace().peekable();
    let family = AddressFamily::from_word(words.next().unwrap_or_default());
    let local = words.next().ok_or("the address is missing")?;
    let mut bad = None;
    let mut keep = |why| {
        bad.get_or_insert(why);
    };
    let (local, mut prefix_len) = local.split_once('/').unwrap_or((local, ""));
    let mut address = empty(family, ip(local)?);
    if words.next_if_eq(&"peer").is_some() {
        let peer = words.next().unwrap_or_default();
        let (peer, of_peer) = peer.split_once('/').unwrap_or((peer, ""));
        address.peer = ip(peer).map_err(&mut keep).ok();
        prefix_len = of_peer;
    }
    if !prefix_len.is_empty() {
        let prefix_len = prefix(address.address, prefix_len);
        address.prefix_len = prefix_len.map_err(&mut keep).ok();
    }
    while let Some(word) = words.next() {
        match word {
            "brd" => {
                let broadcast = ip(words.next().unwrap_or_default());
                address.broadcast = broadcast.map_err(&mut keep).ok();
            }
            "scope" => address.scope = words.next().map(str::to_owned),
            "proto" => address.protocol = words.next().map(str::to_owned),
            "any" | "metric" | "flags" => drop(words.next()),
            _ if address.flags.iter().any(|flag| flag == word) => {}
            _ if is_flag(word) => address.flags.push(word.to_owned()),
            // Whatever stands last and is nothing else is the label.
            _ if words.peek().is_none() => address.label = Some(word.to_owned()),
            _ => {}
        }
    }
    Ok((address, bad))
}

/// Reads `valid_lft 3600sec preferred_lft forever` into the address above it.
pub(super) fn read_lifetimes(address: &mut Address, text: &str) -> Result<(), &'static str> {
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "valid_lft" => address.valid = Some(lifetime(words.next().unwrap_or_default())?),
            "preferred_lft" => {
                address.preferred = Some(lifetime(words.next().unwrap_or_default())?);
            }
            _ => {}
        }
    }
    Ok(())
}

/// `forever`, `3600sec`, `3600`; JSON writes for ever as the largest number. A lifetime that has run out can be
/// printed as a negative number.
pub(super) fn lifetime(value: &str) -> Result<Lifetime, &'static str> {
    if value == "forever" {
        return Ok(Lifetime::Forever);
    }
    match value.strip_suffix("sec").unwrap_or(value).parse::<i64>() {
        Ok(left) if left == i64::from(u32::MAX) => Ok(Lifetime::Forever),
        Ok(left) => Ok(Lifetime::Seconds(
            u32::try_from(left.max(0)).unwrap_or(u32::MAX),
        )),
        Err(_) => Err("the lifetime is not a number of seconds"),
    }
}

pub(super) fn ip(value: &str) -> Result<IpAddr, &'static str> {
    value.parse().map_err(|_| "it is not an IP address")
}

/// `10.0.0.5/24`, or without a prefix.
pub(super) fn with_prefix(value: &str) -> Result<(IpAddr, Option<u8>), &'static str> {
    let Some((address, prefix_len)) = value.split_once('/') else {
        return Ok((ip(value)?, None));
    };
    let address = ip(address)?;
    Ok((address, Some(prefix(address, prefix_len)?)))
}

pub(super) fn prefix(address: IpAddr, value: &str) -> Result<u8, &'static str> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match value.parse() {
        Ok(prefix_len) if prefix_len <= longest => Ok(prefix_len),
        _ => Err("the prefix length is not one"),
    }
}

pub(super) fn empty(family: AddressFamily, address: IpAddr) -> Address {
    Address {
        family,
        address,
        prefix_len: None,
        peer: None,
        broadcast: None,
        scope: None,
        flags: Vec::new(),
        protocol: None,
        label: None,
        valid: None,
        preferred: None,
    }
}

pub(super) fn family_of(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}
