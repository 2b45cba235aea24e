//! A bond that loses its link and finds it again, over and over: all that stands on it is cut each time.

use super::{Tuned, link_flapping, stack};
use crate::cluster::FreshNode;
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, tuned: &Tuned<'_>) -> Vec<Finding> {
    let links = node.links().into_iter().flatten();
    let bonds = links.filter(|link| link.kind.as_deref() == Some("bond"));
    bonds
        .filter_map(|bond| flaps(node, bond, &tuned.interface(&bond.name)))
        .collect()
}

fn flaps(node: &FreshNode<'_>, bond: &Link, tuned: &Tuned<'_>) -> Option<Finding> {
    let times = link_flapping::times(node, bond, tuned)?;
    let name = node.name();
    let sentence = format!(
        "{} of {name} lost its link or found it again {times} within {} minutes: what stands on it is cut each time",
        bond.name,
        tuned.flap_window_s() / 60
    );
    let links = node.links().into_iter().flatten();
    let ports = links.filter(|port| port.master.as_ref() == Some(&bond.name));
    let ports: Vec<Thing> = ports
        .map(|port| Thing::Iface(name.clone(), port.name.clone()))
        .collect();
    let subject = Thing::Iface(name.clone(), bond.name.clone());
    // The only port of a bond is why the bond flaps, and not the other way round.
    let symptoms = ports
        .iter()
        .cloned()
        .chain((ports.len() < 2).then(|| subject.clone()));
    let found = Finding::new(Severity::Critical, subject.clone(), sentence)
        .is_loss_of(symptoms)
        .takes(stack::taken_with(node, &bond.name))
        .takes(ports)
        .seen_in(name, Family::Links, format!("{}: carrier changed {times}", bond.name))
        .remedy(format!(
            "All ports of {} go at once: look at the switch that they share, and at its log at these times. \
             `journalctl -k | grep {}` on {name} has them.",
            bond.name, bond.name
        ));
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "bond-flapping";

    fn bounce(world: &mut World, link: usize, times: usize) {
        for _ in 0..times {
            for carrier in [false, true] {
                world.edit("pve-03", |report| {
                    value(&mut report.links)[link].carrier = Some(carrier);
                });
                world.advance_s(10);
            }
        }
    }

    #[test]
    fn a_bond_that_comes_and_goes_is_told_until_it_is_calm() {
        let mut world = World::healthy();
        bounce(&mut world, 3, 2);
        assert!(world.found(RULE).is_empty());
        bounce(&mut world, 3, 1);
        let expect = "critical pve-03/bond0: bond0 of pve-03 lost its link or found it again 6 times within 10 minutes: \
                      what stands on it is cut each time";
        assert_eq!(world.found(RULE), [expect]);
        world.advance_s(700);
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn a_port_of_it_that_flaps_alone_is_not_the_bond() {
        let mut world = World::healthy();
        bounce(&mut world, 0, 3);
        assert!(world.found(RULE).is_empty());
    }
}
