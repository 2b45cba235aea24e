//! `cargo xtask`: the project's own commands. `cargo xtask test` is the test command.

mod oracle;
mod shell;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Oracle(oracle::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Oracle(args) => oracle::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
