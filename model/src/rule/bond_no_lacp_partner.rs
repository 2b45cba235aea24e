//! A port, or all of a bond, that speaks LACP and is not answered: the switch's port is not in a group, or the group
//! there is static.

use super::{Tuned, lacp};
use crate::cluster::FreshNode;
use crate::fact::bond::{Bond, BondPort};
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

/// A switch that comes back answers on one bond after the other, and with the slow rate only every 30 s.
const SETTLES_MS: u64 = 35_000;

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    bonds
        .filter(|bond| lacp::is_lacp(bond))
        .flat_map(|bond| unanswered(node, bond))
        .map(|found| found.settles_in(SETTLES_MS))
        .collect()
}

fn unanswered(node: &FreshNode<'_>, bond: &Bond) -> Vec<Finding> {
    let up: Vec<&BondPort> = lacp::up(bond).collect();
    let alone: Vec<&BondPort> = up
        .iter()
        .copied()
        .filter(|port| lacp::is_unanswered(port))
        .collect();
    // A reader without CAP_NET_ADMIN learns the partner of the bond, and not those of the ports.
    let are_ports_told = up.iter().any(|port| port.partner_mac.is_some());
    let is_bond_alone =
        !are_ports_told && bond.partner_mac.as_ref().is_some_and(|mac| mac.is_zero());
    if up.is_empty() {
        Vec::new()
    } else if is_bond_alone || alone.len() == up.len() {
        vec![bond_alone(node, bond, &up)]
    } else {
        alone
            .into_iter()
            .map(|port| port_alone(node, bond, port))
            .collect()
    }
}

fn bond_alone(node: &FreshNode<'_>, bond: &Bond, up: &[&BondPort]) -> Finding {
    let name = node.name();
    let sentence = match up {
        [_] => format!(
            "nobody answers LACP on {} of {name}: its only port that is up stands alone",
            bond.name
        ),
        _ => format!(
            "nobody answers LACP on {} of {name}: of its {} ports that are up only one carries traffic",
            bond.name,
            up.len()
        ),
    };
    let ports = lacp::things(name, up);
    let found = Finding::new(
        Severity::Warning,
        Thing::Iface(name.clone(), bond.name.clone()),
        sentence,
    )
    .is_loss_of(ports.clone())
    .takes(ports)
    .remedy(format!(
        "On the switch, put the ports of {} into one LACP group; a static group does not answer. \
             `cat /proc/net/bonding/{}` shows the partner as soon as it speaks.",
        lacp::names(up),
        bond.name
    ))
    .way_back("Take the switch's ports out of the group again.");
    found.seen_in(
        name,
        Family::Bonds,
        format!("{}: partner 00:00:00:00:00:00", bond.name),
    )
}

fn port_alone(node: &FreshNode<'_>, bond: &Bond, port: &BondPort) -> Finding {
    let (name, port) = (node.name(), &port.name);
    let sentence = format!(
        "nobody answers LACP on {port} of {name}, though its link is up; other ports of {} are answered, so {port} \
         carries nothing",
        bond.name
    );
    let thing = Thing::Iface(name.clone(), port.clone());
    Finding::new(Severity::Warning, thing.clone(), sentence)
        .takes([thing])
        .seen_in(name, Family::Bonds, format!("{port}: partner 00:00:00:00:00:00"))
        .remedy(format!(
            "Look at the switch's port of {port}: it must be in the same LACP group as the other ports of {}, and the \
             cable in the right port.",
            bond.name
        ))
        .way_back("Take the switch's port out of the group again.")
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, mac, value};
    use crate::fact::bond::{BondMode, Churn, MiiStatus};

    const RULE: &str = "bond-no-lacp-partner";
    const NOBODY: &str = "00:00:00:00:00:00";

    #[test]
    fn one_port_without_a_partner_is_named_itself() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves[1].partner_mac = Some(mac(NOBODY));
        });
        let expect = "warning pve-03/eno2: nobody answers LACP on eno2 of pve-03, though its link is up; other ports of \
                      bond0 are answered, so eno2 carries nothing";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_bond_that_nobody_answers_is_told_once() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            for port in &mut value(&mut report.bonds)[0].slaves {
                port.partner_mac = Some(mac(NOBODY));
            }
        });
        let expect = "warning pve-03/bond0: nobody answers LACP on bond0 of pve-03: of its 2 ports that are up only one \
                      carries traffic";
        assert_eq!(world.found(RULE), [expect]);
        world.edit("pve-03", |report| {
            let bond = &mut value(&mut report.bonds)[0];
            bond.partner_mac = Some(mac(NOBODY));
            for port in &mut bond.slaves {
                port.partner_mac = None;
            }
        });
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_port_that_is_down_or_has_just_come_and_a_bond_without_lacp_have_nobody_to_miss() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            let port = &mut value(&mut report.bonds)[0].slaves[1];
            port.partner_mac = Some(mac(NOBODY));
            port.actor_churn = Some(Churn::Monitoring);
        });
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let port = &mut value(&mut report.bonds)[0].slaves[1];
            port.actor_churn = Some(Churn::Churned);
            port.mii_status = Some(MiiStatus::Down);
        });
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let bond = &mut value(&mut report.bonds)[0];
            bond.mode = Some(BondMode::ActiveBackup);
            bond.slaves[1].mii_status = Some(MiiStatus::Up);
        });
        assert!(world.found(RULE).is_empty());
    }
}
