//! `cargo xtask rack truth`: failures are asked about, then done to real clusters, and every node is compared.

use anyhow::{Result, bail};
use quorate_tests::truth;

use crate::{record, shell};

/// Asks what-if about failures, does them to real clusters, and compares
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, default_value_t = 300)]
    failures: usize,
    /// Draws the failures; random if it is not named
    #[arg(long)]
    seed: Option<u64>,
    /// Racks that stand at the same time; a core carries about eight nodes
    #[arg(long, default_value_t = 2)]
    racks: usize,
    /// Keep the result in docs/measured/truth.txt
    #[arg(long)]
    record: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    shell::run(&mut super::programs())?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let tally = truth::run(seed, args.failures, args.racks, &|line| println!("{line}"))?;
    println!("{tally}");
    if args.record {
        let command = format!(
            "cargo xtask rack truth --failures {} --seed {seed} --racks {}",
            args.failures, args.racks
        );
        let mut lines = vec![tally.to_string()];
        lines.extend(tally.disagreements.iter().cloned());
        record::keep("truth", &command, &lines.join("\n"))?;
    }
    if !tally.disagreements.is_empty() {
        bail!(
            "{} failures were foretold wrongly",
            tally.disagreements.len()
        );
    }
    Ok(())
}
