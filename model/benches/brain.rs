//! How long the brain thinks: a change and all rules after it, and every failure played. Each figure is the median of many
//! runs, and one over its limit fails. `cargo xtask bench` runs it and keeps the result.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to a developer"
)]
#![allow(clippy::unwrap_used, reason = "the world it looks at is its own")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use model::cluster::Seen;
use model::cluster::testing::{World, iface, name, value};
use model::incident::{Incidents, Watch};
use model::name::NodeName;
use model::report::NodeReport;
use model::risks::{self, Depth};
use model::rule;
use model::topology::Site;
use model::whatif::WhatIf;

const REFORMING_WARNING_MS: u32 = 25_000;

fn main() -> ExitCode {
    let figures = [
        rules(8, Duration::from_micros(100)),
        rules(32, Duration::from_millis(1)),
        failures(Depth::Singles, 300, Duration::from_millis(2)),
        failures(Depth::Pairs, 20, Duration::from_millis(200)),
    ];
    let mut code = ExitCode::SUCCESS;
    for figure in &figures {
        println!("{figure}");
        if figure.took > figure.limit {
            eprintln!("over its limit: {}", figure.what);
            code = ExitCode::FAILURE;
        }
    }
    code
}

struct Figure {
    what: String,
    took: Duration,
    limit: Duration,
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let (took, limit) = (us(self.took), us(self.limit));
        write!(f, "{}: {took:.0} µs (limit {limit:.0} µs)", self.what)
    }
}

/// Of what `run` says it took.
fn median(runs: usize, mut run: impl FnMut(usize) -> Duration) -> Duration {
    let mut took: Vec<Duration> = (0..runs).map(&mut run).collect();
    took.sort_unstable();
    took[runs / 2]
}

/// A port of one node goes down and comes up, and each time every rule looks and incidents are told of it.
fn rules(nodes: u32, limit: Duration) -> Figure {
    let mut world = World::of(nodes);
    let node = name("pve-03");
    let up = seen(&world, &node);
    world.edit("pve-03", |report: &mut NodeReport| {
        value(&mut report.links)[2].carrier = Some(false);
    });
    let states = [up, seen(&world, &node)];
    let (mut watch, incidents) = (Watch::default(), Incidents::default());
    let took = median(2_000, |run| {
        world.now.mono_ms += 100;
        world.now.unix_ms += 100;
        // All speak all the while: who is not heard costs nothing.
        for node in world.cluster.nodes.values_mut() {
            node.seen.heard_at_ms = Some(world.now.mono_ms);
        }
        let mut seen = states[run % 2].clone();
        seen.heard_at_ms = Some(world.now.mono_ms);
        let begun = Instant::now();
        world.cluster.apply(&node, seen, world.now);
        let scene = world.scene();
        let found = rule::findings(&scene);
        let steps = watch.look(&incidents, &found, &scene);
        let took = begun.elapsed();
        drop(steps);
        took
    });
    Figure {
        what: format!("one change and all rules, {nodes} nodes"),
        took,
        limit,
    }
}

fn seen(world: &World, node: &NodeName) -> Seen {
    world.cluster.nodes[node].seen.clone()
}

/// 32 nodes with four ports each: two switches that are one MLAG pair, and two that are declared.
fn failures(depth: Depth, runs: usize, limit: Duration) -> Figure {
    let mut world = World::of(32);
    world.edit_all(|_, report| {
        let links = value(&mut report.links);
        let mut fourth = links[2].clone();
        fourth.name = iface("eno4");
        fourth.addresses = Some(Vec::new());
        links.push(fourth);
        value(&mut report.lldp).retain(|seen| seen.interface != Some(iface("eno3")));
    });
    let site: Site = serde_json::from_str(
        r#"{"switch": [{"name": "sw-c", "ports": ["*/eno3"]}, {"name": "sw-d", "ports": ["*/eno4"]}]}"#,
    )
    .unwrap();
    let mut played = 0;
    let took = median(runs, |_| {
        let begun = Instant::now();
        let what_if = WhatIf::new(&world.cluster, world.now, &site, REFORMING_WARNING_MS);
        let risks = risks::risks(&mut what_if.unwrap(), depth);
        let took = begun.elapsed();
        played = risks.singles_played + risks.pairs_played;
        took
    });
    let what = match depth {
        Depth::Singles => "single failures",
        Depth::Pairs => "single failures and pairs",
    };
    Figure {
        what: format!("{played} {what} of 32 nodes, 4 switches and 128 ports"),
        took,
        limit,
    }
}
