//! Another interface of the node has a route to the addresses of corosync's peers that is as good as that of the own
//! network or better: a VPN or a second address in the same network. `ping` works, and corosync does not.

use core::net::IpAddr;
use std::collections::BTreeSet;

use super::Tuned;
use super::membership::{between, listed};
use super::networks::same_network;
use crate::cluster::FreshNode;
use crate::fact::link::{Address, Link};
use crate::finding::{Finding, Severity, Thing};
use crate::name::LinkNumber;
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let told = captured(node).unwrap_or_default();
    if told.is_empty() {
        return Vec::new();
    }
    let links: BTreeSet<LinkNumber> = told.iter().map(|(link, _)| *link).collect();
    let captured: Vec<&String> = told.iter().map(|(_, words)| words).collect();
    let conf = node.corosync_conf().and_then(|conf| conf.local.as_ref());
    let mut paths = conf.map_or_else(BTreeSet::new, |conf| {
        between(conf, &BTreeSet::from([node.name().clone()]))
    });
    paths.retain(|path| matches!(path, Thing::Knet { link, .. } if links.contains(link)));
    let name = node.name();
    let sentence = format!(
        "on {name} another route captures corosync's network: {}",
        listed(&captured)
    );
    let found = Finding::new(Severity::Warning, Thing::Node(name.clone()), sentence)
        .takes(paths)
        .seen_in(name, Family::Links, listed(&captured))
        .seen_in(name, Family::Corosync, "the addresses of its links")
        .remedy(format!(
            "`ip route get PEER` on {name} shows where packets to a peer go. Take the route or the address off the other \
             interface, or give the VPN another network."
        ))
        .way_back("Add the address or route again (`ip address add`, `ip route add`).");
    vec![found]
}

fn captured(node: &FreshNode<'_>) -> Option<Vec<(LinkNumber, String)>> {
    let (corosync, links) = (node.corosync()?, node.links()?);
    let own_id = corosync.node_id?;
    let conf = node.corosync_conf()?.local.as_ref()?;
    let mut captured = Vec::new();
    for status in corosync.links.iter().flatten() {
        let Some(own) = status
            .address
            .as_ref()
            .and_then(|address| address.parse::<IpAddr>().ok())
        else {
            continue;
        };
        let Some((home, prefix)) = home(links, own) else {
            continue;
        };
        let peers = conf
            .nodes
            .iter()
            .filter(|entry| entry.node_id != Some(own_id));
        let peers: Vec<IpAddr> = peers
            .filter_map(|entry| entry.addresses.get(&status.link)?.parse().ok())
            .collect();
        for link in links
            .iter()
            .filter(|link| link.name != home.name && link.admin_up == Some(true))
        {
            let covers = |address: &&Address| {
                let length = address.prefix_len.unwrap_or(0);
                length >= prefix
                    && peers
                        .iter()
                        .any(|peer| same_network(address.address, *peer, length))
            };
            if let Some(address) = link.addresses.iter().flatten().find(covers) {
                let length = address.prefix_len.unwrap_or(0);
                let words = format!(
                    "{} has {}/{length}, which covers peers of link {} (its own {own}/{prefix} is on {})",
                    link.name, address.address, status.link, home.name
                );
                captured.push((status.link, words));
            }
        }
    }
    Some(captured)
}

/// The interface with this address, and the length of its prefix.
fn home(links: &[Link], own: IpAddr) -> Option<(&Link, u8)> {
    links.iter().find_map(|link| {
        let address = link
            .addresses
            .iter()
            .flatten()
            .find(|address| address.address == own)?;
        Some((link, address.prefix_len?))
    })
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, iface, value};
    use crate::fact::link::Link;

    const RULE: &str = "corosync-captured-ring";

    fn vpn(world: &mut World, address: &str, length: u8) {
        world.edit("pve-02", |report| {
            let links = value(&mut report.links);
            let mut own = links[2].addresses.as_ref().unwrap()[0].clone();
            own.address = address.parse().unwrap();
            own.prefix_len = Some(length);
            links.retain(|link| link.name.as_str() != "wg0");
            links.push(Link {
                admin_up: Some(true),
                addresses: Some(vec![own]),
                ..Link::named(iface("wg0"))
            });
        });
    }

    #[test]
    fn a_vpn_over_the_rings_network_is_told_and_a_wider_or_another_one_is_not() {
        let mut world = World::of(3);
        assert!(world.found(RULE).is_empty());
        for (address, length) in [("10.1.0.200", 16), ("10.1.0.200", 32), ("192.168.7.1", 24)] {
            vpn(&mut world, address, length);
            assert!(world.found(RULE).is_empty(), "{address}/{length}");
        }
        vpn(&mut world, "10.1.0.200", 24);
        let expect = "warning pve-02: on pve-02 another route captures corosync's network: wg0 has 10.1.0.200/24, which \
                      covers peers of link 1 (its own 10.1.0.2/24 is on eno3)";
        assert_eq!(world.found(RULE), [expect]);
    }
}
