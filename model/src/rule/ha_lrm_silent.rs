//! A local resource manager that does not write any more while its node is in the membership. Its services are not
//! watched, and its watchdog may run out.

use super::Scene;
use super::ha_view::best;
use super::membership::{has_member, id_of, nodelist};
use crate::cluster::FreshNode;
use crate::fact::ha::{Armed, Ha, LrmStatus};
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::Family;

/// It writes every 5 to 10 s; its time is told once a minute.
const SILENT_S: i64 = 180;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let (Some((reader, ha)), Some((_, conf))) = (best(&nodes), nodelist(&nodes)) else {
        return Vec::new();
    };
    let manager = ha.manager.as_ref();
    // Where HA was never used its files say nothing.
    if manager.is_none_or(|manager| {
        manager
            .service_status
            .as_ref()
            .is_none_or(|all| all.is_empty())
    }) {
        return Vec::new();
    }
    let Some(reading) = nodes.iter().find(|node| node.name() == reader) else {
        return Vec::new();
    };
    let silent = |(name, lrm): (&NodeName, &LrmStatus)| {
        // A node that has left has a finding of its own.
        has_member(reading, id_of(conf, name)?).filter(|has| *has)?;
        let silent_s = silent_s(scene, ha, name, lrm)?;
        (silent_s >= SILENT_S).then(|| finding(reader, name, silent_s, ha.armed(name)))
    };
    ha.lrm.iter().filter_map(silent).collect()
}

/// By the manager's own clock, and by the node's, where it is known.
fn silent_s(scene: &Scene<'_>, ha: &Ha, name: &NodeName, lrm: &LrmStatus) -> Option<i64> {
    let written = lrm.timestamp?.as_second();
    let managed = ha.manager.as_ref().and_then(|manager| manager.timestamp);
    let by_manager = managed.map(|at| at.as_second() - written);
    let skew_ms = scene.node(name).and_then(|node| node.node.seen.skew_ms);
    let by_node = skew_ms.map(|skew_ms| (scene.now.unix_ms + skew_ms) / 1_000 - written);
    by_manager.max(by_node)
}

fn finding(reader: &NodeName, name: &NodeName, silent_s: i64, armed: Armed) -> Finding {
    let fence = if armed == Armed::No {
        ""
    } else {
        "; its watchdog is armed, and the node resets itself if it runs out"
    };
    let sentence = format!(
        "the local HA manager of {name} has not written for {} min{fence}",
        silent_s / 60
    );
    Finding::new(Severity::Critical, Thing::Node(name.clone()), sentence)
        .seen_in(reader, Family::Ha, format!("lrm_status of {name} is {silent_s} s old"))
        .remedy(format!(
            "On {name}: `systemctl status pve-ha-lrm pve-cluster` and `journalctl -u pve-ha-lrm -u watchdog-mux`. Do not \
             kill the LRM while it is armed: that lets its watchdog run out."
        ))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, name, value};
    use crate::rule::ha_testing::with_ha;

    const RULE: &str = "ha-lrm-silent";

    #[test]
    fn an_lrm_that_stopped_writing_is_told_with_what_it_would_do() {
        let mut world = World::of(3);
        with_ha(&mut world);
        assert!(world.found(RULE).is_empty());
        world.edit_all(|_, report| {
            let lrm = value(&mut report.ha).lrm.get_mut(&name("pve-02")).unwrap();
            lrm.timestamp = lrm
                .timestamp
                .map(|at| at - std::time::Duration::from_secs(300));
        });
        let expect = "critical pve-02: the local HA manager of pve-02 has not written for 5 min; its watchdog is armed, \
                      and the node resets itself if it runs out";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn the_word_of_a_node_without_quorum_is_yesterdays() {
        let mut world = World::of(3);
        with_ha(&mut world);
        world.edit_all(|_, report| {
            value(&mut report.corosync).quorate = Some(false);
            let lrm = value(&mut report.ha).lrm.get_mut(&name("pve-02")).unwrap();
            lrm.timestamp = lrm
                .timestamp
                .map(|at| at - std::time::Duration::from_secs(300));
        });
        assert!(world.found(RULE).is_empty());
    }
}
