//! Writes the manual pages and the completions of all programs into a folder. Both are made from what the programs themselves say,
//! so that there is no second text to keep: `cargo run -p quorate-manual -- DIR`.

mod completions;
mod configuration;
mod page;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Command, Parser};

/// Writes manual pages and completions
#[derive(Debug, Parser)]
struct Args {
    /// Gets `man` and a folder for each shell
    dir: PathBuf,
}

/// A program, and the section of the manual that it stands in.
struct Program {
    command: Command,
    section: &'static str,
    /// Other pages and folders that belong to it.
    files: &'static [(&'static str, &'static str)],
    see_also: &'static str,
}

fn programs() -> [Program; 3] {
    [
        Program {
            command: quorate::command(),
            section: "1",
            files: &[],
            see_also: "quorate-agent(8), quorate-collector(8)",
        },
        Program {
            command: quorate_agent::command(),
            section: "8",
            files: &[
                (
                    "/etc/quorate/agent.toml",
                    "the configuration, see quorate-agent.toml(5)",
                ),
                (
                    "/var/lib/quorate/agent",
                    "certificates, and what no collector has taken yet",
                ),
                (
                    "/run/quorate/agent.sock",
                    "where root's commands on this node reach the collector",
                ),
            ],
            see_also: "quorate(1), quorate-agent.toml(5), quorate-collector(8)",
        },
        Program {
            command: quorate_collector::command(),
            section: "8",
            files: &[
                (
                    "/etc/quorate/collector.toml",
                    "the configuration, see quorate-collector.toml(5)",
                ),
                (
                    "/var/lib/quorate/collector",
                    "the CA and the ledger: keep it, and its copies, secret",
                ),
            ],
            see_also: "quorate(1), quorate-collector.toml(5), quorate-agent(8)",
        },
    ]
}

fn main() -> Result<()> {
    let args = Args::parse();
    for program in programs() {
        page::write_all(&program, &args.dir.join("man"))?;
        completions::write(&program.command, &args.dir)?;
    }
    configuration::write_all(&args.dir.join("man"))
}
