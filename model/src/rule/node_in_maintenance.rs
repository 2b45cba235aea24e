//! A node whose lease is held: that it is away, and what goes with it, is by plan.

use std::collections::BTreeSet;

use super::Scene;
use super::membership::{between, nodelist};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::lease::Lease;
use crate::name::NodeName;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let lease = scene.leases.and_then(|leases| leases.current());
    let Some(lease) = lease.filter(|lease| lease.excuses()) else {
        return Vec::new();
    };
    let nodes = lease.grant.nodes.iter();
    nodes.map(|node| planned(scene, lease, node)).collect()
}

fn planned(scene: &Scene<'_>, lease: &Lease, node: &NodeName) -> Finding {
    let sentence = format!("{node} is in maintenance: {}", lease.sentence());
    let heard: Vec<FreshNode<'_>> = scene.nodes().collect();
    let links = nodelist(&heard).map(|(_, conf)| between(conf, &BTreeSet::from([node.clone()])));
    Finding::new(Severity::Info, Thing::Node(node.clone()), sentence)
        .is_loss_of([])
        .takes(links.unwrap_or_default())
        .takes([Thing::Node(node.clone())])
        .settles_in(0)
        .remedy(format!(
            "Touch no other node meanwhile. `quorate maintenance list` says what {node} still lacks."
        ))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, name};
    use crate::finding::Thing;
    use crate::lease::testing::{step, take};
    use crate::lease::{State, Step};
    use crate::rule;

    const RULE: &str = "node-in-maintenance";

    #[test]
    fn a_lease_is_told_as_long_as_it_excuses_its_node() {
        let mut world = World::of(3);
        assert!(world.found(RULE).is_empty());
        take(&mut world, "pve-02");
        let expect = "info pve-02: pve-02 is in maintenance: lease 1 of pve-02 (reboot), taken by root@pve-02 at 2027-01-15 \
                      08:00 UTC: new kernel; planned until 2027-01-15 08:10 UTC";
        assert_eq!(world.found(RULE), [expect]);
        step(&mut world, Step::Departed);
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn what_was_withdrawn_excuses_nothing() {
        let mut world = World::of(3);
        take(&mut world, "pve-02");
        let why = "pve-03 left".to_owned();
        step(&mut world, Step::Withdrawn { why });
        let lease = world.leases.as_ref().unwrap().current();
        assert_eq!(lease.unwrap().state, State::Withdrawn);
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn that_it_leaves_its_peers_goes_under_it_and_that_another_does_not() {
        let mut world = World::of(5);
        take(&mut world, "pve-02");
        world.leave(2).leave(4);
        let found = rule::findings(&world.scene());
        let planned = found.iter().find(|found| found.rule == RULE).unwrap();
        let explained: Vec<&Thing> = found
            .iter()
            .filter(|other| planned.explains(other))
            .map(|other| &other.subject)
            .collect();
        assert!(explained.contains(&&Thing::Node(name("pve-02"))), "{explained:?}");
        assert!(!explained.contains(&&Thing::Node(name("pve-04"))), "{explained:?}");
    }
}
