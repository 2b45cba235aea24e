//! A bond that goes on with fewer ports than it has: the next port costs more, or all.

use super::Tuned;
use crate::cluster::FreshNode;
use crate::fact::bond::{Bond, BondPort, MiiStatus};
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    bonds.filter_map(|bond| degraded(node, bond)).collect()
}

fn degraded(node: &FreshNode<'_>, bond: &Bond) -> Option<Finding> {
    let is_down = |port: &&BondPort| {
        port.mii_status
            .as_ref()
            .is_some_and(|is| *is != MiiStatus::Up)
    };
    let down: Vec<&BondPort> = bond.slaves.iter().filter(is_down).collect();
    let left = bond.slaves.len() - down.len();
    if down.is_empty() || left == 0 {
        return None;
    }
    let name = node.name();
    let names: Vec<&str> = down.iter().map(|port| port.name.as_str()).collect();
    let sentence = format!(
        "{} of {name} runs on {left} of {} ports: {} {} down",
        bond.name,
        bond.slaves.len(),
        names.join(", "),
        if down.len() == 1 { "is" } else { "are" },
    );
    let lost = down
        .iter()
        .map(|port| Thing::Iface(name.clone(), port.name.clone()));
    let found = Finding::new(
        Severity::Warning,
        Thing::Iface(name.clone(), bond.name.clone()),
        sentence,
    )
    .is_loss_of(lost)
    .remedy(format!(
        "Look at the cable and the switch port of {} on {name}; `ethtool {}` says whether there is a link.",
        names.join(", "),
        names.first().unwrap_or(&""),
    ));
    let words = |found: Finding, port: &&BondPort| {
        let status = port
            .mii_status
            .as_ref()
            .map_or("unknown", |status| status.as_str());
        found.seen_in(
            name,
            Family::Bonds,
            format!("{}: MII status {status}", port.name),
        )
    };
    Some(down.iter().fold(found, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, value};

    const RULE: &str = "bond-degraded";

    #[test]
    fn a_bond_with_one_port_down_is_degraded() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves[1].mii_status = Some(MiiStatus::Down);
        });
        let expect = "warning pve-03/bond0: bond0 of pve-03 runs on 1 of 2 ports: eno2 is down";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_healthy_bond_and_a_dead_one_are_not_degraded() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            for port in &mut value(&mut report.bonds)[0].slaves {
                port.mii_status = Some(MiiStatus::Down);
            }
        });
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn what_an_old_reading_says_is_not_said_of_now() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves[1].mii_status = Some(MiiStatus::Down);
        });
        world.hearing("pve-03", crate::fleet::Hearing::Silent);
        assert!(world.found(RULE).is_empty());
    }
}
