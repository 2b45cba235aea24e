//! HA is disarmed, or a node is in maintenance, for longer than anybody does that on purpose without saying so.

use super::Scene;
use super::ha_view::best;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::Family;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    // What was not seen to begin is counted from when it was seen first.
    let Some((reader, _)) = best(&nodes) else {
        return Vec::new();
    };
    let Some(past) = nodes
        .iter()
        .find(|node| node.name() == reader)
        .map(|node| &node.node.past)
    else {
        return Vec::new();
    };
    let limit_ms = u64::from(scene.thresholds.maintenance_without_lease_s) * 1_000;
    let lasts = |since_ms: &u64| {
        let ms = scene.now.mono_ms.saturating_sub(*since_ms);
        (ms > limit_ms).then_some(ms / 60_000)
    };
    let disarmed = past.disarmed_since_ms.as_ref().and_then(lasts).map(|minutes| {
        let sentence = format!("HA has been disarmed in the whole cluster for {minutes} min: no guest is recovered if its node dies");
        Finding::new(Severity::Warning, Thing::Cluster, sentence)
            .seen_in(reader, Family::Ha, "manager_status: disarm")
            .remedy("`ha-manager crm-command arm-ha`, once what it was disarmed for is done.")
            .way_back("`ha-manager crm-command disarm-ha freeze`")
    });
    let in_maintenance = past.maintenance_since_ms.iter().filter_map(|(name, since_ms)| {
        let sentence = format!("{name} has been in HA maintenance for {} min: it takes no HA services", lasts(since_ms)?);
        let found = Finding::new(Severity::Warning, Thing::Node(name.clone()), sentence)
            .seen_in(reader, Family::Ha, format!("manager_status: {name} maintenance"))
            .remedy(format!("`ha-manager crm-command node-maintenance disable {name}`; it survives a reboot."))
            .way_back(format!("`ha-manager crm-command node-maintenance enable {name}`"));
        Some(found)
    });
    disarmed.into_iter().chain(in_maintenance).collect()
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, name, value};
    use crate::fact::ha::{Disarm, FencingState, HaNodeState};
    use crate::rule::ha_testing::with_ha;

    const RULE: &str = "ha-maintenance-lasting";

    #[test]
    fn a_maintenance_is_told_after_an_hour() {
        let mut world = World::of(3);
        with_ha(&mut world);
        let state = |world: &mut World, state: HaNodeState| {
            world.edit_all(|_, report| {
                let manager = value(&mut report.ha).manager.as_mut().unwrap();
                manager.node_status.insert(name("pve-02"), state.clone());
            });
        };
        state(&mut world, HaNodeState::Maintenance);
        world.advance_s(3_600);
        assert!(world.found(RULE).is_empty());
        world.advance_s(60);
        let expect =
            "warning pve-02: pve-02 has been in HA maintenance for 61 min: it takes no HA services";
        assert_eq!(world.found(RULE), [expect]);
        state(&mut world, HaNodeState::Online);
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn a_cluster_that_stays_disarmed_is_told_after_an_hour() {
        let mut world = World::of(3);
        with_ha(&mut world);
        world.edit_all(|_, report| {
            value(&mut report.ha).manager.as_mut().unwrap().disarm = Some(Disarm {
                state: Some(FencingState::Disarmed),
                ..Disarm::default()
            });
        });
        assert!(world.found(RULE).is_empty());
        world.advance_s(7_200);
        let expect = "warning the cluster: HA has been disarmed in the whole cluster for 120 min: no guest is recovered if \
                      its node dies";
        assert_eq!(world.found(RULE), [expect]);
    }
}
