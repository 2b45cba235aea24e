//! A node that is on its way down, or was told to go down at a time. It keeps its vote until corosync stops.

use std::collections::BTreeSet;

use super::Scene;
use super::membership::{between, nodelist};
use crate::cluster::{FreshNode, Node};
use crate::fact::power::{Power, PowerState};
use crate::finding::{Finding, Severity, Thing};
use crate::lease::Lease;
use crate::report::{Fact, Family};

/// A shutdown and a start take so long at most. Until then that the node is away is no news; after that it is.
const RETURNS_WITHIN_MS: u64 = 900_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    scene
        .cluster
        .nodes
        .values()
        .filter_map(|node| going(scene, node))
        .collect()
}

fn going(scene: &Scene<'_>, node: &Node) -> Option<Finding> {
    // Of a node that is off it is its last word.
    let power = power(node)?;
    let name = &node.name;
    let is_heard = node.is_speaking(scene.now);
    let silent_ms = node.silent_for_ms(scene.now).filter(|_| !is_heard);
    let (severity, sentence) = match (&power.state, silent_ms) {
        (PowerState::ShuttingDown, None) => (
            Severity::Warning,
            format!(
                "{name} is shutting down: it votes until corosync stops there, which can take minutes"
            ),
        ),
        (PowerState::ShuttingDown, Some(ms)) if ms < RETURNS_WITHIN_MS => (
            Severity::Warning,
            format!("{name} was shutting down when it was heard last, and is not back yet"),
        ),
        (PowerState::ShuttingDown, Some(_)) => return None,
        (PowerState::ShutdownScheduled, None) => {
            let at = power.scheduled.as_ref().and_then(|scheduled| scheduled.at);
            let at = at.map(|at| format!(" for {at:.0}")).unwrap_or_default();
            (
                Severity::Info,
                format!("a shutdown of {name} is scheduled{at}"),
            )
        }
        (
            PowerState::Running
            | PowerState::Booting
            | PowerState::Unknown
            | PowerState::ShutdownScheduled,
            _,
        ) => return None,
    };
    let mut found = Finding::new(severity, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Power, power.state.to_string())
        .remedy(format!("Touch no other node until {name} is back. `systemctl list-jobs` there shows what it waits for."))
        .way_back("`shutdown -c` takes back one that is only scheduled.");
    if power.state == PowerState::ShuttingDown {
        // That it leaves its peers, and falls silent, is what a shutdown is.
        let heard: Vec<FreshNode<'_>> = scene.nodes().collect();
        let links =
            nodelist(&heard).map(|(_, conf)| between(conf, &BTreeSet::from([name.clone()])));
        // With a lease that is by plan, and otherwise nobody's doing but its own.
        let lease = scene.leases.and_then(|leases| leases.of(name));
        if !lease.is_some_and(Lease::excuses) {
            found = found.is_loss_of([]);
        }
        found = found
            .takes(links.unwrap_or_default())
            .takes([Thing::Node(name.clone())]);
    }
    Some(found)
}

fn power(node: &Node) -> Option<&Power> {
    match &*node.held(Family::Power)?.fact {
        Fact::Power(power) => power.known(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::power::{Power, PowerState};

    const RULE: &str = "node-shutting-down";

    fn power(world: &mut World, state: PowerState) {
        world.edit("pve-02", |report| {
            report.power = known(Power {
                state,
                ..Power::default()
            })
        });
    }

    #[test]
    fn a_node_on_its_way_down_is_told_and_a_running_one_is_not() {
        let mut world = World::of(3);
        power(&mut world, PowerState::Running);
        assert!(world.found(RULE).is_empty());
        power(&mut world, PowerState::ShuttingDown);
        let expect = "warning pve-02: pve-02 is shutting down: it votes until corosync stops there, which can take minutes";
        assert_eq!(world.found(RULE), [expect]);
        power(&mut world, PowerState::ShutdownScheduled);
        assert_eq!(
            world.found(RULE),
            ["info pve-02: a shutdown of pve-02 is scheduled"]
        );
    }
}
