//! A port that runs slower than it once did: a bad cable, a bad pair, or a switch port that was set otherwise.
//!
//! Its own past comes first: a slow port that was always slow is what somebody bought. Where the collector has no past
//! of it, nothing is said.

use super::Tuned;
use crate::cluster::{FreshNode, Recall};
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let links = node.links().into_iter().flatten();
    links.filter_map(|link| slower(node, link)).collect()
}

fn slower(node: &FreshNode<'_>, link: &Link) -> Option<Finding> {
    // A bond's speed is the sum of its ports', and a bridge has none of its own.
    if link.kind.is_some() || link.carrier != Some(true) {
        return None;
    }
    let is = link.speed_mbps?;
    let was = node.node.past.ports.get(&link.name)?.best_speed_mbps?;
    if is >= was {
        return None;
    }
    let (name, port) = (node.name(), &link.name);
    let sentence = format!("{port} of {name} runs at {is} Mbps; it has run at {was} Mbps");
    let subject = Thing::Iface(name.clone(), port.clone());
    // In a bond the others follow from it: speeds that differ, an aggregator of its own.
    let found = Finding::new(Severity::Warning, subject.clone(), sentence)
        .takes([subject])
        .recalls(name, Recall::Speed { port: port.clone(), best_mbps: was })
        .seen_in(name, Family::Links, format!("{port}: {is} Mbps"))
        .remedy(format!(
            "Change the cable of {port} and look at its switch port; `ethtool {port}` on {name} shows what both sides \
             offer."
        ));
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "link-slower-than-before";

    #[test]
    fn a_port_that_came_back_slower_is_told() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            value(&mut report.links)[0].speed_mbps = Some(100);
        });
        let expect =
            "warning pve-03/eno1: eno1 of pve-03 runs at 100 Mbps; it has run at 10000 Mbps";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_port_without_carrier_has_no_speed_to_compare() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let port = &mut value(&mut report.links)[0];
            port.carrier = Some(false);
            port.speed_mbps = Some(100);
        });
        assert!(world.found(RULE).is_empty());
    }
}
