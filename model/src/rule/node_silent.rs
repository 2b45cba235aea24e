//! A node whose agent is not heard, and what its peers say of it: is it down, cut off, or is only its agent gone?

use super::Scene;
use super::membership::{has_member, id_of, nodelist, pairs};
use crate::cluster::{FreshNode, Node};
use crate::finding::{Finding, Severity, Thing};
use crate::fleet::Hearing;
use crate::name::NodeName;
use crate::report::Family;

/// A collector that has just started has not heard anybody yet.
const START_MS: u64 = 120_000;

/// An agent that is updated, or whose connection broke and that finds another way, is back after that.
pub(super) const SETTLES_MS: u64 = 10_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let fresh: Vec<FreshNode<'_>> = scene.nodes().collect();
    let silent = scene
        .cluster
        .nodes
        .values()
        .filter(|node| is_silent(scene, node));
    silent
        .filter_map(|node| silence(scene, node, &fresh))
        .collect()
}

pub(super) fn is_silent(scene: &Scene<'_>, node: &Node) -> bool {
    match node.seen.hearing {
        Hearing::Silent => true,
        Hearing::NeverHeard => scene.now.mono_ms >= START_MS,
        Hearing::Connected | Hearing::Revoked => false,
    }
}

fn silence(scene: &Scene<'_>, node: &Node, fresh: &[FreshNode<'_>]) -> Option<Finding> {
    let name = &node.name;
    let conf = nodelist(fresh).map(|(_, conf)| conf);
    let id = conf.and_then(|conf| id_of(conf, name));
    if conf.is_some() && id.is_none() {
        // It was taken out of the cluster: nobody waits for it.
        return None;
    }
    let peers: Vec<(&NodeName, bool)> = id.map_or_else(Vec::new, |id| {
        fresh
            .iter()
            .filter_map(|peer| Some((peer.name(), has_member(peer, id)?)))
            .collect()
    });
    let (all, with) = (peers.len(), peers.iter().filter(|(_, has)| *has).count());
    let (severity, what) = if all == 0 {
        (
            Severity::Warning,
            "no peer is heard that could say more".to_owned(),
        )
    } else if with == all {
        let what =
            "still have it in the membership: only the agent or its path to the collector is down";
        (Severity::Warning, format!("{with} of {all} peers {what}"))
    } else if with == 0 {
        (
            Severity::Critical,
            format!(
                "0 of {all} peers have it in the membership: {}",
                links(name, fresh)
            ),
        )
    } else {
        (
            Severity::Critical,
            format!("only {with} of {all} peers still have it in the membership"),
        )
    };
    let since = node.silent_for_ms(scene.now).map_or_else(
        || format!("{name} was not heard since the collector started"),
        |_| format!("{name} is silent"),
    );
    let found = Finding::new(severity, Thing::Node(name.clone()), format!("{since}; {what}"))
        .settles_in(SETTLES_MS)
        .seen_in(name, Family::Agent, "nothing is heard of its agent")
        .remedy(format!(
            "`systemctl status quorate-agent` and `journalctl -u quorate-agent` on {name}; from there, does the \
             collector's port 7460 answer?"
        ));
    Some(found)
}

/// Does anything of the node still answer on corosync's networks?
fn links(name: &NodeName, fresh: &[FreshNode<'_>]) -> &'static str {
    let pairs = pairs(fresh);
    let mut of_node = pairs
        .iter()
        .filter(|(pair, _)| pair.one == *name || pair.other == *name)
        .peekable();
    if of_node.peek().is_none() {
        return "it is down or cut off";
    }
    if of_node.all(|(_, is_down)| *is_down) {
        "none of its corosync links answers, it is down or cut off"
    } else {
        "its corosync links answer, so the network is there and corosync or its membership is not"
    }
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fleet::Hearing;

    const RULE: &str = "node-silent";

    #[test]
    fn the_peers_say_that_only_the_agent_is_gone() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.hearing("pve-04", Hearing::Silent);
        let expect = "warning pve-04: pve-04 is silent; 7 of 7 peers still have it in the membership: only the agent or \
                      its path to the collector is down";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn the_peers_say_that_it_is_gone_but_answers() {
        let mut world = World::healthy();
        world.hearing("pve-04", Hearing::Silent);
        world.edit_all(|_, report| {
            value(&mut report.corosync)
                .members
                .as_mut()
                .unwrap()
                .retain(|member| member.node_id != 4);
        });
        let expect = "critical pve-04: pve-04 is silent; 0 of 7 peers have it in the membership: its corosync links \
                      answer, so the network is there and corosync or its membership is not";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_revoked_node_is_not_waited_for() {
        let mut world = World::healthy();
        world.hearing("pve-04", Hearing::Revoked);
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn where_nobody_else_is_heard_nothing_more_is_said() {
        let mut world = World::of(1);
        world.hearing("pve-01", Hearing::Silent);
        let expect = "warning pve-01: pve-01 is silent; no peer is heard that could say more";
        assert_eq!(world.found(RULE), [expect]);
    }
}
