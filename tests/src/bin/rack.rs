//! Builds a rack and keeps it until its standard input ends: `rack NODES LINKS`. To look around in a cluster, and for
//! the test that kills whoever holds one.
#![allow(clippy::print_stdout, reason = "it talks to a developer at a terminal")]

use std::io::Read as _;

use anyhow::{Context as _, Result};
use quorate_tests::Rack;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut number = |of: &str| {
        let word = args.next().context("usage: rack NODES LINKS")?;
        word.parse::<usize>()
            .with_context(|| format!("{word} is no number of {of}"))
    };
    let (nodes, links) = (number("nodes")?, number("links")?);
    let rack = Rack::new(nodes, links)?;
    println!("fabric {}", rack.fabric());
    for node in rack.nodes() {
        println!("{node} {}", rack.init(node)?);
    }
    println!("enter a node with: nsenter --target NUMBER --mount --uts --ipc --net --pid");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
