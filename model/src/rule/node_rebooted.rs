//! A node runs another kernel than before, and was not seen to go down: it was reset, fenced, or lost its power.

use jiff::Timestamp;

use super::Scene;
use super::membership::listed;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

/// So long it is worth a look.
const TOLD_FOR_MS: u64 = 3_600_000;
/// Nodes that were reset together come back one after the other.
const SETTLES_MS: u64 = 60_000;
/// So many within [`TOGETHER_MS`] have one cause.
const MANY: usize = 3;
const TOGETHER_MS: u64 = 600_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let boot = |node: &FreshNode<'_>| {
        let at_ms = node.node.past.sudden_boot_ms?;
        let is_worth =
            node.power().is_some() && scene.now.mono_ms.saturating_sub(at_ms) < TOLD_FOR_MS;
        is_worth.then_some(at_ms)
    };
    let boots: Vec<(u64, &FreshNode<'_>)> = nodes
        .iter()
        .filter_map(|node| Some((boot(node)?, node)))
        .collect();
    let first = boots
        .iter()
        .map(|(at_ms, _)| *at_ms)
        .min()
        .unwrap_or_default();
    let last = boots
        .iter()
        .map(|(at_ms, _)| *at_ms)
        .max()
        .unwrap_or_default();
    if boots.len() >= MANY && last - first <= TOGETHER_MS {
        return vec![together(scene, first, &boots)];
    }
    boots
        .iter()
        .map(|(at_ms, node)| alone(scene, *at_ms, node))
        .collect()
}

fn alone(scene: &Scene<'_>, at_ms: u64, node: &FreshNode<'_>) -> Finding {
    let name = node.name();
    let sentence = format!(
        "{name} was restarted without a shutdown: its new kernel was first seen at {}, and before that it ran",
        clock(scene, at_ms)
    );
    with_evidence(Finding::new(Severity::Critical, Thing::Node(name.clone()), sentence), &[(at_ms, node)]).remedy(format!(
        "`journalctl -b -1 -n 200` on {name}: does it end in a watchdog's line (fenced), in a kernel's (crash), or in \
         nothing (power)? The IPMI's event log knows of power and memory."
    ))
}

fn together(scene: &Scene<'_>, first_ms: u64, boots: &[(u64, &FreshNode<'_>)]) -> Finding {
    let names: Vec<_> = boots.iter().map(|(_, node)| node.name()).collect();
    let sentence = format!(
        "{} nodes were restarted without a shutdown, the first seen again at {}: {}",
        names.len(),
        clock(scene, first_ms),
        listed(names),
    );
    with_evidence(Finding::new(Severity::Critical, Thing::Cluster, sentence), boots).remedy(
        "`journalctl -b -1 -n 200` on each: watchdog lines in the end say that they fenced themselves for want of quorum; \
         nothing in the end says power.",
    )
}

fn with_evidence(found: Finding, boots: &[(u64, &FreshNode<'_>)]) -> Finding {
    let words = |found: Finding, (_, node): &(u64, &FreshNode<'_>)| {
        found.seen_in(
            node.name(),
            Family::Power,
            format!("boot id {}", node.node.seen.boot_id),
        )
    };
    boots.iter().fold(found.settles_in(SETTLES_MS), words)
}

/// `14:02 UTC`
fn clock(scene: &Scene<'_>, at_ms: u64) -> String {
    let ago_ms = scene.now.mono_ms.saturating_sub(at_ms).cast_signed();
    let unix_ms = scene.now.unix_ms.saturating_sub(ago_ms);
    let at = Timestamp::from_millisecond(unix_ms).ok();
    at.map_or_else(
        || "an unknown time".to_owned(),
        |at| at.strftime("%H:%M UTC").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known, name};
    use crate::fact::power::{Power, PowerState};

    const RULE: &str = "node-rebooted";

    fn restarted(state: PowerState) -> World {
        let mut world = World::of(3);
        world.edit("pve-02", |report| {
            report.power = known(Power {
                state,
                ..Power::default()
            })
        });
        let mut seen = world.cluster.nodes[&name("pve-02")].seen.clone();
        seen.boot_id = "second".to_owned();
        world.cluster.apply(&name("pve-02"), seen, world.now);
        world
    }

    #[test]
    fn a_new_kernel_without_a_shutdown_before_is_told() {
        let expect = "critical pve-02: pve-02 was restarted without a shutdown: its new kernel was first seen at 08:00 UTC, \
                      and before that it ran";
        assert_eq!(restarted(PowerState::Running).found(RULE), [expect]);
    }

    #[test]
    fn a_shutdown_that_was_seen_or_may_have_been_is_not_told() {
        assert!(restarted(PowerState::ShuttingDown).found(RULE).is_empty());
        assert!(restarted(PowerState::Unknown).found(RULE).is_empty());
        assert!(World::healthy().found(RULE).is_empty());
    }

    #[test]
    fn nodes_that_were_reset_together_are_one_finding() {
        let mut world = World::of(5);
        for node in ["pve-02", "pve-03", "pve-04"] {
            world.edit(node, |report| {
                report.power = known(Power {
                    state: PowerState::Running,
                    ..Power::default()
                })
            });
            let mut seen = world.cluster.nodes[&name(node)].seen.clone();
            seen.boot_id = "second".to_owned();
            world.cluster.apply(&name(node), seen, world.now);
        }
        let expect = "critical the cluster: 3 nodes were restarted without a shutdown, the first seen again at 08:00 UTC: \
                      pve-02, pve-03, pve-04";
        assert_eq!(world.found(RULE), [expect]);
    }
}
