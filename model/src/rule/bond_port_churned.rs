//! A port of an LACP bond that cannot agree with its partner: churned, and its state says that nothing passes.
//!
//! Churned alone proves nothing: the kernel keeps the word after the two have agreed.

use super::{Tuned, lacp};
use crate::cluster::FreshNode;
use crate::fact::bond::{Bond, BondPort, Churn, LacpPdu, is_passing};
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    let churned = |bond| lacp::up(bond).filter_map(move |port| churned(node, bond, port));
    bonds
        .filter(|bond| lacp::is_lacp(bond))
        .flat_map(churned)
        .collect()
}

fn churned(node: &FreshNode<'_>, bond: &Bond, port: &BondPort) -> Option<Finding> {
    let is_churned = [&port.actor_churn, &port.partner_churn].contains(&&Some(Churn::Churned));
    let is_told_elsewhere = port.partner_mac.as_ref().is_some_and(|mac| mac.is_zero())
        || lacp::outside(bond)
            .iter()
            .any(|other| other.name == port.name);
    if !is_churned || is_told_elsewhere {
        return None;
    }
    let (whose, state) = bad_state(node, port)?;
    let (name, port) = (node.name(), &port.name);
    let sentence = format!(
        "{port} of {} of {name} cannot agree with its LACP partner: it is churned, and {whose} port state is {state} \
         (63 or 61 is good)",
        bond.name
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), port.clone()), sentence)
        .seen_in(name, Family::Bonds, format!("{port}: churned, {whose} port state {state}"))
        .remedy(format!(
            "Look at the switch's port of {port} and its group: another key, a group that is full, or a port that is \
             suspended there. `cat /proc/net/bonding/{}` shows what both sides say.",
            bond.name
        ));
    Some(found)
}

/// Whose state is bad, and what it is.
fn bad_state(node: &FreshNode<'_>, port: &BondPort) -> Option<(&'static str, u32)> {
    let links = node.links().into_iter().flatten();
    let details = links
        .filter(|link| link.name == port.name)
        .find_map(|link| link.bond_slave.as_ref());
    let state = |pdu: &Option<LacpPdu>| pdu.as_ref()?.port_state;
    let actor = state(&port.actor_pdu).or_else(|| details?.actor_port_state);
    let partner = state(&port.partner_pdu).or_else(|| details?.partner_port_state);
    let states = [("its own", actor), ("its partner's", partner)];
    let bad = |(whose, state): (&'static str, Option<u32>)| {
        Some((whose, state.filter(|is| !is_passing(*is))?))
    };
    states.into_iter().find_map(bad)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::bond::{Churn, LacpPdu};

    const RULE: &str = "bond-port-churned";

    fn with_state(churn: Churn, state: Option<u32>) -> Vec<String> {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let port = &mut value(&mut report.bonds)[0].slaves[1];
            port.partner_churn = Some(churn);
            port.partner_pdu = Some(LacpPdu {
                port_state: state,
                ..LacpPdu::default()
            });
        });
        world.found(RULE)
    }

    #[test]
    fn a_churned_port_whose_partner_does_not_pass_frames_is_told() {
        let expect = "warning pve-03/eno2: eno2 of bond0 of pve-03 cannot agree with its LACP partner: it is churned, \
                      and its partner's port state is 7 (63 or 61 is good)";
        assert_eq!(with_state(Churn::Churned, Some(7)), [expect]);
    }

    #[test]
    fn churned_with_a_good_state_and_a_bad_state_without_churn_are_nothing() {
        for (churn, state) in [
            (Churn::Churned, Some(63)),
            (Churn::Churned, Some(61)),
            (Churn::Churned, None),
            (Churn::Monitoring, Some(7)),
            (Churn::None, Some(7)),
        ] {
            assert!(with_state(churn, state).is_empty(), "{state:?}");
        }
    }
}
