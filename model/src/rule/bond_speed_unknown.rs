//! A port of a bond that is up and whose speed the driver does not tell, though it normally does: the link came up badly,
//! and LACP cannot group a port of unknown speed.

use super::{Tuned, lacp};
use crate::cluster::FreshNode;
use crate::fact::bond::{Bond, BondPort};
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

/// Drivers of network cards that know the speed of a link which is up. Virtual ones mostly do not.
const TELLING: &[&str] = &[
    "ixgbe",
    "i40e",
    "ice",
    "igb",
    "igc",
    "e1000e",
    "tg3",
    "bnx2",
    "bnx2x",
    "bnxt_en",
    "mlx4_en",
    "mlx5_core",
    "r8169",
    "atlantic",
    "be2net",
    "qede",
    "cxgb4",
    "sfc",
    "enic",
];

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    let unknown = |bond| lacp::up(bond).filter_map(move |port| unknown(node, bond, port));
    bonds.flat_map(unknown).collect()
}

fn unknown(node: &FreshNode<'_>, bond: &Bond, port: &BondPort) -> Option<Finding> {
    let mut links = node.links().into_iter().flatten();
    let link = links.find(|link| link.name == port.name)?;
    // The driver says it now, whatever the bond remembers.
    if !port.speed_unknown || link.speed_mbps.is_some() || link.carrier == Some(false) {
        return None;
    }
    let past = node.node.past.ports.get(&port.name);
    let was = past.and_then(|past| past.best_speed_mbps);
    let driver = link
        .driver
        .as_deref()
        .filter(|driver| TELLING.contains(driver));
    let why = match (was, driver) {
        (Some(mbps), _) => format!("it has run at {mbps} Mbps"),
        (None, Some(driver)) => format!("the driver {driver} normally tells it"),
        (None, None) => return None,
    };
    let (name, port) = (node.name(), &port.name);
    let sentence = format!(
        "{port} of {} of {name} is up at unknown speed; {why}",
        bond.name
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), port.clone()), sentence)
        .seen_in(name, Family::Bonds, format!("{port}: Speed: Unknown"))
        .seen_in(name, Family::Links, format!("{port}: no speed"))
        .remedy(format!(
            "`ethtool {port}` on {name}. Change the cable or the transceiver; if it stays, take the port out and put it \
             in again while the other ports of {} are up: `ip link set {port} down`, then `up`.",
            bond.name
        ))
        .way_back(format!("`ip link set {port} up` on {name}."));
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::report::NodeReport;

    const RULE: &str = "bond-speed-unknown";

    fn forget_speed(report: &mut NodeReport, driver: &str) {
        let port = &mut value(&mut report.bonds)[0].slaves[1];
        port.speed_mbps = None;
        port.speed_unknown = true;
        let link = &mut value(&mut report.links)[1];
        link.speed_mbps = None;
        link.driver = Some(driver.to_owned());
    }

    #[test]
    fn a_port_that_is_up_and_has_lost_its_speed_is_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| forget_speed(report, "ixgbe"));
        let expect = "warning pve-03/eno2: eno2 of bond0 of pve-03 is up at unknown speed; it has run at 10000 Mbps";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_driver_that_never_tells_is_nothing_and_one_that_always_does_is_told() {
        for (driver, findings) in [("virtio_net", 0), ("somebodys_nic", 0), ("i40e", 1)] {
            let mut world = World::healthy();
            world.edit("pve-03", |report| forget_speed(report, driver));
            // A collector that has just begun has no past of it.
            let node = world.cluster.nodes.values_mut().nth(2).unwrap();
            node.past = crate::cluster::Past::default();
            assert_eq!(world.found(RULE).len(), findings, "{driver}");
        }
    }
}
