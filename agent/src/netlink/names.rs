//! iproute2's words for the kernel's numbers, where neither the model nor netlink-packet-route has them.

use nix::libc;

/// The flags of an interface in iproute2's order (ip/ipaddress.c, print_link_flags), `NO-CARRIER` first. `M-DOWN`, which
/// needs a look at another interface, comes last and is not made here.
pub(super) fn link_flags(mut flags: u32) -> Vec<String> {
    const WORDS: &[(i32, &str)] = &[
        (libc::IFF_LOOPBACK, "LOOPBACK"),
        (libc::IFF_BROADCAST, "BROADCAST"),
        (libc::IFF_POINTOPOINT, "POINTOPOINT"),
        (libc::IFF_MULTICAST, "MULTICAST"),
        (libc::IFF_NOARP, "NOARP"),
        (libc::IFF_ALLMULTI, "ALLMULTI"),
        (libc::IFF_PROMISC, "PROMISC"),
        (libc::IFF_MASTER, "MASTER"),
        (libc::IFF_SLAVE, "SLAVE"),
        (libc::IFF_DEBUG, "DEBUG"),
        (libc::IFF_DYNAMIC, "DYNAMIC"),
        (libc::IFF_AUTOMEDIA, "AUTOMEDIA"),
        (libc::IFF_PORTSEL, "PORTSEL"),
        (libc::IFF_NOTRAILERS, "NOTRAILERS"),
        (libc::IFF_UP, "UP"),
        (libc::IFF_LOWER_UP, "LOWER_UP"),
        (libc::IFF_DORMANT, "DORMANT"),
        (libc::IFF_ECHO, "ECHO"),
    ];
    let is_set = |flags: u32, flag: i32| flags & flag.cast_unsigned() != 0;
    let mut words = Vec::new();
    if is_set(flags, libc::IFF_UP) && !is_set(flags, libc::IFF_RUNNING) {
        words.push("NO-CARRIER".to_owned());
    }
    flags &= !libc::IFF_RUNNING.cast_unsigned();
    for (flag, word) in WORDS {
        if is_set(flags, *flag) {
            flags &= !flag.cast_unsigned();
            words.push((*word).to_owned());
        }
    }
    if flags != 0 {
        words.push(format!("{flags:x}"));
    }
    words
}

/// RFC 2863's states by the kernel's number.
pub(super) fn operstate(number: u8) -> String {
    const WORDS: &[&str] = &[
        "UNKNOWN",
        "NOTPRESENT",
        "DOWN",
        "LOWERLAYERDOWN",
        "TESTING",
        "DORMANT",
        "UP",
    ];
    word(WORDS, number.into())
}

/// The word at a place in a table, or the number where the table ends.
pub(super) fn word(words: &[&str], number: u32) -> String {
    let place = usize::try_from(number).unwrap_or(usize::MAX);
    words
        .get(place)
        .map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

/// ARPHRD_*: the types that a Linux server can have (lib/ll_types.c); others stand in brackets, as there.
pub(super) fn link_type(number: u16) -> String {
    let word = match number {
        libc::ARPHRD_ETHER => "ether",
        libc::ARPHRD_IEEE1394 => "ieee1394",
        libc::ARPHRD_INFINIBAND => "infiniband",
        libc::ARPHRD_SLIP => "slip",
        libc::ARPHRD_CAN => "can",
        libc::ARPHRD_PPP => "ppp",
        libc::ARPHRD_HDLC => "hdlc",
        libc::ARPHRD_TUNNEL => "ipip",
        libc::ARPHRD_TUNNEL6 => "tunnel6",
        libc::ARPHRD_LOOPBACK => "loopback",
        libc::ARPHRD_FDDI => "fddi",
        libc::ARPHRD_SIT => "sit",
        libc::ARPHRD_IPGRE => "gre",
        libc::ARPHRD_IEEE80211 => "ieee802.11",
        libc::ARPHRD_IEEE80211_PRISM => "ieee802.11/prism",
        libc::ARPHRD_IEEE80211_RADIOTAP => "ieee802.11/radiotap",
        libc::ARPHRD_IEEE802154 => "ieee802.15.4",
        ARPHRD_IP6GRE => "gre6",
        libc::ARPHRD_NONE => "none",
        libc::ARPHRD_VOID => "void",
        _ => return format!("[{number}]"),
    };
    word.to_owned()
}

pub(super) const ARPHRD_IP6GRE: u16 = 823;

/// Do interfaces of this type write IP addresses where others have hardware addresses?
pub(super) fn has_ip_for_mac(number: u16) -> bool {
    matches!(
        number,
        libc::ARPHRD_TUNNEL
            | libc::ARPHRD_TUNNEL6
            | libc::ARPHRD_SIT
            | libc::ARPHRD_IPGRE
            | ARPHRD_IP6GRE
    )
}

/// The group 0 is the only one that a Debian or Proxmox VE node has a name for.
pub(super) fn group(number: u32) -> String {
    match number {
        0 => "default".to_owned(),
        number => number.to_string(),
    }
}

/// RT_SCOPE_*
pub(super) fn scope(number: u8) -> String {
    match number {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        number => number.to_string(),
    }
}

/// IFAPROT_*
pub(super) fn address_protocol(number: u8) -> String {
    match number {
        0 => "unspec".to_owned(),
        1 => "kernel_lo".to_owned(),
        2 => "kernel_ra".to_owned(),
        3 => "kernel_ll".to_owned(),
        number => format!("{number:#x}"),
    }
}

/// Bytes as iproute2 writes identities: no separators.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A bridge's identity: priority in four digits, and the address without leading zeros (`8000.82:f9:af:51:f:c8`).
pub(super) fn bridge_id(priority: u16, address: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = address;
    format!("{priority:04x}.{a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_as_iproute2_does() {
        assert_eq!(
            link_flags(0x11043).join(","),
            "BROADCAST,MULTICAST,UP,LOWER_UP"
        );
        assert_eq!(
            link_flags(0x1003).join(","),
            "NO-CARRIER,BROADCAST,MULTICAST,UP"
        );
        assert_eq!(link_flags(0x8000_0001).join(","), "NO-CARRIER,UP,80000000");
        assert!(link_flags(0).is_empty());
    }

    #[test]
    fn unknown_numbers_stay_numbers() {
        assert_eq!((operstate(6), operstate(7)), ("UP".into(), "7".into()));
        assert_eq!(
            (link_type(1), link_type(9999)),
            ("ether".into(), "[9999]".into())
        );
        assert_eq!((scope(254), scope(9)), ("host".into(), "9".into()));
        assert_eq!(
            bridge_id(0x8000, [0x82, 0xf9, 0xaf, 0x51, 0xf, 0xc8]),
            "8000.82:f9:af:51:f:c8"
        );
    }
}
