//! What each corosync address stands on, down to the switch: address, VLAN interface, bridge, bond, ports, switch.
//!
//! The truth is what nodes say of their links, bonds and bridges, and what the other side says of itself: LLDP first, then
//! the system of LACP. What the operator declared ([`Site`]) comes before both. What is not known is told as not known:
//! a stack that ends nowhere, a port without a switch.

mod contradiction;
mod pattern;
mod place;
mod site;
mod stack;
mod switch;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Cluster, FreshNode, Now};
use crate::fact::corosync::{Corosync, LinkStatus};
use crate::fact::corosync_conf::CorosyncConf;
use crate::fact::link::Link;
use crate::name::{IfaceName, LinkNumber, NodeName, VlanId};
use crate::report::Facts as _;

pub use contradiction::{Contradiction, contradictions};
pub use pattern::{BadPattern, PortPattern};
pub use place::{claims, place};
pub use site::{DeclaredSwitch, Dependency, Machine, Place, Service, Site};
pub(crate) use switch::chassis_on;
pub use switch::{Basis, Switch, SwitchId, SwitchOf};

/// A port of a node: a NIC, or what stands for one.
pub type PortId = (NodeName, IfaceName);

/// Whether something passes through a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    Down,
    Unknown,
    Up,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub standing: Standing,
    pub switch: SwitchOf,
}

/// How traffic goes over the ports of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gathered {
    /// One port.
    Single,
    /// A bond of ports.
    Bond(Gathering),
    /// Several ports that are no bond: which of them carries what is not known.
    Several,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathering {
    pub bond: IfaceName,
    pub failover: Failover,
    /// It carries nothing with fewer ports than this.
    pub at_least: u32,
}

/// What a bond does about a port that keeps its carrier and passes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failover {
    /// Its partner is missed after 3 s.
    LacpFast,
    /// Its partner is missed after 90 s.
    LacpSlow,
    /// It goes by the carrier alone, and all goes over this port.
    ActivePort(Option<IfaceName>),
    /// It goes by the carrier alone, or that is not known.
    Blind,
}

/// One corosync address with all that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    pub address: String,
    /// The interfaces from the address down to the ports, these not among them.
    pub through: Vec<IfaceName>,
    pub vlans: Vec<VlanId>,
    pub ports: Vec<IfaceName>,
    pub gathered: Gathered,
}

/// Why nothing is known of what an address stands on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStack {
    #[error("{node} is not heard, so that what its corosync link {link} stands on is not known")]
    Silent { node: NodeName, link: LinkNumber },
    #[error("no interface of {node} has the address {address} of corosync link {link}")]
    NoInterface {
        node: NodeName,
        link: LinkNumber,
        address: String,
    },
    #[error("{iface} of {node}, which carries corosync link {link}, leads to no port")]
    NoPort {
        node: NodeName,
        link: LinkNumber,
        iface: IfaceName,
    },
}

#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// Of every node of the nodelist and each of its corosync links.
    pub stacks: BTreeMap<(NodeName, LinkNumber), Result<Stack, NoStack>>,
    /// Stacks of all addresses of a node, corosync's or not: a way to the qdevice may be among them.
    pub others: BTreeMap<NodeName, Vec<Stack>>,
    pub ports: BTreeMap<PortId, Port>,
    pub switches: BTreeMap<SwitchId, Switch>,
}

impl Topology {
    pub fn of(cluster: &Cluster, now: Now, site: &Site) -> Self {
        let mut topology = Self::default();
        let heard: Vec<FreshNode<'_>> = cluster.fresh(now).collect();
        for (node, addresses) in corosync_addresses(&heard) {
            let fresh = heard.iter().find(|fresh| *fresh.name() == node);
            for (link, address) in addresses {
                let stack = match fresh {
                    Some(fresh) if fresh.links().is_some() => {
                        stack::of_address(fresh, link, &address)
                    }
                    _ => Err(NoStack::Silent {
                        node: node.clone(),
                        link,
                    }),
                };
                topology.stacks.insert((node.clone(), link), stack);
            }
        }
        for fresh in cluster.fresh(now) {
            let stacks = stack::of_all_addresses(&fresh);
            topology.others.insert(fresh.name().clone(), stacks);
        }
        topology.ports(cluster, now);
        switch::find(&mut topology, cluster, now, site);
        topology
    }

    /// The switch behind a port, as far as it is known.
    pub fn switch_of(&self, node: &NodeName, port: &IfaceName) -> &SwitchOf {
        let port = self.ports.get(&(node.clone(), port.clone()));
        port.map_or(&SwitchOf::Unknown, |port| &port.switch)
    }

    /// Every port of a node that is heard, whether corosync uses it or not; no ends of pairs that lead to containers.
    fn ports(&mut self, cluster: &Cluster, now: Now) {
        for fresh in cluster.fresh(now) {
            let name = fresh.name();
            let corosyncs = self.stacks.iter().filter(|((node, _), _)| node == name);
            let corosyncs = corosyncs.filter_map(|(_, stack)| stack.as_ref().ok());
            let all = self.others.get(name).into_iter().flatten().chain(corosyncs);
            let used: BTreeSet<IfaceName> =
                all.flat_map(|stack| stack.ports.iter().cloned()).collect();
            let stands = |link: &Link| !stack::is_veth(link) || used.contains(&link.name);
            for link in fresh.links().into_iter().flatten() {
                if stack::is_port(link) && stands(link) {
                    let standing = standing(&fresh, link);
                    let id = (name.clone(), link.name.clone());
                    let switch = SwitchOf::Unknown;
                    self.ports.insert(id, Port { standing, switch });
                }
            }
        }
    }
}

/// What each running corosync link of a node stands on, by itself; `None` if that is not known of one of them.
pub fn stacks_of_links(fresh: &FreshNode<'_>) -> Option<Vec<Stack>> {
    let links = fresh.corosync()?.links.as_ref()?;
    let stack = |link: &LinkStatus| {
        let address = link.address.as_ref()?;
        stack::of_address(fresh, link.link, address).ok()
    };
    links.iter().map(stack).collect()
}

/// What every address of a node stands on by which others may be reached.
pub fn stacks_of_addresses(fresh: &FreshNode<'_>) -> Vec<Stack> {
    stack::of_all_addresses(fresh)
}

/// What people call the switch behind a port, if it is certain: as declared, else by LLDP.
pub fn switch_label(fresh: &FreshNode<'_>, site: &Site, port: &IfaceName) -> Option<String> {
    let declared = site.switch_of(fresh.name(), port);
    let declared = declared.map(|switch| switch.name.clone());
    declared.or_else(|| {
        let (chassis, name) = switch::chassis(fresh, port)?;
        Some(name.unwrap_or(chassis))
    })
}

/// A bond knows more of its port than the carrier tells.
fn standing(fresh: &FreshNode<'_>, link: &Link) -> Standing {
    use crate::fact::bond::MiiStatus;
    let bonds = fresh.bonds().into_iter().flatten();
    let mut slaves = bonds.flat_map(|bond| &bond.slaves);
    let mii = slaves
        .find(|port| port.name == link.name)
        .and_then(|port| port.mii_status.as_ref());
    if link.admin_up == Some(false) || link.carrier == Some(false) {
        return Standing::Down;
    }
    match (mii, link.carrier) {
        (Some(MiiStatus::Down | MiiStatus::GoingBack), _) => Standing::Down,
        (Some(MiiStatus::Up | MiiStatus::GoingDown), _) | (None, Some(true)) => Standing::Up,
        _ => Standing::Unknown,
    }
}

/// Of what corosync reads on the nodes that are heard, the newest version.
pub(crate) fn newest_conf<'a>(nodes: &'a [FreshNode<'_>]) -> Option<&'a CorosyncConf> {
    let confs = nodes
        .iter()
        .filter_map(|fresh| fresh.corosync_conf()?.local.as_ref());
    confs.max_by_key(|conf| conf.totem.config_version)
}

type Addresses = BTreeMap<LinkNumber, String>;

/// The nodelist of the newest configuration that is heard; what a running corosync says of itself comes before it.
fn corosync_addresses(nodes: &[FreshNode<'_>]) -> BTreeMap<NodeName, Addresses> {
    let mut all: BTreeMap<NodeName, Addresses> = BTreeMap::new();
    for node in newest_conf(nodes).into_iter().flat_map(|conf| &conf.nodes) {
        let name = node.name.as_ref();
        if let Some(name) = name.and_then(|name| NodeName::new(name.clone()).ok()) {
            all.insert(name, node.addresses.clone());
        }
    }
    for fresh in nodes {
        let links = fresh
            .corosync()
            .and_then(|corosync: &Corosync| corosync.links.as_ref());
        let mut running: Addresses = links
            .into_iter()
            .flatten()
            .filter_map(|link| Some((link.link, link.address.clone()?)))
            .collect();
        if !running.is_empty() {
            // A name is worth less than the address that the file may have for it.
            let is_address = |text: &String| text.parse::<core::net::IpAddr>().is_ok();
            let filed = all.remove(fresh.name()).unwrap_or_default();
            for (link, address) in &mut running {
                if let Some(filed) = filed.get(link).filter(|_| !is_address(address)) {
                    address.clone_from(filed);
                }
            }
            all.insert(fresh.name().clone(), running);
        }
    }
    all
}
