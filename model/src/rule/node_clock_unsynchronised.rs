//! A node whose kernel does not hold its clock for synchronised.

use super::Tuned;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let Some(time) = node.time().filter(|time| time.synchronised == Some(false)) else {
        return Vec::new();
    };
    let name = node.name();
    let server = match time.chrony.as_ref().map(|chrony| chrony.server.as_deref()) {
        Some(None) => ": chrony follows no server",
        Some(Some(_)) | None => "",
    };
    let sentence = format!("the clock of {name} is not synchronised{server}");
    let found = Finding::new(Severity::Warning, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Time, "the kernel's clock state: not synchronised")
        .remedy(format!("`chronyc sources -v` on {name}: is a server reachable (UDP 123)? `timedatectl` shows who keeps the clock."));
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::clock::Clock;

    const RULE: &str = "node-clock-unsynchronised";

    #[test]
    fn only_a_clock_that_says_so_is_unsynchronised() {
        let mut world = World::of(3);
        let mut found = |synchronised| {
            world.edit("pve-02", |report| {
                report.time = known(Clock {
                    synchronised,
                    ..Clock::default()
                })
            });
            world.found(RULE)
        };
        assert!(found(None).is_empty());
        assert!(found(Some(true)).is_empty());
        assert_eq!(
            found(Some(false)),
            ["warning pve-02: the clock of pve-02 is not synchronised"]
        );
    }
}
