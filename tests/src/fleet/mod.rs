//! Simulated agents: many of them in one process, each with its own certificate, its own mutual TLS connection and its
//! own stream, so that a collector meets as many as no rack has nodes.
//!
//! They speak by the agents' own protocol code (`proto`), and their report is one that a real agent made
//! (`fixtures/report.json`). They read nothing of this machine but its clocks. What they live through they print, a line of
//! JSON each: see [`tally`].

mod agent;
mod audit;
mod enrol;
mod report;
mod spool;
mod tally;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use model::identity::ClusterId;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use agent::Agent;
use tally::Tally;

/// What `fleet` is told.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "fleet",
    about = "Simulated agents for one collector; prints a line of JSON for what happens"
)]
pub struct Options {
    /// How many agents
    #[arg(long, default_value_t = 8)]
    agents: usize,
    /// The collector's fleet listener [default: what it says at enrolment]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// The collector's enrolment listener
    #[arg(long, value_name = "HOST:PORT", requires = "token")]
    enrolment: Option<String>,
    /// A token good for so many nodes
    #[arg(long, requires = "enrolment")]
    token: Option<String>,
    /// The id of the first cluster, a UUID; the others count on from it
    #[arg(long, default_value = "f1ee7000-0000-4000-8000-000000000000")]
    cluster_id: String,
    /// How many agents make a cluster
    #[arg(long, default_value_t = 32)]
    per_cluster: usize,
    /// Keeps the certificates here, and takes those that are here already
    #[arg(long, value_name = "DIR")]
    identities: Option<PathBuf>,
    /// Events that each agent tells in a second
    #[arg(long, default_value_t = 0.0)]
    events_per_second: f64,
    /// The first agent changes a link 10,000 times a second
    #[arg(long)]
    flap: bool,
    /// It stops after so long, tells how the link is then, and prints that
    #[arg(long, value_name = "SECONDS", requires = "flap")]
    flap_for: Option<u64>,
    /// Each agent's bond loses a port now and then, and has it again
    #[arg(long)]
    pull_cables: bool,
    /// Asks the collector, with an operator's file, for its incidents again and again; prints them whenever they changed
    #[arg(long, value_name = "FILE")]
    watch_incidents: Option<PathBuf>,
    /// Prints a line for each acknowledgement of events
    #[arg(long)]
    print_acks: bool,
    /// The version that the agents say they have
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    agent_version: String,
    /// The node that all of them say they are, whatever their certificates say
    #[arg(long, value_name = "NODE")]
    claim_node: Option<String>,
    /// Asks the collector, with an operator's file, which events it has, and does nothing else
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// How long; without it until SIGTERM
    #[arg(long)]
    seconds: Option<u64>,
}

/// The numbers of agents that fit into the names.
const MOST_AGENTS: usize = 20_000;

/// Lives through what the options say.
pub fn run(options: &Options) -> Result<()> {
    ensure!(
        (1..=MOST_AGENTS).contains(&options.agents) && options.per_cluster > 0,
        "a fleet has 1 to {MOST_AGENTS} agents"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(live(options));
    // Its connections may be waiting for a collector that is not there.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn live(options: &Options) -> Result<()> {
    if let Some(file) = &options.audit {
        return audit::run(file).await;
    }
    if let Some(file) = &options.watch_incidents {
        return watch::run(file).await;
    }
    let names = names(options)?;
    let tally = Arc::new(Tally::new(options.agents, options.print_acks));
    let enrolled = enrol::all(options, names, &tally).await?;
    let facts = report::facts()?;
    tally.begin();
    let mut agents = JoinSet::new();
    for (number, enrolled) in enrolled.into_iter().enumerate() {
        let part = agent::Part {
            events_per_second: options.events_per_second,
            flaps: options.flap && number == 0,
            pulls_cables: options.pull_cables,
            flaps_for: options.flap_for.map(Duration::from_secs),
            address: options.address.clone(),
            version: options.agent_version.clone(),
            claims_node: options.claim_node.clone(),
        };
        let agent = Agent::new(enrolled, Arc::clone(&facts), part, &tally)?;
        agents.spawn(agent.live());
    }
    let mut told_to_end = signal(SignalKind::terminate())?;
    let end = async {
        match options.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = end => {}
        _ = told_to_end.recv() => {}
        () = tally.tell_of_state() => {}
    }
    // First, for an agent whose connection ends before it would print an error behind the summary.
    agents.shutdown().await;
    tally.summary();
    Ok(())
}

/// A node of the fleet, before it has a certificate.
#[derive(Debug, Clone)]
struct Name {
    cluster: ClusterId,
    cluster_name: String,
    node: String,
    /// All nodes of its cluster.
    nodelist: Arc<[String]>,
}

fn names(options: &Options) -> Result<Vec<Name>> {
    let first = ClusterId::new(options.cluster_id.as_str())?;
    let (head, last) = first
        .as_str()
        .rsplit_once('-')
        .context("the id of the first cluster is no UUID")?;
    let last = u64::from_str_radix(last, 16).context("the id of the first cluster is no UUID")?;
    let mut names = Vec::with_capacity(options.agents);
    for cluster in 0..options.agents.div_ceil(options.per_cluster) {
        let id = (last + cluster as u64) & 0xffff_ffff_ffff;
        let id = ClusterId::new(format!("{head}-{id:012x}"))?;
        let size = options.per_cluster.min(options.agents - names.len());
        let nodelist: Arc<[String]> = (1..=size).map(|node| format!("pve-{node:02}")).collect();
        names.extend(nodelist.iter().map(|node| Name {
            cluster: id.clone(),
            cluster_name: format!("fleet-{}", cluster + 1),
            node: node.clone(),
            nodelist: Arc::clone(&nodelist),
        }));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn every_agent_is_another_node_and_clusters_are_as_large_as_asked_for() {
        let words = ["fleet", "--agents", "70", "--per-cluster", "32"];
        let names = names(&Options::parse_from(words)).unwrap();
        assert_eq!(names.len(), 70);
        let keys: std::collections::BTreeSet<_> = names
            .iter()
            .map(|name| (name.cluster.clone(), name.node.clone()))
            .collect();
        assert_eq!(keys.len(), 70);
        assert_eq!(names.last().unwrap().nodelist.len(), 6);
        assert!(names.last().unwrap().cluster.as_str().ends_with("000002"));
    }

    #[test]
    fn the_report_is_one_that_an_agent_could_send() {
        let facts = report::facts().unwrap();
        assert!(facts.len() > 10, "{} families", facts.len());
    }
}
