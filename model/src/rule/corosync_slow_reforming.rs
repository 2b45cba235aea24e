//! How long the cluster takes to form anew after an unclean loss: token and consensus, as corosync runs with them. All
//! that time nothing can be written to `/etc/pve`, and two losses in a row can outlast the watchdogs.

use super::Scene;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let times = nodes.iter().filter_map(|node| {
        let cmap = node.cmap()?;
        let token = cmap.count("runtime.config.totem.token")?;
        let consensus = cmap.count("runtime.config.totem.consensus")?;
        Some((token.saturating_add(consensus), token, consensus, node))
    });
    let Some((sum, token, consensus, node)) = times.max_by_key(|(sum, ..)| *sum) else {
        return Vec::new();
    };
    let limit = scene.tuned(node.name()).reforming_warning_ms();
    if sum <= u64::from(limit) {
        return Vec::new();
    }
    let sentence = format!(
        "after an unclean loss of a node the cluster needs {}.{} s to form anew (token {token} ms, consensus {consensus} \
         ms): two losses in a row can outlast the watchdogs of 60 s, and armed nodes reset although quorum is kept",
        sum / 1_000,
        sum % 1_000 / 100,
    );
    let found = Finding::new(Severity::Warning, Thing::Cluster, sentence)
        .seen_in(node.name(), Family::Cmap, format!("runtime.config.totem.token = {token}, consensus = {consensus}"))
        .remedy(
            "Set `token_coefficient: 125` in the totem section of /etc/pve/corosync.conf, as new clusters have it, and \
             raise config_version; corosync takes it over without a restart.",
        )
        .way_back("Take the line out again and raise config_version.");
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::cmap::{Cmap, CmapValue};

    const RULE: &str = "corosync-slow-reforming";

    fn runs_with(world: &mut World, token: u32, consensus: u32) {
        let keys = [("token", token), ("consensus", consensus)]
            .map(|(key, ms)| (format!("runtime.config.totem.{key}"), CmapValue::U32(ms)));
        world.edit("pve-01", |report| {
            report.cmap = known(Cmap { keys: keys.into() })
        });
    }

    #[test]
    fn a_large_cluster_with_the_old_coefficient_is_slow() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        runs_with(&mut world, 6_900, 8_280);
        assert!(world.found(RULE).is_empty());
        runs_with(&mut world, 22_500, 27_000);
        let found = world.found(RULE);
        assert!(found[0].starts_with(
            "warning the cluster: after an unclean loss of a node the cluster needs 49.5 s"
        ));
    }
}
