//! What a report costs the collector with one cluster and with a thousand: decoded, applied, looked at by every rule, and
//! published. `cargo xtask bench` runs it and keeps the result.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to a developer"
)]
#![allow(clippy::unwrap_used, reason = "the worlds it looks at are its own")]

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
/// Of the cost with one cluster: what the caches of a processor make of a thousand is not the collector's.
const MOST_PERCENT: u128 = 150;

fn main() -> ExitCode {
    // No clock runs: nobody falls silent while others are measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let [one, many] = [1, CLUSTERS].map(|clusters| {
        let took = runtime.block_on(report_of_one_of(clusters));
        println!(
            "a report of a node, {clusters} clusters of {NODES}: {} µs",
            took.as_micros()
        );
        took
    });
    if many.as_nanos() * 100 > one.as_nanos() * MOST_PERCENT {
        eprintln!(
            "a report of one of {CLUSTERS} clusters costs more than {MOST_PERCENT} % of what it costs with one"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn report_of_one_of(clusters: usize) -> Duration {
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
    for number in 0..clusters {
        let id = ClusterId::new(&format!("{number:08x}-6a36-4d0a-9f3c-0c6f7f1e2d3c")).unwrap();
        let keeper = keepers.keeper(&id).await.unwrap();
        let mut agents = Vec::new();
        for (node, facts) in &up {
            let mut agent = Agent::connect(&keeper, &id, node).await;
            agent.report(&keeper, facts).await;
            agents.push(agent);
        }
        places.push((keeper, agents));
    }
    let mut took = Vec::new();
    for round in 0..REPORTS {
        let place = round % clusters;
        let (keeper, agents) = &mut places[place];
        let facts = if round / clusters % 2 == 0 {
            &down
        } else {
            &up
        };
        let begun = Instant::now();
        agents[0].report(keeper, &facts[0].1).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took[REPORTS / 2]
}

/// What every node says, in the order of their names.
fn reports(world: &World) -> Vec<(NodeName, Vec<v1::Fact>)> {
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
