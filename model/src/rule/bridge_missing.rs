//! A bridge that nearly all nodes have and one has not (SDN vnets are bridges too), or that a node's configuration names
//! and that is not there: a guest that needs it cannot start.

use std::collections::BTreeMap;

use super::{Scene, configured, peers};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, NodeName};
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let nodes: Vec<&FreshNode<'_>> = nodes
        .iter()
        .filter(|node| node.links().is_some() && node.interfaces().is_some())
        .collect();
    let mut found = BTreeMap::new();
    for node in &nodes {
        for bridge in configured::not_there(node, |interface| interface.bridge.is_some()) {
            if let Ok(bridge) = IfaceName::new(bridge.name.clone()) {
                let told = not_made(node.name(), &bridge);
                found.insert(told.subject.clone(), told);
            }
        }
    }
    // A bridge that Proxmox VE makes when a guest needs it (`vmbr0v30`) stands in no configuration.
    let mut have: BTreeMap<&str, Vec<&NodeName>> = BTreeMap::new();
    for node in &nodes {
        let links = node.links().map_or(&[][..], Vec::as_slice);
        let bridges = configured::interfaces(node)
            .iter()
            .filter(|interface| interface.bridge.is_some());
        for bridge in bridges.filter(|bridge| configured::called(links, &bridge.name).is_some()) {
            have.entry(&bridge.name).or_default().push(node.name());
        }
    }
    for (bridge, have) in have {
        let lack: Vec<&NodeName> = nodes
            .iter()
            .filter(|node| !knows(node, bridge))
            .map(|node| node.name())
            .collect();
        if let (true, Ok(bridge)) = (
            peers::is_missing(have.len(), lack.len()),
            IfaceName::new(bridge),
        ) {
            for node in lack {
                let told = elsewhere(node, &bridge, &have, nodes.len());
                found.entry(told.subject.clone()).or_insert(told);
            }
        }
    }
    found.into_values().collect()
}

fn knows(node: &FreshNode<'_>, bridge: &str) -> bool {
    let links = node.links().map_or(&[][..], Vec::as_slice);
    let is_named = configured::interfaces(node)
        .iter()
        .any(|interface| interface.name == bridge);
    is_named || configured::called(links, bridge).is_some()
}

fn not_made(node: &NodeName, bridge: &IfaceName) -> Finding {
    let sentence = format!(
        "{bridge} stands in the configuration of {node} and is not there: guests that need it cannot start"
    );
    Finding::new(Severity::Warning, Thing::Iface(node.clone(), bridge.clone()), sentence)
        .seen_in(node, Family::Interfaces, format!("iface {bridge}"))
        .seen_in(node, Family::Links, format!("no interface is called {bridge}"))
        .remedy(format!(
            "`journalctl -b -u networking` on {node} says why {bridge} was not made; `ifquery -a -c` what else differs \
             from the configuration."
        ))
}

fn elsewhere(node: &NodeName, bridge: &IfaceName, have: &[&NodeName], of: usize) -> Finding {
    let sentence = format!(
        "{node} has no {bridge}, which {} of {of} nodes have: guests that need it cannot move there",
        have.len()
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(node.clone(), bridge.clone()), sentence)
        .seen_in(node, Family::Interfaces, format!("no iface {bridge}"))
        .seen_in(node, Family::Links, format!("no interface is called {bridge}"))
        .remedy(format!(
            "Compare /etc/network/interfaces of {node} with a peer's; of an SDN vnet, apply the SDN configuration and \
             look at the nodes of its zone. Check with `ifreload -a -s`."
        ))
        .way_back(format!("Take `iface {bridge}` out again."));
    have.iter().fold(found, |found, peer| {
        found.seen_in(peer, Family::Links, format!("{bridge} is there"))
    })
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, iface, known, value};
    use crate::fact::interfaces::{ConfBridge, Configuration, Interface, Interfaces};
    use crate::fact::link::Link;
    use crate::report::NodeReport;

    const RULE: &str = "bridge-missing";

    fn configure(report: &mut NodeReport, bridges: &[&str]) {
        let bridge = |name: &&str| Interface {
            name: (*name).to_owned(),
            auto: true,
            bridge: Some(ConfBridge::default()),
            ..Interface::default()
        };
        report.interfaces = known(Interfaces {
            current: Some(Configuration {
                interfaces: bridges.iter().map(bridge).collect(),
                ..Configuration::default()
            }),
            pending: None,
            not_sourced: None,
        });
    }

    fn make(report: &mut NodeReport, bridge: &str) {
        value(&mut report.links).push(Link {
            kind: Some("bridge".to_owned()),
            ..Link::named(iface(bridge))
        });
    }

    #[test]
    fn a_bridge_that_one_node_has_not_is_told() {
        let mut world = World::healthy();
        world.edit_all(|name, report| {
            configure(
                report,
                if name.as_str() == "pve-03" {
                    &["vmbr0"]
                } else {
                    &["vmbr0", "vnet7"]
                },
            );
            if name.as_str() != "pve-03" {
                make(report, "vnet7");
            }
        });
        let expect = "warning pve-03/vnet7: pve-03 has no vnet7, which 7 of 8 nodes have: guests that need it cannot move \
                      there";
        assert_eq!(world.found(RULE), [expect]);
        world.edit("pve-03", |report| configure(report, &["vmbr0", "vnet7"]));
        let expect = "warning pve-03/vnet7: vnet7 stands in the configuration of pve-03 and is not there: guests that \
                      need it cannot start";
        assert_eq!(world.found(RULE), [expect]);
        world.edit("pve-03", |report| make(report, "vnet7"));
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn a_bridge_of_a_few_nodes_and_one_that_was_made_for_a_guest_are_nothing() {
        let mut world = World::healthy();
        world.edit_all(|name, report| {
            let few = ["pve-01", "pve-02", "pve-03", "pve-04", "pve-05"].contains(&name.as_str());
            configure(report, if few { &["vmbr0", "vmbr5"] } else { &["vmbr0"] });
            make(report, if few { "vmbr5" } else { "vmbr0v30" });
            if name.as_str() != "pve-08" {
                make(report, "vmbr0v40");
            }
        });
        assert!(world.found(RULE).is_empty());
    }
}
