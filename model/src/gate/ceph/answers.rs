//! What Ceph is asked for a verdict, and what it said. Whoever asks brings the answers with their age; what they are worth is
//! judged here, by the daemons that there are now.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::daemons::{Listing, sorted};
use crate::fact::ceph::{DaemonKind, OkToStop};
use crate::gate::Request;
use crate::gate::case::Case;
use crate::name::{NodeName, enumerated};
use crate::report::{Facts as _, Family};
use crate::rule::Scene;

/// An answer that is older says nothing of now. It is less than a verdict is valid for: nobody acts on what is older than
/// both together.
pub const OLDEST_ANSWER_MS: u64 = 20_000;
/// An agent asks about no more of a kind at once.
pub const MOST_DAEMONS: usize = 64;
/// Ids that a sentence names.
const FEW: usize = 8;

/// The daemons that Ceph can be asked about. A manager is none of them: another one takes over, and data does not wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CephDaemons {
    Mon,
    Osd,
    Mds,
}

impl CephDaemons {
    pub const ALL: [Self; 3] = [Self::Mon, Self::Osd, Self::Mds];

    pub fn kind(self) -> DaemonKind {
        match self {
            Self::Mon => DaemonKind::Mon,
            Self::Osd => DaemonKind::Osd,
            Self::Mds => DaemonKind::Mds,
        }
    }
}

/// May all of these be stopped at once?
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CephQuestion {
    pub what: CephDaemons,
    /// Never empty.
    pub ids: BTreeSet<String>,
}

impl fmt::Display for CephQuestion {
    /// `OSDs 3 and 4`, `monitor pve-03`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, several) = match self.what {
            CephDaemons::Mon => ("monitor", "monitors"),
            CephDaemons::Osd => ("OSD", "OSDs"),
            CephDaemons::Mds => ("MDS", "MDS"),
        };
        let mut names = sorted(&self.ids);
        let more = names.len().saturating_sub(FEW);
        names.truncate(FEW);
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        let word = if self.ids.len() == 1 { one } else { several };
        write!(f, "{word} {}", enumerated(names))
    }
}

/// All that is to be asked for one verdict, and who may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CephAsking {
    pub questions: Vec<CephQuestion>,
    /// Nodes that stay, are heard and tell of Ceph; by name.
    pub of: Vec<NodeName>,
}

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CephAnswer {
    pub question: CephQuestion,
    pub node: NodeName,
    /// When it was sent, on the collector's monotonic clock.
    pub asked_at_ms: u64,
    /// Or why there is none.
    pub said: Result<OkToStop, String>,
}

/// What must be asked before [`crate::gate::check`] can say GO; `None` where there is nothing to ask, or nobody.
pub fn ceph_asking(scene: &Scene<'_>, request: &Request) -> Option<CephAsking> {
    let case = Case::new(scene, request, false);
    if !request.things.is_empty() {
        return None;
    }
    let mut questions = Listing::of(&case).questions(&request.nodes);
    questions.retain(|question| question.ids.len() <= MOST_DAEMONS);
    let of: Vec<NodeName> = askable(&case).cloned().collect();
    (!questions.is_empty() && !of.is_empty()).then_some(CephAsking { questions, of })
}

pub(super) fn askable<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a NodeName> {
    let tell = case.others().filter(|node| node.ceph().is_some());
    tell.map(|node| node.name())
}

/// What an answer comes to, for exactly this question at this moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    Yes(&'a CephAnswer),
    No(&'a CephAnswer, &'a OkToStop),
    /// Nobody asked.
    NotAsked,
    /// There is no answer that counts, and why.
    None(String),
}

/// The youngest answer to this question.
pub(super) fn word<'a>(scene: &Scene<'a>, question: &CephQuestion) -> Word<'a> {
    let answers = scene.ceph_answers.iter();
    let to_this = answers.filter(|answer| answer.question == *question);
    let Some(answer) = to_this.max_by_key(|answer| answer.asked_at_ms) else {
        return Word::NotAsked;
    };
    let node = &answer.node;
    let age_ms = scene.now.mono_ms.checked_sub(answer.asked_at_ms);
    if age_ms.is_none_or(|age_ms| age_ms > OLDEST_ANSWER_MS) {
        return Word::None(format!(
            "the answer that {node} brought is older than {} s",
            OLDEST_ANSWER_MS / 1_000
        ));
    }
    let said = match &answer.said {
        Ok(said) => said,
        Err(why) => return Word::None(why.clone()),
    };
    let ids: BTreeSet<String> = said.ids.iter().cloned().collect();
    let is_other = said.what != Some(question.what.kind());
    match said.ok {
        _ if is_other || (!ids.is_empty() && ids != question.ids) => {
            Word::None(format!("the answer that {node} brought is about others"))
        }
        // A no need not name whom it is about; a yes that does not is none.
        Some(false) => Word::No(answer, said),
        Some(true) if ids.is_empty() => {
            Word::None(format!("the answer that {node} brought names no daemon"))
        }
        Some(true) => Word::Yes(answer),
        None if said.text.is_empty() => {
            Word::None(format!("asked on {node}, Ceph says neither yes nor no"))
        }
        None => Word::None(format!("asked on {node}, Ceph cannot say: {}", said.text)),
    }
}

/// How old the answer is, for those who quote it.
pub(super) fn age_ms(scene: &Scene<'_>, answer: &CephAnswer) -> u64 {
    scene.now.mono_ms.saturating_sub(answer.asked_at_ms)
}

pub(super) const FAMILY: Family = Family::Ceph;
