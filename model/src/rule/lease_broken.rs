//! A lease was taken from whoever held it: he may still be at it, and nobody is kept back any more.

use super::Scene;
use crate::finding::{Finding, Severity, Thing};
use crate::lease::State;

/// So long it is told, for those who look at what is wrong now; the list of leases has it for ever.
const TOLD_FOR_MS: i64 = 600_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let last = scene.leases.and_then(|leases| leases.over().next_back());
    let is_young = |since_ms: i64| scene.now.unix_ms.saturating_sub(since_ms) < TOLD_FOR_MS;
    let broken = last.filter(|lease| lease.state == State::Broken && is_young(lease.since_unix_ms));
    let Some(lease) = broken else {
        return Vec::new();
    };
    let sentence = format!("{} was {}", lease.sentence(), lease.words);
    let found = Finding::new(Severity::Warning, Thing::Cluster, sentence)
        .is_loss_of([])
        .settles_in(0)
        .remedy(format!(
            "Make sure that {} is not at it any more: nothing keeps the next one from {} now.",
            lease.grant.owner,
            lease.names()
        ));
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::World;
    use crate::lease::Step;
    use crate::lease::testing::{step, take};

    const RULE: &str = "lease-broken";

    #[test]
    fn a_lease_that_was_broken_is_told_for_ten_minutes() {
        let mut world = World::of(3);
        take(&mut world, "pve-02");
        let (by, reason) = ("anna".to_owned(), "ben went home".to_owned());
        step(&mut world, Step::Broken { by, reason });
        let expect = "warning the cluster: lease 1 of pve-02 (reboot), taken by root@pve-02 at 2027-01-15 08:00 UTC: new kernel; \
                      planned until 2027-01-15 08:10 UTC was broken by anna: ben went home";
        assert_eq!(world.found(RULE), [expect]);
        world.advance_s(600);
        assert!(world.found(RULE).is_empty());
    }
}
