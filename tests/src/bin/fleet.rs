//! Simulated agents for a collector that runs somewhere: `fleet --help`.

use anyhow::Result;
use clap::Parser as _;
use quorate_tests::fleet::{self, Options};

fn main() -> Result<()> {
    fleet::run(&Options::parse())
}
