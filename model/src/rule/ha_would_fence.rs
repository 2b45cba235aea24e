//! Nodes whose HA manager holds the watchdog, where no vote may be lost any more or the quorum is lost already.

use std::collections::BTreeSet;

use super::Scene;
use super::corosync_margin::Votes;
use super::membership::{between, listed, nodelist};
use crate::cluster::FreshNode;
use crate::fact::ha::Armed;
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    // What cannot be read makes a rule silent; the gate takes it for armed.
    let is_armed = |node: &&FreshNode<'_>| {
        node.ha()
            .is_some_and(|ha| ha.armed(node.name()) == Armed::Yes)
    };
    let armed: Vec<&FreshNode<'_>> = nodes.iter().filter(is_armed).collect();
    let with = |quorate: bool| -> Vec<&NodeName> {
        let says = |node: &FreshNode<'_>| node.corosync().and_then(|corosync| corosync.quorate);
        armed
            .iter()
            .filter(|node| says(node) == Some(quorate))
            .map(|node| node.name())
            .collect()
    };
    let mut found = Vec::new();
    let without = with(false);
    if let Some(first) = without.first() {
        let sentence = format!(
            "{} without quorum and with an armed HA manager: reset 45 to 60 s after the loss unless quorum comes back",
            listed(&without)
        );
        let lost = finding(Thing::Node((*first).clone()), sentence, &without);
        let conf = nodelist(&nodes).map(|(_, conf)| conf);
        let links = conf.map(|conf| between(conf, &heard_alike(&nodes, first)));
        // The links that the part has lost: what took them took the quorum, and this with it.
        found.push(match links.filter(|links| !links.is_empty()) {
            Some(links) => lost.is_loss_of(links),
            None => lost,
        });
    }
    let is_on_edge = nodes
        .iter()
        .filter_map(Votes::of)
        .any(|votes| votes.margin == 0 && votes.is_short());
    let quorate = with(true);
    if is_on_edge && !quorate.is_empty() {
        let sentence = format!(
            "if one more vote is lost, {} reset by their own watchdogs 45 to 60 s later: no margin is left, and their HA \
             managers are armed",
            listed(&quorate)
        );
        found.push(finding(Thing::Cluster, sentence, &quorate).is_loss_of([Thing::Margin]));
    }
    found
}

/// The members of the part that this node is in.
fn heard_alike(nodes: &[FreshNode<'_>], first: &NodeName) -> BTreeSet<NodeName> {
    let Some((_, conf)) = nodelist(nodes) else {
        return BTreeSet::new();
    };
    let node = nodes.iter().find(|node| node.name() == first);
    let members = node
        .and_then(|node| node.corosync()?.members.as_ref())
        .into_iter()
        .flatten();
    members
        .filter_map(|member| super::membership::name_of(conf, member.node_id))
        .collect()
}

fn finding(subject: Thing, sentence: String, nodes: &[&NodeName]) -> Finding {
    let found = Finding::new(Severity::Critical, subject, sentence).remedy(
        "Bring nodes and networks back; change nothing else. If that takes longer and the guests may stay unprotected, \
         `ha-manager crm-command disarm-ha freeze` (HA manager 5.2 and later, while there is quorum) takes the watchdogs \
         off.",
    );
    let found = found.way_back("`ha-manager crm-command arm-ha`");
    let words =
        |found: Finding, node: &&NodeName| found.seen_in(node, Family::Ha, "lrm_status: armed");
    nodes.iter().fold(found, words)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::rule::ha_testing::with_ha;

    const RULE: &str = "ha-would-fence";

    #[test]
    fn armed_nodes_without_margin_are_listed() {
        let mut world = World::healthy();
        with_ha(&mut world);
        assert!(world.found(RULE).is_empty());
        world.edit_all(|_, report| value(&mut report.corosync).total_votes = Some(5));
        let found = world.found(RULE);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("critical the cluster: if one more vote is lost, pve-01, pve-02"),
            "{found:?}"
        );
    }

    #[test]
    fn an_armed_node_without_quorum_is_told_and_an_unarmed_one_is_not() {
        let mut world = World::healthy();
        world.edit("pve-08", |report| {
            value(&mut report.corosync).quorate = Some(false)
        });
        assert!(world.found(RULE).is_empty());
        with_ha(&mut world);
        let expect = "critical pve-08: pve-08 without quorum and with an armed HA manager: reset 45 to 60 s after the \
                      loss unless quorum comes back";
        assert_eq!(world.found(RULE), [expect]);
    }
}
