//! `cargo xtask rack gate`: the gate is asked about nodes of a real cluster, and then they are really stopped.

use anyhow::{Result, bail};
use quorate_tests::gate;

use crate::{record, shell};

/// Asks the gate in random situations, then stops the node, and looks whether the others stay quorate
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, default_value_t = 60)]
    situations: usize,
    /// Draws the situations; random if it is not named
    #[arg(long)]
    seed: Option<u64>,
    /// Keep the result in docs/measured/gate.txt
    #[arg(long)]
    record: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    shell::run(&mut super::programs())?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let tally = gate::run(seed, args.situations, &|line| println!("{line}"))?;
    println!("{tally}");
    if args.record {
        let situations = args.situations;
        let command = format!("cargo xtask rack gate --situations {situations} --seed {seed}");
        let mut lines = vec![tally.to_string()];
        lines.extend(tally.wrong.iter().cloned());
        record::keep("gate", &command, &lines.join("\n"))?;
    }
    if !tally.wrong.is_empty() {
        bail!("{} GO were false", tally.wrong.len());
    }
    Ok(())
}
