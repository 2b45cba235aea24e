//! A port that runs slower than the port of the same name on its peers: same driver, same bond or bridge, and at least
//! three that agree.
//!
//! Its own past comes first: a port that is slower than it was has its own rule.

use std::collections::BTreeMap;

use super::peers::{self, Agreed};
use super::{Scene, stack};
use crate::cluster::FreshNode;
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::name::IfaceName;
use crate::report::{Facts as _, Family};

/// Ports that can be held against each other.
type Kin<'a> = (&'a IfaceName, &'a str, Option<&'a IfaceName>);

struct Port<'a> {
    node: &'a FreshNode<'a>,
    link: &'a Link,
    mbps: u32,
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut kin: BTreeMap<Kin<'_>, Vec<Port<'_>>> = BTreeMap::new();
    for node in &nodes {
        for link in node.links().into_iter().flatten() {
            let is_up = link.carrier == Some(true) && stack::is_nic(link);
            if let (true, Some(mbps), Some(driver)) = (is_up, link.speed_mbps, &link.driver) {
                let alike = kin
                    .entry((&link.name, driver, link.master.as_ref()))
                    .or_default();
                alike.push(Port { node, link, mbps });
            }
        }
    }
    kin.values().flat_map(|alike| slower(alike)).collect()
}

fn slower(alike: &[Port<'_>]) -> Vec<Finding> {
    let speeds: Vec<u32> = alike.iter().map(|port| port.mbps).collect();
    let odd = peers::odd(&speeds).into_iter();
    let odd = odd.filter_map(|(place, agreed)| Some((alike.get(place)?, agreed)));
    let odd = odd.filter(|(port, agreed)| port.mbps < agreed.value && !was_faster(port));
    odd.map(|(port, agreed)| told(port, &agreed, alike))
        .collect()
}

fn was_faster(port: &Port<'_>) -> bool {
    let past = port.node.node.past.ports.get(&port.link.name);
    past.is_some_and(|past| past.best_speed_mbps > Some(port.mbps))
}

fn told(port: &Port<'_>, agreed: &Agreed<u32>, alike: &[Port<'_>]) -> Finding {
    let (name, iface) = (port.node.name(), &port.link.name);
    let sentence = format!(
        "{iface} of {name} runs at {} Mbps; on {} of {} other nodes {iface} runs at {} Mbps",
        port.mbps, agreed.agree, agreed.of, agreed.value
    );
    let thing = Thing::Iface(name.clone(), iface.clone());
    let found = Finding::new(Severity::Warning, thing.clone(), sentence).takes([thing]).remedy(format!(
        "Change the cable of {iface} and look at its switch port; `ethtool {iface}` on {name} shows what both sides \
         offer."
    ));
    let words = |found: Finding, other: &Port<'_>| {
        found.seen_in(
            other.node.name(),
            Family::Links,
            format!("{iface}: {} Mbps", other.mbps),
        )
    };
    let found = words(found, port);
    let peers = alike.iter().filter(|other| other.node.name() != name);
    peers
        .fold(found, words)
        .way_back("Put the old cable back, or restore the switch port's settings.")
}

#[cfg(test)]
mod tests {
    use crate::cluster::Past;
    use crate::cluster::testing::{World, value};

    const RULE: &str = "link-slower-than-peers";

    fn slow(world: &mut World, node: &str) {
        world.edit(node, |report| {
            value(&mut report.links)[2].speed_mbps = Some(1_000)
        });
    }

    fn forget(world: &mut World) {
        for node in world.cluster.nodes.values_mut() {
            node.past = Past::default();
        }
    }

    #[test]
    fn the_slow_port_among_alike_ports_is_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        slow(&mut world, "pve-03");
        assert!(world.found(RULE).is_empty(), "its own past tells it");
        forget(&mut world);
        let expect = "warning pve-03/eno3: eno3 of pve-03 runs at 1000 Mbps; on 7 of 7 other nodes eno3 runs at 10000 \
                      Mbps";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn other_hardware_another_use_and_two_camps_are_nothing() {
        let mut world = World::healthy();
        for node in ["pve-01", "pve-02"] {
            slow(&mut world, node);
        }
        world.edit("pve-01", |report| {
            value(&mut report.links)[2].driver = Some("tg3".to_owned())
        });
        world.edit("pve-02", |report| {
            value(&mut report.links)[2].master = Some(crate::cluster::testing::iface("vmbr9"));
        });
        forget(&mut world);
        assert!(world.found(RULE).is_empty());
        let mut world = World::of(3);
        slow(&mut world, "pve-01");
        forget(&mut world);
        assert!(world.found(RULE).is_empty());
    }
}
