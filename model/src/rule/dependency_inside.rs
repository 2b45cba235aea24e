//! The qdevice or the collector runs on a node of the cluster that leans on it: it goes with that node.

use super::Scene;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};
use crate::topology::{Place, Service, place};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let on = |service| match place(scene.cluster, scene.now, scene.site, service) {
        // What runs on a node of another cluster is outside of this one.
        Some(Place::Node(node)) => scene.node(&node).is_some().then_some(node),
        _ => None,
    };
    let has_device = scene.nodes().any(|node| {
        let conf = node.corosync_conf().and_then(|files| files.local.as_ref());
        conf.is_some_and(|conf| conf.quorum.device.is_some())
    });
    let mut found = Vec::new();
    if let Some(node) = on(Service::Qdevice).filter(|_| has_device) {
        let sentence = format!(
            "the qdevice of this cluster runs on {node}, a node of it: if {node} fails, the qdevice's votes go with it"
        );
        found.push(
            Finding::new(Severity::Warning, Thing::Qdevice, sentence)
                .seen_in(&node, Family::CorosyncConf, format!("the qdevice is on {node}"))
                .remedy("Move qnetd to a machine outside the cluster: `pvecm qdevice remove`, then `pvecm qdevice setup ADDRESS`.")
                .way_back("`pvecm qdevice remove`, then `pvecm qdevice setup` with the former address."),
        );
    }
    if let Some(node) = on(Service::Collector) {
        let sentence = format!(
            "the collector runs on {node}, a node of this cluster: if {node} fails, nobody watches"
        );
        found.push(
            Finding::new(Severity::Info, Thing::Service("collector".to_owned()), sentence)
                .seen_in(&node, Family::Links, format!("the collector is on {node}"))
                .remedy("Move the collector to a machine outside the cluster: move its state directory there."),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, name, value};
    use crate::fact::corosync_conf::Device;
    use crate::topology::{Dependency, Place, Service};

    const RULE: &str = "dependency-inside";

    fn world(host: &str) -> World {
        let mut world = World::healthy();
        world.edit_all(|_, report| {
            let conf = value(&mut report.corosync_conf).local.as_mut().unwrap();
            conf.quorum.device = Some(Device {
                host: Some(host.to_owned()),
                ..Device::default()
            });
        });
        world
    }

    #[test]
    fn a_qdevice_outside_or_of_which_nothing_is_known_is_silent() {
        assert!(world("192.0.2.7").found(RULE).is_empty());
        assert!(World::healthy().found(RULE).is_empty());
    }

    #[test]
    fn a_qdevice_and_a_collector_on_a_node_are_told_of() {
        let mut world = world("10.0.0.3");
        let on = Place::Node(name("pve-01"));
        world.site.dependencies = vec![Dependency {
            service: Service::Collector,
            on,
        }];
        assert_eq!(
            world.found(RULE),
            [
                "warning qdevice: the qdevice of this cluster runs on pve-03, a node of it: if pve-03 fails, the qdevice's \
                 votes go with it",
                "info collector: the collector runs on pve-01, a node of this cluster: if pve-01 fails, nobody watches",
            ]
        );
    }
}
