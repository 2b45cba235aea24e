//! The actor, with a clock that stands still unless a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::fleet::Hearing;
use model::identity::ClusterId;
use model::name::NodeName;
use proto::v1;
use tokio::sync::mpsc;
use v1::agent_message::Message as FromAgent;
use v1::collector_message::Message;

use super::actor::{Beginning, Clock, Keeper, ToAgent, way_to_agent};
use super::hello;
use super::intake::Intake;
use super::mailbox::Letters;
use super::{Own, cache::Cache};
use crate::ledger::memory::Memory;
use crate::ledger::{EventsWanted, Ledger as _};

const COLLECTOR: &str = "11111111-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const SPOOL: [u8; 16] = [9; 16];

fn cluster() -> ClusterId {
    ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap()
}

pub(crate) fn keeper(ledger: Arc<Memory>, cache: Option<Cache>) -> Keeper {
    let snapshot = ledger.snapshot_now(&cluster()).unwrap();
    let beginning = Beginning {
        declared: crate::declared::Declared::default(),
        policy: Arc::default(),
        cluster: cluster(),
        own: Own {
            collector: COLLECTOR.to_owned(),
            epoch: 1,
            is_authority: true,
        },
        version: "0.1.0",
        ledger,
        cache,
        clock: Clock::start(),
        writer: 1,
        snapshot: Ok(snapshot),
    };
    Keeper::start(beginning, &[]).unwrap()
}

pub(crate) struct Agent {
    keeper: Keeper,
    intake: Intake,
    letters: Letters,
    from_collector: mpsc::Receiver<ToAgent>,
}

impl Agent {
    pub(crate) async fn connect(keeper: &Keeper, node: &str) -> Self {
        let hello = v1::Hello {
            cluster: Some(v1::Cluster {
                id: cluster().to_string(),
                name: "pve".to_owned(),
            }),
            node: node.to_owned(),
            agent: Some(v1::Software {
                version: "0.1.0".to_owned(),
                capabilities: vec![],
            }),
            boot_id: COLLECTOR.to_owned(),
            spool_id: SPOOL.to_vec(),
            spool_first: 1,
            spool_next: 1 << 40,
            authority: None,
            instance: vec![1],
            trust: Vec::new(),
        };
        let message = v1::AgentMessage {
            boottime_ms: 1,
            message: Some(FromAgent::Hello(hello)),
        };
        let node = NodeName::new(node).unwrap();
        let greeting = hello::check(message, &cluster(), &node, "0.1.0").unwrap();
        let intake = Intake::new(greeting.version.clone(), greeting.spool);
        let (to_agent, from_collector) = way_to_agent();
        let letters = keeper.open(greeting, to_agent).await.unwrap();
        let mut agent = Self {
            keeper: keeper.clone(),
            intake,
            letters,
            from_collector,
        };
        assert!(matches!(agent.hear().await, Ok(Message::Welcome(_))));
        agent
    }

    pub(crate) async fn say(&mut self, message: FromAgent) -> bool {
        let message = v1::AgentMessage {
            boottime_ms: 1 + self.keeper.now().mono_ms,
            message: Some(message),
        };
        let arrived = self.intake.take(message, self.keeper.now()).unwrap();
        self.letters.send(arrived, 100).await
    }

    pub(crate) async fn hear(&mut self) -> Result<Message, tonic::Status> {
        let message = self.from_collector.recv().await.unwrap()?;
        Ok(message.message.unwrap())
    }
}

fn heartbeat(number: u64) -> FromAgent {
    FromAgent::Heartbeat(v1::Heartbeat {
        number,
        ..v1::Heartbeat::default()
    })
}

fn delta(base: u64) -> FromAgent {
    FromAgent::Delta(v1::Delta {
        base,
        revision: base + 1,
        changes: vec![v1::FactChange {
            change: Some(v1::fact_change::Change::Whole(v1::Fact {
                family: v1::Family::Lldp.into(),
                read_at_boottime_ms: 1,
                state: Some(v1::fact::State::Absent(v1::Absent {})),
            })),
        }],
    })
}

fn event(number: u64) -> FromAgent {
    FromAgent::Events(v1::Events {
        spool_id: SPOOL.to_vec(),
        events: vec![v1::Event {
            number,
            event: Some(v1::event::Event::ChangeJson("{}".to_owned())),
        }],
    })
}

/// How many messages of a flood go through between a word of another agent and its answer.
async fn passed_meanwhile(flood: impl Fn(u64) -> FromAgent + Send + 'static) -> u64 {
    const MESSAGES: u64 = 10_000;

    let keeper = keeper(Arc::new(Memory::new()), None);
    let mut loud = Agent::connect(&keeper, "pve-01").await;
    let mut quiet = Agent::connect(&keeper, "pve-02").await;
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let flooding = tokio::spawn(async move {
        let report = v1::Report {
            revision: 1,
            facts: vec![],
        };
        loud.say(FromAgent::Report(report)).await;
        for number in 1..=MESSAGES {
            assert!(loud.say(flood(number)).await);
            counted.fetch_add(1, Ordering::Relaxed);
            while loud.from_collector.try_recv().is_ok() {}
        }
        loud
    });
    while sent.load(Ordering::Relaxed) < 500 {
        tokio::task::yield_now().await;
    }
    let before = sent.load(Ordering::Relaxed);
    quiet.say(heartbeat(1)).await;
    assert!(matches!(
        quiet.hear().await,
        Ok(Message::HeartbeatAnswer(_))
    ));
    let after = sent.load(Ordering::Relaxed);
    // Nothing of it is lost.
    let _loud = flooding.await.unwrap();
    after - before
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_deltas_of_one_agent_do_not_delay_the_word_of_another() {
    let passed = passed_meanwhile(delta).await;
    assert!(passed < 300, "{passed} went before it");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_events_of_one_agent_do_not_delay_the_word_of_another() {
    let passed = passed_meanwhile(event).await;
    assert!(passed < 300, "{passed} went before it");
}

#[tokio::test(start_paused = true)]
async fn all_events_of_a_flood_are_kept_once() {
    let ledger = Arc::new(Memory::new());
    let keeper = keeper(Arc::clone(&ledger), None);
    let mut agent = Agent::connect(&keeper, "pve-01").await;
    for number in 1..=5_000 {
        agent.say(event(number)).await;
        while agent.from_collector.try_recv().is_ok() {}
    }
    let mut views = keeper.views();
    views
        .wait_for(|view| view.last_place == 5_000)
        .await
        .unwrap();
    let (mut after, mut count) = (0, 0);
    loop {
        let wanted = EventsWanted {
            cluster: cluster(),
            node: None,
            after,
            limit: 500,
        };
        let some = ledger.events(&wanted).await.unwrap();
        let Some(last) = some.last() else { break };
        after = last.place;
        for kept in some {
            count += 1;
            assert_eq!(kept.event.number, count);
        }
    }
    assert_eq!(count, 5_000);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_take_what_it_is_sent_is_ended_and_told_why() {
    let keeper = keeper(Arc::new(Memory::new()), None);
    let mut agent = Agent::connect(&keeper, "pve-01").await;
    for number in 1..=200 {
        if !agent.say(event(number)).await {
            break;
        }
        // So that each is acknowledged for itself.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let why = loop {
        match agent.hear().await {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(
        why.message(),
        "the agent does not take what the collector sends"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_closes_is_silence_at_once_and_six_seconds_without_a_word_too() {
    let keeper = keeper(Arc::new(Memory::new()), None);
    let agent = Agent::connect(&keeper, "pve-01").await;
    let _other = Agent::connect(&keeper, "pve-02").await;
    let mut views = keeper.views();
    drop(agent);
    let is = |name: &str, hearing: Hearing| {
        let name = NodeName::new(name).unwrap();
        move |view: &Arc<super::view::ClusterView>| view.nodes[&name].hearing == hearing
    };
    views.wait_for(is("pve-01", Hearing::Silent)).await.unwrap();
    assert!(is("pve-02", Hearing::Connected)(&keeper.view()));
    let before = keeper.now().mono_ms;
    views.wait_for(is("pve-02", Hearing::Silent)).await.unwrap();
    assert_eq!(keeper.now().mono_ms - before, 6_000);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_not_answered_ends_after_its_time() {
    let keeper = keeper(Arc::new(Memory::new()), None);
    let mut agent = Agent::connect(&keeper, "pve-01").await;
    let node = NodeName::new("pve-01").unwrap();
    let question = v1::probe::Question::RunningTasks(v1::RunningTasks {});
    let asked = {
        let keeper = keeper.clone();
        tokio::spawn(async move { keeper.ask(&node, question).await })
    };
    assert!(matches!(agent.hear().await, Ok(Message::Probe(_))));
    for number in 1..=20 {
        agent.say(heartbeat(number)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let error = asked.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "pve-01 did not answer within 30 s");
}

#[tokio::test]
async fn the_copy_of_a_report_is_read_again_as_a_hint_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path().join("reports"));
    assert_eq!(cache.read(&cluster()).unwrap(), []);
    let keeper = keeper(Arc::new(Memory::new()), None);
    let mut agent = Agent::connect(&keeper, "pve-01").await;
    agent
        .say(FromAgent::Report(v1::Report {
            revision: 1,
            facts: vec![],
        }))
        .await;
    agent.say(delta(1)).await;
    let mut views = keeper.views();
    let node = NodeName::new("pve-01").unwrap();
    let view = views
        .wait_for(|view| !view.nodes[&node].facts.is_empty())
        .await
        .unwrap()
        .clone();
    cache.write(&view).unwrap();
    let copies = cache.read(&cluster()).unwrap();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].node, node);
    assert_eq!(copies[0].report.facts.len(), 1);
}
