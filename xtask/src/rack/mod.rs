//! `cargo xtask rack`: what an agent is worth and what it costs, on a rack of real corosyncs. Root only. These are
//! measures, not tests: nothing here fails for being slow.

mod alert;
mod check;
pub(crate) mod compare;
mod cost;
mod fleet;
mod footprint;
mod gate;
mod latency;
mod truth;
mod uplink;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{shell, shipped};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    Latency(latency::Args),
    Footprint(footprint::Args),
    Fleet(fleet::Args),
    Truth(truth::Args),
    Gate(gate::Args),
    Check(check::Args),
    Alert(alert::Args),
    Compare(compare::Args),
}

pub(crate) fn run(args: &Args) -> Result<()> {
    shell::need(&[
        ("corosync", "corosync"),
        ("ip", "iproute2"),
        ("nsenter", "util-linux"),
    ])?;
    match &args.task {
        Task::Latency(args) => latency::run(args),
        Task::Footprint(args) => footprint::run(args),
        Task::Fleet(args) => fleet::run(args),
        Task::Truth(args) => truth::run(args),
        Task::Gate(args) => gate::run(args),
        Task::Check(args) => check::run(args),
        Task::Alert(args) => alert::run(args),
        Task::Compare(args) => compare::run(args),
    }
}

/// Builds what is put into a rack.
fn programs() -> Command {
    let mut build = Command::new("cargo");
    build.arg("build");
    for package in ["quorate-agent", "quorate-collector", "quorate"] {
        build.args(["-p", package]);
    }
    build
}

/// The named agent, or else one built as it is shipped.
fn agent(named: Option<&PathBuf>) -> Result<String> {
    let path = named.cloned().map_or_else(shipped::agent, Ok)?;
    let path = path
        .canonicalize()
        .with_context(|| format!("there is no {}", path.display()))?;
    Ok(path.to_string_lossy().into_owned())
}
