//! Corosync has one network only: whatever takes it takes the cluster apart.

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
    let most = conf.nodes.iter().map(|entry| entry.addresses.len()).max();
    if conf.nodes.len() < 2 || most != Some(1) {
        return Vec::new();
    }
    let sentence = format!(
        "corosync has one link only: if its network fails, all {} nodes lose each other",
        conf.nodes.len()
    );
    let found = Finding::new(Severity::Warning, Thing::Cluster, sentence)
        .seen_in(node, Family::CorosyncConf, "only ring0_addr in the nodelist")
        .remedy(
            "Add `ring1_addr` on another network (another switch, no bond of the first) to every node in \
             /etc/pve/corosync.conf, and raise config_version; `corosync-cfgtool -s` shows both links then.",
        )
        .way_back("Take the ring1_addr lines out again and raise config_version.");
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-single-link";

    #[test]
    fn one_address_a_node_is_one_link() {
        let mut world = World::of(3);
        assert!(world.found(RULE).is_empty());
        world.edit_all(|_, report| {
            for node in &mut value(&mut report.corosync_conf)
                .local
                .as_mut()
                .unwrap()
                .nodes
            {
                node.addresses.remove(&1);
            }
        });
        let expect = "warning the cluster: corosync has one link only: if its network fails, all 3 nodes lose each other";
        assert_eq!(world.found(RULE), [expect]);
    }
}
