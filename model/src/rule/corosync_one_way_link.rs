//! A hears B over a link, and B does not hear A. knet sends over a link only while it is up on its own side, so such a
//! pair can be in one membership and still lose its token.

use super::Scene;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::{LinkNumber, NodeName};
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut found = Vec::new();
    for from in &nodes {
        for to in &nodes {
            let links = from.corosync().and_then(|corosync| corosync.links.as_deref());
            for link in links.unwrap_or_default() {
                let there = connected(from, to, link.link);
                let back = connected(to, from, link.link);
                if there == Some(false) && back == Some(true) {
                    found.push(one_way(from.name(), to.name(), link.link));
                }
            }
        }
    }
    found
}

/// Whether `from` says that this link to `to` is connected.
fn connected(from: &FreshNode<'_>, to: &FreshNode<'_>, link: LinkNumber) -> Option<bool> {
    let id = to.corosync()?.node_id?;
    let links = from.corosync()?.links.as_ref()?;
    let link = links.iter().find(|status| status.link == link)?;
    let peer = link.peers.as_ref()?.iter().find(|peer| peer.node_id == id)?;
    peer.connected
}

fn one_way(from: &NodeName, to: &NodeName, link: LinkNumber) -> Finding {
    let subject = Thing::Knet {
        from: from.clone(),
        to: to.clone(),
        link,
    };
    let sentence = format!("corosync link {link} is one-way: {to} hears {from}, and {from} does not hear {to}");
    Finding::new(Severity::Warning, subject, sentence)
        .seen_in(from, Family::Corosync, format!("link {link} to {to}: disconnected"))
        .seen_in(to, Family::Corosync, format!("link {link} to {from}: connected"))
        .remedy(format!(
            "Look at the path from {to} to {from} on network {link}: a firewall, a wrong VLAN or a bad cable lets only \
             one direction through."
        ))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-one-way-link";

    fn cut(world: &mut World, from: &str, to: u32) {
        world.edit(from, |report| {
            let links = value(&mut report.corosync).links.as_mut().unwrap();
            let peers = links[1].peers.as_mut().unwrap();
            let peer = peers.iter_mut().find(|peer| peer.node_id == to).unwrap();
            peer.connected = Some(false);
        });
    }

    #[test]
    fn a_link_that_one_side_has_and_the_other_has_not_is_one_way() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        cut(&mut world, "pve-01", 2);
        let expect = "warning pve-01 to pve-02 over link 1: corosync link 1 is one-way: pve-02 hears pve-01, and pve-01 \
                      does not hear pve-02";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_link_that_is_down_on_both_sides_is_not_one_way() {
        let mut world = World::healthy();
        cut(&mut world, "pve-01", 2);
        cut(&mut world, "pve-02", 1);
        assert!(world.found(RULE).is_empty());
    }
}
