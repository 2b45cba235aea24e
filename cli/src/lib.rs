//! `quorate`: what is wrong, what would happen if, and may I?

mod answer;
mod client;
mod command;
mod exit;
mod last;
mod outcome;
mod show;
mod until;
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

/// The table of commands, for the manual.
pub fn command() -> clap::Command {
    command::Cli::command()
}

/// The program.
pub fn main() -> ExitCode {
    exit::say_panics_in_a_line();
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let run = || match command::Cli::try_parse_from(&args) {
        Ok(cli) => cli.run(),
        Err(error) => exit::of_parsing(&error, args.len()),
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| exit::after_panic())
}
