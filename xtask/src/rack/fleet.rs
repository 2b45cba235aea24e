//! What many agents cost a collector: its memory with none and with all of them, and how long it takes until it has heard
//! all of them again after it was killed. The agents are simulated; they share the machine with the collector.
//!
//! It takes the programs that were built beside this one: `cargo build --workspace` first.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use quorate_tests::{Collector, PATIENCE, Program, Rack, fleet_binary};

use crate::record;

/// Each of them enrols, which costs the collector a signature and a transaction.
pub(super) const ENROLMENT: Duration = Duration::from_secs(900);
/// What follows a start is not idle.
pub(super) const SETTLE: Duration = Duration::from_secs(10);

/// Measures one collector with many simulated agents
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many
    #[arg(long, default_value_t = 2_000)]
    agents: u32,
    /// Keeps the result in docs/measured
    #[arg(long)]
    record: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut rack = Rack::new(1, 1)?;
    let mut collector = Collector::start(&mut rack, 1)?;
    thread::sleep(SETTLE);
    let alone = memory(collector.program()?.pid())?;

    let agents = args.agents;
    let fleet = start(&rack, &collector, agents)?;
    let enrolled = seconds_until(&fleet, "enrolled", ENROLMENT)?;
    let first = seconds_until(&fleet, "all_answered", PATIENCE)?;
    thread::sleep(SETTLE);
    let with_all = memory(collector.program()?.pid())?;

    let killed = Instant::now();
    collector.kill()?;
    collector.run(&rack)?;
    let listens = killed.elapsed().as_secs_f64();
    fleet
        .stdout
        .expect("all welcomed", PATIENCE, |line| is(line, "all_welcomed"))?;
    let welcomed = killed.elapsed().as_secs_f64();
    fleet
        .stdout
        .expect("all answered", PATIENCE, |line| is(line, "all_answered"))?;
    let answered = killed.elapsed().as_secs_f64();
    thread::sleep(SETTLE);
    let after = memory(collector.program()?.pid())?;
    fleet.signal(Signal::SIGTERM)?;

    let per_agent = |now: &Memory| (now.pss_kib - alone.pss_kib) / f64::from(args.agents);
    let result = [
        format!("{agents} simulated agents and the collector on one machine"),
        format!("enrolled in {enrolled:.1} s; all streams open, reports taken and heartbeats answered {first:.1} s later"),
        format!("collector killed with SIGKILL and started: listens after {listens:.1} s, has welcomed all after {welcomed:.1} s, \
             has taken their reports and answered all after {answered:.1} s"),
        format!("collector without agents: {alone}"),
        format!("with {agents}: {with_all}: {:.1} KiB PSS per agent", per_agent(&with_all)),
        format!("after the restart: {after}: {:.1} KiB PSS per agent", per_agent(&after)),
    ]
    .join("\n");
    println!("{result}");
    if args.record {
        let command = format!("cargo xtask rack fleet --agents {agents}");
        record::keep("fleet", &command, &result)?;
    }
    Ok(())
}

/// So many of them, beside the collector.
pub(super) fn start(rack: &Rack, collector: &Collector, agents: u32) -> Result<Program> {
    let agents = agents.to_string();
    let invitation = collector.token(rack, &["--uses", &agents])?;
    let binary = fleet_binary()?;
    let (enrolment, token) = (&invitation.enrolment, &invitation.token);
    let words = [
        "--agents",
        &agents,
        "--enrolment",
        enrolment,
        "--token",
        token,
    ];
    rack.start(collector.station(), &binary.to_string_lossy(), &words)
}

fn is(line: &quorate_tests::Line, event: &str) -> bool {
    line.json()
        .is_some_and(|json| json.get("event").is_some_and(|said| said == event))
}

/// As the fleet itself measured it.
pub(super) fn seconds_until(fleet: &Program, event: &str, limit: Duration) -> Result<f64> {
    let line = fleet
        .stdout
        .expect(event, limit, |line| is(line, event))
        .with_context(|| format!("standard error: {}", fleet.stderr.rest()))?;
    let json = line.json().context("not JSON")?;
    let seconds = json.get("seconds").and_then(serde_json::Value::as_f64);
    seconds.with_context(|| format!("no seconds in {json}"))
}

struct Memory {
    pss_kib: f64,
    rss_kib: f64,
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (pss, rss) = (self.pss_kib / 1024.0, self.rss_kib / 1024.0);
        write!(f, "PSS {pss:.1} MiB, RSS {rss:.1} MiB")
    }
}

fn memory(pid: Pid) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let kib = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("{path} has no {key}"))
    };
    Ok(Memory {
        pss_kib: kib("Pss:")?,
        rss_kib: kib("Rss:")?,
    })
}
