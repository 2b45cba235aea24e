//! Totem sends messages again: they are lost or late on the way. For months that costs nothing, and then a membership.

use super::Scene;
use super::membership::listed;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

const WINDOW_MS: u64 = 600_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let told = nodes.iter().filter_map(|node| {
        node.cmap()?.count("stats.srp.mcast_retx")?;
        let rose = node.node.past.retransmits.rose_within(WINDOW_MS, scene.now);
        (rose >= u64::from(scene.tuned(node.name()).retransmits())).then_some((node, rose))
    });
    let told: Vec<(&FreshNode<'_>, u64)> = told.collect();
    if told.is_empty() {
        return Vec::new();
    }
    let counts = told
        .iter()
        .map(|(node, rose)| format!("{} {rose}", node.name()));
    let sentence = format!(
        "corosync sent messages again within the last 10 minutes: {}",
        listed(counts)
    );
    let found = Finding::new(Severity::Warning, Thing::Cluster, sentence).remedy(
        "Something loses or delays packets: look at errors and load of the ports under corosync's addresses, at \
         latency (`corosync-cmapctl -m stats | grep latency`), and whether backup, storage or migration shares the network.",
    );
    let words = |found: Finding, (node, rose): &(&FreshNode<'_>, u64)| {
        found.seen_in(
            node.name(),
            Family::Cmap,
            format!("stats.srp.mcast_retx rose by {rose}"),
        )
    };
    vec![told.iter().fold(found, words)]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::cmap::{Cmap, CmapValue};

    const RULE: &str = "corosync-retransmits";

    fn sent_again(world: &mut World, count: u64) {
        let keys = [("stats.srp.mcast_retx".to_owned(), CmapValue::U64(count))].into();
        world.edit("pve-01", |report| report.cmap = known(Cmap { keys }));
        world.advance_s(60);
    }

    #[test]
    fn a_counter_that_rises_is_told_and_one_that_stands_high_is_not() {
        let mut world = World::of(3);
        sent_again(&mut world, 90_000);
        sent_again(&mut world, 90_050);
        assert!(world.found(RULE).is_empty());
        sent_again(&mut world, 90_150);
        let expect = "warning the cluster: corosync sent messages again within the last 10 minutes: pve-01 150";
        assert_eq!(world.found(RULE), [expect]);
    }
}
