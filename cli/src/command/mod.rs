//! The commands: one file each.

mod accept;
mod ack;
mod action;
mod check;
mod check_local;
mod events;
mod explain;
mod guard;
mod incidents;
mod maintenance;
mod rank;
mod replay;
mod risks;
mod severity;
mod silence;
mod simulate;
mod status;
mod what_if;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What is wrong, what would happen if, and may I? For Proxmox VE clusters.
#[derive(Debug, Parser)]
#[command(
    name = "quorate",
    version,
    propagate_version = true,
    after_help = "\
Exit codes: 0 answered, 3 no answer could be given (help of a command included), 64 wrong usage."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Maintenance(maintenance::Args),
    Guard(guard::Args),
    Accept(accept::Args),
    Silence(silence::Args),
    Ack(ack::Args),
    Replay(replay::Args),
    Status(status::Args),
    Incidents(incidents::Args),
    Events(events::Args),
    Risks(risks::Args),
    WhatIf(what_if::Args),
    Explain(explain::Args),
    Simulate(simulate::Args),
}

impl Cli {
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::Check(args) => check::run(&args),
            Command::Maintenance(args) => maintenance::run(&args),
            Command::Guard(args) => guard::run(&args),
            Command::Accept(args) => accept::run(&args),
            Command::Silence(args) => silence::run(&args),
            Command::Ack(args) => ack::run(&args),
            Command::Replay(args) => replay::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Incidents(args) => incidents::run(&args),
            Command::Events(args) => events::run(&args),
            Command::Risks(args) => risks::run(&args),
            Command::WhatIf(args) => what_if::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Simulate(args) => simulate::run(&args),
        }
    }
}
