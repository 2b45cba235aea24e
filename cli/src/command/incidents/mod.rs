//! `quorate incidents`: what is wrong, one line a cause.

mod json;
mod table;

use std::process::ExitCode;

use crate::client::{Client, NoAnswer, Whom};
use crate::{answer, show};

/// Shows what is wrong, each cause once, with what it rests on and what to do
///
/// It judges nothing: the exit code says only whether the collector answered.
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
    /// Those that are over too, and those that another one hides
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    whom: Whom,
    /// Print one JSON object; it always holds all that were asked for
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    answer::give(ask(args), args.json)
}

fn ask(args: &Args) -> Result<String, NoAnswer> {
    let cluster = args.cluster.as_deref().filter(|name| !name.is_empty());
    let answered = Client::new(&args.whom)?.status(cluster, args.all)?;
    Ok(if args.json {
        json::of_incidents(&answered)
    } else {
        table::of_incidents(&answered, args.all, show::width())
    })
}
