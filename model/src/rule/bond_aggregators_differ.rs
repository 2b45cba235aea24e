//! Ports of one LACP bond that are up and in different aggregators: only one aggregator carries traffic, the others wait.

use super::{Tuned, lacp};
use crate::cluster::FreshNode;
use crate::fact::bond::Bond;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    bonds
        .filter(|bond| lacp::is_lacp(bond))
        .filter_map(|bond| apart(node, bond))
        .collect()
}

fn apart(node: &FreshNode<'_>, bond: &Bond) -> Option<Finding> {
    let outside = lacp::outside(bond);
    // Other systems and other speeds cannot be in one aggregator, and have a rule each.
    if outside.is_empty() || lacp::partners(bond).len() > 1 || !lacp::lesser(bond).is_empty() {
        return None;
    }
    let name = node.name();
    let sentence = format!(
        "{} of {} of {name} {} not in the aggregator that carries the traffic, though up and answered by the same \
         switch",
        lacp::names(&outside),
        bond.name,
        if outside.len() == 1 { "is" } else { "are" },
    );
    let mut found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), bond.name.clone()), sentence)
        .is_loss_of(lacp::things(name, &outside))
        .remedy(format!(
            "Look at the switch: the ports of {} must be in one and the same LACP group there, with the same key.",
            bond.name
        ))
        .way_back("Put the switch's ports back into the groups in which they were.");
    for port in lacp::up(bond) {
        let id = port
            .aggregator_id
            .map_or_else(|| "unknown".to_owned(), |id| id.to_string());
        found = found.seen_in(
            name,
            Family::Bonds,
            format!("{}: aggregator {id}", port.name),
        );
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::bond::{Aggregator, MiiStatus};

    const RULE: &str = "bond-aggregators-differ";

    #[test]
    fn a_port_beside_the_active_aggregator_is_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let bond = &mut value(&mut report.bonds)[0];
            bond.slaves[1].aggregator_id = Some(2);
            bond.lacp.as_mut().unwrap().active_aggregator = Some(Aggregator {
                id: Some(2),
                ..Aggregator::default()
            });
        });
        let expect = "warning pve-03/bond0: eno1 of bond0 of pve-03 is not in the aggregator that carries the traffic, \
                      though up and answered by the same switch";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_port_that_is_down_slower_or_of_unknown_aggregator_is_not_told_here() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            let port = &mut value(&mut report.bonds)[0].slaves[1];
            port.aggregator_id = Some(2);
            port.mii_status = Some(MiiStatus::Down);
        });
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let port = &mut value(&mut report.bonds)[0].slaves[1];
            port.mii_status = Some(MiiStatus::Up);
            port.speed_mbps = Some(100);
        });
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let port = &mut value(&mut report.bonds)[0].slaves[1];
            port.speed_mbps = Some(10_000);
            port.aggregator_id = None;
        });
        assert!(world.found(RULE).is_empty());
    }
}
