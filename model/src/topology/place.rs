//! Where the qdevice and the collector run: as it is declared, or as the nodes' own addresses show it.
//!
//! A guest's address is in no file of the node, so that a qnetd in a guest is found only if the guest is declared.

use core::net::IpAddr;

use super::{Place, Service, Site, newest_conf};
use crate::cluster::{Cluster, FreshNode, Now};
use crate::name::NodeName;
use crate::report::Facts as _;

/// External, or the node that takes it along; `None`: not known.
pub fn place(cluster: &Cluster, now: Now, site: &Site, service: Service) -> Option<Place> {
    match (site.place_of(service), service) {
        (Some(Place::Guest(id)), _) => {
            let runs_it = |fresh: &FreshNode<'_>| {
                let mut guests = fresh.guests().into_iter().flat_map(|guests| &guests.here);
                guests.any(|guest| guest.id == *id)
            };
            // On its way from one to the other it is on neither for certain.
            let mut on = cluster.fresh(now).filter(runs_it);
            let one = on.next().filter(|_| on.next().is_none())?;
            Some(Place::Node(one.name().clone()))
        }
        (Some(place), _) => Some(place.clone()),
        (None, Service::Qdevice) => host_of_qnetd(cluster, now).map(Place::Node),
        (None, Service::Collector) => None,
    }
}

/// The node of the cluster whose own address, or name, corosync.conf has as that of qnetd.
fn host_of_qnetd(cluster: &Cluster, now: Now) -> Option<NodeName> {
    let nodes: Vec<FreshNode<'_>> = cluster.fresh(now).collect();
    let host = newest_conf(&nodes)?.quorum.device.as_ref()?.host.as_ref()?;
    let address: Option<IpAddr> = host.parse().ok();
    let is_it = |fresh: &&FreshNode<'_>| {
        let links = fresh.links().into_iter().flatten();
        let mut own = links.flat_map(|link| link.addresses.iter().flatten());
        fresh.name().as_str() == host.as_str() || own.any(|one| Some(one.address) == address)
    };
    nodes.iter().find(is_it).map(|fresh| fresh.name().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, known, name, value};
    use crate::fact::corosync_conf::Device;
    use crate::fact::guests::{Guest, GuestKind, Guests};
    use crate::topology::Dependency;

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

    #[test]
    fn a_declared_guest_is_where_it_runs_and_nowhere_while_two_nodes_have_it() {
        let mut world = World::healthy();
        let site = Site {
            switches: Vec::new(),
            dependencies: vec![Dependency {
                service: Service::Qdevice,
                on: Place::Guest(105),
            }],
        };
        assert_eq!(found(&world, &site), None);
        let has = |world: &mut World, node: &str| {
            let guest = Guest {
                id: 105,
                kind: GuestKind::Machine,
                running: Some(true),
                config: None,
            };
            world.edit(node, |report| {
                report.guests = known(Guests {
                    here: vec![guest],
                    ..Guests::default()
                });
            });
        };
        has(&mut world, "pve-02");
        assert_eq!(found(&world, &site), Some(Place::Node(name("pve-02"))));
        has(&mut world, "pve-05");
        assert_eq!(found(&world, &site), None);
    }
}
