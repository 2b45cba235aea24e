//! `cargo xtask lab packages`: the packages on a whole site, as an admin has them.
//!
//! The lab machine runs a container with a booted systemd for each node and one for the collector. The packages are installed in
//! them by dpkg, one node joins and the others follow by the timer, a port is pulled, a switch killed, the next version is put over
//! all of it, and everything is purged. The steps are in the scripts.

use std::fs;

use anyhow::{Context as _, ensure};

use super::{built, run_machine, script, strip, workspace};
use crate::{deb, record, shell};

/// Eight nodes that boot, install, fail, upgrade and purge on an emulated machine of two cores.
const DEADLINE_S: u32 = 3 * 3600;
/// What the machine leaves: what was seen, a line for each.
const SEEN: &str = "packages.txt";
const DEFAULT_NODES: u8 = 8;
/// Asks the collector which events it has, by spool and number.
const AUDITOR: &str = "fleet";
/// What the scripts are told, as lines of a shell.
const SETTINGS: &str = "settings";

/// Install the packages on a whole site, let it fail, upgrade it in the middle, and purge it
#[derive(Debug, clap::Args)]
pub(crate) struct Packages {
    /// Nodes of the cluster, the collector's machine not counted
    #[arg(long, value_name = "N", default_value_t = DEFAULT_NODES, value_parser = clap::value_parser!(u8).range(3..=8))]
    nodes: u8,
    /// Keep the result in docs/measured/lab-packages.txt
    #[arg(long)]
    record: bool,
}

pub(super) fn run(args: &Packages) -> anyhow::Result<()> {
    let inputs = tempfile::tempdir().context("a directory for the machine's inputs")?;
    let mut files = vec![script("packages-init.sh")];
    files.extend(["machine.sh", "packages-node.sh", "pve-root-ca.pem"].map(script));
    let [this, next] = deb::debug_and_next(&workspace().join("target/lab/deb"))?;
    files.extend(this.into_iter().chain(next));
    shell::build_programs()?;
    let auditor = inputs.path().join(AUDITOR);
    strip(&built(AUDITOR), &auditor)?;
    files.push(auditor);
    let settings = inputs.path().join(SETTINGS);
    let (this, next) = (env!("CARGO_PKG_VERSION"), deb::NEXT);
    let text = format!("nodes={}\nthis={this}\nnext={next}\n", args.nodes);
    fs::write(&settings, text).context("what the machine is told")?;
    files.push(settings);
    let results = workspace().join("target/lab");
    let status = run_machine(&results, DEADLINE_S, &files)?;
    ensure!(
        status == "0",
        "not all is as it should be with the packages: what is not is above, all that was seen is in {}",
        results.display()
    );
    if args.record {
        let seen = fs::read_to_string(results.join(SEEN)).context("what was seen")?;
        let command = if args.nodes == DEFAULT_NODES {
            "cargo xtask lab packages".to_owned()
        } else {
            format!("cargo xtask lab packages --nodes {}", args.nodes)
        };
        record::keep("lab-packages", &command, seen.trim_end())?;
    }
    Ok(())
}
