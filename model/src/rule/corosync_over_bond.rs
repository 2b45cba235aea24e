//! A network of corosync that runs over bonds which notice a mute switch late (LACP at the slow rate: 90 s) or send one
//! direction another way than the other (the balance modes).

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::membership::listed;
use crate::cluster::FreshNode;
use crate::fact::bond::{Bond, BondMode, LacpRate};
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, LinkNumber};
use crate::report::{Facts as _, Family};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trait {
    SlowLacp,
    Balances,
}

/// A node, and its bond under the network.
type Bonded<'a> = (&'a FreshNode<'a>, &'a IfaceName);

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut told: BTreeMap<LinkNumber, (Trait, Vec<Bonded<'_>>)> = BTreeMap::new();
    let mut others: BTreeSet<LinkNumber> = BTreeSet::new();
    for node in &nodes {
        for (link, bond) in bonds_under(node) {
            match bond.and_then(|bond| Some((weakness(bond)?, &bond.name))) {
                Some((weak, bond)) => {
                    let (worst, where_) = told.entry(link).or_insert((weak, Vec::new()));
                    *worst = weak.max(*worst);
                    where_.push((node, bond));
                }
                None => {
                    others.insert(link);
                }
            }
        }
    }
    let has_other = others.iter().any(|link| !told.contains_key(link));
    told.iter()
        .map(|(link, (weak, bonds))| finding(*link, *weak, bonds, has_other))
        .collect()
}

fn weakness(bond: &Bond) -> Option<Trait> {
    match bond.mode.as_ref()? {
        BondMode::BalanceRr
        | BondMode::BalanceXor
        | BondMode::BalanceTlb
        | BondMode::BalanceAlb
        | BondMode::Broadcast => Some(Trait::Balances),
        BondMode::Ieee8023ad if bond.lacp.as_ref()?.rate == Some(LacpRate::Slow) => {
            Some(Trait::SlowLacp)
        }
        BondMode::Ieee8023ad | BondMode::ActiveBackup | BondMode::Other(_) => None,
    }
}

/// Each address of corosync on the node with the bond that it stands on, if it stands on one.
fn bonds_under<'a>(node: &'a FreshNode<'_>) -> Vec<(LinkNumber, Option<&'a Bond>)> {
    let (Some(corosync), Some(links), Some(bonds)) = (node.corosync(), node.links(), node.bonds())
    else {
        return Vec::new();
    };
    let statuses = corosync.links.iter().flatten();
    let of = |status: &crate::fact::corosync::LinkStatus| {
        let address: core::net::IpAddr = status.address.as_ref()?.parse().ok()?;
        let has = |link: &&Link| {
            link.addresses
                .iter()
                .flatten()
                .any(|own| own.address == address)
        };
        let under = under(links, &links.iter().find(has)?.name);
        Some((
            status.link,
            bonds.iter().find(|bond| under.contains(&bond.name)),
        ))
    };
    statuses.filter_map(of).collect()
}

/// The interface and all that carry it: ports of a bridge, what a VLAN stands on.
fn under<'a>(links: &'a [Link], top: &'a IfaceName) -> BTreeSet<&'a IfaceName> {
    let mut all = BTreeSet::from([top]);
    loop {
        let carries = |link: &&Link| {
            let is_port = link
                .master
                .as_ref()
                .is_some_and(|master| all.contains(master));
            let is_raw = links
                .iter()
                .any(|vlan| all.contains(&vlan.name) && vlan.link.as_ref() == Some(&link.name));
            is_port || is_raw
        };
        let more: Vec<&IfaceName> = links
            .iter()
            .filter(carries)
            .map(|link| &link.name)
            .collect();
        let before = all.len();
        all.extend(more);
        if all.len() == before {
            return all;
        }
    }
}

fn finding(link: LinkNumber, weak: Trait, bonds: &[Bonded<'_>], has_other: bool) -> Finding {
    let where_ = listed(
        bonds
            .iter()
            .map(|(node, bond)| format!("{}/{bond}", node.name())),
    );
    let (what, then) = match weak {
        Trait::SlowLacp => (
            "bonds with LACP at the slow rate",
            "a switch that goes mute is noticed after 90 s, later than the watchdogs of 60 s",
        ),
        Trait::Balances => (
            "bonds in a balance mode",
            "when a switch goes mute, links can work in one direction only",
        ),
    };
    let rest = if has_other {
        "; another network of corosync does not"
    } else {
        "; no network of corosync is without"
    };
    let sentence = format!("corosync network {link} runs over {what} ({where_}): {then}{rest}");
    let severity = if has_other {
        Severity::Info
    } else {
        Severity::Warning
    };
    let found = Finding::new(severity, Thing::Network(link), sentence)
        .remedy(
            "Give corosync a link of its own on a port without a bond, or set `bond-lacp-rate fast` on the node and on the \
             switch, or mode active-backup, in /etc/network/interfaces; `ifreload -a -s` judges the file.",
        )
        .way_back("Keep a copy of /etc/network/interfaces, put it back and apply it.");
    let words = |found: Finding, (node, bond): &Bonded<'_>| {
        found.seen_in(node.name(), Family::Bonds, format!("{bond}: {what}"))
    };
    bonds.iter().fold(found, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-over-bond";

    #[test]
    fn slow_lacp_under_one_of_two_networks_is_worth_knowing() {
        let mut world = World::of(2);
        assert!(world.found(RULE).is_empty());
        world.edit("pve-01", |report| {
            value(&mut report.bonds)[0].lacp.as_mut().unwrap().rate = Some(LacpRate::Slow);
        });
        let expect = "info corosync network 0: corosync network 0 runs over bonds with LACP at the slow rate \
                      (pve-01/bond0): a switch that goes mute is noticed after 90 s, later than the watchdogs of 60 s; \
                      another network of corosync does not";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_balance_mode_under_the_only_network_is_a_warning() {
        let mut world = World::of(2);
        world.edit_all(|_, report| {
            value(&mut report.bonds)[0].mode = Some(BondMode::BalanceRr);
            value(&mut report.corosync)
                .links
                .as_mut()
                .unwrap()
                .truncate(1);
        });
        let found = world.found(RULE);
        assert!(found[0].starts_with(
            "warning corosync network 0: corosync network 0 runs over bonds in a balance mode"
        ));
    }
}
