//! What one agent, enrolled with a collector and connected, costs its node: memory, processor, context switches, bytes on
//! the wire, and what it costs corosync; beside it what people are used to, prometheus-node-exporter scraped every 15
//! seconds.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::unistd::Pid;
use quorate_tests::{PATIENCE, Rack, in_network_of};

use crate::rack::cost::Meter;
use crate::rack::uplink::Uplink;
use crate::{record, shell};

const NODES: usize = 8;
const LINKS: usize = 2;
const NODE: &str = "pve-01";
/// It has a node for itself: what it asks of the kernel there is not corosync's or the agent's.
const EXPORTER_NODE: &str = "pve-02";
const EXPORTER: &str = "prometheus-node-exporter";
const EXPORTER_ADDRESS: &str = "127.0.0.1:9100";
const SCRAPE_EVERY: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What follows a start is not idle.
const SETTLE: Duration = Duration::from_secs(10);

/// Measures one agent alone on a rack of 8 nodes and 2 links
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long it is measured; half of that before, for corosync without it
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Another binary than one of this tree, built as it is shipped
    #[arg(long, value_name = "PATH")]
    agent: Option<PathBuf>,
    /// Keeps the result in docs/measured
    #[arg(long)]
    record: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    shell::need(&[(EXPORTER, EXPORTER)])?;
    let binary = super::agent(args.agent.as_ref())?;
    let stripped_mb = stripped_mb(&binary)?;
    let mut rack = Rack::new(NODES, LINKS)?;
    let corosync = rack.corosync(NODE)?;

    thread::sleep(SETTLE);
    let alone = Meter::start(corosync)?;
    let begun = Instant::now();
    thread::sleep(Duration::from_secs(args.seconds / 2));
    let corosync_alone = alone.cpu_since_start()? / begun.elapsed().as_secs_f64();

    let uplink = Uplink::begin(&mut rack, LINKS, NODE, &binary)?;
    let agent = rack.start(NODE, &binary, &["run"])?;
    let ready = agent
        .stderr
        .expect("ready", PATIENCE, |line| line.text.contains("ready in"))?;
    let ready_ms = ready.arrived.duration_since(agent.started()).as_secs_f64() * 1000.0;
    let listen = format!("--web.listen-address={EXPORTER_ADDRESS}");
    let exporter = rack.start(EXPORTER_NODE, EXPORTER, &[&listen])?;
    uplink.wait(&rack, NODE)?;
    thread::sleep(SETTLE);

    let bytes = uplink.bytes(&rack)?;
    let beside = Meter::start(corosync)?;
    let mut own = Meter::start(agent.pid())?;
    let mut other = Meter::start(exporter.pid())?;
    let begun = Instant::now();
    let (mut scrapes, mut scraped_bytes) = (0_u64, 0);
    while begun.elapsed().as_secs() < args.seconds {
        if begun.elapsed() >= SCRAPE_EVERY * u32::try_from(scrapes)? {
            scraped_bytes += scrape(rack.init(EXPORTER_NODE)?)?;
            scrapes += 1;
        }
        own.look()?;
        other.look()?;
        thread::sleep(LOOK_EVERY);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = uplink.bytes(&rack)?.since(bytes, seconds);
    let corosync_beside = beside.cpu_since_start()? / seconds;

    let mut lines = vec![format!(
        "{NODES} nodes, {LINKS} links, one agent with a collector, {seconds:.0} s"
    )];
    lines.push(line("agent", &own, seconds)?);
    lines.push(bytes);
    lines.push(line(EXPORTER, &other, seconds)?);
    lines.push(format!(
        "scraped {scrapes} times, {:.1} kB each",
        scraped_bytes as f64 / scrapes.max(1) as f64 / 1000.0
    ));
    lines.push(format!(
        "corosync on that node: {:.3} % of a core without the agent ({} s), {:.3} % with it",
        corosync_alone * 100.0,
        args.seconds / 2,
        corosync_beside * 100.0
    ));
    lines.push(format!(
        "ready: {ready_ms:.1} ms from the start of nsenter to the line {:?}",
        ready.text
    ));
    lines.push(format!("binary: {stripped_mb:.2} MB stripped"));
    let result = lines.join("\n");
    println!("{result}");
    if args.record {
        let command = format!("cargo xtask rack footprint --seconds {}", args.seconds);
        record::keep("footprint", &command, &result)?;
    }
    Ok(())
}

fn line(who: &str, meter: &Meter, seconds: f64) -> Result<String> {
    Ok(format!(
        "{who}: PSS {:.2} MiB on average and {:.2} at most, {:.3} % of a core, {:.1} context switches a second, \
         at most {} processes",
        meter.mean_pss_mib(),
        meter.most_pss_mib(),
        meter.cpu_since_start()? / seconds * 100.0,
        meter.switches_since_start() as f64 / seconds,
        meter.most_processes()
    ))
}

/// The size of one answer.
fn scrape(init: Pid) -> Result<usize> {
    in_network_of(init, || {
        let mut stream = TcpStream::connect(EXPORTER_ADDRESS)
            .with_context(|| format!("{EXPORTER} does not listen"))?;
        write!(
            stream,
            "GET /metrics HTTP/1.0\r\nHost: {EXPORTER_ADDRESS}\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.len())
    })
}

fn stripped_mb(binary: &str) -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let stripped = dir.path().join("stripped");
    let mut strip = Command::new("strip");
    shell::output(
        strip
            .arg("--strip-all")
            .arg("-o")
            .arg(&stripped)
            .arg(binary),
    )?;
    Ok(std::fs::metadata(&stripped)?.len() as f64 / 1e6)
}
