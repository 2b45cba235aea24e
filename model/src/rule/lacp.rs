//! What the rules of bonds ask of a bond, said once: which of its ports are up, which are answered, which stand apart.
//!
//! Of several things that are wrong with one port only the first is told: nobody answers, the partners differ, the
//! speeds differ, the aggregators differ, the port is churned. Each of them makes those behind it.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::bond::{Bond, BondMode, BondPort, Churn, Duplex};
use crate::fact::hardware_address::HardwareAddress;
use crate::finding::Thing;
use crate::name::NodeName;

pub(super) fn is_lacp(bond: &Bond) -> bool {
    bond.mode == Some(BondMode::Ieee8023ad)
}

pub(super) fn up(bond: &Bond) -> impl Iterator<Item = &BondPort> {
    bond.slaves.iter().filter(|port| port.is_up())
}

/// It hears nobody, and has had the minute that LACP takes to find that out.
pub(super) fn is_unanswered(port: &BondPort) -> bool {
    let is_settling = [&port.actor_churn, &port.partner_churn].contains(&&Some(Churn::Monitoring));
    port.partner_mac.as_ref().is_some_and(|mac| mac.is_zero()) && !is_settling
}

/// The systems that the ports which are up hear, each with its ports.
pub(super) fn partners(bond: &Bond) -> BTreeMap<&HardwareAddress, Vec<&BondPort>> {
    let mut partners: BTreeMap<&HardwareAddress, Vec<&BondPort>> = BTreeMap::new();
    for port in up(bond) {
        if let Some(partner) = port.partner_mac.as_ref().filter(|mac| !mac.is_zero()) {
            partners.entry(partner).or_default().push(port);
        }
    }
    partners
}

/// The ports that are up and not in the aggregator that carries the traffic. A port that nobody answers is in one of
/// its own by rights, and is not among them.
pub(super) fn outside(bond: &Bond) -> Vec<&BondPort> {
    let answered =
        || up(bond).filter(|port| !port.partner_mac.as_ref().is_some_and(|mac| mac.is_zero()));
    let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
    for id in answered().filter_map(|port| port.aggregator_id) {
        *sizes.entry(id).or_default() += 1;
    }
    if sizes.len() < 2 {
        return Vec::new();
    }
    let active = bond
        .lacp
        .as_ref()
        .and_then(|lacp| lacp.active_aggregator.as_ref()?.id);
    let largest = || {
        sizes
            .iter()
            .rev()
            .max_by_key(|(_, ports)| **ports)
            .map(|(id, _)| *id)
    };
    let active = active.filter(|id| sizes.contains_key(id)).or_else(largest);
    answered()
        .filter(|port| port.aggregator_id.is_some() && port.aggregator_id != active)
        .collect()
}

/// The ports that are up and slower, or less than full duplex, beside one that is not. A spare port may be slower: where
/// one port at a time carries the traffic, only the duplex counts.
pub(super) fn lesser(bond: &Bond) -> Vec<&BondPort> {
    let speed = |port: &BondPort| {
        port.speed_mbps
            .filter(|_| bond.mode != Some(BondMode::ActiveBackup))
    };
    let best = up(bond).filter_map(speed).max();
    let is_half = |port: &BondPort| port.duplex == Some(Duplex::Half);
    let has_full = up(bond).any(|port| port.duplex == Some(Duplex::Full));
    let is_lesser = |port: &&BondPort| {
        let is_slower = speed(port).zip(best).is_some_and(|(is, best)| is < best);
        is_slower || (is_half(port) && has_full)
    };
    up(bond).filter(is_lesser).collect()
}

pub(super) fn names(ports: &[&BondPort]) -> String {
    let names: BTreeSet<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

pub(super) fn things(node: &NodeName, ports: &[&BondPort]) -> Vec<Thing> {
    let thing = |port: &&BondPort| Thing::Iface(node.clone(), port.name.clone());
    ports.iter().map(thing).collect()
}
