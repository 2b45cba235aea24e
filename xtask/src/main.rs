//! `cargo xtask`: the project's own commands. `cargo xtask test` is the test command.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to a developer at a terminal"
)]

mod bench;
mod deb;
mod demo;
mod deny;
mod docs;
mod fuzz;
mod generate;
mod lab;
mod oracle;
mod rack;
mod record;
mod release;
mod shell;
mod shipped;
mod test;
mod tidy;

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
    Test(test::Args),
    Gen(generate::Args),
    Oracle(oracle::Args),
    Fuzz(fuzz::Args),
    Bench(bench::Args),
    Lab(lab::Args),
    Rack(rack::Args),
    Deb(deb::Args),
    Demo(demo::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Gen(args) => generate::run(&args),
        Command::Oracle(args) => oracle::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Rack(args) => rack::run(&args),
        Command::Deb(args) => deb::run(&args),
        Command::Demo(args) => demo::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
