//! Ports of one LACP bond that hear different systems: a cable in the wrong switch, or two switches that should be one
//! MLAG pair and are not, or not any more.

use super::{Tuned, lacp};
use crate::cluster::FreshNode;
use crate::fact::bond::Bond;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    bonds
        .filter(|bond| lacp::is_lacp(bond))
        .filter_map(|bond| differ(node, bond))
        .collect()
}

fn differ(node: &FreshNode<'_>, bond: &Bond) -> Option<Finding> {
    let partners = lacp::partners(bond);
    if partners.len() < 2 {
        return None;
    }
    let name = node.name();
    let said = partners
        .iter()
        .map(|(partner, ports)| format!("{} {partner}", lacp::names(ports)));
    let sentence = format!(
        "the ports of {} of {name} hear {} different LACP systems ({}): only one of them carries traffic",
        bond.name,
        partners.len(),
        said.collect::<Vec<_>>().join("; "),
    );
    let subject = Thing::Iface(name.clone(), bond.name.clone());
    let idle = lacp::things(name, &lacp::outside(bond));
    let mut found = Finding::new(Severity::Warning, subject.clone(), sentence)
        .is_loss_of(idle.iter().cloned().chain([subject]))
        .takes(idle)
        .remedy(
            "Look whether a cable is in the wrong switch. If the two are meant to be one MLAG pair, look at the link \
             between them: each calls itself by its own name when it has lost the other.",
        );
    for (partner, ports) in &partners {
        for port in ports {
            found = found.seen_in(
                name,
                Family::Bonds,
                format!("{}: partner {partner}", port.name),
            );
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, mac, value};

    const RULE: &str = "bond-partners-differ";

    #[test]
    fn ports_that_hear_two_systems_are_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves[1].partner_mac = Some(mac("02:99:00:00:00:01"));
        });
        let expect = "warning pve-03/bond0: the ports of bond0 of pve-03 hear 2 different LACP systems (eno1 \
                      02:1c:73:aa:01:00; eno2 02:99:00:00:00:01): only one of them carries traffic";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_port_that_hears_nobody_hears_no_other_system() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves[1].partner_mac = Some(mac("00:00:00:00:00:00"));
        });
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves[1].partner_mac = None
        });
        assert!(world.found(RULE).is_empty());
    }
}
