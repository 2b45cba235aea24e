//! A corosync link shares its ports with what can fill them: storage, backups, migrations. Corosync needs little, and
//! needs it in time.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::membership::counted;
use super::networks::same_network;
use crate::cluster::FreshNode;
use crate::fact::link::{Address, Link};
use crate::fact::storage::{StorageConfig, StorageKind};
use crate::finding::{Finding, Severity, Thing};
use crate::name::{IfaceName, LinkNumber, NodeName};
use crate::report::{Facts as _, Family};
use crate::topology::{Stack, stacks_of_addresses, stacks_of_links};

/// Who shares a link, by node: `storage nas1`, `migrations`.
type Sharing = BTreeMap<LinkNumber, BTreeMap<String, BTreeSet<NodeName>>>;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let (mut sharing, mut links, mut nodes) = (Sharing::new(), BTreeSet::new(), BTreeSet::new());
    for node in scene.nodes() {
        for (link, with) in of_node(&node, &mut links) {
            nodes.insert(node.name().clone());
            let who = sharing.entry(link).or_default();
            with.into_iter().for_each(|what| {
                who.entry(what).or_default().insert(node.name().clone());
            });
        }
    }
    if sharing.is_empty() {
        return Vec::new();
    }
    let is_free = links.iter().any(|link| !sharing.contains_key(link));
    vec![finding(&sharing, &nodes, is_free)]
}

/// Which of its corosync links share their ports, and with what. `links` learns of all of them.
fn of_node(
    node: &FreshNode<'_>,
    links: &mut BTreeSet<LinkNumber>,
) -> BTreeMap<LinkNumber, BTreeSet<String>> {
    let mut shared: BTreeMap<LinkNumber, BTreeSet<String>> = BTreeMap::new();
    let numbers = node.corosync().and_then(|corosync| corosync.links.as_ref());
    let Some((numbers, stacks)) = numbers.zip(stacks_of_links(node)) else {
        return shared;
    };
    links.extend(numbers.iter().map(|link| link.link));
    let loads = loads(node);
    if loads.is_empty() {
        return shared;
    }
    let all = stacks_of_addresses(node);
    for (what, way) in &loads {
        let Some(loaded) = way.iter().find_map(|address| {
            all.iter()
                .find(|stack| stack.address == address.to_string())
        }) else {
            continue;
        };
        let touches = |stack: &&(LinkNumber, &Stack)| {
            let has = |port: &IfaceName| loaded.ports.contains(port);
            stack.1.ports.iter().any(has)
        };
        let of_links = numbers.iter().map(|link| link.link).zip(&stacks);
        let pairs: Vec<(LinkNumber, &Stack)> = of_links.collect();
        for (link, _) in pairs.iter().filter(touches) {
            shared.entry(*link).or_default().insert(what.clone());
        }
    }
    shared
}

/// What can fill a port, with the node's own addresses in the network that it goes over. A server behind a router is
/// reached by a way that is not looked at.
fn loads(node: &FreshNode<'_>) -> Vec<(String, Vec<IpAddr>)> {
    let configured = node
        .storage()
        .and_then(|storage| storage.configured.as_ref());
    let mine = configured
        .into_iter()
        .flatten()
        .filter(|one| one.is_for(node.name()));
    let storages = mine.filter_map(|storage| {
        let server: IpAddr = storage.server.as_ref()?.parse().ok()?;
        Some((
            called(storage),
            own_addresses(node, |own| contains(own, server)),
        ))
    });
    let datacenter = node.ha().and_then(|ha| ha.config.datacenter.as_ref());
    let network = datacenter.and_then(|datacenter| datacenter.migration_network.as_deref());
    let migrations = network.and_then(cidr).map(|(network, prefix)| {
        let inside = |own: &Address| shares_network(own.address, network, prefix);
        ("migrations".to_owned(), own_addresses(node, inside))
    });
    storages
        .chain(migrations)
        .filter(|(_, own)| !own.is_empty())
        .collect()
}

fn called(storage: &StorageConfig) -> String {
    let what = if storage.kind == StorageKind::BackupServer {
        "backups to"
    } else {
        "storage"
    };
    format!("{what} {}", storage.id)
}

fn own_addresses(node: &FreshNode<'_>, is_in: impl Fn(&Address) -> bool) -> Vec<IpAddr> {
    let links = node.links().map_or(&[][..], Vec::as_slice);
    let addresses = links
        .iter()
        .flat_map(|link: &Link| link.addresses.iter().flatten());
    addresses
        .filter(|own| is_in(own))
        .map(|own| own.address)
        .collect()
}

fn contains(own: &Address, other: IpAddr) -> bool {
    own.prefix_len
        .is_some_and(|prefix| shares_network(own.address, other, prefix))
}

fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    Some((address.parse().ok()?, prefix.parse().ok()?))
}

/// A prefix of no length is no network.
fn shares_network(one: IpAddr, other: IpAddr, prefix: u8) -> bool {
    prefix > 0 && same_network(one, other, prefix)
}

fn finding(sharing: &Sharing, nodes: &BTreeSet<NodeName>, is_free: bool) -> Finding {
    let of_link = |(link, with): (&LinkNumber, &BTreeMap<String, BTreeSet<NodeName>>)| {
        let with: Vec<String> = with
            .iter()
            .map(|(what, nodes)| format!("{what} on {}", counted(nodes.len() as u64, "node")))
            .collect();
        format!(
            "corosync link {link} shares its ports with {}",
            with.join(", ")
        )
    };
    let mut clauses: Vec<String> = sharing.iter().map(of_link).collect();
    let (severity, end) = if is_free {
        (Severity::Info, "another link has its ports for itself")
    } else {
        (
            Severity::Warning,
            "no corosync link has its ports for itself",
        )
    };
    clauses.push(end.to_owned());
    let found = Finding::new(severity, Thing::Cluster, clauses.join("; ")).remedy(
        "Give corosync a network of its own, or at least one of its links. Until then limit what can fill the ports \
         (`bwlimit` in datacenter.cfg, a migration network of its own).",
    );
    let seen = |found: Finding, node: &NodeName| {
        found.seen_in(node, Family::Links, "the same ports under both addresses")
    };
    nodes
        .iter()
        .fold(found, seen)
        .way_back("Put the former addresses or limits back.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, known, value};
    use crate::fact::storage::Storage;

    const RULE: &str = "corosync-shared-path";

    fn give_storage(world: &mut World, server: &str) {
        let storage = StorageConfig {
            id: "nas1".to_owned(),
            kind: StorageKind::Nfs,
            content: vec!["images".to_owned()],
            nodes: None,
            disabled: false,
            shared: None,
            server: Some(server.to_owned()),
            path: None,
            needs_mount: false,
        };
        world.edit_all(|_, report| {
            report.storage = known(Storage {
                configured: Some(vec![storage.clone()]),
                ..Storage::default()
            });
        });
    }

    #[test]
    fn storage_on_the_ports_of_one_link_is_told_for_information() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        give_storage(&mut world, "10.0.0.200");
        let expect = "info the cluster: corosync link 0 shares its ports with storage nas1 on 8 nodes; another link has \
                      its ports for itself";
        assert_eq!(world.found(RULE), [expect]);
        give_storage(&mut world, "192.0.2.1");
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn with_no_link_left_for_itself_it_is_a_warning() {
        let mut world = World::of(3);
        give_storage(&mut world, "10.0.0.200");
        world.edit_all(|_, report| {
            let corosync = value(&mut report.corosync);
            corosync.links.as_mut().unwrap().truncate(1);
        });
        let expect = "warning the cluster: corosync link 0 shares its ports with storage nas1 on 3 nodes; no corosync link \
                      has its ports for itself";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn networks_are_compared_by_their_prefix() {
        let is = |one: &str, other: &str, prefix| {
            shares_network(one.parse().unwrap(), other.parse().unwrap(), prefix)
        };
        assert!(is("10.0.0.1", "10.0.0.200", 24));
        assert!(!is("10.0.1.1", "10.0.0.200", 24));
        assert!(is("fd00::1", "fd00::2:1", 64));
        assert!(!is("10.0.0.1", "fd00::1", 8));
        assert!(!is("10.0.0.1", "10.0.0.1", 0));
    }
}
