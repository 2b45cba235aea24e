//! `cargo xtask lab stories`: failures that need real bonds and VLANs, and what a collector tells of them.
//!
//! The lab machine runs a whole site: a cluster of three with an agent on each node, a switch, a collector. Each failure is
//! one incident that stands by itself, and nothing else is told beside it. The stories are in the scripts.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use super::{built, run_machine, script, strip, workspace};
use crate::{record, shell};

/// An emulated machine needs about a quarter of an hour on two idle cores.
const DEADLINE_S: u32 = 2400;
/// What the machine leaves: each failure, and below it what was told of it.
const TOLD: &str = "stories.txt";
/// Each is the program of the package of its name.
const PROGRAMS: [&str; 3] = ["quorate-agent", "quorate-collector", "quorate"];

/// Play failures on a cluster with real bonds, VLANs and corosyncs, and look whether each is told as one incident
#[derive(Debug, clap::Args)]
pub(crate) struct Stories {
    /// Other binaries than a debug build of this tree: a directory with all three
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Where the incidents of stories that were told otherwise go [default: target/lab]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Keep the result in docs/measured/lab-stories.txt
    #[arg(long)]
    record: bool,
}

pub(crate) fn run(args: &Stories) -> anyhow::Result<()> {
    let binary = |name: &str| match &args.binaries {
        Some(dir) => dir.join(name),
        None => built(name),
    };
    if args.binaries.is_none() {
        shell::build_programs()?;
    }
    let inputs = tempfile::tempdir().context("a directory for the machine's inputs")?;
    let scripts = [
        "stories-init.sh",
        "machine.sh",
        "captures-node.sh",
        "stories-node.sh",
    ];
    let mut files: Vec<PathBuf> = scripts.map(script).into();
    for name in PROGRAMS {
        let program = inputs.path().join(name);
        strip(&binary(name), &program)?;
        files.push(program);
    }
    let default = workspace().join("target/lab");
    let out = args.out.as_deref().unwrap_or(&default);
    let status = run_machine(out, DEADLINE_S, &files)?;
    ensure!(
        status == "0",
        "not every failure was told as one incident: what was told is above, all incidents are in {}",
        out.display()
    );
    if args.record {
        let told = fs::read_to_string(out.join(TOLD)).context("what was told")?;
        record::keep("lab-stories", "cargo xtask lab stories", told.trim_end())?;
    }
    Ok(())
}
