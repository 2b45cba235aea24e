//! The distance to the edge: the smallest number of failures that cost the cluster its quorum.
//!
//! What a port, a bond or a bridge can do, its node does too, so that only nodes and what they share are tried: every
//! choice of a few shared things, and nodes upon it, those with the most votes first.

use std::fmt;

use serde::Serialize;

use crate::whatif::{Manner, Part, Rank, WhatIf};

/// Shared things that are tried together.
const MOST_SHARED: usize = 3;
/// Shared things that are tried at all.
const MOST_TRIED: usize = 24;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Without quorum it is nought; `None`: no failure of what is known costs quorum.
    pub failures: Option<usize>,
    /// These.
    pub parts: Vec<Part>,
    /// It may be fewer still, or these may not be enough: it rests on something that is not known.
    pub at_most: bool,
    /// Ports of which no switch is known.
    pub unknown_ports: usize,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(failures) = self.failures else {
            return f.write_str("no failure that can be played costs quorum");
        };
        if self.at_most {
            f.write_str("at most ")?;
        }
        write!(f, "{failures}")?;
        match (self.at_most, self.unknown_ports) {
            (true, 1) => f.write_str(" (switch of 1 port unknown)"),
            (true, 2..) => write!(f, " (switches of {} ports unknown)", self.unknown_ports),
            _ => Ok(()),
        }
    }
}

/// The smallest number that costs all quorum for certain, or a smaller one that may.
pub fn edge(what_if: &mut WhatIf) -> Edge {
    let unknown_ports = what_if.unknown_ports();
    let nodes = what_if.nodes_by_votes();
    let certain = search(what_if, &nodes, false);
    let possible = search(what_if, &nodes, true);
    let fewer = match (&certain, &possible) {
        (Some(certain), Some(possible)) => possible.len() < certain.len(),
        (None, Some(_)) => true,
        _ => false,
    };
    let found = if fewer { possible } else { certain };
    Edge {
        failures: found.as_ref().map(Vec::len),
        parts: found.unwrap_or_default(),
        at_most: fewer,
        unknown_ports,
    }
}

fn search(what_if: &mut WhatIf, nodes: &[Part], possibly: bool) -> Option<Vec<Part>> {
    let is_tried = |part: &&Part| match part {
        Part::Switch(_) | Part::Vlan(_) | Part::Network(_) | Part::Qdevice => true,
        Part::System(_) | Part::UnknownSwitches => possibly,
        Part::Node(_) | Part::Iface(..) => false,
    };
    let shared: Vec<Part> = what_if
        .parts()
        .filter(is_tried)
        .take(MOST_TRIED)
        .cloned()
        .collect();
    let mut best: Option<Vec<Part>> = None;
    let mut choices: Vec<Vec<Part>> = vec![Vec::new()];
    for _ in 0..=MOST_SHARED {
        let mut larger = Vec::new();
        let is_of_use =
            |choice: &Vec<Part>| best.as_ref().is_none_or(|best| choice.len() < best.len());
        choices.retain(is_of_use);
        for choice in choices {
            let room = best
                .as_ref()
                .map_or(nodes.len(), |best| best.len().saturating_sub(1));
            let room = room.checked_sub(choice.len());
            let upon = room.and_then(|room| fewest(what_if, &choice, nodes, room, possibly));
            if let Some(many) = upon {
                best = Some(
                    choice
                        .iter()
                        .chain(nodes.iter().take(many))
                        .cloned()
                        .collect(),
                );
            }
            let last = choice
                .last()
                .and_then(|last| shared.iter().position(|it| it == last));
            let next = last.map_or(0, |last| last + 1);
            let grown = shared.iter().skip(next);
            larger
                .extend(grown.map(|part| [choice.as_slice(), std::slice::from_ref(part)].concat()));
        }
        choices = larger;
    }
    best
}

/// How many nodes must go too, at most `room`; more nodes never give quorum back.
fn fewest(
    what_if: &mut WhatIf,
    choice: &[Part],
    nodes: &[Part],
    room: usize,
    possibly: bool,
) -> Option<usize> {
    let mut costs = |many: usize| {
        let parts = choice.iter().chain(nodes.iter().take(many));
        let failed = parts.filter_map(|part| Some((what_if.id_of(part)?, Manner::Dark)));
        let failed: Vec<_> = failed.collect();
        let (worst, rank) = what_if.rank_of(&failed);
        let is_lost = rank == Rank::QuorumLostEverywhere;
        is_lost || possibly && worst == Rank::QuorumLostEverywhere
    };
    let room = room.min(nodes.len());
    if !costs(room) {
        return None;
    }
    let (mut enough, mut too_few) = (room, None);
    loop {
        let low = too_few.map_or(0, |few: usize| few + 1);
        if low >= enough {
            return Some(enough);
        }
        let middle = low.midpoint(enough);
        if costs(middle) {
            enough = middle;
        } else {
            too_few = Some(middle);
        }
    }
}
