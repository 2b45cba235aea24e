//! A local resource manager that has lost its lock and goes on with an armed watchdog: it resets its node unless it gets
//! the lock back.

use super::Tuned;
use crate::cluster::FreshNode;
use crate::fact::ha::LrmState;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let name = node.name();
    let state = node.ha().and_then(|ha| ha.lrm.get(name)?.state.as_ref());
    if state != Some(&LrmState::LostAgentLock) {
        return Vec::new();
    }
    let sentence = format!(
        "the local HA manager of {name} has lost its lock: the node resets itself about 60 s after that unless it gets it \
         back"
    );
    let found = Finding::new(Severity::Critical, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Ha, "lrm_status: lost_agent_lock")
        .remedy(format!(
            "`pvecm status` on {name}: without quorum nobody gets a lock. Bring the network back at once; \
             `journalctl -u pve-ha-lrm -u pve-cluster` says what the lock waits for."
        ));
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, name, value};
    use crate::fact::ha::LrmState;
    use crate::rule::ha_testing::with_ha;

    const RULE: &str = "ha-lrm-lost-lock";

    #[test]
    fn a_lost_lock_is_told_by_the_node_itself() {
        let mut world = World::of(3);
        with_ha(&mut world);
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            let lrm = value(&mut report.ha).lrm.get_mut(&name("pve-03")).unwrap();
            lrm.state = Some(LrmState::LostAgentLock);
        });
        let expect = "critical pve-03: the local HA manager of pve-03 has lost its lock: the node resets itself about 60 s \
                      after that unless it gets it back";
        assert_eq!(world.found(RULE), [expect]);
    }
}
