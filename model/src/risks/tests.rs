//! Rankings and distances of eight ordinary nodes, and of odd clusters.

use super::*;
use crate::cluster::testing::{World, value};
use crate::topology::Site;
use crate::whatif::tests::{
    corosync_only_over_link_0, declared, switch, token, what_if, without_ha,
};

#[test]
fn the_worst_comes_first() {
    let mut world = World::healthy();
    without_ha(&mut world);
    let site = declared(&[("core", &["*/*"])]);
    let told = risks(&mut what_if(&world, &site), Depth::Singles);
    assert_eq!(
        told.risks[0].failures,
        [crate::whatif::Failure::dark(switch("core"))]
    );
    assert_eq!(told.risks[0].rank, Rank::QuorumLostEverywhere);
    assert!(told.risks.is_sorted_by(|one, next| one.worst >= next.worst));
}

#[test]
fn eight_ordinary_nodes_survive_every_single_failure() {
    let mut world = World::healthy();
    without_ha(&mut world);
    token(&mut world, 7_000, 8_400);
    let mut what_if = what_if(&world, &Site::default());
    let told = risks(&mut what_if, Depth::Singles);
    assert_eq!(told.risks[0].worst, Rank::RedundancyLost);
    let told = risks(&mut what_if, Depth::Pairs);
    assert_eq!(told.risks[0].rank, Rank::QuorumLostEverywhere);
    assert_eq!(
        told.risks[0].sentence,
        "If switch sw-a dies and switch sw-b dies, all eight nodes lose corosync link 0, all eight nodes lose corosync \
         link 1; quorum is lost everywhere: the largest of 8 parts has 1 of 8 votes, 5 needed."
    );
    assert_eq!(edge(&mut what_if).to_string(), "2");
}

#[test]
fn two_corosync_networks_are_two_failures_whatever_they_stand_on() {
    let mut world = World::healthy();
    without_ha(&mut world);
    let site = declared(&[
        ("a", &["*/eno1"]),
        ("b", &["*/eno2"]),
        ("c", &["pve-0[1-4]/eno3"]),
        ("d", &["pve-0[5-8]/eno3"]),
    ]);
    assert_eq!(edge(&mut what_if(&world, &site)).to_string(), "2");
}

#[test]
fn unknown_switches_make_the_distance_an_upper_bound() {
    let mut world = World::healthy();
    without_ha(&mut world);
    world.edit_all(|_, report| {
        value(&mut report.lldp).clear();
        for port in &mut value(&mut report.bonds)[0].slaves {
            port.partner_mac = None;
        }
        value(&mut report.bonds)[0].partner_mac = None;
    });
    world
        .cluster
        .nodes
        .values_mut()
        .for_each(|node| node.past.ports.clear());
    let told = edge(&mut what_if(&world, &Site::default()));
    assert_eq!(told.to_string(), "at most 1 (switches of 24 ports unknown)");
}

#[test]
fn one_network_is_one_failure() {
    let mut world = World::healthy();
    without_ha(&mut world);
    corosync_only_over_link_0(&mut world);
    assert_eq!(
        edge(&mut what_if(&world, &Site::default())).to_string(),
        "1"
    );
}
