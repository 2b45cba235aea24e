//! A VLAN that a node's bridge carries and of which nothing comes in by its port, while all other nodes hear several
//! systems in it: the trunk of the switch may lack it. What is quiet is not gone, so this is never certain.

use std::collections::BTreeMap;

use super::{Scene, vlans};
use crate::cluster::FreshNode;
use crate::fact::bridge::{Bridge, BridgePort};
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, NodeName, VlanId};
use crate::report::{Facts as _, Family};

/// So many other nodes, and no fewer than all of them, must hear the VLAN.
const MIN_PEERS: usize = 3;
/// Each of them must hear so many systems in it: one or two can be silent towards one node for a while.
const MIN_ADDRESSES: u32 = 3;

/// What one node hears by one port of one bridge.
struct Ear<'a> {
    node: &'a NodeName,
    carries: Option<vlans::VlanSet>,
    /// `None` of a bridge that does not tell VLANs apart.
    hears: BTreeMap<Option<VlanId>, u32>,
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut ears: BTreeMap<(&IfaceName, &IfaceName), Vec<Ear<'_>>> = BTreeMap::new();
    for node in &nodes {
        for bridge in node.bridges().into_iter().flatten() {
            let Some(name) = &bridge.name else {
                continue;
            };
            for port in vlans::uplinks(node, bridge) {
                if let Some(ear) = ear(node, bridge, port) {
                    ears.entry((name, &port.name)).or_default().push(ear);
                }
            }
        }
    }
    ears.into_iter()
        .flat_map(|((bridge, port), ears)| deaf(bridge, port, &ears))
        .collect()
}

fn ear<'a>(node: &'a FreshNode<'_>, bridge: &Bridge, port: &BridgePort) -> Option<Ear<'a>> {
    let mut links = node.links()?.iter();
    let has_carrier = links.find(|link| link.name == port.name)?.carrier == Some(true);
    let seen = bridge.seen.as_ref().filter(|_| has_carrier)?;
    let mut hears = BTreeMap::new();
    for row in seen.iter().filter(|row| row.port == port.name) {
        *hears.entry(row.vlan).or_default() += row.addresses;
    }
    let carries = if bridge.vlan_filtering? {
        Some(vlans::carried(node, bridge)?)
    } else {
        None
    };
    Some(Ear {
        node: node.name(),
        carries,
        hears,
    })
}

fn deaf(bridge: &IfaceName, port: &IfaceName, ears: &[Ear<'_>]) -> Vec<Finding> {
    if ears.len() <= MIN_PEERS {
        return Vec::new();
    }
    let mut heard: BTreeMap<Option<VlanId>, usize> = BTreeMap::new();
    for (vlan, _) in ears
        .iter()
        .flat_map(|ear| &ear.hears)
        .filter(|(_, addresses)| **addresses >= MIN_ADDRESSES)
    {
        *heard.entry(*vlan).or_default() += 1;
    }
    heard.retain(|_, nodes| *nodes == ears.len() - 1);
    ears.iter()
        .filter_map(|ear| told(bridge, port, ear, &heard, ears))
        .collect()
}

fn told(
    bridge: &IfaceName,
    port: &IfaceName,
    ear: &Ear<'_>,
    heard: &BTreeMap<Option<VlanId>, usize>,
    ears: &[Ear<'_>],
) -> Option<Finding> {
    let mut missed = vlans::VlanSet::EMPTY;
    for vlan in heard.keys().flatten() {
        let is_carried = ear
            .carries
            .as_ref()
            .is_some_and(|carries| carries.contains(vlan.get()));
        if is_carried && !ear.hears.contains_key(&Some(*vlan)) {
            missed.insert(*vlan);
        }
    }
    let misses_all = ear.carries.is_none() && heard.contains_key(&None) && ear.hears.is_empty();
    let what = match (missed.is_empty(), misses_all) {
        (true, false) => return None,
        (false, _) => format!("nothing in {missed}"),
        (true, true) => "nothing at all".to_owned(),
    };
    let node = ear.node;
    let sentence = format!(
        "{bridge} of {node} hears {what} by {port}, and all {} other nodes hear {MIN_ADDRESSES} systems or more: the \
         switch's port may not carry it",
        ears.len() - 1
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(node.clone(), port.clone()), sentence)
        .seen_in(node, Family::Bridges, format!("{bridge}: {what} learnt by {port}"))
        .seen_in(node, Family::Links, format!("{port}: has a link"))
        .remedy(format!(
            "On the switch, compare the VLANs of the ports of {port} with those of another node; `bridge fdb show br \
             {bridge} | grep {port}` on {node} shows what is heard. Before a guest moves there, try the VLAN with one \
             that may fail."
        ))
        .way_back("Take the VLAN off the switch's port again.");
    let others = ears.iter().filter(|other| other.node != node);
    let found = others.fold(found, |found, other| {
        found.seen_in(
            other.node,
            Family::Bridges,
            format!("{bridge}: heard by {port}"),
        )
    });
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, iface, value};
    use crate::fact::bridge::Seen;
    use crate::name::VlanId;
    use crate::report::NodeReport;

    const RULE: &str = "vlan-not-seen";

    fn hear(report: &mut NodeReport, vlans: &[(u64, u32)]) {
        let seen = |(vlan, addresses): &(u64, u32)| Seen {
            port: iface("bond0"),
            vlan: Some(VlanId::new(*vlan).unwrap()),
            addresses: *addresses,
        };
        value(&mut report.bridges)[0].seen = Some(vlans.iter().map(seen).collect());
    }

    #[test]
    fn a_vlan_that_all_hear_and_one_does_not_is_told() {
        let mut world = World::healthy();
        world.edit_all(|_, report| hear(report, &[(1, 20), (30, 12)]));
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| hear(report, &[(1, 20)]));
        let expect = "warning pve-03/bond0: vmbr0 of pve-03 hears nothing in VLAN 30 by bond0, and all 7 other nodes hear \
                      3 systems or more: the switch's port may not carry it";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_quiet_vlan_one_that_is_not_carried_and_what_was_not_asked_are_nothing() {
        let quiet = |report: &mut NodeReport| hear(report, &[(1, 20), (30, 2)]);
        let mut world = World::healthy();
        world.edit_all(|_, report| quiet(report));
        world.edit("pve-03", |report| hear(report, &[(1, 20)]));
        assert!(world.found(RULE).is_empty());

        let mut world = World::healthy();
        world.edit_all(|_, report| hear(report, &[(1, 20), (30, 12)]));
        world.edit("pve-03", |report| value(&mut report.bridges)[0].seen = None);
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            hear(report, &[(1, 20)]);
            let ranges = value(&mut report.bridges)[0].ports[0]
                .vlans
                .as_mut()
                .unwrap();
            ranges.pop();
        });
        assert!(world.found(RULE).is_empty());
    }
}
