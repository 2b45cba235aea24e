//! Everything that metrics are made of, as it was published at one moment.

use std::sync::{Arc, OnceLock};

use model::glance::Word;

use crate::alerts::ReceiverHealth;
use crate::keeper::Now;
use crate::keeper::understanding::votes_of;
use crate::keeper::view::ClusterView;
use crate::refusal::Reason;

pub(super) struct Picture {
    pub(super) now: Now,
    pub(super) version: &'static str,
    pub(super) started_unix_s: i64,
    pub(super) can_write: bool,
    /// `None`: it is not known.
    pub(super) ledger_bytes: Option<u64>,
    pub(super) connections: usize,
    pub(super) refusals: Vec<(Reason, u64)>,
    pub(super) given: [(&'static str, u64); 4],
    pub(super) receivers: Vec<ReceiverHealth>,
    pub(super) clusters: Vec<OfCluster>,
}

/// One cluster.
pub(super) struct OfCluster {
    pub(super) view: Arc<ClusterView>,
    now: Now,
    words: OnceLock<Vec<Word>>,
}

impl OfCluster {
    pub(super) fn new(view: Arc<ClusterView>, now: Now) -> Self {
        Self {
            view,
            now,
            words: OnceLock::new(),
        }
    }

    /// Whether any part of it is quorate; `None`: no node that is heard tells.
    pub(super) fn is_quorate(&self) -> Option<bool> {
        let words = self.words();
        (!words.is_empty()).then(|| words.iter().any(|word| word.quorate))
    }

    /// The votes that count: those of the quorate part, and of the largest where none is. While nodes that are quorate say
    /// different things, the least that any of them says.
    pub(super) fn votes(&self) -> Option<&Word> {
        let words = self.words();
        let quorate = words.iter().filter(|word| word.quorate);
        quorate
            .min_by_key(|word| word.may_be_lost())
            .or(words.first())
    }

    /// Whether what was decided of it could be read.
    pub(super) fn is_read(&self) -> bool {
        self.view.leases.is_some()
    }

    /// Worked out with the first question: it takes the most time of all.
    fn words(&self) -> &[Word] {
        self.words.get_or_init(|| votes_of(&self.view, self.now))
    }
}
