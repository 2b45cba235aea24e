//! From the moment before all ports of a switch go dark to the moment a webhook's other end reads the first line of the request.
//!
//! An incident that comes back is another story, so that every pull is the first of its switch: seven switches of a rack, and
//! then a collector that has no past.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use quorate_tests::{
    Agent, Cable, Collector, Hook, PATIENCE, Rack, Reply, give_cluster_id, wait_until,
};

use serde_json::Value;

use super::latency::summary;
use crate::record;

pub(super) const NODES: usize = 3;
pub(super) const LINKS: usize = 8;
const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
/// Between two pulls; uneven, so that they do not march in step with a timer.
const PAUSE_MS: std::ops::Range<u64> = 700..1_300;
const SEED: u64 = 1;
const CONFIG: &str = "/etc/quorate/collector.toml";

/// Kills a switch many times and times the request at a webhook
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How often a switch dies
    #[arg(long, default_value_t = 200)]
    pulls: usize,
    /// How long an incident waits for others; 0 shows what the way itself costs
    #[arg(long, default_value_t = 300)]
    settle_ms: u32,
    /// Keeps the result in docs/measured
    #[arg(long)]
    record: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let result = format!(
        "{NODES} nodes, switches of a rack, settle_ms = {}; ports dark (before the kernel is told) to request read: {}",
        args.settle_ms,
        summary(&mut measure(args.pulls, args.settle_ms)?)?
    );
    println!("{result}");
    if args.record {
        let command = format!(
            "cargo xtask rack alert --pulls {} --settle-ms {}",
            args.pulls, args.settle_ms
        );
        let name = format!("alert-{}", args.settle_ms);
        record::keep(&name, &command, &result)?;
    }
    Ok(())
}

/// Milliseconds of every pull.
pub(super) fn measure(pulls: usize, settle_ms: u32) -> Result<Vec<f64>> {
    let mut rack = Rack::new(NODES, LINKS)?;
    give_cluster_id(&rack, CLUSTER)?;
    // The agents reach it over the first network, whose switch never dies.
    let mut collector = Collector::start(&mut rack, 1)?;
    let _agents = Agent::on_every_node(&rack, &collector)?;
    rack.wait_for_cluster()?;
    let hook = Hook::listen(rack.init(collector.station())?, |_| Reply::Status(200))?;
    configure(&rack, &collector, &hook, settle_ms)?;
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut ms = Vec::new();
    while ms.len() < pulls {
        begin_anew(&rack, &mut collector)?;
        for switch in (1..LINKS).take(pulls - ms.len()) {
            thread::sleep(Duration::from_millis(random.u64(PAUSE_MS)));
            let (took_ms, told) = pull(&rack, &hook, switch)?;
            let word = |path| told.pointer(path).and_then(Value::as_str);
            ensure!(
                word("/incident/subject") == Some(&format!("switch sw{switch}"))
                    && word("/kind") == Some("opened"),
                "another message came: {told}"
            );
            ms.push(took_ms);
        }
        for switch in 1..LINKS {
            cables(&rack, switch)?.iter().try_for_each(Cable::plug)?;
        }
    }
    Ok(ms)
}

fn configure(rack: &Rack, collector: &Collector, hook: &Hook, settle_ms: u32) -> Result<()> {
    let mut toml = format!("[alerts]\nsettle_ms = {settle_ms}\n");
    for switch in 1..LINKS {
        toml += &format!("[[switch]]\nname = \"sw{switch}\"\nports = [\"*/eth{switch}\"]\n");
    }
    toml += &format!(
        "[[receiver.webhook]]\nname = \"hook\"\nurl = \"{}\"\n[[route]]\nto = [\"hook\"]\nrules = [\"switch-down\"]\n",
        hook.url()
    );
    let path = rack.path(collector.station(), CONFIG)?;
    fs::create_dir_all(path.parent().context("no folder")?)?;
    Ok(fs::write(path, toml)?)
}

/// A collector that knows of nothing that was, with all agents.
fn begin_anew(rack: &Rack, collector: &mut Collector) -> Result<()> {
    collector.end()?;
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        // What is not there need not go.
        let _ = fs::remove_file(collector.state(rack, file)?);
    }
    collector.run(rack)?;
    collector.wait_for_agents(rack, NODES)?;
    // A port must have been seen with its link.
    thread::sleep(Duration::from_secs(3));
    Ok(())
}

fn cables(rack: &Rack, switch: usize) -> Result<Vec<Cable>> {
    rack.nodes().map(|node| rack.cable(node, switch)).collect()
}

/// All ports of a switch at the nodes go dark: how long it takes until a request comes, and what is in it.
pub(super) fn pull(rack: &Rack, hook: &Hook, switch: usize) -> Result<(f64, Value)> {
    let cables = cables(rack, switch)?;
    let before_count = hook.deliveries().len();
    let before = Instant::now();
    cables.iter().try_for_each(Cable::cut)?;
    wait_until("the message", PATIENCE, || {
        Ok((hook.deliveries().len() > before_count).then_some(()))
    })?;
    let deliveries = hook.deliveries();
    let first = deliveries.get(before_count).context("no message")?;
    let took_ms = first.arrived.duration_since(before).as_secs_f64() * 1_000.0;
    Ok((took_ms, first.body.clone()))
}
