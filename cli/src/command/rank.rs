//! How bad an outcome is, in the words and colours of what-if and risks.

use anstyle::Style;
use proto::v1::Rank;

use crate::show::{BAD, DOUBTFUL, GOOD, PLAIN};

pub(super) fn word(rank: Rank) -> &'static str {
    match rank {
        Rank::Unspecified => "unknown",
        Rank::Nothing => "nothing",
        Rank::RedundancyLost => "redundancy lost",
        Rank::NoMargin => "no margin",
        Rank::QuorumLostForSome => "quorum lost for some",
        Rank::Fencing => "fencing",
        Rank::QuorumLostEverywhere => "quorum lost everywhere",
    }
}

pub(super) fn style(rank: Rank) -> Style {
    match rank {
        Rank::Nothing => GOOD,
        Rank::RedundancyLost => PLAIN,
        Rank::NoMargin => DOUBTFUL,
        Rank::Unspecified
        | Rank::QuorumLostForSome
        | Rank::Fencing
        | Rank::QuorumLostEverywhere => BAD,
    }
}

/// `no margin`; `no margin for certain, and perhaps fencing`
pub(super) fn both(certain: Rank, worst: Rank) -> String {
    if certain == worst {
        word(certain).to_owned()
    } else {
        format!("{} for certain, and perhaps {}", word(certain), word(worst))
    }
}
