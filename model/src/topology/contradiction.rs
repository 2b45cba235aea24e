//! Declared switches against what LLDP tells on the same ports.

use std::collections::{BTreeMap, BTreeSet};

use super::{PortId, Site, switch};
use crate::cluster::{Cluster, Now};
use crate::report::Facts as _;

/// A declaration that does not fit what is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The declared name.
    pub switch: String,
    /// Finished, without what to do.
    pub sentence: String,
    /// The ports that it rests on, with the chassis behind each.
    pub seen: Vec<(PortId, String)>,
}

type Ports<'a> = BTreeMap<String, BTreeSet<&'a PortId>>;

/// Every contradiction, those of one switch together.
pub fn contradictions(cluster: &Cluster, now: Now, site: &Site) -> Vec<Contradiction> {
    if site.switches.is_empty() {
        return Vec::new();
    }
    let heard = chassis_of_ports(cluster, now);
    let mut found = Vec::new();
    let mut of_chassis: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for declared in &site.switches {
        let mut ports = Ports::new();
        for (port, chassis) in &heard {
            let first = site.switch_of(&port.0, &port.1);
            if first.is_some_and(|first| first.name == declared.name) {
                ports.entry(chassis.clone()).or_default().insert(port);
                of_chassis
                    .entry(chassis)
                    .or_default()
                    .insert(&declared.name);
            }
        }
        if ports.len() > 1 {
            found.push(several(&declared.name, &ports));
        }
    }
    for (chassis, names) in of_chassis.iter().filter(|(_, names)| names.len() > 1) {
        found.extend(shared(chassis, names, &heard, site));
    }
    found.extend(twice(cluster, now, site));
    found
}

fn chassis_of_ports(cluster: &Cluster, now: Now) -> BTreeMap<PortId, String> {
    let mut heard = BTreeMap::new();
    for fresh in cluster.fresh(now) {
        let neighbours = fresh.lldp().into_iter().flatten();
        for iface in neighbours.filter_map(|neighbour| neighbour.interface.as_ref()) {
            if let Some((chassis, _)) = switch::chassis(&fresh, iface) {
                heard.insert((fresh.name().clone(), iface.clone()), chassis);
            }
        }
    }
    heard
}

/// One declared switch, and several chassis: most likely the fewest ports are in the wrong place.
fn several(name: &str, ports: &Ports<'_>) -> Contradiction {
    let mut groups: Vec<(&String, &BTreeSet<&PortId>)> = ports.iter().collect();
    groups.sort_by_key(|(chassis, ports)| (std::cmp::Reverse(ports.len()), *chassis));
    let words = groups.iter().map(|(chassis, ports)| {
        let first = ports.first().map(|(node, iface)| format!("{node}/{iface}"));
        let first = first.unwrap_or_default();
        match ports.len() {
            0 | 1 => format!("{chassis} at {first}"),
            many => format!("{chassis} at {first} and {} more", many - 1),
        }
    });
    let words: Vec<String> = words.collect();
    let seen = ports.iter().flat_map(|(chassis, ports)| {
        ports
            .iter()
            .map(move |port| ((*port).clone(), chassis.clone()))
    });
    Contradiction {
        switch: name.to_owned(),
        sentence: format!(
            "switch {name} is declared as one, but LLDP shows {} chassis behind its ports: {}",
            ports.len(),
            words.join(", ")
        ),
        seen: seen.collect(),
    }
}

/// Several declared switches, and one chassis behind ports of each: told of all but the one with the most ports, and of
/// none that is told of as [`several`] with this chassis.
fn shared(
    chassis: &str,
    names: &BTreeSet<&str>,
    heard: &BTreeMap<PortId, String>,
    site: &Site,
) -> Option<Contradiction> {
    let declared = |port: &PortId| site.switch_of(&port.0, &port.1).map(|it| it.name.as_str());
    let whole = |name: &&str| {
        let mut ports = heard
            .iter()
            .filter(|(port, _)| declared(port) == Some(*name));
        ports.all(|(_, other)| other == chassis)
    };
    let whole: Vec<&str> = names.iter().filter(|name| whole(name)).copied().collect();
    let [first, .., _] = whole.as_slice() else {
        return None;
    };
    let is_theirs = |(port, other): &(&PortId, &String)| {
        *other == chassis && declared(port).is_some_and(|name| whole.contains(&name))
    };
    let seen = heard.iter().filter(is_theirs);
    let seen = seen.map(|(port, chassis)| (port.clone(), chassis.clone()));
    Some(Contradiction {
        switch: (*first).to_owned(),
        sentence: format!(
            "the switches {} are declared as different ones, but LLDP shows the same chassis {chassis} behind them",
            whole.join(", ")
        ),
        seen: seen.collect(),
    })
}

/// Ports that patterns of two switches fit.
fn twice(cluster: &Cluster, now: Now, site: &Site) -> Vec<Contradiction> {
    let mut found: BTreeMap<(&str, &str), Vec<PortId>> = BTreeMap::new();
    for fresh in cluster.fresh(now) {
        for link in fresh.links().into_iter().flatten() {
            let mut names = site.switches_of(fresh.name(), &link.name);
            if let (Some(first), Some(other)) = (names.next(), names.next()) {
                let port = (fresh.name().clone(), link.name.clone());
                found
                    .entry((&first.name, &other.name))
                    .or_default()
                    .push(port);
            }
        }
    }
    let told = found.into_iter().filter_map(|((first, other), ports)| {
        let (node, iface) = ports.first()?.clone();
        let more = match ports.len() {
            1 => String::new(),
            many => format!(" and {} more", many - 1),
        };
        Some(Contradiction {
            switch: first.to_owned(),
            sentence: format!(
                "{node}/{iface}{more} is declared for switch {first} and for switch {other}; the first of them holds"
            ),
            seen: Vec::new(),
        })
    });
    told.collect()
}
