//! `cargo xtask lab units`: agent and collector below the real systemd, by the units that are shipped.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use super::{built, run_machine, script, strip, workspace};
use crate::shell;

/// It boots, makes a cluster, and starts the agent five times.
const DEADLINE_S: u32 = 1800;
const PROGRAMS: [&str; 2] = ["quorate-agent", "quorate-collector"];
const FILES: [&str; 6] = [
    "systemd/quorate-agent.service",
    "systemd/quorate-agent-pve.service",
    "packaging/pve-dropin.sh",
    "systemd/quorate-collector.service",
    "systemd/quorate.sysusers",
    "systemd/quorate.tmpfiles",
];

/// The cases are in the script; each says what it saw.
pub(super) fn run() -> anyhow::Result<()> {
    shell::build_programs()?;
    let work = tempfile::tempdir().context("a directory for the machine's files")?;
    let scripts = ["units-init.sh", "machine.sh", "captures-node.sh"];
    let mut files: Vec<PathBuf> = scripts.map(script).into();
    for program in PROGRAMS {
        let stripped = work.path().join(program);
        strip(&built(program), &stripped)?;
        files.push(stripped);
    }
    files.extend(FILES.map(|file| workspace().join(file)));
    let results = workspace().join("target/lab");
    let status = run_machine(&results, DEADLINE_S, &files)?;
    ensure!(
        status == "0",
        "not all is as it should be below the units: what is not is above, the reports are in {}",
        results.display()
    );
    Ok(())
}
