//! What a lease was granted on is not so any more, and its nodes have not left: they must stay.

use super::Scene;
use crate::finding::{Finding, Severity, Thing};
use crate::lease::State;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let lease = scene.leases.and_then(|leases| leases.current());
    let Some(lease) = lease.filter(|lease| lease.state == State::Withdrawn) else {
        return Vec::new();
    };
    let names = lease.names();
    let sentence = format!(
        "{names} must not be taken away any more: {}; {}",
        lease.words,
        lease.sentence()
    );
    let found = Finding::new(Severity::Warning, Thing::Cluster, sentence)
        .is_loss_of([])
        .settles_in(0)
        .remedy(format!(
            "Tell {} now. `quorate maintenance end {}` gives the lease back; mend what is said, and begin again.",
            lease.grant.owner,
            lease.first()
        ));
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::World;
    use crate::lease::Step;
    use crate::lease::testing::{step, take};

    const RULE: &str = "lease-withdrawn";

    #[test]
    fn a_lease_without_its_ground_is_told() {
        let mut world = World::of(3);
        take(&mut world, "pve-02");
        assert!(world.found(RULE).is_empty());
        let why = "pve-03 is not in the membership: two nodes would be missing at once".to_owned();
        step(&mut world, Step::Withdrawn { why });
        let expect = "warning the cluster: pve-02 must not be taken away any more: pve-03 is not in the membership: two nodes \
                      would be missing at once; lease 1 of pve-02 (reboot), taken by root@pve-02 at 2027-01-15 08:00 UTC: new \
                      kernel; planned until 2027-01-15 08:10 UTC";
        assert_eq!(world.found(RULE), [expect]);
    }
}
