//! From the moment before the kernel is told that a cable is out to the moment the agent's line is read.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use quorate_tests::{Program, Rack};
use serde_json::Value;

use crate::record;

const NODES: usize = 3;
const LINKS: usize = 2;
const NODE: &str = "pve-03";
/// corosync keeps the other link.
const LINK: usize = 1;
const CARD: &str = "eth1";
/// So that one pull is over, also for corosync's one look a second, before the next begins; uneven, so that the pulls
/// do not march in step with a timer.
const PAUSE_MS: std::ops::Range<u64> = 150..450;
const SEED: u64 = 1;

/// Pulls a cable many times and times the line of `watch`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often the cable is pulled
    #[arg(long, default_value_t = 200)]
    pulls: usize,
    /// Another binary than one of this tree, built as it is shipped
    #[arg(long, value_name = "PATH")]
    agent: Option<PathBuf>,
    /// Keeps the result in docs/measured
    #[arg(long)]
    record: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let binary = super::agent(args.agent.as_ref())?;
    let rack = Rack::new(NODES, LINKS)?;
    let cable = rack.cable(NODE, LINK)?;
    let watch = rack.start(NODE, &binary, &["watch", "--json"])?;
    // What the watch tells first may come before it listens: the first pulls are not counted.
    let mut random = fastrand::Rng::with_seed(SEED);
    let (mut whole, mut own) = (Vec::new(), Vec::new());
    for pull in 0..args.pulls + 3 {
        thread::sleep(Duration::from_millis(random.u64(PAUSE_MS)));
        let before = Instant::now();
        cable.cut()?;
        let line = expect_carrier(&watch, false)
            .with_context(|| format!("pull {pull} of {}", args.pulls))?;
        let (arrived, told) = line;
        if pull >= 3 {
            whole.push(arrived.duration_since(before).as_secs_f64() * 1000.0);
            own.extend(told);
        }
        thread::sleep(Duration::from_millis(random.u64(PAUSE_MS)));
        cable.plug()?;
        expect_carrier(&watch, true)?;
    }
    let mut lines = vec![format!(
        "{NODES} nodes, {LINKS} links; cable out (before the kernel is told) to line read: {}",
        summary(&mut whole)?
    )];
    if !own.is_empty() {
        let own = summary(&mut own)?;
        lines.push(format!("after_ms as the agent itself tells it: {own}"));
    }
    let result = lines.join("\n");
    println!("{result}");
    if args.record {
        let command = format!("cargo xtask rack latency --pulls {}", args.pulls);
        record::keep("latency", &command, &result)?;
    }
    Ok(())
}

/// When the line came, and what it says of its own age.
fn expect_carrier(watch: &Program, there: bool) -> Result<(Instant, Option<f64>)> {
    let what = format!("carrier of {CARD} is {there}");
    let line = watch.expect_line(&what, |line| {
        line["family"] == "links" && line["subject"] == CARD && carrier(line) == Some(there)
    })?;
    let told = line.json().and_then(|json| json.get("after_ms")?.as_f64());
    Ok((line.arrived, told))
}

fn carrier(line: &Value) -> Option<bool> {
    let changes = line["changes"].as_array()?;
    let change = changes.iter().find(|change| {
        let path = change["path"].as_str().unwrap_or_default();
        path == "carrier" || path.ends_with(".carrier")
    });
    change?["after"].as_bool()
}

pub(super) fn summary(ms: &mut [f64]) -> Result<String> {
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (ms.len() as f64 * share).ceil() as usize;
        ms.get(place.saturating_sub(1)).copied()
    };
    let (median, p99, max) = (at(0.5), at(0.99), ms.last());
    let none = "there are no pulls to count";
    Ok(format!(
        "median {:.2} ms, 99th percentile {:.2} ms, at most {:.2} ms, of {} pulls",
        median.context(none)?,
        p99.context(none)?,
        max.context(none)?,
        ms.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_pulls_the_99th_is_the_percentile() {
        let mut ms: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let expected = "median 50.00 ms, 99th percentile 99.00 ms, at most 100.00 ms, of 100 pulls";
        assert_eq!(summary(&mut ms).unwrap(), expected);
        assert!(summary(&mut []).is_err());
    }
}
