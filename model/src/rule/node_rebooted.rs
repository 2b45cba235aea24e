//! A node runs another kernel than before, and was not seen to go down: it was reset, fenced, or lost its power.

use super::Tuned;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

/// So long it is worth a look.
const TOLD_FOR_MS: u64 = 3_600_000;

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let Some(at_ms) = node.node.past.sudden_boot_ms else {
        return Vec::new();
    };
    let ago_ms = node.now.mono_ms.saturating_sub(at_ms);
    if node.power().is_none() || ago_ms >= TOLD_FOR_MS {
        return Vec::new();
    }
    let name = node.name();
    let sentence = format!(
        "{name} was restarted without a shutdown: its new kernel was first seen {} min ago, and before that it ran",
        ago_ms / 60_000
    );
    let found = Finding::new(Severity::Critical, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Power, format!("boot id {}", node.node.seen.boot_id))
        .remedy(format!(
            "`journalctl -b -1 -n 200` on {name}: does it end in a watchdog's line (fenced), in a kernel's (crash), or in \
             nothing (power)? The IPMI's event log knows of power and memory."
        ));
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known, name};
    use crate::fact::power::{Power, PowerState};

    const RULE: &str = "node-rebooted";

    fn restarted(state: PowerState) -> World {
        let mut world = World::of(3);
        world.edit("pve-02", |report| report.power = known(Power { state, ..Power::default() }));
        let mut seen = world.cluster.nodes[&name("pve-02")].seen.clone();
        seen.boot_id = "second".to_owned();
        world.cluster.apply(&name("pve-02"), seen, world.now);
        world
    }

    #[test]
    fn a_new_kernel_without_a_shutdown_before_is_told() {
        let expect = "critical pve-02: pve-02 was restarted without a shutdown: its new kernel was first seen 0 min ago, \
                      and before that it ran";
        assert_eq!(restarted(PowerState::Running).found(RULE), [expect]);
    }

    #[test]
    fn a_shutdown_that_was_seen_or_may_have_been_is_not_told() {
        assert!(restarted(PowerState::ShuttingDown).found(RULE).is_empty());
        assert!(restarted(PowerState::Unknown).found(RULE).is_empty());
        assert!(World::healthy().found(RULE).is_empty());
    }
}
