//! Ports of one bond that run at different speeds, or one of them at half duplex: the group is as bad as its worst port,
//! or LACP leaves that one out.

use super::{Tuned, lacp};
use crate::cluster::FreshNode;
use crate::fact::bond::{Bond, BondPort, Duplex};
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    bonds.filter_map(|bond| differ(node, bond)).collect()
}

fn differ(node: &FreshNode<'_>, bond: &Bond) -> Option<Finding> {
    let lesser = lacp::lesser(bond);
    if lesser.is_empty() {
        return None;
    }
    let name = node.name();
    let said = |port: &BondPort| match (port.speed_mbps, &port.duplex) {
        (Some(mbps), Some(Duplex::Half)) => format!("{} at {mbps} Mbps half duplex", port.name),
        (Some(mbps), _) => format!("{} at {mbps} Mbps", port.name),
        (None, Some(Duplex::Half)) => format!("{} at half duplex", port.name),
        (None, _) => format!("{} at unknown speed", port.name),
    };
    let ports: Vec<String> = lacp::up(bond).map(said).collect();
    let result = if lacp::is_lacp(bond) {
        "LACP cannot use them together"
    } else {
        "traffic that meets the slower one is slow"
    };
    let sentence = format!(
        "the ports of {} of {name} are not alike: {}; {result}",
        bond.name,
        ports.join(", ")
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), bond.name.clone()), sentence)
        .is_loss_of(lacp::things(name, &lesser))
        .remedy(format!(
            "Change the cable of {}, then look at its switch port's settings; `ethtool` shows what both sides offer.",
            lacp::names(&lesser)
        ))
        .way_back("Put the old cable back, or restore the switch port's settings.");
    Some(ports.into_iter().fold(found, |found, words| {
        found.seen_in(name, Family::Bonds, words)
    }))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::bond::{BondMode, Duplex, MiiStatus};

    const RULE: &str = "bond-speeds-differ";

    #[test]
    fn a_slow_or_half_duplex_port_in_a_bond_is_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves[1].speed_mbps = Some(100);
        });
        let expect = "warning pve-03/bond0: the ports of bond0 of pve-03 are not alike: eno1 at 10000 Mbps, eno2 at 100 \
                      Mbps; LACP cannot use them together";
        assert_eq!(world.found(RULE), [expect]);
        world.edit("pve-03", |report| {
            let bond = &mut value(&mut report.bonds)[0];
            bond.mode = Some(BondMode::ActiveBackup);
            bond.slaves[1].duplex = Some(Duplex::Half);
        });
        assert!(world.found(RULE)[0].contains("eno2 at 100 Mbps half duplex; traffic"));
    }

    #[test]
    fn a_slower_spare_port_and_a_port_that_is_down_or_unknown_are_nothing() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            let bond = &mut value(&mut report.bonds)[0];
            bond.mode = Some(BondMode::ActiveBackup);
            bond.slaves[1].speed_mbps = Some(1_000);
        });
        world.edit("pve-04", |report| {
            let port = &mut value(&mut report.bonds)[0].slaves[1];
            port.speed_mbps = Some(1_000);
            port.mii_status = Some(MiiStatus::Down);
        });
        world.edit("pve-05", |report| {
            value(&mut report.bonds)[0].slaves[1].speed_mbps = None
        });
        assert!(world.found(RULE).is_empty());
    }
}
