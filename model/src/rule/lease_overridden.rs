//! Somebody took the lease although the verdict was against it: all who are at it should know.

use super::Scene;
use crate::finding::{Finding, Severity, Thing};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let lease = scene.leases.and_then(|leases| leases.current());
    let Some((lease, verdict)) = lease.and_then(|lease| Some((lease, lease.grant.overrode.as_ref()?)))
    else {
        return Vec::new();
    };
    let sentence = format!(
        "{} may be taken away against the verdict ({verdict}): {}",
        lease.names(),
        lease.sentence()
    );
    let found = Finding::new(Severity::Warning, Thing::Cluster, sentence)
        .is_loss_of([])
        .settles_in(0)
        .remedy(format!(
            "Ask {} whether it is meant; `quorate maintenance end {} --not-rebooted` gives the lease back as long as nothing was \
             done.",
            lease.grant.owner,
            lease.first()
        ));
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::World;
    use crate::lease::testing::{granted, take};
    use crate::lease::{Leases, Step};

    const RULE: &str = "lease-overridden";

    #[test]
    fn a_lease_that_was_taken_against_the_verdict_is_told_as_long_as_it_is_held() {
        let mut world = World::of(3);
        take(&mut world, "pve-02");
        assert!(world.found(RULE).is_empty());
        let mut taken = granted(&world, 1, "pve-02");
        let Step::Granted(grant) = &mut taken.step else {
            panic!("it is a grant");
        };
        grant.overrode = Some("NO-GO - pve-02 must not be rebooted: 1 of 3 votes".to_owned());
        let mut leases = Leases::default();
        leases.fold(&taken);
        world.leases = Some(leases);
        let expect = "warning the cluster: pve-02 may be taken away against the verdict (NO-GO - pve-02 must not be rebooted: 1 of \
                      3 votes): lease 1 of pve-02 (reboot), taken against NO-GO by root@pve-02 at 2027-01-15 08:00 UTC: new \
                      kernel; planned until 2027-01-15 08:10 UTC";
        assert_eq!(world.found(RULE), [expect]);
    }
}
