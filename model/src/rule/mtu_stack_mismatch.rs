//! A bond, bridge or VLAN with a larger MTU than what it stands on: what fits above is dropped below, without a word.
//!
//! The other way round is harmless and usual: a bridge at 1500 on a bond at 9000 whose VLAN carries the storage.

use super::{Tuned, stack};
use crate::cluster::FreshNode;
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let links = node.links().map_or(&[][..], Vec::as_slice);
    links
        .iter()
        .filter_map(|upper| mismatch(node, upper, links))
        .collect()
}

fn mismatch(node: &FreshNode<'_>, upper: &Link, links: &[Link]) -> Option<Finding> {
    let is_below = |lower: &Link| match upper.kind.as_deref() {
        Some("bond" | "bridge") => {
            lower.master.as_ref() == Some(&upper.name) && stack::is_uplink(lower)
        }
        Some("vlan") => upper.link.as_ref() == Some(&lower.name),
        _ => false,
    };
    let is_used = |link: &Link| link.admin_up != Some(false);
    let mtu = upper.mtu_bytes.filter(|_| is_used(upper))?;
    let smaller: Vec<(&Link, u32)> = links
        .iter()
        .filter_map(|lower| Some((lower, lower.mtu_bytes.filter(|below| *below < mtu)?)))
        .filter(|(lower, _)| is_used(lower) && is_below(lower))
        .collect();
    let (lower, least) = smaller.iter().min_by_key(|(_, mtu)| *mtu)?;
    let name = node.name();
    let below: Vec<String> = smaller
        .iter()
        .map(|(lower, mtu)| format!("{} {mtu}", lower.name))
        .collect();
    let sentence = format!(
        "{} of {name} has an MTU of {mtu}, and less is below it ({}): larger frames are dropped without a word",
        upper.name,
        below.join(", ")
    );
    let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), upper.name.clone()), sentence)
        .seen_in(name, Family::Links, format!("{}: mtu {mtu}", upper.name))
        .remedy(format!(
            "In /etc/network/interfaces give {} and {} the same `mtu`; the switch must pass it too. Without jumbo \
             frames on the switch: {least} on both. Check with `ifreload -a -s`.",
            lower.name, upper.name
        ))
        .way_back("Restore the old `mtu` lines.");
    let words = |found: Finding, words: String| found.seen_in(name, Family::Links, words);
    Some(below.into_iter().fold(found, words))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, iface, value};
    use crate::fact::link::Link;

    const RULE: &str = "mtu-stack-mismatch";

    #[test]
    fn a_bridge_that_is_larger_than_its_bond_is_told() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            value(&mut report.links)[4].mtu_bytes = Some(9_000)
        });
        let expect = "warning pve-03/vmbr0: vmbr0 of pve-03 has an MTU of 9000, and less is below it (bond0 1500): larger \
                      frames are dropped without a word";
        assert_eq!(world.found(RULE), [expect]);
        world.edit("pve-03", |report| {
            let links = value(&mut report.links);
            links[0].mtu_bytes = Some(9_000);
            links[3].mtu_bytes = Some(9_000);
        });
        assert!(
            world.found(RULE)[0]
                .contains("bond0 of pve-03 has an MTU of 9000, and less is below it (eno2 1500)")
        );
    }

    #[test]
    fn a_small_bridge_on_a_large_bond_and_a_guests_small_port_are_nothing() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            let links = value(&mut report.links);
            for link in &mut links[..4] {
                link.mtu_bytes = Some(9_000);
            }
            links.push(Link {
                kind: Some("tun".to_owned()),
                master: Some(iface("vmbr0")),
                mtu_bytes: Some(1_400),
                ..Link::named(iface("tap100i0"))
            });
            links.push(Link {
                kind: Some("vlan".to_owned()),
                link: Some(iface("bond0")),
                mtu_bytes: Some(9_000),
                ..Link::named(iface("bond0.40"))
            });
        });
        assert!(world.found(RULE).is_empty());
    }
}
