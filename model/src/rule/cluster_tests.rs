//! The rules of corosync, HA and the node together: silent where all is well, one root where one thing happened.

use super::ha_testing::with_ha;
use super::*;
use crate::cluster::testing::{World, name, value};
use crate::fact::corosync::Qdevice;
use crate::fact::corosync_conf::Device;
use crate::finding::Thing;
use crate::fleet::Hearing;

fn found(world: &World) -> Vec<Finding> {
    let mut found = findings(&world.scene());
    let mut keys = std::collections::BTreeSet::new();
    for finding in &found {
        assert!(
            keys.insert(finding.key()),
            "{:?} stands twice",
            finding.key()
        );
    }
    let families = ["corosync-", "ha-", "node-", "cluster-"];
    found.retain(|finding| {
        families
            .iter()
            .any(|family| finding.rule.starts_with(family))
    });
    found
}

#[track_caller]
fn check(world: &World, expect: &[&str]) {
    let said: Vec<&str> = found(world).iter().map(|finding| finding.rule).collect();
    assert_eq!(said, expect);
}

/// The findings that no other one explains.
#[track_caller]
fn check_roots(world: &World, expect: &[(&str, Thing)]) {
    let all = found(world);
    let roots = all
        .iter()
        .filter(|finding| !all.iter().any(|other| other.explains(finding)));
    let mut roots: Vec<(&str, Thing)> = roots
        .map(|finding| (finding.rule, finding.subject.clone()))
        .collect();
    roots.retain(|(rule, _)| *rule != "corosync-even-votes");
    assert_eq!(roots, expect);
}

/// What the others of corosync say when these nodes are cut off from them.
fn cut_off(world: &mut World, part: &[u32], all: u32) {
    let needed = all / 2 + 1;
    world.edit_all(|own, report| {
        let corosync = value(&mut report.corosync);
        let is_inside = part.contains(&corosync.node_id.unwrap());
        let with = |id: u32| part.contains(&id) == is_inside;
        let members = corosync.members.as_mut().unwrap();
        members.retain(|member| with(member.node_id));
        let votes = u32::try_from(members.len()).unwrap();
        corosync.total_votes = Some(votes);
        corosync.quorate = Some(votes >= needed);
        for link in corosync.links.as_mut().unwrap() {
            for peer in link.peers.as_mut().unwrap() {
                peer.connected = Some(with(peer.node_id));
            }
        }
        assert!(own.as_str().starts_with("pve-"));
    });
}

#[test]
fn eight_healthy_nodes_yield_one_info() {
    check(&World::healthy(), &["corosync-even-votes"]);
    let mut world = World::healthy();
    with_ha(&mut world);
    check(&world, &["corosync-even-votes"]);
}

#[test]
fn healthy_clusters_of_other_kinds_yield_nothing() {
    let mut alone = World::of(1);
    alone.edit_all(|_, report| {
        report.corosync = crate::reading::Reading::Absent;
        report.corosync_conf = crate::reading::Reading::Absent;
    });
    check(&alone, &[]);

    let mut two = World::of(2);
    two.edit_all(|_, report| {
        let files = value(&mut report.corosync_conf);
        for conf in [&mut files.cluster, &mut files.local] {
            conf.as_mut().unwrap().quorum.two_node = Some(true);
        }
        value(&mut report.corosync).quorum = Some(1);
    });
    check(&two, &[]);

    let mut qdevice = World::healthy();
    qdevice.edit_all(|_, report| {
        let files = value(&mut report.corosync_conf);
        for conf in [&mut files.cluster, &mut files.local] {
            conf.as_mut().unwrap().quorum.device = Some(Device::default());
        }
        let corosync = value(&mut report.corosync);
        corosync.qdevice = Some(Qdevice {
            votes: Some(1),
            flags: Some("A,V,NMW".to_owned()),
            ..Qdevice::default()
        });
        corosync.total_votes = Some(9);
        corosync.expected_votes = Some(9);
    });
    check(&qdevice, &[]);
    check(&World::of(3), &[]);
}

#[test]
fn a_node_that_is_off_for_good_and_out_of_the_nodelist_is_not_waited_for() {
    let mut world = World::of(4);
    world.hearing("pve-04", Hearing::Silent);
    world.edit_all(|_, report| {
        let files = value(&mut report.corosync_conf);
        for conf in [&mut files.cluster, &mut files.local] {
            conf.as_mut()
                .unwrap()
                .nodes
                .retain(|entry| entry.node_id != Some(4));
        }
        let corosync = value(&mut report.corosync);
        corosync
            .members
            .as_mut()
            .unwrap()
            .retain(|member| member.node_id != 4);
        corosync.total_votes = Some(3);
        corosync.expected_votes = Some(3);
        corosync.quorum = Some(2);
        for link in corosync.links.as_mut().unwrap() {
            link.peers
                .as_mut()
                .unwrap()
                .retain(|peer| peer.node_id != 4);
        }
    });
    check(&world, &[]);
}

#[test]
fn a_dead_node_is_one_root_with_its_links_and_its_silence_under_it() {
    let mut world = World::healthy();
    world.hearing("pve-04", Hearing::Silent);
    cut_off(&mut world, &[4], 8);
    check_roots(
        &world,
        &[("corosync-node-left", Thing::Node(name("pve-04")))],
    );
    let all: Vec<&str> = found(&world).iter().map(|finding| finding.rule).collect();
    assert_eq!(
        all,
        [
            "corosync-node-left",
            "node-silent",
            "corosync-link-down",
            "corosync-even-votes"
        ]
    );
}

#[test]
fn a_node_that_is_cut_off_and_heard_is_one_root() {
    let mut world = World::healthy();
    cut_off(&mut world, &[4], 8);
    check_roots(
        &world,
        &[("corosync-quorum-lost", Thing::Node(name("pve-04")))],
    );
}

#[test]
fn half_of_eight_cut_off_is_one_root() {
    let mut world = World::healthy();
    cut_off(&mut world, &[5, 6, 7, 8], 8);
    check_roots(&world, &[("corosync-quorum-lost", Thing::Cluster)]);
    for node in ["pve-05", "pve-06", "pve-07", "pve-08"] {
        world.hearing(node, Hearing::Silent);
    }
    check_roots(&world, &[("corosync-quorum-lost", Thing::Cluster)]);
}

#[test]
fn all_agents_silent_at_once_are_one_root() {
    let mut world = World::healthy();
    for id in 1..=8 {
        world.hearing(&format!("pve-{id:02}"), Hearing::Silent);
    }
    check_roots(&world, &[("cluster-out-of-sight", Thing::Cluster)]);
}

#[test]
fn a_network_that_is_down_takes_its_links() {
    let mut world = World::healthy();
    world.edit_all(|_, report| {
        for peer in value(&mut report.corosync).links.as_mut().unwrap()[0]
            .peers
            .as_mut()
            .unwrap()
        {
            peer.connected = Some(false);
        }
    });
    check_roots(&world, &[("corosync-network-down", Thing::Network(0))]);
}

#[test]
fn a_part_that_is_cut_off_is_one_root_and_takes_the_margin_with_it() {
    let mut world = World::healthy();
    cut_off(&mut world, &[6, 7, 8], 8);
    let root = [("corosync-quorum-lost", Thing::Node(name("pve-06")))];
    check_roots(&world, &root);
    world.hearing("pve-07", Hearing::Silent);
    check_roots(&world, &root);
}

#[test]
fn an_armed_node_that_is_cut_off_is_one_root() {
    let mut world = World::healthy();
    with_ha(&mut world);
    cut_off(&mut world, &[4], 8);
    check_roots(
        &world,
        &[("corosync-quorum-lost", Thing::Node(name("pve-04")))],
    );
}
