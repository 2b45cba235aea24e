//! A VLAN-aware bridge whose way out does not carry a VLAN that the bridge of the same name carries on nearly all other
//! nodes: a guest that moves there loses its network.

use std::collections::BTreeMap;

use super::{Scene, vlans};
use crate::cluster::FreshNode;
use crate::fact::bridge::Bridge;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, NodeName};
use crate::report::{Facts as _, Family};

struct Way<'a> {
    node: &'a NodeName,
    ports: String,
    carries: vlans::VlanSet,
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut bridges: BTreeMap<&IfaceName, Vec<Way<'_>>> = BTreeMap::new();
    for node in &nodes {
        for bridge in node.bridges().into_iter().flatten() {
            if let Some((name, way)) = bridge.name.as_ref().zip(way(node, bridge)) {
                bridges.entry(name).or_default().push(way);
            }
        }
    }
    bridges
        .into_iter()
        .flat_map(|(bridge, ways)| lacking(bridge, &ways))
        .collect()
}

fn way<'a>(node: &'a FreshNode<'_>, bridge: &Bridge) -> Option<Way<'a>> {
    let carries = vlans::carried(node, bridge)?;
    let ports = vlans::uplinks(node, bridge);
    let ports: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    Some(Way {
        node: node.name(),
        ports: ports.join(", "),
        carries,
    })
}

fn lacking(bridge: &IfaceName, ways: &[Way<'_>]) -> Vec<Finding> {
    let sets: Vec<&vlans::VlanSet> = ways.iter().map(|way| &way.carries).collect();
    let lacks = vlans::lacking(&sets).into_iter();
    lacks
        .filter_map(|lack| Some(told(bridge, ways.get(lack.place)?, &lack, ways)))
        .collect()
}

fn told(bridge: &IfaceName, way: &Way<'_>, lack: &vlans::Lack, ways: &[Way<'_>]) -> Finding {
    let Way { node, ports, .. } = way;
    let sentence = format!(
        "{bridge} of {node} does not carry {} on {ports}, as it does on {} of {} nodes: a guest that needs it has no \
         network there",
        lack.vlans, lack.have, lack.of
    );
    let found = Finding::new(Severity::Warning, Thing::Iface((*node).clone(), bridge.clone()), sentence)
        .remedy(format!(
            "Compare `bridge-vids` of {bridge} in /etc/network/interfaces of {node} with a peer's; check with `ifreload \
             -a -s`, and what runs with `bridge vlan show dev {ports}`."
        ))
        .way_back("Restore the old `bridge-vids` line.");
    let found = found.seen_in(
        node,
        Family::Bridges,
        format!("{ports}: without {}", lack.vlans),
    );
    let found = found.seen_in(
        node,
        Family::Links,
        format!("{ports}: leads out of the node"),
    );
    let others = ways.iter().filter(|other| other.node != *node);
    others.fold(found, |found, other| {
        found.seen_in(
            other.node,
            Family::Bridges,
            format!("{bridge}: way out {}", other.ports),
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::name::VlanId;

    const RULE: &str = "vlan-missing-on-bridge";

    fn carry_up_to(world: &mut World, node: &str, last: u64) {
        world.edit(node, |report| {
            let port = &mut value(&mut report.bridges)[0].ports[0];
            port.vlans.as_mut().unwrap()[1].last = VlanId::new(last).unwrap();
        });
    }

    #[test]
    fn vlans_that_only_one_node_does_not_carry_are_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        carry_up_to(&mut world, "pve-03", 100);
        let expect = "warning pve-03/vmbr0: vmbr0 of pve-03 does not carry VLANs 101-4094 on bond0, as it does on 7 of 8 \
                      nodes: a guest that needs it has no network there";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn what_half_of_the_nodes_do_not_carry_and_what_is_not_known_is_nothing() {
        let mut world = World::healthy();
        for node in ["pve-01", "pve-02", "pve-03", "pve-04"] {
            carry_up_to(&mut world, node, 100);
        }
        assert!(world.found(RULE).is_empty());
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            value(&mut report.bridges)[0].ports[0].vlans = None
        });
        world.edit("pve-04", |report| {
            let bridge = &mut value(&mut report.bridges)[0];
            bridge.vlan_filtering = Some(false);
            bridge.ports[0].vlans = Some(Vec::new());
        });
        assert!(world.found(RULE).is_empty());
    }
}
