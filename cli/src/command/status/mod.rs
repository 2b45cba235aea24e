//! `quorate status`: what the collector knows of its clusters and nodes, now.

mod json;
mod table;

use std::process::ExitCode;

use crate::client::{Client, NoAnswer, Whom};
use crate::{answer, show};

/// Shows the nodes as the collector sees them: who is heard, links, votes
///
/// It judges nothing: the exit code says only whether the collector answered. What was not read, or was read too long
/// ago, is printed as unknown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
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
    let answered = Client::new(&args.whom)?.status(cluster, false)?;
    Ok(if args.json {
        json::of_status(&answered)
    } else {
        table::of_status(&answered, show::width())
    })
}
