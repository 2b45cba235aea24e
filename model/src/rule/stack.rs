//! What stands on what, in one node: the way from a port up to bonds, bridges, VLANs and corosync's links, so that a
//! cause can say what it takes with it.

use std::collections::BTreeSet;

use crate::cluster::FreshNode;
use crate::fact::link::Link;
use crate::finding::Thing;
use crate::name::{IfaceName, NodeName};
use crate::report::Facts as _;

/// Deeper stacks than this are not followed.
const MAX_DEPTH: usize = 8;

/// A network card, or one function of it: what has no kind of its own, and is not the loopback.
pub(super) fn is_nic(link: &Link) -> bool {
    link.kind.is_none() && link.link_type.as_deref() != Some("loopback")
}

/// What leads out of the node, and not to a guest: NICs, bonds and VLANs of them.
pub(super) fn is_uplink(link: &Link) -> bool {
    is_nic(link) || matches!(link.kind.as_deref(), Some("bond" | "vlan"))
}

/// The interface, what stands on nothing but it, and the paths of corosync from and to the addresses there.
pub(super) fn taken_with(node: &FreshNode<'_>, iface: &IfaceName) -> BTreeSet<Thing> {
    taken_with_all(node, [iface])
}

/// The same of several at once.
pub(super) fn taken_with_all<'a>(
    node: &'a FreshNode<'_>,
    ifaces: impl IntoIterator<Item = &'a IfaceName>,
) -> BTreeSet<Thing> {
    let links = node.links().map_or(&[][..], Vec::as_slice);
    let mut lost: BTreeSet<&IfaceName> = ifaces.into_iter().collect();
    for _ in 0..MAX_DEPTH {
        let above = |link: &&Link| !lost.contains(&link.name) && stands_only_on(link, links, &lost);
        let more: Vec<&IfaceName> = links.iter().filter(above).map(|link| &link.name).collect();
        if more.is_empty() {
            break;
        }
        lost.extend(more);
    }
    let name = node.name();
    let mut things: BTreeSet<Thing> = lost
        .iter()
        .map(|iface| Thing::Iface(name.clone(), (*iface).clone()))
        .collect();
    let is_lost = |link: &&Link| lost.contains(&link.name);
    for link in links.iter().filter(is_lost) {
        for address in link.addresses.iter().flatten() {
            things.extend(knet(node, &address.address.to_string()));
        }
    }
    things
}

fn stands_only_on(link: &Link, links: &[Link], lost: &BTreeSet<&IfaceName>) -> bool {
    if link.kind.as_deref() == Some("vlan") {
        return link.link.as_ref().is_some_and(|below| lost.contains(below));
    }
    let is_lost = |port: &&Link| lost.contains(&port.name);
    let ports = || {
        let on_it = links
            .iter()
            .filter(|port| port.master.as_ref() == Some(&link.name));
        // What a bond is made of leads out, whatever kind of card it is; a bridge has guests on it too.
        let is_bond = link.kind.as_deref() == Some("bond");
        on_it.filter(move |port| is_bond || is_uplink(port))
    };
    // A port without a carrier carries nothing, whatever took it.
    let mut carrying = ports().filter(|port| port.carrier != Some(false));
    ports().any(|port| is_lost(&port)) && carrying.all(|port| is_lost(&port))
}

/// Both directions of every path of corosync that begins at this address of the node.
fn knet(node: &FreshNode<'_>, address: &str) -> Vec<Thing> {
    let own = node.name();
    let Some(corosync) = node.corosync() else {
        return Vec::new();
    };
    let links = corosync.links.iter().flatten();
    let here = links.filter(|link| link.address.as_deref() == Some(address));
    let mut things = Vec::new();
    for link in here {
        for peer in peers(node).filter(|peer| peer != own) {
            let path = |from: &NodeName, to: &NodeName| Thing::Knet {
                from: from.clone(),
                to: to.clone(),
                link: link.link,
            };
            things.push(path(own, &peer));
            things.push(path(&peer, own));
        }
    }
    things
}

fn peers(node: &FreshNode<'_>) -> impl Iterator<Item = NodeName> {
    let conf = node.corosync_conf().and_then(|conf| conf.local.as_ref());
    let names = conf
        .into_iter()
        .flat_map(|conf| &conf.nodes)
        .filter_map(|entry| entry.name.clone());
    names.filter_map(|name| NodeName::new(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, iface, name, value};

    fn taken(world: &World, port: &str) -> Vec<String> {
        let scene = world.scene();
        let node = scene.node(&name("pve-01")).unwrap();
        let things = taken_with(&node, &iface(port));
        things.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_of_two_ports_takes_only_itself_and_the_last_one_all_that_stands_on_it() {
        let mut world = World::of(2);
        assert_eq!(taken(&world, "eno1"), ["pve-01/eno1"]);
        world.edit("pve-01", |report| {
            value(&mut report.links)[1].carrier = Some(false)
        });
        let all = [
            "pve-01/bond0",
            "pve-01/eno1",
            "pve-01/vmbr0",
            "pve-01 to pve-02 over link 0",
            "pve-02 to pve-01 over link 0",
        ];
        assert_eq!(taken(&world, "eno1"), all);
    }

    #[test]
    fn a_port_with_an_address_takes_the_corosync_link_there() {
        let world = World::of(2);
        let all = [
            "pve-01/eno3",
            "pve-01 to pve-02 over link 1",
            "pve-02 to pve-01 over link 1",
        ];
        assert_eq!(taken(&world, "eno3"), all);
    }
}
