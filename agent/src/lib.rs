//! `quorate-agent`: reads what only its own node can see.

mod answer;
mod capture;
mod config;
mod corosync;
mod cost;
mod guard_reboot;
mod host;
mod identity;
mod join;
mod journal;
mod leave;
mod logind;
mod netlink;
mod privilege;
mod probe;
mod run;
mod secret;
mod snapshot;
mod source;

pub mod spool;
mod summary;
pub mod uplink;
mod watch;

use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use answer::{NO_ANSWER, USAGE, complain};

/// Reads a Proxmox VE node: bonds, links, VLANs, corosync, journal. It changes nothing there; `join` and `leave` write
/// only what is its own.
#[derive(Debug, Parser)]
#[command(name = "quorate-agent", version, after_help = answer::EXIT_CODES)]
#[command(disable_help_subcommand = true, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Join(join::Args),
    Leave(leave::Args),
    Watch(watch::Args),
    Snapshot(snapshot::Args),
    Capture(capture::Args),
    GuardReboot(guard_reboot::Args),
}

/// The table of commands, for the manual.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The program.
pub fn main() -> ExitCode {
    // A panic is said in the report of the source, or below: never in the middle of the output.
    std::panic::set_hook(Box::new(|_| {}));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = catch_unwind(|| match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Join(args) => join::run(&args),
        Command::Leave(args) => leave::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Snapshot(args) => snapshot::run(&args),
        Command::Capture(args) => capture::run(&args),
        Command::GuardReboot(args) => guard_reboot::run(&args),
    });
    done.unwrap_or_else(|_| {
        complain("quorate-agent broke off; this is a bug in it, please report it");
        ExitCode::from(NO_ANSWER)
    })
}

/// `--help` and `--version` alone are answers. With a subcommand, help is not what was asked for: a script must not
/// take it for a report.
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
