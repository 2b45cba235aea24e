//! A network of corosync whose paths pass far smaller packets than its interfaces are set to: a switch between them does
//! not pass jumbo frames. Corosync finds that out and makes its packets smaller; storage and migration do not.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{LinkNumber, NodeName};
use crate::report::{Facts as _, Family};

/// knet begins with small packets on a link that came up, and looks for what passes in steps (`pmtud_interval`, 60 s).
const SETTLES_MS: u64 = 90_000;
/// What knet's own headers, its encryption and IPv6 take of a packet is less than this: 103 of 1500 with Proxmox VE's
/// encryption.
const HEADERS_BYTES: u32 = 200;

/// So much knet takes for granted of a path that it has not measured yet, before its headers go off; no path that carries
/// IP is so narrow. It measures one after the other, which can take minutes.
const UNMEASURED_BYTES: u32 = 522;

struct Path<'a> {
    from: &'a NodeName,
    to: u32,
    passes: u32,
    set: u32,
}

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().filter(|node| is_unlimited(node)).collect();
    let mut ends = BTreeMap::new();
    for node in &nodes {
        let Some(corosync) = node.corosync() else {
            continue;
        };
        for link in corosync.links.iter().flatten() {
            if let (Some(id), Some(mtu)) = (corosync.node_id, mtu_of(node, link.address.as_deref()))
            {
                ends.insert((id, link.link), mtu);
            }
        }
    }
    let mut paths: BTreeMap<LinkNumber, Vec<Path<'_>>> = BTreeMap::new();
    for node in &nodes {
        let own = node.corosync().and_then(|corosync| corosync.node_id);
        for link in node
            .corosync()
            .into_iter()
            .flat_map(|corosync| corosync.links.iter().flatten())
        {
            let end = |id: u32| ends.get(&(id, link.link)).copied();
            for peer in link
                .peers
                .iter()
                .flatten()
                .filter(|peer| peer.connected == Some(true))
            {
                let is_own = peer.local == Some(true) || Some(peer.node_id) == own;
                let known = own.and_then(end).zip(
                    peer.mtu_bytes
                        .filter(|mtu| *mtu > UNMEASURED_BYTES && !is_own),
                );
                if let Some((here, passes)) = known {
                    let set = end(peer.node_id).map_or(here, |there| there.min(here));
                    let path = Path {
                        from: node.name(),
                        to: peer.node_id,
                        passes,
                        set,
                    };
                    paths.entry(link.link).or_default().push(path);
                }
            }
        }
    }
    paths
        .into_iter()
        .filter_map(|(link, paths)| told(scene, link, &paths))
        .collect()
}

/// An operator may have set what knet sends at most (`totem.knet_mtu`); then its size says nothing of the path.
fn is_unlimited(node: &FreshNode<'_>) -> bool {
    let set = |key| node.cmap().and_then(|cmap| cmap.count(key)).unwrap_or(0);
    node.cmap().is_some() && set("runtime.config.totem.knet_mtu") == 0 && set("totem.knet_mtu") == 0
}

fn mtu_of(node: &FreshNode<'_>, address: Option<&str>) -> Option<u32> {
    let address: core::net::IpAddr = address?.parse().ok()?;
    let mut links = node.links()?.iter();
    let has = |own: &crate::fact::link::Address| own.address == address;
    links
        .find(|link| link.addresses.iter().flatten().any(has))?
        .mtu_bytes
}

fn told(scene: &Scene<'_>, link: LinkNumber, paths: &[Path<'_>]) -> Option<Finding> {
    let small = |path: &&Path<'_>| path.passes + HEADERS_BYTES < path.set;
    let small: Vec<&Path<'_>> = paths.iter().filter(small).collect();
    let least = small.iter().min_by_key(|path| path.passes)?;
    let sentence = format!(
        "corosync network {link}: {} of {} paths{} pass at most {} bytes, though the interfaces at both ends are set to \
         {}: something between them does not pass large frames",
        small.len(),
        paths.len(),
        shared_end(scene, &small)
            .map_or_else(String::new, |node| format!(", all from or to {node},")),
        least.passes,
        least.set,
    );
    let found = Finding::new(Severity::Warning, Thing::Network(link), sentence)
        .remedy(format!(
            "Allow frames of {} bytes on every switch port of this network, or set the interfaces to 1500. `ping -M do \
             -s {} ADDRESS` between two nodes shows whether it passes.",
            least.set,
            least.set.saturating_sub(28)
        ))
        .settles_in(SETTLES_MS)
        .way_back("Restore the MTU of the switch ports or interfaces.");
    let words = |found: Finding, path: &&Path<'_>| {
        let words = format!(
            "link {link} to node {}: {} bytes pass",
            path.to, path.passes
        );
        let words = found.seen_in(path.from, Family::Corosync, words);
        words.seen_in(
            path.from,
            Family::Links,
            format!("link {link}: mtu {}", path.set),
        )
    };
    // One path of each node is proof enough.
    let mut named = BTreeSet::new();
    Some(
        small
            .iter()
            .filter(|path| named.insert(path.from))
            .fold(found, words),
    )
}

/// The one node that all of these paths have at one end.
fn shared_end(scene: &Scene<'_>, small: &[&Path<'_>]) -> Option<NodeName> {
    let id_of = |node: &FreshNode<'_>| node.corosync().and_then(|corosync| corosync.node_id);
    let is_at = |path: &Path<'_>, node: &FreshNode<'_>| {
        path.from == node.name() || Some(path.to) == id_of(node)
    };
    let shared =
        |node: &FreshNode<'_>| small.len() > 2 && small.iter().all(|path| is_at(path, node));
    scene.nodes().find(shared).map(|node| node.name().clone())
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known, value};
    use crate::fact::cmap::{Cmap, CmapValue};

    const RULE: &str = "mtu-path-smaller";

    fn world(mtu: u32, passes: u32, knet_mtu: u32) -> World {
        let mut world = World::healthy();
        world.edit_all(|_, report| {
            let key = "runtime.config.totem.knet_mtu".to_owned();
            report.cmap = known(Cmap {
                keys: [(key, CmapValue::U32(knet_mtu))].into(),
            });
            value(&mut report.links)[2].mtu_bytes = Some(mtu);
            let links = value(&mut report.corosync).links.as_mut().unwrap();
            for peer in links[1].peers.as_mut().unwrap() {
                peer.mtu_bytes = Some(passes);
            }
        });
        world
    }

    #[test]
    fn a_network_of_jumbo_frames_that_passes_none_is_told_once() {
        let expect = "warning corosync network 1: corosync network 1: 56 of 56 paths pass at most 1397 bytes, though the \
                      interfaces at both ends are set to 9000: something between them does not pass large frames";
        assert_eq!(world(9_000, 1_397, 0).found(RULE), [expect]);
    }

    #[test]
    fn paths_of_one_node_name_it() {
        let mut world = world(9_000, 8_885, 0);
        assert!(world.found(RULE).is_empty());
        world.edit_all(|name, report| {
            let links = value(&mut report.corosync).links.as_mut().unwrap();
            for peer in links[1].peers.as_mut().unwrap() {
                if peer.node_id == 3 || name.as_str() == "pve-03" {
                    peer.mtu_bytes = Some(1_397);
                }
            }
        });
        assert!(
            world.found(RULE)[0]
                .contains("14 of 56 paths, all from or to pve-03, pass at most 1397")
        );
    }

    #[test]
    fn the_usual_headers_a_limit_by_hand_and_a_small_other_end_are_nothing() {
        assert!(world(1_500, 1_397, 0).found(RULE).is_empty());
        assert!(world(9_000, 1_397, 1_397).found(RULE).is_empty());
        // What knet begins with, with encryption, until it has measured.
        assert!(world(9_000, 469, 0).found(RULE).is_empty());
        let mut world = world(9_000, 8_885, 0);
        world.edit("pve-03", |report| {
            value(&mut report.links)[2].mtu_bytes = Some(1_500)
        });
        world.edit("pve-01", |report| {
            let links = value(&mut report.corosync).links.as_mut().unwrap();
            links[1].peers.as_mut().unwrap()[1].mtu_bytes = Some(1_397);
        });
        assert!(world.found(RULE).is_empty());
    }
}
