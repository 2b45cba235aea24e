//! Every failure, played before it happens, and how far the edge is.
//!
//! Ports whose switch is not known are played each for itself and all together as one common switch.

mod edge;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::whatif::{Failure, Manner, Part, Rank, WhatIf};

pub use edge::{Edge, edge};

/// One failure, or a pair that is worse than either of its two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Risk {
    pub failures: Vec<Failure>,
    /// As far as it is certain.
    pub rank: Rank,
    /// If all that is unknown turns out badly.
    pub worst: Rank,
    /// Finished.
    pub sentence: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Risks {
    /// The worst first.
    pub risks: Vec<Risk>,
    pub singles_played: usize,
    pub pairs_played: usize,
}

/// How many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    Singles,
    Pairs,
}

/// Plays every single failure, and every pair if that is asked for. Of the pairs those are told that are worse than
/// either failure by itself.
pub fn risks(what_if: &mut WhatIf, depth: Depth) -> Risks {
    let can_be_mute = |part: &Part| matches!(part, Part::Iface(..) | Part::Switch(_));
    let mutes: Vec<bool> = what_if.parts().map(can_be_mute).collect();
    let mut ranks = Vec::new();
    let mut all = Risks {
        risks: Vec::new(),
        singles_played: 0,
        pairs_played: 0,
    };
    for (id, can_be_mute) in mutes.iter().enumerate() {
        let dark = what_if.risk(&[(id, Manner::Dark)]);
        let rank = (dark.worst, dark.rank);
        all.singles_played += 1;
        all.risks.push(dark);
        ranks.push(rank);
        if *can_be_mute {
            all.singles_played += 1;
            if what_if.rank_of(&[(id, Manner::Mute)]) > rank {
                all.risks.push(what_if.risk(&[(id, Manner::Mute)]));
            }
        }
    }
    if depth == Depth::Pairs {
        for (id, alone) in ranks.iter().enumerate() {
            for (other, other_alone) in ranks.iter().enumerate().skip(id + 1) {
                let pair = [(id, Manner::Dark), (other, Manner::Dark)];
                all.pairs_played += 1;
                if what_if.rank_of(&pair) > *alone.max(other_alone) {
                    all.risks.push(what_if.risk(&pair));
                }
            }
        }
    }
    let order = |risk: &Risk| {
        (
            std::cmp::Reverse((risk.worst, risk.rank)),
            risk.failures.len(),
        )
    };
    all.risks.sort_by_key(order);
    all
}
