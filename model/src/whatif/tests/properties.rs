//! What holds for every cluster and every hypothesis: drawn, and the same at each run.

use fastrand::Rng;

use super::*;
use crate::whatif::play::Doubt;

const ROUNDS: u64 = 300;

/// A cluster with things down and things unknown.
fn draw(rng: &mut Rng) -> World {
    let mut world = World::of(rng.u32(2..=6));
    let nodes = u32::try_from(world.cluster.nodes.len()).unwrap();
    without_ha(&mut world);
    if rng.u32(0..3) == 0 {
        with_qdevice(&mut world);
    }
    if rng.u32(0..3) == 0 {
        corosync_only_over_link_0(&mut world);
    }
    for _ in 0..rng.u32(0..4) {
        spoil(&mut world, rng, nodes);
    }
    world
}

fn spoil(world: &mut World, rng: &mut Rng, nodes: u32) {
    let node = node_name(rng.u32(1..=nodes)).to_string();
    match rng.u32(0..4) {
        0 => {
            world.edit(&node, |report| {
                if let Reading::Known { value, .. } = &mut report.links {
                    value[0].carrier = Some(false);
                }
            });
        }
        1 => {
            let (one, other) = (rng.u32(1..=nodes), rng.u32(1..=nodes));
            if one != other {
                cut(world, one, other, 0);
            }
        }
        _ => forget(world, rng, nodes),
    }
}

/// A reading is not there any more.
fn forget(world: &mut World, rng: &mut Rng, nodes: u32) {
    let node = node_name(rng.u32(1..=nodes)).to_string();
    match rng.u32(0..6) {
        0 => {
            world.edit(&node, |report| report.lldp = Reading::Absent);
        }
        1 => {
            world.edit(&node, |report| report.links = Reading::NeverHeard);
        }
        2 => {
            world.edit(&node, |report| report.bonds = Reading::NeverHeard);
        }
        3 => {
            world.edit(&node, |report| report.corosync = Reading::NeverHeard);
        }
        4 => {
            world.edit(&node, |report| {
                if let Reading::Known { value, .. } = &mut report.corosync {
                    value.links = None;
                }
            });
        }
        _ => {
            world.hearing(&node, Hearing::Silent);
        }
    }
}

fn ask(world: &World, site: &Site) -> Option<WhatIf> {
    WhatIf::new(&world.cluster, world.now, site, 25_000).ok()
}

fn some_parts(what_if: &WhatIf, rng: &mut Rng) -> Vec<Part> {
    let parts: Vec<Part> = what_if.parts().cloned().collect();
    (0..rng.usize(1..=3))
        .map(|_| parts[rng.usize(..parts.len())].clone())
        .collect()
}

#[test]
fn an_empty_what_if_says_what_corosync_says() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..ROUNDS {
        let world = draw(&mut rng);
        let Some(mut what_if) = ask(&world, &Site::default()) else {
            continue;
        };
        let outcome = what_if.play(&Hypothesis::default()).unwrap();
        assert_eq!(
            (outcome.rank, outcome.worst),
            (Rank::Nothing, Rank::Nothing)
        );
        assert!(outcome.networks.is_empty() && outcome.gone.is_empty());
        let told = world.cluster.fresh(world.now);
        let told = told.filter_map(|node| crate::report::Facts::corosync(&node).cloned());
        for corosync in told {
            let mut camps = outcome.camps.iter();
            assert!(
                camps.any(|camp| Some(camp.votes) == corosync.total_votes
                    && Some(camp.needed) == corosync.quorum
                    && (camp.quorate == Answer::Yes) == corosync.quorate.unwrap()),
                "{:?}",
                outcome.camps
            );
        }
    }
}

#[test]
fn forgetting_a_reading_never_makes_a_good_of_anything_else() {
    let mut rng = Rng::with_seed(2);
    for _ in 0..ROUNDS {
        let mut world = draw(&mut rng);
        let nodes = u32::try_from(world.cluster.nodes.len()).unwrap();
        let Some(mut what_if) = ask(&world, &Site::default()) else {
            continue;
        };
        let asked: Vec<Hypothesis> = (0..20)
            .map(|_| Hypothesis::dark(some_parts(&what_if, &mut rng)))
            .collect();
        let before: Vec<Outcome> = asked.iter().map(|it| what_if.play(it).unwrap()).collect();
        forget(&mut world, &mut rng, nodes);
        let Some(mut less) = ask(&world, &Site::default()) else {
            continue;
        };
        for (hypothesis, before) in asked.iter().zip(before) {
            // What is not heard of any more cannot be asked about.
            if let Ok(after) = less.play(hypothesis) {
                assert!(
                    after.is_quorum_kept() != Answer::Yes || before.is_quorum_kept() == Answer::Yes,
                    "{hypothesis:?}\nbefore {before:#?}\nafter {after:#?}"
                );
            }
        }
    }
}

#[test]
fn taking_more_away_never_makes_an_unknown_a_good() {
    let mut rng = Rng::with_seed(3);
    for _ in 0..ROUNDS {
        let world = draw(&mut rng);
        let Some(mut what_if) = ask(&world, &Site::default()) else {
            continue;
        };
        for _ in 0..20 {
            let mut parts = some_parts(&what_if, &mut rng);
            let failed = what_if.failed(&Hypothesis::dark(parts.clone())).unwrap();
            let played = what_if.played(&failed);
            let before = what_if.outcome(&played);
            parts.extend(some_parts(&what_if, &mut rng));
            let after = what_if.play(&Hypothesis::dark(parts.clone())).unwrap();
            if before.is_quorum_kept() == Answer::No {
                assert_eq!(after.is_quorum_kept(), Answer::No, "{parts:?}\n{after:#?}");
            }
            // Of nodes that do not all reach each other, or may not, one can go and leave the others whole: that is
            // an answer to another question.
            let hangs_on_reach = played
                .camps
                .iter()
                .any(|camp| matches!(camp.doubt, Some(Doubt::NoClique | Doubt::WhoReachesWhom)));
            if before.is_quorum_kept() == Answer::Unknown && !hangs_on_reach {
                assert_ne!(
                    after.is_quorum_kept(),
                    Answer::Yes,
                    "{parts:?}\n{before:#?}\n{after:#?}"
                );
            }
        }
    }
}

#[test]
fn renaming_nodes_changes_nothing_but_their_names() {
    let mut rng = Rng::with_seed(4);
    for _ in 0..ROUNDS {
        let world = draw(&mut rng);
        let Some(mut what_if) = ask(&world, &Site::default()) else {
            continue;
        };
        let (other, rename) = renamed(&world);
        let mut renamed = ask(&other, &Site::default()).unwrap();
        for _ in 0..10 {
            let parts = some_parts(&what_if, &mut rng);
            let theirs = parts.iter().cloned().map(|part| match part {
                Part::Node(node) => Part::Node(rename(&node)),
                Part::Iface(node, iface) => Part::Iface(rename(&node), iface),
                other => other,
            });
            let theirs = renamed.play(&Hypothesis::dark(theirs)).unwrap();
            let ours = what_if.play(&Hypothesis::dark(parts)).unwrap();
            assert_eq!((ours.rank, ours.worst), (theirs.rank, theirs.worst));
            let camp = |camp: &Camp| (camp.nodes.len(), camp.votes, camp.needed, camp.quorate);
            let one: Vec<_> = ours.camps.iter().map(camp).collect();
            let two: Vec<_> = theirs.camps.iter().map(camp).collect();
            assert_eq!(one, two);
        }
    }
}

/// The last becomes the first in the alphabet; their ids stay.
fn renamed(world: &World) -> (World, impl Fn(&NodeName) -> NodeName) {
    let rename = |node: &NodeName| {
        let number: u32 = node.as_str().strip_prefix("pve-").unwrap().parse().unwrap();
        crate::cluster::testing::name(&format!("x{}", 99 - number))
    };
    let mut other = World::of(0);
    other.now = world.now;
    for (name, node) in &world.cluster.nodes {
        let mut seen = node.seen.clone();
        let conf = seen.facts.get_mut(&crate::report::Family::CorosyncConf);
        if let Some(held) = conf
            && let crate::report::Fact::CorosyncConf(conf) = &*held.fact
        {
            let mut conf = conf.clone();
            for node in &mut value(&mut conf).local.as_mut().unwrap().nodes {
                let was = crate::cluster::testing::name(node.name.as_ref().unwrap());
                node.name = Some(rename(&was).to_string());
            }
            held.fact = std::sync::Arc::new(crate::report::Fact::CorosyncConf(conf));
        }
        other.cluster.apply(&rename(name), seen, world.now);
    }
    (other, rename)
}
