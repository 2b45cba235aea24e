//! A bridge that does not tell VLANs apart while the bridge of the same name does on the other nodes: guests' VLANs work
//! otherwise there, and trunks to guests not at all.

use std::collections::BTreeMap;

use super::Scene;
use super::peers::{self, Agreed};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, NodeName};
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut bridges: BTreeMap<&IfaceName, Vec<(&NodeName, bool)>> = BTreeMap::new();
    for node in &nodes {
        for bridge in node.bridges().into_iter().flatten() {
            if let Some((name, is_aware)) = bridge.name.as_ref().zip(bridge.vlan_filtering) {
                bridges
                    .entry(name)
                    .or_default()
                    .push((node.name(), is_aware));
            }
        }
    }
    bridges
        .into_iter()
        .flat_map(|(bridge, nodes)| unaware(bridge, &nodes))
        .collect()
}

fn unaware(bridge: &IfaceName, nodes: &[(&NodeName, bool)]) -> Vec<Finding> {
    let aware: Vec<bool> = nodes.iter().map(|(_, is_aware)| *is_aware).collect();
    let odd = peers::odd(&aware)
        .into_iter()
        .filter(|(_, agreed)| agreed.value);
    odd.filter_map(|(place, agreed)| Some(told(bridge, nodes.get(place)?.0, &agreed, nodes)))
        .collect()
}

fn told(
    bridge: &IfaceName,
    node: &NodeName,
    agreed: &Agreed<bool>,
    nodes: &[(&NodeName, bool)],
) -> Finding {
    let sentence = format!(
        "{bridge} of {node} is not VLAN-aware, as it is on {} of {} other nodes: guests' trunks do not work there",
        agreed.agree, agreed.of
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(node.clone(), bridge.clone()), sentence)
        .remedy(format!(
            "Write `bridge-vlan-aware yes` and `bridge-vids 2-4094` below `iface {bridge}` in /etc/network/interfaces of \
             {node}; check with `ifreload -a -s` and apply it as one maintenance of its own."
        ))
        .way_back("Take the two lines out again.");
    let words = |is_aware| {
        format!(
            "{bridge}: vlan_filtering {}",
            if is_aware { "on" } else { "off" }
        )
    };
    nodes.iter().fold(found, |found, (node, is_aware)| {
        found.seen_in(node, Family::Bridges, words(*is_aware))
    })
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "bridge-not-vlan-aware";

    fn unaware(world: &mut World, nodes: &[&str]) {
        for node in nodes {
            world.edit(node, |report| {
                value(&mut report.bridges)[0].vlan_filtering = Some(false)
            });
        }
    }

    #[test]
    fn the_bridge_that_ignores_vlans_among_those_that_do_not_is_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        unaware(&mut world, &["pve-03"]);
        let expect = "warning pve-03/vmbr0: vmbr0 of pve-03 is not VLAN-aware, as it is on 7 of 7 other nodes: guests' \
                      trunks do not work there";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn one_that_is_aware_among_those_that_are_not_and_two_camps_are_nothing() {
        let mut world = World::healthy();
        unaware(&mut world, &["pve-01", "pve-02", "pve-03", "pve-04"]);
        assert!(world.found(RULE).is_empty());
        unaware(&mut world, &["pve-05", "pve-06", "pve-07"]);
        assert!(world.found(RULE).is_empty());
    }
}
