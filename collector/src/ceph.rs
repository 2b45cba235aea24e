//! Ceph is asked where a verdict needs it: on nodes that stay, before the verdict, and not by the task that keeps the cluster,
//! for whose turn everybody waits. The answers go along with the request, each with the moment at which it was asked for, and
//! whoever judges holds them against the daemons that there are then. A cluster without Ceph is not held up by any of it.

use std::time::Duration;

use model::fact::ceph::OkToStop;
use model::gate::{
    CephAnswer, CephAsking, CephDaemons, CephQuestion, OLDEST_ANSWER_MS, Request, ceph_asking,
};
use model::name::NodeName;
use model::report::Family;
use proto::v1;
use tokio::sync::Mutex;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout, timeout_at};

use crate::declared::Declared;
use crate::keeper::actor::Keeper;
use crate::keeper::understanding::cluster_of;
use crate::keeper::view::ClusterView;

/// One node is waited for so long. Its agent lets `ceph` wait for 3 s until it finds a monitor.
const ONE_NODE: Duration = Duration::from_secs(4);
/// All nodes together, and the turn of others before. A terminal waits for 10 s.
const ALL_NODES: Duration = Duration::from_secs(7);
/// So long an answer is shared by all who ask the same: an agent answers six of a kind in a minute.
const SHARED_MS: u64 = 10_000;
/// And so long that there was none: by those who waited in line for it.
const NONE_SHARED_MS: u64 = 2_000;
/// Answers of a kind that are kept.
const MOST_KEPT: usize = 32;

const _: () = assert!(
    SHARED_MS + ALL_NODES.as_secs() * 1_000 < OLDEST_ANSWER_MS,
    "what is shared must still count when it is judged"
);

/// What Ceph of one cluster said last. Of each kind of daemon there is one question at a time.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    mons: Mutex<Vec<CephAnswer>>,
    osds: Mutex<Vec<CephAnswer>>,
    mds: Mutex<Vec<CephAnswer>>,
}

/// The answers to all that must be known of Ceph for this request; empty where there is nothing to ask.
pub(crate) async fn answers(
    keeper: &Keeper,
    declared: &Declared,
    request: &Request,
) -> Vec<CephAnswer> {
    let Some(asking) = asking(keeper, declared, request).await else {
        return Vec::new();
    };
    let mut asked = JoinSet::new();
    for (nth, question) in asking.questions.into_iter().enumerate() {
        // Not all of one node: it takes its questions one after the other.
        let Some(of) = Candidates::of(&asking.of, nth) else {
            continue;
        };
        let keeper = keeper.clone();
        asked.spawn(async move { keeper.asked_ceph().answer(&keeper, question, &of).await });
    }
    let mut answers = Vec::new();
    while let Some(done) = asked.join_next().await {
        match done {
            Ok(answer) => answers.push(answer),
            Err(error) => tracing::error!("a question to Ceph was not asked to its end: {error}"),
        }
    }
    answers
}

/// Who is asked, and if he has no answer who else: each would say the same.
struct Candidates {
    first: NodeName,
    second: Option<NodeName>,
}

impl Candidates {
    fn of(nodes: &[NodeName], nth: usize) -> Option<Self> {
        let mut from = nodes.iter().cycle().skip(nth);
        let first = from.next()?.clone();
        let second = from.next().filter(|second| **second != first).cloned();
        Some(Self { first, second })
    }
}

async fn asking(keeper: &Keeper, declared: &Declared, request: &Request) -> Option<CephAsking> {
    let view = keeper.view();
    if !may_have_ceph(&view) {
        return None;
    }
    let (now, declared, request) = (keeper.now(), declared.clone(), request.clone());
    let asking = spawn_blocking(move || {
        let cluster = cluster_of(&view, now);
        ceph_asking(&declared.scene(&cluster, now), &request)
    });
    // Then nothing is asked, and the verdict says so.
    asking.await.ok().flatten()
}

fn may_have_ceph(view: &ClusterView) -> bool {
    let ceph = view
        .nodes
        .values()
        .filter_map(|node| node.facts.get(&Family::Ceph));
    let mut facts = ceph.map(|aged| &aged.fact.fact);
    facts.any(|fact| **fact != Family::Ceph.absent())
}

impl Asked {
    fn of_kind(&self, what: CephDaemons) -> &Mutex<Vec<CephAnswer>> {
        match what {
            CephDaemons::Mon => &self.mons,
            CephDaemons::Osd => &self.osds,
            CephDaemons::Mds => &self.mds,
        }
    }

    async fn answer(&self, keeper: &Keeper, question: CephQuestion, of: &Candidates) -> CephAnswer {
        let until = Instant::now() + ALL_NODES;
        let Ok(mut kept) = timeout_at(until, self.of_kind(question.what).lock()).await else {
            let why = "others ask Ceph too, and were not answered in time";
            return none(keeper, question, of.first.clone(), why.to_owned());
        };
        let now_ms = keeper.now().mono_ms;
        kept.retain(|answer| is_shared(answer, now_ms));
        if let Some(same) = kept.iter().find(|answer| answer.question == question) {
            return same.clone();
        }
        let answer = ask(keeper, question, of, until).await;
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push(answer.clone());
        answer
    }
}

fn is_shared(answer: &CephAnswer, now_ms: u64) -> bool {
    let limit_ms = if answer.said.is_ok() {
        SHARED_MS
    } else {
        NONE_SHARED_MS
    };
    now_ms.saturating_sub(answer.asked_at_ms) <= limit_ms
}

/// One node after the other, until one says yes or no.
async fn ask(
    keeper: &Keeper,
    question: CephQuestion,
    of: &Candidates,
    until: Instant,
) -> CephAnswer {
    let (mut unclear, mut why) = (None, Vec::new());
    for node in std::iter::once(&of.first).chain(&of.second) {
        let asked_at_ms = keeper.now().mono_ms;
        let within = ONE_NODE.min(until.saturating_duration_since(Instant::now()));
        let said = match timeout(within, keeper.ask(node, probe(&question))).await {
            Ok(Ok(json)) => serde_json::from_str::<OkToStop>(&json)
                .map_err(|error| format!("what {node} answers cannot be read: {error}")),
            Ok(Err(none)) => Err(none.to_string()),
            Err(_) => Err(format!("{node} did not answer in time")),
        };
        match said {
            Err(reason) => why.push(reason),
            Ok(said) => {
                let is_clear = said.ok.is_some();
                let answer = CephAnswer {
                    question: question.clone(),
                    node: node.clone(),
                    asked_at_ms,
                    said: Ok(said),
                };
                if is_clear {
                    return answer;
                }
                unclear = Some(answer);
            }
        }
    }
    unclear.unwrap_or_else(|| none(keeper, question, of.first.clone(), why.join("; ")))
}

fn none(keeper: &Keeper, question: CephQuestion, node: NodeName, why: String) -> CephAnswer {
    CephAnswer {
        question,
        node,
        asked_at_ms: keeper.now().mono_ms,
        said: Err(why),
    }
}

fn probe(question: &CephQuestion) -> v1::probe::Question {
    let kind = match question.what {
        CephDaemons::Mon => v1::ceph_ok_to_stop::Kind::Mon,
        CephDaemons::Osd => v1::ceph_ok_to_stop::Kind::Osd,
        CephDaemons::Mds => v1::ceph_ok_to_stop::Kind::Mds,
    };
    v1::probe::Question::CephOkToStop(v1::CephOkToStop {
        kind: kind.into(),
        ids: question.ids.iter().cloned().collect(),
    })
}

#[cfg(test)]
mod tests;
