//! A bond that carries nothing: none of its ports is up.
//!
//! The kernel keeps `MII Status: up` of a bond that was taken down by hand, so the ports decide, not the bond.

use super::{Tuned, stack};
use crate::cluster::FreshNode;
use crate::fact::bond::{Bond, MiiStatus};
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    bonds.filter_map(|bond| dead(node, bond)).collect()
}

fn dead(node: &FreshNode<'_>, bond: &Bond) -> Option<Finding> {
    let is_down = |status: Option<&MiiStatus>| status.is_some_and(|is| *is == MiiStatus::Down);
    let all_down = bond
        .slaves
        .iter()
        .all(|port| is_down(port.mii_status.as_ref()));
    if !all_down {
        return None;
    }
    let name = node.name();
    let subject = Thing::Iface(name.clone(), bond.name.clone());
    let sentence = match bond.slaves.len() {
        0 => format!("{} of {name} has no port at all: nothing passes", bond.name),
        1 => format!(
            "the only port of {} of {name} is down: nothing passes",
            bond.name
        ),
        ports => format!(
            "all {ports} ports of {} of {name} are down: nothing passes",
            bond.name
        ),
    };
    let ports = bond
        .slaves
        .iter()
        .map(|port| Thing::Iface(name.clone(), port.name.clone()));
    let mut symptoms: Vec<Thing> = ports.collect();
    if symptoms.is_empty() {
        symptoms.push(subject.clone());
    }
    let found = Finding::new(Severity::Critical, subject, sentence)
        .is_loss_of(symptoms)
        .takes(stack::taken_with(node, &bond.name))
        .remedy(format!(
            "Look at the cables and switch ports of {}: `ip -s link show master {}` on {name} says which ports have \
             carrier.",
            bond.name, bond.name
        ));
    let words = |found: Finding, port: &crate::fact::bond::BondPort| {
        found.seen_in(
            name,
            Family::Bonds,
            format!("{}: MII status down", port.name),
        )
    };
    Some(bond.slaves.iter().fold(found, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, value};

    const RULE: &str = "bond-no-active-port";

    #[test]
    fn a_bond_whose_ports_are_all_down_is_dead_whatever_it_says_of_itself() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            for port in &mut value(&mut report.bonds)[0].slaves {
                port.mii_status = Some(MiiStatus::Down);
            }
        });
        let expect =
            "critical pve-03/bond0: all 2 ports of bond0 of pve-03 are down: nothing passes";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_port_of_which_nothing_is_known_is_not_down() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let ports = &mut value(&mut report.bonds)[0].slaves;
            ports[0].mii_status = Some(MiiStatus::Down);
            ports[1].mii_status = None;
        });
        assert!(world.found(RULE).is_empty());
    }
}
