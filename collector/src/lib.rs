//! `quorate-collector`: holds the reports of all nodes of its clusters against each other.

mod accepted;
pub mod addresses;
pub mod alerts;
mod answer;
mod attempts;
pub mod authority;
pub mod backup;
mod ceph;
mod command;
mod config;
pub mod declared;
pub mod departures;
pub mod enrol;
pub mod fleet;
pub mod fleetlock;
mod foresight;
pub mod gate;
mod glance;
mod health;
mod history;
mod http;
pub mod identity;
mod incidents;
pub mod keeper;
pub mod keepers;
mod lease;
pub mod ledger;
mod log;
mod machine;
mod notify;
mod owner;
pub mod peer;
mod plain_door;
pub mod query;
pub mod refusal;
pub mod registrar;
pub mod renew;
pub mod role;
pub mod roster;
pub mod routes;
mod screen;
pub mod serve;
mod silence;
mod supervised;
mod tally;
pub mod tls;
mod verdict;
pub mod verdicts;
mod watch;

use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use answer::{NO_ANSWER, USAGE, chain, complain};
use command::{alert_test, check_config, init, node, operator, run, token};

/// Collects what the agents of Proxmox VE nodes report, and answers for their clusters.
#[derive(Debug, Parser)]
#[command(name = "quorate-collector", version, after_help = answer::EXIT_CODES)]
#[command(disable_help_subcommand = true, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Init(init::Args),
    /// Invitations for nodes
    #[command(subcommand)]
    Token(token::Command),
    /// Certificates of people, and of programs that look
    #[command(subcommand)]
    Operator(operator::Command),
    /// The nodes that are enrolled
    #[command(subcommand)]
    Node(node::Command),
    Backup(command::backup::Backup),
    Restore(command::backup::Restore),
    /// Replaces the CA while nodes stay enrolled: rotate, switch, retire
    #[command(subcommand)]
    Ca(command::ca::Command),
    CheckConfig(check_config::Args),
    AlertTest(alert_test::Args),
}

/// The table of commands, for the manual.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = catch_unwind(|| match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Init(args) => init::run(args),
        Command::Token(command) => token::run(command),
        Command::Operator(command) => operator::run(command),
        Command::Node(command) => node::run(command),
        Command::Backup(args) => command::backup::backup(args),
        Command::Restore(args) => command::backup::restore(args),
        Command::Ca(command) => command::ca::run(command),
        Command::CheckConfig(args) => check_config::run(args),
        Command::AlertTest(args) => alert_test::run(args),
    });
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(chain(error.as_ref()));
            ExitCode::from(NO_ANSWER)
        }
        Err(_) => {
            complain("quorate-collector broke off; this is a bug in it, please report it");
            ExitCode::from(NO_ANSWER)
        }
    }
}

/// `--help` and `--version` alone are answers. With a subcommand, help is not what was asked for: a script must not
/// take it for something done.
fn usage(error: &clap::Error) -> ExitCode {
    // Where help cannot be printed there is nobody to tell.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if std::env::args_os().count() == 2 => {
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::from(NO_ANSWER),
        _ => ExitCode::from(USAGE),
    }
}
