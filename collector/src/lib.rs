//! `quorate-collector`: holds the reports of all nodes of its clusters against each other.

pub mod addresses;
mod answer;
mod command;
mod config;
pub mod enrol;
mod failures;
pub mod fleet;
pub mod gate;
pub mod identity;
pub mod keeper;
pub mod keepers;
pub mod ledger;
pub mod peer;
pub mod query;
pub mod refusal;
pub mod renew;
pub mod role;
pub mod routes;
mod screen;
pub mod serve;
pub mod tls;
mod watch;

use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use answer::{NO_ANSWER, USAGE, chain, complain};
use command::{check_config, init, node, operator, run, token};

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
    CheckConfig(check_config::Args),
}

