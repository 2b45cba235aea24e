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
    let Some(times) = link_flapping::times(node, bond, tuned) else {
        return changes_over(node, bond, tuned);
    };
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

/// One port at a time is in use, and it is another one each time.
fn changes_over(node: &FreshNode<'_>, bond: &Link, tuned: &Tuned<'_>) -> Option<Finding> {
    let past = node.node.past.bonds.get(&bond.name)?;
    let window_ms = u64::from(tuned.flap_window_s()) * 1_000;
    let times = past.active_changes.within(window_ms, node.now);
    if times < usize::try_from(tuned.flaps()).unwrap_or(usize::MAX) {
        return None;
    }
    let name = node.name();
    let links = node.links().into_iter().flatten();
    let is_flapping = |port: &&Link| {
        port.master.as_ref() == Some(&bond.name)
            && link_flapping::times(node, port, &tuned.interface(&port.name)).is_some()
    };
    let because: Vec<Thing> = links
        .filter(is_flapping)
        .map(|port| Thing::Iface(name.clone(), port.name.clone()))
        .collect();
    let sentence = format!(
        "{} of {name} changed the port that it uses {times} times within {} minutes: packets are lost each time",
        bond.name,
        tuned.flap_window_s() / 60
    );
    let subject = Thing::Iface(name.clone(), bond.name.clone());
    // A port that flaps is why.
    let symptoms = if because.is_empty() {
        vec![subject.clone()]
    } else {
        because
    };
    let found = Finding::new(Severity::Warning, subject, sentence)
        .is_loss_of(symptoms)
        .seen_in(name, Family::Bonds, format!("{}: active slave changed {times} times", bond.name))
        .remedy(format!(
            "Look at the ports of {} and at what it watches (`arp_ip_target` that does not always answer); \
             `bond-primary-reselect failure` keeps it from going back each time.",
            bond.name
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

    #[test]
    fn a_bond_that_changes_its_port_over_and_over_is_told_although_its_link_stays_up() {
        use crate::cluster::testing::iface;
        let mut world = World::healthy();
        for port in ["eno1", "eno2"].repeat(4) {
            world.edit("pve-03", |report| {
                value(&mut report.bonds)[0].active_slave = Some(iface(port));
            });
        }
        let expect = "warning pve-03/bond0: bond0 of pve-03 changed the port that it uses 7 times within 10 minutes: packets are \
                      lost each time";
        assert_eq!(world.found("bond-flapping"), [expect]);
    }
}
