//! Which switch a port is plugged into: as declared, else by LLDP, else by the system that answers LACP.
//!
//! Two switches of an MLAG pair answer LACP as one system. Where LLDP shows two chassis behind one system they are told
//! apart; a port of which only the system is known may be in any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{PortId, Site, Topology};
use crate::cluster::{Cluster, FreshNode, Now};
use crate::fact::lldp::Neighbour;
use crate::name::IfaceName;
use crate::report::Facts as _;

/// A declared name, an LLDP chassis or an LACP system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwitchId(pub String);

impl fmt::Display for SwitchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a switch is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    Declared,
    Lldp,
    /// It may be one switch or a pair that calls itself one.
    Lacp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// What people call it: the declared name, the name in LLDP, or the id.
    pub label: String,
    pub basis: Basis,
    /// Every port that is certainly plugged into it, or into its LACP system.
    pub ports: BTreeSet<PortId>,
}

/// The switch of one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchOf {
    Known(SwitchId),
    /// Only the LACP system is known, and these are switches of it; there may be others.
    OneOf(Vec<SwitchId>),
    /// Only the LACP system is known, and no switch of it by itself.
    System(SwitchId),
    Unknown,
}

#[derive(Default)]
struct Heard {
    declared: Option<String>,
    chassis: Option<(String, Option<String>)>,
    system: Option<String>,
}

pub(super) fn find(topology: &mut Topology, cluster: &Cluster, now: Now, site: &Site) {
    let mut heard: BTreeMap<PortId, Heard> = BTreeMap::new();
    for fresh in cluster.fresh(now) {
        for (node, iface) in topology
            .ports
            .keys()
            .filter(|(node, _)| node == fresh.name())
        {
            let port = Heard {
                declared: site
                    .switch_of(node, iface)
                    .map(|switch| switch.name.clone()),
                chassis: chassis(&fresh, iface),
                system: system(&fresh, iface),
            };
            heard.insert((node.clone(), iface.clone()), port);
        }
    }
    let labels = labels(&heard);
    let mut of_system: BTreeMap<&str, BTreeSet<SwitchId>> = BTreeMap::new();
    for port in heard.values() {
        if let (Some(system), Some(id)) = (&port.system, certain(port)) {
            of_system.entry(system).or_default().insert(id);
        }
    }
    for (id, port) in &heard {
        let switch = match (certain(port), &port.system) {
            (Some(switch), _) => SwitchOf::Known(switch),
            (None, Some(system)) => match of_system.get(system.as_str()) {
                Some(switches) => SwitchOf::OneOf(switches.iter().cloned().collect()),
                None => SwitchOf::System(SwitchId(system.clone())),
            },
            (None, None) => SwitchOf::Unknown,
        };
        if let SwitchOf::Known(switch) | SwitchOf::System(switch) = &switch {
            let basis = match (&port.declared, &port.chassis) {
                (Some(_), _) => Basis::Declared,
                (None, Some(_)) => Basis::Lldp,
                (None, None) => Basis::Lacp,
            };
            let label = labels.get(&switch.0).unwrap_or(&switch.0);
            let entry = topology
                .switches
                .entry(switch.clone())
                .or_insert_with(|| Switch {
                    label: label.clone(),
                    basis,
                    ports: BTreeSet::new(),
                });
            entry.ports.insert(id.clone());
        }
        if let Some(port) = topology.ports.get_mut(id) {
            port.switch = switch;
        }
    }
}

fn certain(port: &Heard) -> Option<SwitchId> {
    let chassis = port.chassis.as_ref().map(|(id, _)| id);
    port.declared.as_ref().or(chassis).cloned().map(SwitchId)
}

/// A name in LLDP stands for a chassis as long as no other has it.
fn labels(heard: &BTreeMap<PortId, Heard>) -> BTreeMap<String, String> {
    let chassis = || heard.values().filter_map(|port| port.chassis.as_ref());
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (id, name) in chassis() {
        if let Some(name) = name {
            named.entry(name).or_default().insert(id);
        }
    }
    let alone = |(id, name): &(String, Option<String>)| {
        let name = name.clone()?;
        let is_alone = named.get(name.as_str()).is_some_and(|ids| ids.len() == 1);
        is_alone.then(|| (id.clone(), name))
    };
    chassis().filter_map(alone).collect()
}

/// The switch that is heard on the port, or was before it lost its carrier.
pub(super) fn chassis(
    fresh: &FreshNode<'_>,
    iface: &IfaceName,
) -> Option<(String, Option<String>)> {
    let here = fresh.lldp().map_or(&[][..], Vec::as_slice);
    let past = || {
        let port = fresh.node.past.ports.get(iface)?;
        let is_dark = port.lost_carrier_ms.is_some();
        let chassis = port.chassis.clone().filter(|_| is_dark)?;
        Some((chassis.id, chassis.name))
    };
    chassis_on(here, iface).or_else(past)
}

/// The one switch among the neighbours of the port; several are none, for the port is then behind something that passes
/// LLDP on.
pub(crate) fn chassis_on(
    neighbours: &[Neighbour],
    iface: &IfaceName,
) -> Option<(String, Option<String>)> {
    let is_switch = |neighbour: &&Neighbour| {
        let kinds = &neighbour.chassis.capabilities;
        kinds.is_empty()
            || kinds
                .iter()
                .any(|it| it.kind == "Bridge" && it.enabled != Some(false))
    };
    let here = neighbours
        .iter()
        .filter(|neighbour| neighbour.interface.as_ref() == Some(iface));
    let ids: BTreeSet<(String, Option<String>)> = here
        .filter(is_switch)
        .filter_map(|neighbour| {
            let id = neighbour.chassis.id.as_ref()?.value.clone()?;
            Some((id, neighbour.chassis.name.clone()))
        })
        .collect();
    let distinct: BTreeSet<&String> = ids.iter().map(|(id, _)| id).collect();
    if distinct.len() == 1 {
        ids.into_iter().next_back()
    } else {
        None
    }
}

/// The system that answers LACP on the port, or did while it was up.
fn system(fresh: &FreshNode<'_>, iface: &IfaceName) -> Option<String> {
    let mut slaves = fresh
        .bonds()
        .into_iter()
        .flatten()
        .flat_map(|bond| &bond.slaves);
    let port = slaves.find(|port| port.name == *iface)?;
    let now = port.partner_mac.clone().filter(|mac| !mac.is_zero());
    let past = fresh.node.past.ports.get(iface);
    let mac = now.or_else(|| past.and_then(|port| port.lacp_partner.clone()));
    mac.map(|mac| mac.to_string())
}
