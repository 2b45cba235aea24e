//! Where the qdevice and the collector run: as it is declared, or as it is found.
//!
//! A qnetd is found by its address: a node's own, or that of a guest, whose node looks for it (`Guests::with_qnetd`). The
//! collector is found by its boot id, which is a node's own when it runs on the node or in a container of it, and by its
//! hardware addresses, which are a guest's. Who is not found may be anywhere: nobody is external for that.

use core::net::IpAddr;

use super::{Machine, Place, Service, Site, newest_conf};
use crate::cluster::{Cluster, FreshNode, Now};
use crate::fact::guests::Guest;
use crate::name::NodeName;
use crate::report::Facts as _;

/// External, or the node that takes it along; `None`: not known.
pub fn place(cluster: &Cluster, now: Now, site: &Site, service: Service) -> Option<Place> {
    if let Some(place @ (Place::External | Place::Node(_))) = site.place_of(service) {
        return Some(place.clone());
    }
    // Two that say the same are none: a guest on its way, or a copy of one.
    match claims(cluster, now, site, service).as_slice() {
        [one] => Some(Place::Node(one.clone())),
        _ => None,
    }
}

/// The nodes that say to have it: it may be on each of them.
pub fn claims(cluster: &Cluster, now: Now, site: &Site, service: Service) -> Vec<NodeName> {
    match (site.place_of(service), service) {
        (Some(Place::External), _) => Vec::new(),
        (Some(Place::Node(node)), _) => vec![node.clone()],
        (Some(Place::Guest(id)), _) => {
            let runs_it = |fresh: &FreshNode<'_>| {
                let mut guests = fresh.guests().into_iter().flat_map(|guests| &guests.here);
                guests.any(|guest| guest.id == *id)
            };
            those(cluster, now, runs_it)
        }
        (None, Service::Qdevice) => hosts_of_qnetd(cluster, now),
        (None, Service::Collector) => hosts_of(cluster, now, &site.machine),
    }
}

fn those(cluster: &Cluster, now: Now, is_one: impl Fn(&FreshNode<'_>) -> bool) -> Vec<NodeName> {
    let those = cluster.fresh(now).filter(is_one);
    those.map(|fresh| fresh.name().clone()).collect()
}

/// Those that are this machine, or have it as a guest.
fn hosts_of(cluster: &Cluster, now: Now, machine: &Machine) -> Vec<NodeName> {
    if *machine == Machine::default() {
        return Vec::new();
    }
    let is_it = |fresh: &FreshNode<'_>| {
        let boot_id = fresh.power().and_then(|power| power.boot_id.as_ref());
        let is_itself = boot_id.is_some() && boot_id == machine.boot_id.as_ref();
        let guests = fresh.guests().into_iter().flat_map(|guests| &guests.here);
        let mut cards = guests.flat_map(Guest::hardware_addresses);
        is_itself || cards.any(|card| machine.hardware_addresses.contains(card))
    };
    those(cluster, now, is_it)
}

/// Those whose own address, or name, corosync.conf has as that of qnetd, or whose guest has it.
fn hosts_of_qnetd(cluster: &Cluster, now: Now) -> Vec<NodeName> {
    let nodes: Vec<FreshNode<'_>> = cluster.fresh(now).collect();
    let device = newest_conf(&nodes).and_then(|conf| conf.quorum.device.as_ref());
    let Some(host) = device.and_then(|device| device.host.as_ref()) else {
        return Vec::new();
    };
    let address: Option<IpAddr> = host.parse().ok();
    let has_it = |fresh: &FreshNode<'_>| {
        let links = fresh.links().into_iter().flatten();
        let mut own = links.flat_map(|link| link.addresses.iter().flatten());
        let is_own = own.any(|one| Some(one.address) == address);
        let is_in_guest = fresh.guests().is_some_and(|it| it.with_qnetd.is_some());
        is_own || is_in_guest || fresh.name().as_str() == host.as_str()
    };
    those(cluster, now, has_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, known, name, value};
    use crate::fact::corosync_conf::Device;
    use crate::fact::guests::{Guest, GuestKind, Guests};
    use crate::fact::power::Power;
    use crate::parse::guests::config;
    use crate::topology::Dependency;
    use std::collections::BTreeSet;

    fn qnetd_at(world: &mut World, host: &str) {
        world.edit_all(|_, report| {
            let conf = value(&mut report.corosync_conf).local.as_mut().unwrap();
            conf.quorum.device = Some(Device {
                host: Some(host.to_owned()),
                ..Device::default()
            });
        });
    }

    fn found(world: &World, site: &Site) -> Option<Place> {
        place(&world.cluster, world.now, site, Service::Qdevice)
    }

    #[test]
    fn a_qnetd_on_a_node_is_found_by_the_nodes_address_and_by_its_name() {
        let mut world = World::healthy();
        let nothing = Site::default();
        assert_eq!(found(&world, &nothing), None);
        qnetd_at(&mut world, "192.0.2.7");
        assert_eq!(found(&world, &nothing), None);
        for host in ["10.0.0.3", "pve-03"] {
            qnetd_at(&mut world, host);
            assert_eq!(
                found(&world, &nothing),
                Some(Place::Node(name("pve-03"))),
                "{host}"
            );
        }
    }

    /// A guest with this network card.
    fn guest(id: u32, card: &str) -> Guest {
        let net = format!("net0: virtio={card},bridge=vmbr0\n");
        Guest {
            id,
            kind: GuestKind::Machine,
            running: Some(true),
            config: Some(config::parse(&GuestKind::Machine, &net).value),
        }
    }

    fn has(world: &mut World, node: &str, guest: Guest, with_qnetd: Option<u32>) {
        world.edit(node, |report| {
            report.guests = known(Guests {
                here: vec![guest],
                with_qnetd,
                ..Guests::default()
            });
        });
    }

    const CARD: &str = "02:00:00:00:00:07";

    #[test]
    fn a_declared_guest_is_where_it_runs_and_nowhere_while_two_nodes_have_it() {
        let mut world = World::healthy();
        let site = Site {
            dependencies: vec![Dependency {
                service: Service::Qdevice,
                on: Place::Guest(105),
            }],
            ..Site::default()
        };
        assert_eq!(found(&world, &site), None);
        has(&mut world, "pve-02", guest(105, CARD), None);
        assert_eq!(found(&world, &site), Some(Place::Node(name("pve-02"))));
        has(&mut world, "pve-05", guest(105, CARD), None);
        assert_eq!(found(&world, &site), None);
    }

    #[test]
    fn a_qnetd_in_a_guest_is_where_one_node_found_it() {
        let mut world = World::healthy();
        qnetd_at(&mut world, "192.0.2.7");
        has(&mut world, "pve-02", guest(105, CARD), Some(105));
        let nothing = Site::default();
        assert_eq!(found(&world, &nothing), Some(Place::Node(name("pve-02"))));
        has(&mut world, "pve-05", guest(105, CARD), Some(105));
        assert_eq!(found(&world, &nothing), None);
    }

    #[test]
    fn a_collector_is_where_its_boot_id_or_its_card_is_and_otherwise_not_known() {
        let mut world = World::healthy();
        let machine = |boot_id: &str, card: &str| Site {
            machine: Machine {
                boot_id: Some(boot_id.to_owned()),
                hardware_addresses: BTreeSet::from([card.parse().unwrap()]),
            },
            ..Site::default()
        };
        let found =
            |world: &World, site: &Site| place(&world.cluster, world.now, site, Service::Collector);
        has(&mut world, "pve-04", guest(105, CARD), None);
        let in_guest = machine("its own", CARD);
        assert_eq!(found(&world, &in_guest), Some(Place::Node(name("pve-04"))));
        let elsewhere = machine("its own", "02:00:00:00:00:08");
        assert_eq!(found(&world, &elsewhere), None);
        world.edit("pve-03", |report| {
            report.power = known(Power {
                boot_id: Some("its own".to_owned()),
                ..Power::default()
            });
        });
        assert_eq!(found(&world, &elsewhere), Some(Place::Node(name("pve-03"))));
        // Copies of guests have the same card.
        assert_eq!(found(&world, &in_guest), None);
    }
}
