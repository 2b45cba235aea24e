//! Which collector decides for a cluster: exactly one, known by its id and epoch. Any other is an observer.

use proto::v1;

/// What this collector is for those that report to it; chosen when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It decides.
    Authority,
    /// It looks on: it gives no leases, and knows which collector decides only from the agents.
    Observer,
}

impl Duty {
    const ALL: [Self; 2] = [Self::Authority, Self::Observer];

    /// As it stands in identity.db.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Observer => "observer",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }
}

/// Whether `told` takes the decision from `own`: a higher epoch does, and the same one of another collector.
pub(crate) fn contests(own: &v1::Authority, told: &v1::Authority) -> bool {
    let is_other = told.collector != own.collector;
    told.epoch > own.epoch || (is_other && told.epoch == own.epoch)
}
