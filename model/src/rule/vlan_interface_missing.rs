//! A VLAN interface (`bond0.30`, `vlan30`) that a node's configuration names and that is not there, or a VLAN for which
//! nearly all nodes have an interface and one has none.

use std::collections::BTreeMap;

use super::{Scene, configured, peers, vlans};
use crate::cluster::FreshNode;
use crate::fact::interfaces::Interface;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, NodeName, VlanId};
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let nodes: Vec<&FreshNode<'_>> = nodes
        .iter()
        .filter(|node| node.links().is_some() && node.interfaces().is_some())
        .collect();
    let mut found: Vec<Finding> = nodes.iter().flat_map(|node| not_made(node)).collect();
    // One that Proxmox VE makes when a guest needs it stands in no configuration.
    let mut have: BTreeMap<VlanId, Vec<(&NodeName, &str)>> = BTreeMap::new();
    for node in &nodes {
        for (interface, id) in configured::interfaces(node).iter().filter_map(with_id) {
            let of_id = have.entry(id).or_default();
            if of_id.last().is_none_or(|(last, _)| *last != node.name()) {
                of_id.push((node.name(), &interface.name));
            }
        }
    }
    for (id, have) in have {
        let lack: Vec<&NodeName> = nodes
            .iter()
            .filter(|node| !takes_part(node, id))
            .map(|node| node.name())
            .collect();
        if peers::is_missing(have.len(), lack.len()) {
            found.extend(
                lack.into_iter()
                    .filter_map(|node| elsewhere(node, id, &have, nodes.len())),
            );
        }
    }
    found
}

fn with_id(interface: &Interface) -> Option<(&Interface, VlanId)> {
    Some((interface, interface.vlan.as_ref()?.id?))
}

/// By an interface of the VLAN, in the configuration or without it, or a bridge that carries it.
fn takes_part(node: &FreshNode<'_>, id: VlanId) -> bool {
    let is_of =
        |link: &crate::fact::link::Link| link.vlan.as_ref().is_some_and(|vlan| vlan.id == Some(id));
    let carries = |set: vlans::VlanSet| set.contains(id.get());
    configured::interfaces(node)
        .iter()
        .filter_map(with_id)
        .any(|(_, own)| own == id)
        || node.links().into_iter().flatten().any(is_of)
        || node
            .bridges()
            .into_iter()
            .flatten()
            .filter_map(|bridge| vlans::carried(node, bridge))
            .any(carries)
}

fn not_made(node: &FreshNode<'_>) -> Vec<Finding> {
    let name = node.name();
    let missing = configured::not_there(node, |interface| {
        interface.vlan.is_some() && interface.bridge.is_none()
    });
    let told = |interface: &Interface| {
        let iface = IfaceName::new(interface.name.clone()).ok()?;
        let sentence = format!(
            "{iface} stands in the configuration of {name} and is not there: what needs it has no network"
        );
        let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), iface.clone()), sentence)
            .seen_in(name, Family::Interfaces, format!("iface {iface}"))
            .seen_in(name, Family::Links, format!("no interface is called {iface}"))
            .remedy(format!(
                "`journalctl -b -u networking` on {name} says why {iface} was not made: is what it stands on there, \
                 under this name? `ifquery -a -c` shows what else differs from the configuration."
            ));
        Some(found)
    };
    missing.filter_map(told).collect()
}

fn elsewhere(
    node: &NodeName,
    id: VlanId,
    have: &[(&NodeName, &str)],
    of: usize,
) -> Option<Finding> {
    let (_, named) = have.first()?;
    let iface = IfaceName::new(*named).ok()?;
    let id = id.get();
    let sentence = format!(
        "{node} takes no part in VLAN {id}, for which {} of {of} nodes have an interface (such as {iface})",
        have.len()
    );
    let found = Finding::new(Severity::Warning, Thing::Vlan(node.clone(), iface.clone(), id), sentence)
        .seen_in(node, Family::Interfaces, format!("no interface of VLAN {id}"))
        .seen_in(node, Family::Links, format!("no interface of VLAN {id}"))
        .remedy(format!(
            "Compare /etc/network/interfaces of {node} with a peer's; check with `ifreload -a -s` and apply it as one \
             maintenance of its own."
        ))
        .way_back(format!("Take `iface {iface}` out again."));
    let words = |found: Finding, (peer, iface): &(&NodeName, &str)| {
        found.seen_in(peer, Family::Interfaces, format!("iface {iface}"))
    };
    Some(have.iter().fold(found, words))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, iface, known, value};
    use crate::fact::interfaces::{ConfVlan, Configuration, Interface, Interfaces};
    use crate::fact::link::{Link, VlanDetails};
    use crate::name::VlanId;
    use crate::report::NodeReport;

    const RULE: &str = "vlan-interface-missing";

    fn configure(report: &mut NodeReport, vlans: &[u64]) {
        let vlan = |id: &u64| Interface {
            name: format!("bond0.{id}"),
            auto: true,
            vlan: Some(ConfVlan {
                id: Some(VlanId::new(*id).unwrap()),
                raw_device: Some("bond0".to_owned()),
                protocol: None,
            }),
            ..Interface::default()
        };
        report.interfaces = known(Interfaces {
            current: Some(Configuration {
                interfaces: vlans.iter().map(vlan).collect(),
                ..Configuration::default()
            }),
            pending: None,
            not_sourced: None,
        });
        // Without a bridge that carries all VLANs.
        value(&mut report.bridges)[0].vlan_filtering = Some(false);
    }

    fn make(report: &mut NodeReport, name: &str, id: u64) {
        value(&mut report.links).push(Link {
            kind: Some("vlan".to_owned()),
            link: Some(iface("bond0")),
            vlan: Some(VlanDetails {
                id: Some(VlanId::new(id).unwrap()),
                ..VlanDetails::default()
            }),
            ..Link::named(iface(name))
        });
    }

    fn all_but_the_third() -> World {
        let mut world = World::healthy();
        world.edit_all(|name, report| {
            if name.as_str() == "pve-03" {
                configure(report, &[]);
            } else {
                configure(report, &[30]);
                make(report, "bond0.30", 30);
            }
        });
        world
    }

    #[test]
    fn a_vlan_in_which_one_node_takes_no_part_is_told() {
        let mut world = all_but_the_third();
        let expect = "warning pve-03/bond0.30 VLAN 30: pve-03 takes no part in VLAN 30, for which 7 of 8 nodes have an \
                      interface (such as bond0.30)";
        assert_eq!(world.found(RULE), [expect]);
        world.edit("pve-03", |report| configure(report, &[30]));
        let expect = "warning pve-03/bond0.30: bond0.30 stands in the configuration of pve-03 and is not there: what \
                      needs it has no network";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn another_name_and_a_bridge_that_carries_it_are_taking_part() {
        let mut world = all_but_the_third();
        world.edit("pve-03", |report| make(report, "storage", 30));
        assert!(world.found(RULE).is_empty());
        let mut world = all_but_the_third();
        world.edit("pve-03", |report| {
            value(&mut report.bridges)[0].vlan_filtering = Some(true)
        });
        assert!(world.found(RULE).is_empty());
    }
}
