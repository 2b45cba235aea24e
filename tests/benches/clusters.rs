//! What a report costs the collector with one cluster and with a thousand: decoded, applied, looked at by every rule, and
//! published. `cargo xtask bench` runs it and keeps the result.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to a developer"
)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the worlds it looks at are its own"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use collector::keeper::Own;
use collector::keeper::actor::{Keeper, ToAgent, way_to_agent};
use collector::keeper::hello;
use collector::keeper::intake::Intake;
use collector::keeper::mailbox::Letters;
use collector::keepers::Keepers;
use collector::ledger::memory::Memory;
use model::cluster::testing::{World, value};
use model::identity::ClusterId;
use model::name::NodeName;
use model::report::NodeReport;
use proto::fact::ReadFact;
use proto::v1;
use quorate_collector as collector;
use tokio::sync::mpsc;

const NODES: u32 = 8;
const CLUSTERS: usize = 1_000;
const REPORTS: usize = 2_000;
const VERSION: &str = "0.1.0";
const BOOT: &str = "11111111-6a36-4d0a-9f3c-0c6f7f1e2d3c";
/// Of the cost with one cluster. What was not touched for long is in no cache of the processor, and that costs too.
const MOST_PERCENT: u128 = 125;
const MOST_PERCENT_IN_TURN: u128 = 200;

fn main() -> ExitCode {
    // No clock runs: nobody falls silent while others are measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (alone, same, in_turn) = runtime.block_on(async {
        let alone = Clusters::of(1).await.report(1).await;
        let mut many = Clusters::of(CLUSTERS).await;
        (alone, many.report(1).await, many.report(CLUSTERS).await)
    });
    let mut code = ExitCode::SUCCESS;
    let us = |took: Duration| took.as_micros();
    println!(
        "a report of a node to its cluster of {NODES}: {} µs",
        us(alone)
    );
    let among_many = [
        ("of one among", same, MOST_PERCENT),
        ("of each in turn of", in_turn, MOST_PERCENT_IN_TURN),
    ];
    for (what, took, percent) in among_many {
        println!(
            "{what} {CLUSTERS} clusters: {} µs (limit {percent} % of that)",
            us(took)
        );
        if took.as_nanos() * 100 > alone.as_nanos() * percent {
            eprintln!("over its limit: a report {what} {CLUSTERS} clusters");
            code = ExitCode::FAILURE;
        }
    }
    code
}

type Said = Vec<(NodeName, Vec<v1::Fact>)>;

/// Keepers whose nodes have all told everything once.
struct Clusters {
    places: Vec<(Keeper, Vec<Agent>)>,
    /// Before and after a port of the first node lost its carrier.
    says: [Said; 2],
    rounds: usize,
    _keepers: Keepers,
}

impl Clusters {
    async fn of(count: usize) -> Self {
        let own = |_: &ClusterId| Own {
            collector: BOOT.to_owned(),
            epoch: 1,
            is_authority: true,
        };
        let keepers = Keepers::new(Arc::new(Memory::new()), None, VERSION, 7, own);
        let mut world = World::of(NODES);
        let up = reports(&world);
        world.edit("pve-01", |report: &mut NodeReport| {
            value(&mut report.links)[2].carrier = Some(false);
        });
        let down = reports(&world);
        let mut places = Vec::new();
        for number in 0..count {
            let id = ClusterId::new(format!("{number:08x}-6a36-4d0a-9f3c-0c6f7f1e2d3c")).unwrap();
            let keeper = keepers.keeper(&id).await.unwrap();
            let mut agents = Vec::new();
            for (node, facts) in &up {
                let mut agent = Agent::connect(&keeper, &id, node).await;
                agent.report(&keeper, facts).await;
                agents.push(agent);
            }
            places.push((keeper, agents));
        }
        Self {
            places,
            says: [up, down],
            rounds: 0,
            _keepers: keepers,
        }
    }

    /// What a report costs that comes from the first so many clusters in turn.
    async fn report(&mut self, from: usize) -> Duration {
        let mut took = Vec::new();
        for round in 0..REPORTS {
            self.rounds += 1;
            let (keeper, agents) = &mut self.places[round % from];
            let (_, facts) = &self.says[self.rounds / from % 2][0];
            let begun = Instant::now();
            agents[0].report(keeper, facts).await;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        took[REPORTS / 2]
    }
}

/// What every node says, in the order of their names.
fn reports(world: &World) -> Said {
    let facts = |facts: Vec<ReadFact>| facts.iter().filter_map(ReadFact::to_wire).collect();
    let nodes = world.cluster.nodes.iter();
    nodes
        .map(|(name, node)| {
            let held = node.seen.facts.values();
            let read = held.map(|held| ReadFact {
                fact: held.fact.clone(),
                read_at_boottime_ms: 0,
            });
            (name.clone(), facts(read.collect()))
        })
        .collect()
}

struct Agent {
    intake: Intake,
    letters: Letters,
    heard: mpsc::Receiver<ToAgent>,
    revision: u64,
}

impl Agent {
    async fn connect(keeper: &Keeper, cluster: &ClusterId, node: &NodeName) -> Self {
        let hello = v1::Hello {
            cluster: Some(v1::Cluster {
                id: cluster.to_string(),
                name: "pve".to_owned(),
            }),
            node: node.to_string(),
            agent: Some(v1::Software {
                version: VERSION.to_owned(),
                capabilities: Vec::new(),
            }),
            boot_id: BOOT.to_owned(),
            spool_id: vec![9; 16],
            spool_first: 1,
            spool_next: 1,
            authority: None,
            instance: vec![1],
            trust: Vec::new(),
        };
        let greeting = hello::check(
            said(v1::agent_message::Message::Hello(hello)),
            cluster,
            node,
            VERSION,
        );
        let greeting = greeting.unwrap();
        let intake = Intake::new(greeting.version.clone(), greeting.spool);
        let (to_agent, heard) = way_to_agent();
        Self {
            intake,
            letters: keeper.open(greeting, to_agent).await.unwrap(),
            heard,
            revision: 0,
        }
    }

    /// Until what follows from it is published.
    async fn report(&mut self, keeper: &Keeper, facts: &[v1::Fact]) {
        self.revision += 1;
        let report = v1::Report {
            revision: self.revision,
            facts: facts.to_vec(),
        };
        let message = said(v1::agent_message::Message::Report(report));
        let mut views = keeper.views();
        views.mark_unchanged();
        let arrived = self.intake.take(message, keeper.now()).unwrap();
        self.letters.send(arrived, 1).await;
        views.changed().await.unwrap();
        while self.heard.try_recv().is_ok() {}
    }
}

fn said(message: v1::agent_message::Message) -> v1::AgentMessage {
    v1::AgentMessage {
        boottime_ms: 1_000,
        message: Some(message),
    }
}
