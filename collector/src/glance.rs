//! The cluster at a glance as messages: what the model sees in a view.

use model::glance::{BondState, Bonds, Glance, LinkMatrix, LinkWays, Way, Word};
use model::name::NodeName;
use proto::v1;

use crate::keeper::Now;
use crate::keeper::understanding::cluster_of;
use crate::keeper::view::ClusterView;

pub(crate) fn glance(view: &ClusterView, now: Now) -> Glance {
    Glance::of(&cluster_of(view, now), &view.found, now)
}

pub(crate) fn votes(glance: &Glance) -> Vec<v1::VotesWord> {
    let message = |word: &Word| v1::VotesWord {
        sentence: word.to_string(),
        quorate: word.quorate,
        votes: word.votes,
        needed: word.needed,
        expected: word.expected,
        may_be_lost: word.may_be_lost(),
        nodes: word.nodes.iter().map(ToString::to_string).collect(),
        whose: word.whose(glance.nodes),
    };
    glance.votes.iter().map(message).collect()
}

pub(crate) fn link_matrix(matrix: &LinkMatrix) -> v1::LinkMatrix {
    let ways = |ways: &LinkWays| v1::LinkWays {
        link: ways.link.into(),
        ways: ways
            .rows
            .iter()
            .flatten()
            .map(|cell| i32::from(way(*cell)))
            .collect(),
    };
    v1::LinkMatrix {
        nodes: matrix.nodes.iter().map(ToString::to_string).collect(),
        links: matrix.links.iter().map(ways).collect(),
    }
}

fn way(way: Option<Way>) -> v1::Way {
    match way {
        None => v1::Way::Self_,
        Some(Way::Connected) => v1::Way::Connected,
        Some(Way::Disconnected) => v1::Way::Disconnected,
        Some(Way::Unknown) => v1::Way::Unspecified,
        Some(Way::NotConfigured) => v1::Way::NotConfigured,
    }
}

pub(crate) fn bonds(glance: &Glance, node: &NodeName) -> Option<v1::BondsStatus> {
    let count = |ports: usize| u32::try_from(ports).unwrap_or(u32::MAX);
    let message = |bond: &BondState| v1::BondStatus {
        name: bond.name.clone(),
        mode: bond.mode.clone().unwrap_or_default(),
        ports: count(bond.ports),
        ports_up: count(bond.up),
        ports_unknown: count(bond.unknown),
        wrong: bond.wrong.clone(),
        sentence: bond.to_string(),
    };
    Some(match glance.bonds.get(node)? {
        Bonds::Unknown { why } => v1::BondsStatus {
            unknown: why.clone(),
            bonds: Vec::new(),
        },
        Bonds::Known(bonds) => v1::BondsStatus {
            unknown: String::new(),
            bonds: bonds.iter().map(message).collect(),
        },
    })
}
