//! A bond that does not watch its links: with `miimon 0` and no ARP targets a port that dies goes on being used.

use super::Tuned;
use crate::cluster::FreshNode;
use crate::fact::bond::Bond;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    bonds.filter_map(|bond| blind(node, bond)).collect()
}

fn blind(node: &FreshNode<'_>, bond: &Bond) -> Option<Finding> {
    let watches_arp =
        bond.arp_polling_ms.is_some_and(|every| every > 0) || !bond.monitor_targets.is_empty();
    // With one port there is nothing to change over to.
    if bond.mii_polling_ms != Some(0) || watches_arp || bond.slaves.len() < 2 {
        return None;
    }
    let name = node.name();
    let sentence = format!(
        "{} of {name} does not watch its {} ports (miimon 0, no ARP targets): one that dies goes on being used",
        bond.name,
        bond.slaves.len()
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), bond.name.clone()), sentence)
        .seen_in(name, Family::Bonds, format!("{}: MII Polling Interval (ms): 0", bond.name))
        .remedy(format!(
            "Write `bond-miimon 100` below `iface {}` in /etc/network/interfaces, check with `ifreload -a -s` and apply \
             it as one maintenance of its own.",
            bond.name
        ))
        .way_back("Take the line out again.");
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "bond-no-monitoring";

    #[test]
    fn a_bond_that_watches_nothing_is_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].mii_polling_ms = Some(0)
        });
        let expect = "warning pve-03/bond0: bond0 of pve-03 does not watch its 2 ports (miimon 0, no ARP targets): one \
                      that dies goes on being used";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn arp_targets_one_port_only_or_an_unknown_interval_are_nothing() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            let bond = &mut value(&mut report.bonds)[0];
            bond.mii_polling_ms = Some(0);
            bond.arp_polling_ms = Some(1_000);
        });
        world.edit("pve-04", |report| {
            let bond = &mut value(&mut report.bonds)[0];
            bond.mii_polling_ms = Some(0);
            bond.slaves.pop();
        });
        world.edit("pve-05", |report| {
            value(&mut report.bonds)[0].mii_polling_ms = None
        });
        assert!(world.found(RULE).is_empty());
    }
}
