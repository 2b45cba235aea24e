//! `quorate status`: the cluster at a glance: votes, what is wrong, links, bonds, nodes.

mod grid;
mod json;
mod links;
mod nodes;
mod receivers;
mod table;

use std::process::ExitCode;

use crate::client::{Client, NoAnswer, Whom};
use crate::{answer, show};

/// Width of what goes to a file or another program.
const NO_TERMINAL: usize = 80;

/// Shows a cluster at a glance: votes, open incidents, links between all nodes, bonds
///
/// It judges nothing: the exit code says only whether the collector answered. What was not read, or was read too long
/// ago, is printed as unknown. Chats at which no alert arrives are named. In the matrix of links a row says whom its node has connected, a letter for each other
/// node; its last line says what the letters mean.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate status
  quorate status --cluster pve --json | jq '.clusters[0].votes[0].may_be_lost'
  watch -n 5 quorate status

Exit codes:
   0  the collector answered
   3  no answer: no operator's file, no collector that answers, an unknown
      cluster
  64  wrong usage")]
pub(crate) struct Args {
    /// Only this cluster, by name or id
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    #[command(flatten)]
    whom: Whom,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    answer::give(ask(args), args.json)
}

fn ask(args: &Args) -> Result<String, NoAnswer> {
    let cluster = args.cluster.as_deref().filter(|name| !name.is_empty());
    let answered = Client::new(&args.whom)?.glance(cluster)?;
    Ok(if args.json {
        json::of_status(&answered)
    } else {
        table::of_status(&answered, show::width().unwrap_or(NO_TERMINAL))
    })
}
