//! Agents that answer what their Ceph says, with a clock that goes on when all wait.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as Shared};

use model::fact::ceph::{Ceph, Daemon, DaemonKind, Mon, MonQuorum, Osds};
use model::gate::{Action, Kind};
use v1::agent_message::Message as FromAgent;
use v1::collector_message::Message;

use super::*;
use crate::keeper::actor_tests::{Agent, keeper};
use crate::keeper::core::{Begin, LeaseAsk, Told};
use crate::ledger::memory::Memory;

/// What is asked of which node, in this order: `pve-02 osd 0 1`.
type Heard = Arc<Shared<Vec<String>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Yes,
    Nothing,
    TooOften,
    Nonsense,
}

/// A monitor and two OSDs on each of three nodes.
fn ceph() -> Ceph {
    let nodes = ["pve-01", "pve-02", "pve-03"];
    let daemon = |kind, id: String, node: &str| Daemon {
        kind,
        id,
        host: node.to_owned(),
    };
    let mons = nodes.map(|node| daemon(DaemonKind::Mon, node.to_owned(), node));
    let osds = (0..6_usize).map(|id| daemon(DaemonKind::Osd, id.to_string(), nodes[id / 2]));
    let mon = |node: &str| Mon {
        name: Some(node.to_owned()),
        ..Mon::default()
    };
    Ceph {
        quorum: Some(MonQuorum {
            monmap: Some(nodes.map(mon).into()),
            ..MonQuorum::default()
        }),
        osds: Some(Osds {
            total: Some(6),
            ..Osds::default()
        }),
        daemons: Some(mons.into_iter().chain(osds).collect()),
        ..Ceph::default()
    }
}

fn report(state: v1::fact::State) -> FromAgent {
    FromAgent::Report(v1::Report {
        revision: 1,
        facts: vec![v1::Fact {
            family: v1::Family::Ceph.into(),
            read_at_boottime_ms: 1,
            state: Some(state),
        }],
    })
}

fn has_ceph() -> v1::fact::State {
    v1::fact::State::Known(v1::Known {
        json: serde_json::to_string(&ceph()).unwrap(),
        at_unix_ms: 1_700_000_000_000,
        problems: vec![],
    })
}

/// Connects it, and lets it answer by itself from now on.
async fn agent(keeper: &Keeper, node: &'static str, state: v1::fact::State, says: Says) -> Heard {
    let mut agent = Agent::connect(keeper, node).await;
    agent.say(report(state)).await;
    let mut views = keeper.views();
    let name = NodeName::new(node).unwrap();
    let is_told = |view: &Arc<ClusterView>| !view.nodes[&name].facts.is_empty();
    views.wait_for(is_told).await.unwrap();
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut number = 0;
        loop {
            let message = timeout(Duration::from_secs(2), agent.hear()).await;
            let Ok(Ok(Message::Probe(probe))) = message else {
                number += 1;
                let heartbeat = v1::Heartbeat {
                    number,
                    ..v1::Heartbeat::default()
                };
                agent.say(FromAgent::Heartbeat(heartbeat)).await;
                continue;
            };
            let Some(v1::probe::Question::CephOkToStop(question)) = probe.question else {
                panic!("{probe:?}");
            };
            let ids = question.ids.join(" ");
            let kind = question.kind().as_str_name();
            hears.lock().unwrap().push(format!("{node} {kind} {ids}"));
            if let Some(answer) = answer(says, &question) {
                let id = probe.id;
                let answer = Some(answer);
                agent
                    .say(FromAgent::ProbeAnswer(v1::ProbeAnswer { id, answer }))
                    .await;
            }
        }
    });
    heard
}

fn answer(says: Says, question: &v1::CephOkToStop) -> Option<v1::probe_answer::Answer> {
    let what = match question.kind() {
        v1::ceph_ok_to_stop::Kind::Mon => DaemonKind::Mon,
        v1::ceph_ok_to_stop::Kind::Mds => DaemonKind::Mds,
        _ => DaemonKind::Osd,
    };
    let yes = OkToStop {
        what: Some(what),
        ids: question.ids.clone(),
        ok: Some(true),
        text: String::new(),
        not_ok_pgs: None,
        inactive_pgs: Vec::new(),
    };
    match says {
        Says::Yes => Some(v1::probe_answer::Answer::Json(
            serde_json::to_string(&yes).unwrap(),
        )),
        Says::Nothing => None,
        Says::TooOften => Some(v1::probe_answer::Answer::Failed(
            "asked 6 times in 60 s; ask again later".to_owned(),
        )),
        Says::Nonsense => Some(v1::probe_answer::Answer::Json("{}".to_owned())),
    }
}

struct Stage {
    keeper: Keeper,
    heard: Vec<Heard>,
}

impl Stage {
    /// Three nodes with Ceph, of which these two are asked about the first.
    async fn of(second: Says, third: Says) -> Self {
        let keeper = keeper(Arc::new(Memory::new()), None);
        let mut heard = vec![agent(&keeper, "pve-01", has_ceph(), Says::Yes).await];
        heard.push(agent(&keeper, "pve-02", has_ceph(), second).await);
        heard.push(agent(&keeper, "pve-03", has_ceph(), third).await);
        Self { keeper, heard }
    }

    async fn ask(&self) -> Vec<CephAnswer> {
        let mut answers = answers(&self.keeper, &Declared::default(), &request()).await;
        answers.sort_by_key(|answer| answer.question.what);
        answers
    }

    /// What was asked since it was looked at last.
    fn heard(&self) -> Vec<String> {
        let mut all = Vec::new();
        for heard in &self.heard {
            all.append(&mut heard.lock().unwrap());
        }
        all
    }
}

fn request() -> Request {
    Request::of_nodes([NodeName::new("pve-01").unwrap()], Action::Reboot)
}

fn are_yes(answers: &[CephAnswer]) -> bool {
    let is_yes = |answer: &CephAnswer| answer.said.as_ref().is_ok_and(|said| said.ok == Some(true));
    answers.len() == 2 && answers.iter().all(is_yes)
}

#[tokio::test(start_paused = true)]
async fn nodes_that_stay_are_asked_once_for_all_who_ask_at_that_time() {
    let stage = Stage::of(Says::Yes, Says::Yes).await;
    let (one, other) = tokio::join!(stage.ask(), stage.ask());
    assert!(are_yes(&one), "{one:?}");
    assert_eq!(one, other);
    let expect = ["pve-02 KIND_MON pve-01", "pve-03 KIND_OSD 0 1"];
    assert_eq!(stage.heard(), expect);
    tokio::time::sleep(Duration::from_millis(SHARED_MS)).await;
    assert_eq!(stage.ask().await, one);
    assert!(stage.heard().is_empty());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(are_yes(&stage.ask().await));
    assert_eq!(stage.heard(), expect);
}

#[tokio::test(start_paused = true)]
async fn without_ceph_nobody_is_asked_and_nobody_waits() {
    let keeper = keeper(Arc::new(Memory::new()), None);
    let absent = || v1::fact::State::Absent(v1::Absent {});
    for node in ["pve-01", "pve-02"] {
        agent(&keeper, node, absent(), Says::Nothing).await;
    }
    let before = Instant::now();
    assert_eq!(answers(&keeper, &Declared::default(), &request()).await, []);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_not_waited_for_and_another_one_is_asked() {
    let stage = Stage::of(Says::Nothing, Says::Yes).await;
    let before = Instant::now();
    let answers = stage.ask().await;
    assert!(are_yes(&answers), "{answers:?}");
    assert_eq!(answers[0].node.as_str(), "pve-03");
    assert!(before.elapsed() <= ONE_NODE + Duration::from_millis(10));
    // Its age counts from when that one was asked.
    assert!(answers[0].asked_at_ms >= answers[1].asked_at_ms + 4_000);

    let stage = Stage::of(Says::Nothing, Says::Nothing).await;
    let before = Instant::now();
    let answers = stage.ask().await;
    let why = answers[1].said.clone().unwrap_err();
    assert_eq!(
        why,
        "pve-03 did not answer in time; pve-02 did not answer in time"
    );
    assert!(before.elapsed() <= ALL_NODES + Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_told_as_that_and_asked_again_soon() {
    let stage = Stage::of(Says::TooOften, Says::Nonsense).await;
    let why = stage.ask().await[0].said.clone().unwrap_err();
    let expect = "pve-02 cannot answer: asked 6 times in 60 s; ask again later; what pve-03 answers cannot be read: ";
    assert!(why.starts_with(expect), "{why}");
    assert_eq!(stage.heard().len(), 4);
    stage.ask().await;
    assert!(stage.heard().is_empty());
    tokio::time::sleep(Duration::from_millis(NONE_SHARED_MS + 1)).await;
    stage.ask().await;
    assert_eq!(stage.heard().len(), 4);
}

async fn begin(stage: &Stage, ceph: Vec<CephAnswer>) -> Told {
    let ask = LeaseAsk::Begin(Begin {
        nodes: BTreeSet::from([NodeName::new("pve-01").unwrap()]),
        action: Action::Reboot,
        owner: "anna".to_owned(),
        reason: "new kernel".to_owned(),
        planned_s: 600,
        overrides: false,
        waits_for_end: false,
        request_id: String::new(),
        ceph,
    });
    stage.keeper.lease(ask).await.unwrap()
}

/// The other grounds tell nothing here; what is said of Ceph is looked at.
fn of_ceph(told: &Told) -> Vec<Kind> {
    let kinds = told.verdict.reasons.iter().map(|reason| reason.kind);
    kinds
        .filter(|kind| kind.name().starts_with("ceph-"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn who_grants_the_lease_judges_by_the_answers_that_came_along_and_by_their_age() {
    use Kind::{CephHealth, CephNoAnswer, CephNotAsked, CephOk};
    let stage = Stage::of(Says::Yes, Says::Yes).await;
    let answers = stage.ask().await;
    let told = begin(&stage, answers.clone()).await;
    assert_eq!(of_ceph(&told), [CephHealth, CephOk, CephOk], "{told:?}");
    let told = begin(&stage, Vec::new()).await;
    assert_eq!(of_ceph(&told), [CephNotAsked, CephNotAsked, CephHealth]);
    // Of one OSD more than was asked about.
    let mut fewer = answers.clone();
    fewer[1].question.ids.remove("1");
    let told = begin(&stage, fewer).await;
    assert_eq!(of_ceph(&told), [CephNotAsked, CephHealth, CephOk]);
    tokio::time::sleep(Duration::from_millis(OLDEST_ANSWER_MS + 1)).await;
    let told = begin(&stage, answers).await;
    assert_eq!(of_ceph(&told), [CephNoAnswer, CephNoAnswer, CephHealth]);
}
