//! A maintenance takes longer than it was planned to. Its lease goes on keeping everybody else back.

use super::Scene;
use super::membership::{between, nodelist};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::lease::State;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let lease = scene.leases.and_then(|leases| leases.current());
    let Some(lease) = lease.filter(|lease| lease.is_overdue && lease.state != State::Settled) else {
        return Vec::new();
    };
    let names = lease.names();
    let sentence = format!(
        "the maintenance of {names} takes longer than planned, and keeps everybody else back: {}",
        lease.sentence()
    );
    // That its nodes are away goes on being the same one thing.
    let heard: Vec<FreshNode<'_>> = scene.nodes().collect();
    let links = nodelist(&heard).map(|(_, conf)| between(conf, &lease.grant.nodes));
    let nodes = lease.grant.nodes.iter().cloned().map(Thing::Node);
    let found = Finding::new(Severity::Warning, Thing::Cluster, sentence)
        .is_loss_of([])
        .takes(links.unwrap_or_default())
        .takes(nodes)
        .settles_in(0)
        .remedy(format!(
            "`quorate maintenance list` says what {names} still lacks. If nobody comes back to it, an operator's \
             `quorate maintenance break` frees the row."
        ));
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::World;
    use crate::lease::Step;
    use crate::lease::testing::{step, take};

    const RULE: &str = "lease-overdue";

    #[test]
    fn a_lease_is_told_when_its_time_is_over() {
        let mut world = World::of(3);
        take(&mut world, "pve-02");
        assert!(world.found(RULE).is_empty());
        step(&mut world, Step::Overdue);
        let expect = "warning the cluster: the maintenance of pve-02 takes longer than planned, and keeps everybody else back: \
                      lease 1 of pve-02 (reboot), taken by root@pve-02 at 2027-01-15 08:00 UTC: new kernel; planned until \
                      2027-01-15 08:10 UTC";
        assert_eq!(world.found(RULE), [expect]);
    }
}
