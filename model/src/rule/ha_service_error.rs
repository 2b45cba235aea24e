//! A service that the HA manager has given up: it does nothing more for it until somebody clears the error.

use super::Scene;
use super::ha_view::best;
use crate::cluster::FreshNode;
use crate::fact::ha::{HaService, ServiceState};
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::Family;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let Some((reader, ha)) = best(&nodes) else {
        return Vec::new();
    };
    let services = ha
        .manager
        .iter()
        .filter_map(|manager| manager.service_status.as_ref())
        .flatten();
    let in_error = services.filter(|(_, service)| service.state == Some(ServiceState::Error));
    in_error
        .map(|(id, service)| finding(reader, id, service))
        .collect()
}

fn finding(reader: &NodeName, id: &str, service: &HaService) -> Finding {
    let on = service
        .node
        .as_ref()
        .map(|node| format!(" on {node}"))
        .unwrap_or_default();
    let sentence = format!(
        "HA has given up {id}{on}: it is in state error, and is not restarted or moved any more"
    );
    Finding::new(Severity::Critical, Thing::Service(id.to_owned()), sentence)
        .seen_in(reader, Family::Ha, format!("manager_status: {id} error"))
        .remedy(format!(
            "Find out why it did not start (`journalctl -u pve-ha-lrm`, the task log), mend that, then \
             `ha-manager set {id} --state disabled` and `ha-manager set {id} --state started`."
        ))
        .way_back(format!("`ha-manager set {id} --state disabled` leaves it stopped."))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::ha::ServiceState;
    use crate::rule::ha_testing::with_ha;

    const RULE: &str = "ha-service-error";

    #[test]
    fn a_service_in_error_is_told_once() {
        let mut world = World::of(3);
        with_ha(&mut world);
        assert!(world.found(RULE).is_empty());
        world.edit_all(|_, report| {
            let manager = value(&mut report.ha).manager.as_mut().unwrap();
            let services = manager.service_status.as_mut().unwrap();
            services.get_mut("vm:101").unwrap().state = Some(ServiceState::Error);
        });
        let expect = "critical vm:101: HA has given up vm:101 on pve-02: it is in state error, and is not restarted or \
                      moved any more";
        assert_eq!(world.found(RULE), [expect]);
    }
}
