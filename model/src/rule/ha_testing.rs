//! HA for the world of the tests: every LRM active with one service, the manager on pve-01.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cluster::testing::{World, known, node_name};
use crate::fact::ha::{
    Ha, HaNodeState, HaService, LrmMode, LrmState, LrmStatus, ManagerStatus, ServiceState,
};
use crate::fact::ha_config::HaConfig;

pub(super) fn with_ha(world: &mut World) {
    let at = Timestamp::from_millisecond(world.now.unix_ms).ok();
    let names: Vec<_> = world.cluster.nodes.keys().cloned().collect();
    let service = |(place, node): (usize, &crate::name::NodeName)| {
        let service = HaService {
            node: Some(node.clone()),
            state: Some(ServiceState::Started),
            ..HaService::default()
        };
        (format!("vm:{}", 100 + place), service)
    };
    let lrm = LrmStatus {
        mode: Some(LrmMode::Active),
        state: Some(LrmState::Active),
        timestamp: at,
        ..LrmStatus::default()
    };
    let ha = Ha {
        status: None,
        lrm: names
            .iter()
            .map(|name| (name.clone(), lrm.clone()))
            .collect(),
        manager: Some(ManagerStatus {
            master_node: Some(node_name(1)),
            timestamp: at,
            node_status: names
                .iter()
                .map(|name| (name.clone(), HaNodeState::Online))
                .collect(),
            service_status: Some(
                names
                    .iter()
                    .enumerate()
                    .map(service)
                    .collect::<BTreeMap<_, _>>(),
            ),
            ..ManagerStatus::default()
        }),
        config: HaConfig::default(),
    };
    world.edit_all(|_, report| report.ha = known(ha.clone()));
}
