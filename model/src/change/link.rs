//! Network interfaces. What the bonding driver says of itself is told by the family of the bonds.

use crate::change::pair::{Pair, pairs};
use crate::change::sentence::{became, counted, sentence};
use crate::change::{Change, differences};
use crate::fact::link::{Address, Link, Statistics};
use crate::report::Family;

/// Told elsewhere, or wavering by themselves.
const LEFT_OUT: &[&str] = &[
    "bond",
    "bond_slave",
    "bridge.root_port",
    "bridge.topology_change",
    "promiscuity",
    "allmulti",
];

pub(super) fn changes(before: &[Link], after: &[Link]) -> Vec<Change> {
    let mut changes = Vec::new();
    for pair in pairs(before, after, |link| &link.name) {
        match pair {
            Pair::Came(link) => changes.push(whole(link, came(link))),
            Pair::Went(link) => changes.push(whole(link, format!("{} is gone", link.name))),
            Pair::Stayed(was, is) => changes.extend(changed(was, is)),
        }
    }
    changes
}

fn whole(link: &Link, sentence: String) -> Change {
    Change::new(Family::Links, link.name.as_str(), sentence)
}

fn came(link: &Link) -> String {
    let kind = link.kind.as_deref().unwrap_or("interface");
    let state = match (link.admin_up, link.carrier) {
        (Some(false), _) => ", set down",
        (_, Some(true)) => ", with carrier",
        (_, Some(false)) => ", without carrier",
        _ => "",
    };
    format!("{} is new ({kind}{state})", link.name)
}

fn changed(was: &Link, is: &Link) -> Option<Change> {
    let (was, is) = (without_measures(was), without_measures(is));
    if was == is {
        return None;
    }
    let found = differences(&was, &is, LEFT_OUT);
    if found.is_empty() {
        return None;
    }
    let name = is.name.as_str();
    let sentence = sentence(name, &clauses(&was, &is), &found);
    Some(Change::new(Family::Links, name, sentence).with(found))
}

/// Counters grow all the time; only how often the carrier came and went is a fact.
fn without_measures(link: &Link) -> Link {
    let mut link = link.clone();
    link.statistics = link.statistics.map(|counters| Statistics {
        carrier_changes: counters.carrier_changes,
        ..Statistics::default()
    });
    for address in link.addresses.iter_mut().flatten() {
        address.valid = None;
        address.preferred = None;
        // An IPv6 address is tentative for a second; anything else said of it stays.
        address.flags.retain(|flag| flag != "tentative");
    }
    link
}

fn clauses(was: &Link, is: &Link) -> Vec<String> {
    let mut clauses = Vec::new();
    match (was.admin_up, is.admin_up) {
        (Some(true), Some(false)) => clauses.push("was set down".to_owned()),
        (Some(false), Some(true)) => clauses.push("was set up".to_owned()),
        _ => {}
    }
    match (was.carrier, is.carrier) {
        (Some(true), Some(false)) => clauses.push("lost its carrier".to_owned()),
        (Some(false) | None, Some(true)) => clauses.push("has carrier".to_owned()),
        (Some(true), None) if is.admin_up != Some(false) => {
            clauses.push("its carrier is unknown".to_owned());
        }
        (same, other) if same == other => clauses.extend(blinked(was, is)),
        _ => {}
    }
    clauses.extend(pace(
        "speed",
        " Mbit/s",
        was.speed_mbps.as_ref(),
        is.speed_mbps.as_ref(),
    ));
    clauses.extend(pace("duplex", "", was.duplex.as_ref(), is.duplex.as_ref()));
    clauses.extend(became(
        "MTU",
        " bytes",
        was.mtu_bytes.as_ref(),
        is.mtu_bytes.as_ref(),
    ));
    clauses.extend(joined(was, is));
    clauses.extend(addresses(was, is));
    clauses.extend(became("MAC address", "", was.mac.as_ref(), is.mac.as_ref()));
    let state = |link: &Link| {
        link.bridge_slave
            .as_ref()
            .and_then(|port| port.state.clone())
    };
    if let (Some(was), Some(is)) = (state(was), state(is)) {
        clauses.extend(became("bridge port", "", Some(&was), Some(&is)));
    }
    if clauses.is_empty() {
        clauses.extend(became(
            "state",
            "",
            was.operstate.as_ref(),
            is.operstate.as_ref(),
        ));
    }
    clauses
}

/// Without a link a port has no speed and no duplex; that it lost them says no more than that it lost its carrier.
fn pace<T: PartialEq + std::fmt::Display>(
    what: &str,
    unit: &str,
    was: Option<&T>,
    is: Option<&T>,
) -> Option<String> {
    match (was, is) {
        (Some(_), Some(_)) => became(what, unit, was, is),
        (None, Some(is)) => Some(format!("{what} is {is}{unit}")),
        (_, None) => None,
    }
}

/// The carrier is as it was, but it was away, or there, in between.
fn blinked(was: &Link, is: &Link) -> Option<String> {
    is.carrier?;
    let count = |link: &Link| link.statistics.as_ref()?.carrier_changes;
    let times = count(is)?
        .checked_sub(count(was)?)
        .filter(|times| *times > 0)?;
    let times = usize::try_from(times).ok()?;
    Some(format!(
        "its carrier changed {} between two looks, and is as it was",
        counted(times, "time")
    ))
}

fn joined(was: &Link, is: &Link) -> Option<String> {
    match (&was.master, &is.master) {
        (None, Some(new)) => Some(format!("joined {new}")),
        (Some(old), None) => Some(format!("left {old}")),
        (Some(old), Some(new)) if old != new => Some(format!("left {old} and joined {new}")),
        _ => None,
    }
}

fn addresses(was: &Link, is: &Link) -> Vec<String> {
    let said = |address: &Address| match address.prefix_len {
        Some(length) => format!("{}/{length}", address.address),
        None => address.address.to_string(),
    };
    let (was, is) = match (&was.addresses, &is.addresses) {
        (Some(was), Some(is)) => (was, is),
        (Some(_), None) => return vec!["its addresses are unknown".to_owned()],
        (None, Some(is)) if is.is_empty() => return vec!["has no address".to_owned()],
        (None, Some(is)) => {
            let all: Vec<String> = is.iter().map(said).collect();
            return vec![format!("its addresses are {}", all.join(", "))];
        }
        (None, None) => return Vec::new(),
    };
    let key = |address: &Address| (address.address, address.prefix_len);
    let mut clauses = Vec::new();
    for pair in pairs(was, is, key) {
        match pair {
            Pair::Came(address) => clauses.push(format!("got the address {}", said(address))),
            Pair::Went(address) => clauses.push(format!("lost the address {}", said(address))),
            // Flags of an IPv6 address: tentative, then not.
            Pair::Stayed(..) => {}
        }
    }
    clauses
}
