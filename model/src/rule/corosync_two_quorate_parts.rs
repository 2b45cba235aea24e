//! Two nodes that both call themselves quorate, and neither has the other as a member: two halves that both write.

use std::collections::BTreeSet;

use super::Scene;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let parts: Vec<(&NodeName, BTreeSet<u32>)> = nodes.iter().filter_map(part).collect();
    // While a membership changes, an older word still has the other's members: only parts without a common one count.
    let apart = parts
        .iter()
        .enumerate()
        .find_map(|(place, (one, members))| {
            let mut others = parts.iter().skip(place + 1);
            let (other, theirs) = others.find(|(_, theirs)| members.is_disjoint(theirs))?;
            Some(((*one, members.len()), (*other, theirs.len())))
        });
    let Some(((one, ours), (other, theirs))) = apart else {
        return Vec::new();
    };
    let sentence = format!(
        "two parts of the cluster are both quorate: {one} with {ours} members and {other} with {theirs}, none in common; \
         both write to /etc/pve and start guests"
    );
    let words = "Quorate: Yes, and the other is no member";
    let found = Finding::new(Severity::Critical, Thing::Cluster, sentence)
        .seen_in(one, Family::Corosync, words)
        .seen_in(other, Family::Corosync, words)
        .remedy(
            "Stop the HA services and the guests that run twice on the smaller part, then `systemctl stop pve-cluster corosync` \
             there, before the network is mended. `pvecm expected` or two separate clusters of one name are the usual cause.",
        );
    vec![found]
}

fn part<'a>(node: &'a FreshNode<'_>) -> Option<(&'a NodeName, BTreeSet<u32>)> {
    let corosync = node
        .corosync()
        .filter(|corosync| corosync.quorate == Some(true))?;
    let members: BTreeSet<u32> = corosync
        .members
        .as_ref()?
        .iter()
        .map(|member| member.node_id)
        .collect();
    (!members.is_empty()).then_some((node.name(), members))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-two-quorate-parts";

    #[test]
    fn two_quorate_halves_are_told_and_a_change_under_way_is_not() {
        let mut world = World::of(4);
        let sees = |world: &mut World, node: &str, ids: &[u32]| {
            let ids = ids.to_vec();
            world.edit(node, |report| {
                value(&mut report.corosync)
                    .members
                    .as_mut()
                    .unwrap()
                    .retain(|member| ids.contains(&member.node_id));
            });
        };
        sees(&mut world, "pve-01", &[1, 2]);
        sees(&mut world, "pve-02", &[1, 2]);
        assert!(world.found(RULE).is_empty());
        sees(&mut world, "pve-03", &[3, 4]);
        sees(&mut world, "pve-04", &[3, 4]);
        let found = world.found(RULE);
        assert!(found[0].starts_with(
            "critical the cluster: two parts of the cluster are both quorate: pve-01 with 2"
        ));
    }
}
