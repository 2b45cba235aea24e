//! A switch port that does not announce a VLAN (LLDP) that the switch ports of the same NIC announce on nearly all other
//! nodes. What a switch announces need not be all that it carries, so this is never certain.

use std::collections::BTreeMap;

use super::{Scene, vlans};
use crate::cluster::FreshNode;
use crate::fact::lldp::Neighbour;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, NodeName};
use crate::report::{Facts as _, Family};

struct Told<'a> {
    node: &'a NodeName,
    neighbour: &'a Neighbour,
    vlans: vlans::VlanSet,
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut ports: BTreeMap<&IfaceName, Vec<Told<'_>>> = BTreeMap::new();
    for node in &nodes {
        for neighbour in node.lldp().into_iter().flatten() {
            let mut vlans = vlans::VlanSet::EMPTY;
            neighbour
                .vlans
                .iter()
                .filter_map(|vlan| vlan.id)
                .for_each(|id| vlans.insert(id));
            // An empty list was not sent, or not shown: that is never "no VLAN".
            if let (Some(port), false) = (&neighbour.interface, vlans.is_empty()) {
                ports.entry(port).or_default().push(Told {
                    node: node.name(),
                    neighbour,
                    vlans,
                });
            }
        }
    }
    ports
        .into_iter()
        .flat_map(|(port, told)| lacking(port, &told))
        .collect()
}

fn lacking(port: &IfaceName, told: &[Told<'_>]) -> Vec<Finding> {
    let sets: Vec<&vlans::VlanSet> = told.iter().map(|told| &told.vlans).collect();
    let lacks = vlans::lacking(&sets).into_iter();
    lacks
        .filter_map(|lack| Some(finding(port, told.get(lack.place)?, &lack, told)))
        .collect()
}

fn finding(port: &IfaceName, here: &Told<'_>, lack: &vlans::Lack, told: &[Told<'_>]) -> Finding {
    let node = here.node;
    let switch = here
        .neighbour
        .chassis
        .name
        .as_deref()
        .unwrap_or("the switch");
    let its_port = here
        .neighbour
        .port
        .id
        .as_ref()
        .and_then(|id| id.value.as_deref());
    let its_port = its_port.map_or_else(String::new, |port| format!(" on its port {port}"));
    let sentence = format!(
        "{switch} does not announce {} to {port} of {node}{its_port}; {} of {} nodes hear it on {port}: the switch's port \
         may not carry it",
        lack.vlans, lack.have, lack.of
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(node.clone(), port.clone()), sentence)
        .seen_in(node, Family::Lldp, format!("{port}: without {}", lack.vlans))
        .remedy(format!(
            "On {switch}, compare the VLANs of the port{its_port} with those of another node's; `lldpcli show neighbors \
             ports {port} details` on {node} shows what is announced."
        ))
        .way_back("Take the VLAN off the switch's port again.");
    let others = told.iter().filter(|other| other.node != node);
    others.fold(found, |found, other| {
        found.seen_in(other.node, Family::Lldp, format!("{port}: VLANs announced"))
    })
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::lldp::NeighbourVlan;
    use crate::name::VlanId;
    use crate::report::NodeReport;

    const RULE: &str = "vlan-missing-on-switch";

    fn announce(report: &mut NodeReport, vlans: &[u64]) {
        let vlan = |id: &u64| NeighbourVlan {
            id: Some(VlanId::new(*id).unwrap()),
            ..NeighbourVlan::default()
        };
        value(&mut report.lldp)[0].vlans = vlans.iter().map(vlan).collect();
    }

    #[test]
    fn a_vlan_that_one_switch_port_does_not_announce_is_told() {
        let mut world = World::healthy();
        world.edit_all(|_, report| announce(report, &[1, 30, 40]));
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| announce(report, &[1, 40]));
        let expect = "warning pve-03/eno1: sw-a does not announce VLAN 30 to eno1 of pve-03; 7 of 8 nodes hear it on eno1: \
                      the switch's port may not carry it";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_switch_that_announces_no_vlans_says_nothing_of_them() {
        let mut world = World::healthy();
        world.edit_all(|_, report| announce(report, &[1, 30]));
        world.edit("pve-03", |report| announce(report, &[]));
        assert!(world.found(RULE).is_empty());
    }
}
