//! A port that loses its carrier and finds it again, over and over.
//!
//! What the collector saw is counted, and what the kernel counted: a port can come and go faster than anybody tells.

use super::{Tuned, stack};
use crate::cluster::FreshNode;
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, tuned: &Tuned<'_>) -> Vec<Finding> {
    let links = node.links().into_iter().flatten();
    let nics = links.filter(|link| stack::is_nic(link));
    nics.filter_map(|link| flaps(node, link, &tuned.interface(&link.name)))
        .collect()
}

/// How often its carrier changed within the window, if that is flapping: `12 times`.
pub(super) fn times(node: &FreshNode<'_>, link: &Link, tuned: &Tuned<'_>) -> Option<String> {
    let past = node.node.past.ports.get(&link.name)?;
    let window_ms = u64::from(tuned.flap_window_s()) * 1_000;
    let seen = u64::try_from(past.carrier.within(window_ms, node.now)).unwrap_or(u64::MAX);
    let counted = past.carrier_changes.rose_within(window_ms, node.now);
    let times = seen.max(counted);
    (times >= u64::from(tuned.flaps())).then(|| format!("{times} times"))
}

fn flaps(node: &FreshNode<'_>, link: &Link, tuned: &Tuned<'_>) -> Option<Finding> {
    let times = times(node, link, tuned)?;
    let (name, port) = (node.name(), &link.name);
    let sentence = format!(
        "{port} of {name} lost its link or found it again {times} within {} minutes",
        tuned.flap_window_s() / 60
    );
    let thing = Thing::Iface(name.clone(), port.clone());
    let found = Finding::new(Severity::Warning, thing, sentence)
        .takes(stack::taken_with(node, port))
        .seen_in(name, Family::Links, format!("{port}: carrier changed {times}"))
        .remedy(format!(
            "Change the cable or the transceiver of {port}, then the switch port. Until then `ip link set {port} down` \
             keeps a bond from using it; only if the bond has another port that is up."
        ))
        .way_back(format!("`ip link set {port} up` on {name}."));
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::link::Statistics;

    const RULE: &str = "link-flapping";

    #[test]
    fn a_port_that_comes_and_goes_is_told_with_the_number() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        for carrier in [false, true, false, true, false, true] {
            world.edit("pve-03", |report| {
                value(&mut report.links)[0].carrier = Some(carrier);
            });
        }
        let expect = "warning pve-03/eno1: eno1 of pve-03 lost its link or found it again 6 times within 10 minutes";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn what_is_faster_than_the_reports_is_in_the_kernels_counter() {
        let mut world = World::healthy();
        let count = |world: &mut World, changes| {
            world.edit("pve-03", |report| {
                value(&mut report.links)[0].statistics = Some(Statistics {
                    carrier_changes: Some(changes),
                    ..Statistics::default()
                });
            });
        };
        count(&mut world, 400);
        assert!(world.found(RULE).is_empty());
        world.advance_s(30);
        count(&mut world, 420);
        assert_eq!(world.found(RULE).len(), 1);
        world.advance_s(700);
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn a_port_that_went_down_once_and_came_back_does_not_flap() {
        let mut world = World::healthy();
        for carrier in [false, true] {
            world.edit("pve-03", |report| {
                value(&mut report.links)[0].carrier = Some(carrier);
            });
        }
        assert!(world.found(RULE).is_empty());
    }
}
