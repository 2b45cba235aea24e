//! `quorate-agent`: reads what only its own node can see.

mod capture;
mod host;
mod snapshot;
mod source;
mod summary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Reads a Proxmox VE node: bonds, links, VLANs, corosync, journal. It only reads, and changes nothing.
#[derive(Debug, Parser)]
#[command(name = "quorate-agent", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Snapshot(snapshot::Args),
    Capture(capture::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Snapshot(args) => snapshot::run(&args),
        Command::Capture(args) => capture::run(&args),
    }
}
