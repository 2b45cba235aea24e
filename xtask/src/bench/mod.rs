//! `cargo xtask bench`: how long what a person waits for takes, process start included.

mod tree;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::rack::compare::PROGRAMS;
use crate::{record, shell, shipped};

/// Times the commands that people wait for, built as they are shipped
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keeps the result in docs/measured
    #[arg(long)]
    record: bool,
    /// How often each command is run
    #[arg(long, default_value_t = 50)]
    runs: u32,
}

/// What is timed, and what it may take.
struct Subject {
    what: &'static str,
    command: Vec<String>,
    limit_ms: f64,
    limit_mb: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    shell::need(&[("hyperfine", "hyperfine"), ("/usr/bin/time", "time")])?;
    let mut build = Command::new("cargo");
    shell::run(build.args(["build", "--release", "--locked", "--quiet", "-p", "quorate"]))?;
    let agent = shipped::agent()?;
    let dir = tempfile::tempdir().context("a directory for the inputs")?;
    let mut lines = Vec::new();
    let mut slow = Vec::new();
    for subject in subjects(dir.path(), &agent)? {
        let ms = mean_ms(&subject.command, args.runs, dir.path())?;
        let mb = peak_mb(&subject.command)?;
        let line = format!(
            "{}: {ms:.1} ms (limit {} ms), {mb} MB at most (limit {} MB)",
            subject.what, subject.limit_ms, subject.limit_mb
        );
        println!("{line}");
        if ms > subject.limit_ms || mb > subject.limit_mb {
            slow.push(subject.what);
        }
        lines.push(line);
    }
    for (package, bench) in [("quorate-model", "brain"), ("quorate-tests", "clusters")] {
        let said = figures(package, bench)?;
        println!("{said}");
        lines.push(said);
    }
    compare(args.record)?;
    if args.record {
        let command = format!("cargo xtask bench --runs {}", args.runs);
        record::keep("bench", &command, &lines.join("\n"))?;
    }
    ensure!(slow.is_empty(), "over its limit: {}", slow.join(", "));
    Ok(())
}

/// The comparison with what people use now, where that is installed: a rack needs root.
fn compare(record: bool) -> Result<()> {
    let missing = PROGRAMS.iter().find(|(program, _)| !shell::have(program));
    if let Some((_, package)) = missing {
        println!("not compared with Prometheus and Alertmanager: {package} is not installed");
        return Ok(());
    }
    if !shell::is_root() {
        println!("not compared with Prometheus and Alertmanager: a rack needs root");
        return Ok(());
    }
    let mut build = Command::new("cargo");
    let build = build.args(["build", "--profile", "bench", "--locked", "--quiet"]);
    shell::run(build.args(["--workspace", "--bins"]))?;
    let mut rack = Command::new("target/release/xtask");
    rack.args(["rack", "compare"]);
    shell::run(rack.args(record.then_some("--record")))
}

/// What a benchmark of ours says; it fails if a figure is over its limit.
fn figures(package: &str, bench: &str) -> Result<String> {
    let mut run = Command::new("cargo");
    run.args(["bench", "--locked", "--quiet", "-p", package]);
    let said = shell::output(run.args(["--features", "testing", "--bench", bench]))?;
    Ok(said.trim_end().to_owned())
}

fn subjects(dir: &Path, agent: &Path) -> Result<Vec<Subject>> {
    let node = dir.join("node");
    tree::write(&node)?;
    let conf = dir.join("corosync.conf");
    std::fs::write(&conf, corosync_conf_of(32))?;
    let words = |command: &[&str]| command.iter().map(|word| (*word).to_owned()).collect();
    let (node, conf) = (node.display().to_string(), conf.display().to_string());
    let agent = &agent.to_string_lossy();
    let quorate = "target/release/quorate";
    Ok(vec![
        Subject {
            what: "snapshot of 4 bonds, 40 links, 4094 VLANs and 5,000 journal lines",
            command: words(&[agent, "snapshot", "--root", &node, "--json"]),
            limit_ms: 30.0,
            limit_mb: 20,
        },
        Subject {
            what: "simulate of 32 nodes: one lost, a split, a join",
            command: words(&[
                quorate,
                "simulate",
                "--config",
                &conf,
                "--down",
                "1",
                "--split",
                "2,3,4,5,6,7,8,9,10,11,12,13,14,15,16/17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32",
                "--join",
                "--json",
            ]),
            limit_ms: 10.0,
            limit_mb: 20,
        },
    ])
}

fn mean_ms(command: &[String], runs: u32, dir: &Path) -> Result<f64> {
    let export = dir.join("hyperfine.json");
    let mut hyperfine = Command::new("hyperfine");
    hyperfine.args(["--shell=none", "--style=none", "--warmup", "5", "--runs"]);
    hyperfine
        .arg(runs.to_string())
        .arg("--export-json")
        .arg(&export)
        .arg(command.join(" "));
    shell::output(&mut hyperfine)?;
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&export)?)?;
    let mean = json
        .pointer("/results/0/mean")
        .and_then(serde_json::Value::as_f64);
    Ok(mean.context("hyperfine told no mean")? * 1000.0)
}

fn peak_mb(command: &[String]) -> Result<u64> {
    let output = Command::new("/usr/bin/time")
        .arg("-f")
        .arg("%M")
        .args(command)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let kilobytes: u64 = said.trim().lines().last().unwrap_or_default().parse()?;
    Ok(kilobytes.div_ceil(1024))
}

fn corosync_conf_of(nodes: u32) -> String {
    let node = |id: u32| {
        format!(
            "  node {{\n    name: pve-{id:02}\n    nodeid: {id}\n    ring0_addr: 10.0.0.{id}\n  }}\n"
        )
    };
    let nodes: String = (1..=nodes).map(node).collect();
    format!(
        "totem {{\n  version: 2\n  cluster_name: bench\n}}\nnodelist {{\n{nodes}}}\n\
         quorum {{\n  provider: corosync_votequorum\n  wait_for_all: 1\n}}\n"
    )
}
