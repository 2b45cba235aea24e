//! Bridges and the VLANs of their ports.

use std::collections::BTreeSet;

use crate::change::pair::{Pair, pairs};
use crate::change::sentence::{became, sentence};
use crate::change::{Change, differences};
use crate::fact::bridge::{Bridge, BridgePort, VlanRange};
use crate::report::Family;

/// Addresses come and go with the traffic.
const LEFT_OUT: &[&str] = &["seen"];

pub(super) fn changes(before: &[Bridge], after: &[Bridge]) -> Vec<Change> {
    let mut changes = Vec::new();
    for pair in pairs(before, after, |bridge| &bridge.name) {
        match pair {
            Pair::Came(bridge) => changes.push(whole(bridge, "is new")),
            Pair::Went(bridge) => changes.push(whole(bridge, "is gone")),
            Pair::Stayed(was, is) => changes.extend(changed(was, is)),
        }
    }
    changes
}

fn name(bridge: &Bridge) -> &str {
    bridge
        .name
        .as_ref()
        .map_or("ports without a known bridge", |name| name.as_str())
}

fn whole(bridge: &Bridge, what: &str) -> Change {
    let sentence = format!("{} {what}", name(bridge));
    Change::new(Family::Bridges, name(bridge), sentence)
}

fn changed(was: &Bridge, is: &Bridge) -> Option<Change> {
    if was == is {
        return None;
    }
    let found = differences(was, is, LEFT_OUT);
    if found.is_empty() {
        return None;
    }
    let mut clauses = Vec::new();
    match (was.vlan_filtering, is.vlan_filtering) {
        (Some(true), Some(false)) => clauses.push("is not VLAN-aware any more".to_owned()),
        (Some(false), Some(true)) => clauses.push("is VLAN-aware".to_owned()),
        _ => {}
    }
    clauses.extend(vlans(
        "the bridge itself",
        was.vlans.as_deref(),
        is.vlans.as_deref(),
    ));
    for pair in pairs(&was.ports, &is.ports, |port| &port.name) {
        match pair {
            Pair::Came(port) => clauses.push(format!("port {} joined", port.name)),
            Pair::Went(port) => clauses.push(format!("port {} left", port.name)),
            Pair::Stayed(was, is) => clauses.extend(port(was, is)),
        }
    }
    clauses.extend(became(
        "state",
        "",
        was.operstate.as_ref(),
        is.operstate.as_ref(),
    ));
    let sentence = sentence(name(is), &clauses, &found);
    Some(Change::new(Family::Bridges, name(is), sentence).with(found))
}

fn port(was: &BridgePort, is: &BridgePort) -> Vec<String> {
    let name = format!("port {}", is.name);
    let mut clauses = vlans(&name, was.vlans.as_deref(), is.vlans.as_deref());
    clauses.extend(became(&name, "", was.state.as_ref(), is.state.as_ref()));
    clauses
}

fn vlans(who: &str, was: Option<&[VlanRange]>, is: Option<&[VlanRange]>) -> Vec<String> {
    let (Some(was), Some(is)) = (was, is) else {
        return if was == is {
            Vec::new()
        } else {
            vec![format!(
                "{who}: its VLANs are {}",
                if is.is_some() { "known" } else { "unknown" }
            )]
        };
    };
    let (was, is) = (ids(was), ids(is));
    let mut clauses = Vec::new();
    let lost: Vec<u16> = was.difference(&is).copied().collect();
    let got: Vec<u16> = is.difference(&was).copied().collect();
    if !lost.is_empty() {
        clauses.push(format!("{who} lost {}", ranges(&lost)));
    }
    if !got.is_empty() {
        clauses.push(format!("{who} got {}", ranges(&got)));
    }
    clauses
}

fn ids(ranges: &[VlanRange]) -> BTreeSet<u16> {
    ranges
        .iter()
        .flat_map(|range| range.first.get()..=range.last.get())
        .collect()
}

/// How many ranges are named in a sentence.
const MAX_RANGES: usize = 6;

/// `VLAN 30`, `VLANs 2-4, 7`
fn ranges(ids: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &id in ids {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => runs.push((id, id)),
        }
    }
    let named: Vec<String> = runs
        .iter()
        .take(MAX_RANGES)
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    let more = if runs.len() > MAX_RANGES {
        " and more"
    } else {
        ""
    };
    let word = if ids.len() == 1 { "VLAN" } else { "VLANs" };
    format!("{word} {}{more}", named.join(", "))
}
