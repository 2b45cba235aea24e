//! A node of the nodelist that its peers do not have in the membership. Its peers say so, not the node: one that is
//! off says nothing.

use std::collections::BTreeSet;

use super::Scene;
use super::membership::{between, has_member, is_quorate, listed, names, nodelist};
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

/// A corosync that is restarted leaves, is alone, and joins again.
pub(super) const REJOINS_MS: u64 = 15_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let Some((_, conf)) = nodelist(&nodes) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (id, name) in names(conf) {
        let peers = nodes.iter().filter(|node| *node.name() != name);
        let told: Vec<(&FreshNode<'_>, bool)> = peers
            .filter_map(|node| Some((node, has_member(node, id)?)))
            .collect();
        let is_any_quorate = told.iter().any(|(node, _)| is_quorate(node));
        let voices: Vec<&(&FreshNode<'_>, bool)> = told
            .iter()
            .filter(|(node, _)| !is_any_quorate || is_quorate(node))
            .collect();
        if voices.is_empty() || voices.iter().any(|(_, has)| *has) {
            continue;
        }
        let names: Vec<&NodeName> = voices.iter().map(|(node, _)| node.name()).collect();
        let itself = nodes.iter().find(|node| *node.name() == name);
        let mut left = left(&name, &names, itself);
        left = if itself.is_some() {
            left = left.settles_in(REJOINS_MS);
            // It lives: what else is wrong with it may be the cause of this, and stays in sight.
            // Only with those that miss it: with others it may share a part.
            let is_missed = |link: &Thing| matches!(link, Thing::Knet { from, to, .. } if names.contains(&from) || names.contains(&to));
            let mut links = between(conf, &BTreeSet::from([name.clone()]));
            links.retain(is_missed);
            let symptoms = if links.is_empty() {
                BTreeSet::from([Thing::Node(name.clone())])
            } else {
                links.clone()
            };
            // Where it tells itself that it has no quorum, that is what its links are filed under.
            let tells_itself = itself.is_some_and(|node| {
                node.corosync()
                    .is_some_and(|corosync| corosync.quorate == Some(false))
            });
            let left = left.is_loss_of(symptoms);
            if tells_itself {
                left
            } else {
                left.takes(links)
            }
        } else {
            left.takes([Thing::Node(name.clone())])
        };
        found.push(left);
    }
    found
}

fn left(name: &NodeName, peers: &[&NodeName], itself: Option<&FreshNode<'_>>) -> Finding {
    let what = match itself {
        None => "and its agent is not heard: it is down or cut off",
        Some(node) if node.corosync().is_none() => {
            "its agent is heard: corosync does not answer there"
        }
        Some(_) => "its agent is heard: the node lives and is cut off from its peers",
    };
    let sentence = format!(
        "{name} is out of the membership: {} ({}) has it, {what}",
        if peers.len() == 1 {
            "not even the only peer that is heard".to_owned()
        } else {
            format!("none of the {} peers that are heard", peers.len())
        },
        listed(peers),
    );
    let found = Finding::new(Severity::Critical, Thing::Node(name.clone()), sentence).remedy(format!(
        "Look at the console of {name} (IPMI, power). If it runs: `systemctl status corosync` and `corosync-cfgtool -s` \
         there, and the cables and switch ports of its corosync networks."
    ));
    let words = |found: Finding, peer: &&NodeName| {
        found.seen_in(
            peer,
            Family::Corosync,
            format!("{name} is not among the members"),
        )
    };
    peers.iter().fold(found, words)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fleet::Hearing;

    const RULE: &str = "corosync-node-left";

    fn leaves(world: &mut World, id: u32) {
        let gone = format!("pve-{id:02}");
        world.edit_all(|name, report| {
            if name.as_str() != gone {
                value(&mut report.corosync)
                    .members
                    .as_mut()
                    .unwrap()
                    .retain(|member| member.node_id != id);
            }
        });
    }

    #[test]
    fn a_node_that_no_peer_has_is_out() {
        let mut world = World::of(3);
        leaves(&mut world, 3);
        world.hearing("pve-03", Hearing::Silent);
        let expect = "critical pve-03: pve-03 is out of the membership: none of the 2 peers that are heard (pve-01, \
                      pve-02) has it, and its agent is not heard: it is down or cut off";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_node_that_is_only_silent_or_that_one_peer_still_has_is_not_out() {
        let mut world = World::healthy();
        world.hearing("pve-03", Hearing::Silent);
        assert!(world.found(RULE).is_empty());
        world.edit("pve-01", |report| {
            value(&mut report.corosync)
                .members
                .as_mut()
                .unwrap()
                .retain(|member| member.node_id != 3);
        });
        assert!(world.found(RULE).is_empty());
    }
}
