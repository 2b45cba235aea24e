//! How long `quorate check` takes: as a whole process beside the collector, and as a call on an open connection, while eight
//! agents of a real cluster and many simulated ones are connected. All of it shares this machine.
//!
//! It takes the programs that were built beside this one. As they are shipped, but for the linking:
//! `cargo build --profile bench --workspace --bins && target/release/xtask rack check`.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use quorate_tests::truth::Stage;
use quorate_tests::{PATIENCE, Plan};

use super::fleet::{ENROLMENT, SETTLE, seconds_until, start};
use crate::record;

const NODES: usize = 8;
const NODE: &str = "pve-03";
const PROCESS_LIMIT_MS: f64 = 20.0;
const CALL_LIMIT_MS: f64 = 5.0;

/// Times `quorate check` with eight agents and many simulated ones
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Simulated agents
    #[arg(long, default_value_t = 2_000)]
    agents: u32,
    /// How often the process is run
    #[arg(long, default_value_t = 200)]
    runs: usize,
    /// How often it is called on one connection
    #[arg(long, default_value_t = 5_000)]
    calls: usize,
    /// Keeps the result in docs/measured
    #[arg(long)]
    record: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let stage = Stage::declared(Plan::new(NODES, 2).playing_boot())?;
    let (rack, collector) = (&stage.rack, &stage.collector);
    let cluster = collector.cluster(rack, false)?.cluster;
    let cluster = cluster.context("the collector knows no cluster")?.id;
    let fleet = start(rack, collector, args.agents)?;
    seconds_until(&fleet, "enrolled", ENROLMENT)?;
    seconds_until(&fleet, "all_answered", PATIENCE)?;
    thread::sleep(SETTLE);

    let asking = ["check", NODE, "--cluster", &cluster];
    let first = collector.asked(rack, &asking)?;
    let answer = String::from_utf8_lossy(&first.stdout);
    let answer = answer.lines().next().context("there is no answer")?;
    let mut processes = Vec::new();
    for _ in 0..args.runs {
        let begun = Instant::now();
        collector.asked(rack, &asking)?;
        processes.push(begun.elapsed());
    }
    let (process, call) = (
        Times::of(processes),
        Times::of(collector.check_times(rack, &cluster, NODE, args.calls)?),
    );
    let result = format!(
        "{NODES} agents of a real cluster and {} simulated ones, all on this machine; the answer: {answer}\n\
         `quorate check {NODE}` as a whole process, {} times: {process} (limit of the median {PROCESS_LIMIT_MS} ms)\n\
         Gate.Check on an open connection, {} times: {call} (limit of the 99th percentile {CALL_LIMIT_MS} ms)",
        args.agents, args.runs, args.calls
    );
    println!("{result}");
    if args.record {
        let command = format!(
            "cargo xtask rack check --agents {} --runs {} --calls {}",
            args.agents, args.runs, args.calls
        );
        record::keep("check", &command, &result)?;
    }
    ensure!(
        process.median <= PROCESS_LIMIT_MS,
        "the process is over its limit"
    );
    ensure!(call.of_99 <= CALL_LIMIT_MS, "the call is over its limit");
    Ok(())
}

/// In milliseconds.
struct Times {
    median: f64,
    of_99: f64,
    longest: f64,
}

impl Times {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |part: usize| {
            let place = took.len().saturating_sub(1) * part / 100;
            took.get(place)
                .map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
        };
        Self {
            median: at(50),
            of_99: at(99),
            longest: at(100),
        }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            median,
            of_99,
            longest,
        } = self;
        write!(
            f,
            "median {median:.1} ms, 99th percentile {of_99:.1} ms, longest {longest:.1} ms"
        )
    }
}
