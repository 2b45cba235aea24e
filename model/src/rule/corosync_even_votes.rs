//! An even number of votes, and nothing that decides between two halves.

use super::Scene;
use super::membership::nodelist;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::Family;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let Some((node, conf)) = nodelist(&nodes) else {
        return Vec::new();
    };
    let quorum = &conf.quorum;
    let votes: u64 = conf
        .nodes
        .iter()
        .map(|entry| u64::from(entry.votes.unwrap_or(1)))
        .sum();
    let is_decided = quorum.device.is_some()
        || quorum.two_node == Some(true)
        || quorum.auto_tie_breaker == Some(true);
    if is_decided || votes == 0 || votes % 2 == 1 {
        return Vec::new();
    }
    let sentence = format!(
        "{votes} votes are an even number without a qdevice: if the network falls into two halves of {} votes, both stop",
        votes / 2
    );
    let found = Finding::new(Severity::Info, Thing::Cluster, sentence)
        .seen_in(node, Family::CorosyncConf, format!("{} nodes, no quorum.device", conf.nodes.len()))
        .remedy("A qdevice outside the cluster decides between two halves: `pvecm qdevice setup ADDRESS`.")
        .way_back("`pvecm qdevice remove`");
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::corosync_conf::Device;

    const RULE: &str = "corosync-even-votes";

    #[test]
    fn eight_votes_have_two_halves() {
        let expect = "info the cluster: 8 votes are an even number without a qdevice: if the network falls into two \
                      halves of 4 votes, both stop";
        assert_eq!(World::healthy().found(RULE), [expect]);
    }

    #[test]
    fn an_odd_number_and_a_qdevice_decide() {
        assert!(World::of(3).found(RULE).is_empty());
        let mut world = World::healthy();
        world.edit_all(|_, report| {
            value(&mut report.corosync_conf)
                .local
                .as_mut()
                .unwrap()
                .quorum
                .device = Some(Device::default());
        });
        assert!(world.found(RULE).is_empty());
    }
}
