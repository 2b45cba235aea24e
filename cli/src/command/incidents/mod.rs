//! `quorate incidents`: what is wrong, one line a cause; with a number, one of them opened up.

mod json;
mod table;

use std::process::ExitCode;

use proto::v1;

use crate::client::{Answered, Client, NoAnswer, Whom};
use crate::{answer, show};

/// Shows what is wrong, each cause once, with what it rests on and what to do
///
/// With a NUMBER that incident is opened up: its effects, its evidence with the age of each, what to do, the way back,
/// and what happened to it. It judges nothing: the exit code says only whether there is an answer. Times are in the time
/// zone of this terminal, in the JSON in UTC.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate incidents
  quorate incidents 7
  quorate incidents --all --json | jq '.clusters[].incidents[].sentence'

Exit codes:
   0  the collector answered
   3  no answer: no operator's file, no collector that answers, an unknown
      cluster, no incident of this number
  64  wrong usage")]
pub(crate) struct Args {
    /// Only this one, open or over, and all that is known of it
    #[arg(value_name = "NUMBER", value_parser = number)]
    number: Option<u64>,
    /// Only this cluster, by name or id
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Those that are over too, and those that another one hides
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    whom: Whom,
    /// Print one JSON object; it always holds all that were asked for, and of a NUMBER its effects too
    #[arg(long)]
    json: bool,
}

/// As it is printed, or without the sign.
pub(super) fn number(text: &str) -> Result<u64, &'static str> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits
        .parse()
        .map_err(|_| "an incident has a number, as in 7")
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NotShown {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error(
        "there is no incident #{number}, or it was over long ago; {}",
        if open.is_empty() { "none is open".to_owned() } else { format!("open are {}", open.join(", ")) }
    )]
    NoSuchNumber { number: u64, open: Vec<String> },
}

pub(crate) fn run(args: &Args) -> ExitCode {
    answer::give(ask(args), args.json)
}

fn ask(args: &Args) -> Result<String, NotShown> {
    let cluster = args.cluster.as_deref().filter(|name| !name.is_empty());
    let with_closed = args.all || args.number.is_some();
    let answered = Client::new(&args.whom)?.status(cluster, with_closed)?;
    let width = show::width();
    match args.number {
        Some(number) => one(answered, number, args.json, width),
        None if args.json => Ok(json::of_incidents(&answered)),
        None => Ok(table::of_incidents(&answered, args.all, width)),
    }
}

/// In several clusters, each that has one of this number is shown.
fn one(
    mut answered: Answered,
    number: u64,
    is_json: bool,
    width: Option<usize>,
) -> Result<String, NotShown> {
    let clusters = &mut answered.status.clusters;
    let is_it = |one: &v1::Incident| one.number == number;
    if !clusters
        .iter()
        .any(|cluster| cluster.incidents.iter().any(is_it))
    {
        let all = clusters.iter().flat_map(|cluster| &cluster.incidents);
        let open = all.filter(|one| one.closed_unix_ms.is_none());
        let open = open.map(|one| format!("#{}", one.number)).collect();
        return Err(NotShown::NoSuchNumber { number, open });
    }
    clusters.retain(|cluster| cluster.incidents.iter().any(is_it));
    if is_json {
        for cluster in clusters {
            let is_part = |one: &v1::Incident| is_it(one) || one.cause == Some(number);
            cluster.incidents.retain(is_part);
        }
        return Ok(json::of_incidents(&answered));
    }
    let mut texts = Vec::new();
    for cluster in clusters.iter() {
        let found = cluster.incidents.iter().filter(|one| one.number == number);
        texts.extend(found.map(|one| table::of_one(cluster, one, width)));
    }
    Ok(texts.join("\n"))
}
