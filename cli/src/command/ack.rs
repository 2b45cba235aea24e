//! `quorate ack`: somebody knows of an incident.

use std::process::ExitCode;

use proto::v1;

use super::incidents::number;
use crate::client::{Client, Whom};
use crate::outcome;

/// Says that an open incident is known: no reminders of it from then on
///
/// Nobody is told again that it lasts, or that it came back after a blip. That it became worse is told, and that it is over.
/// `quorate incidents` and `quorate silence list` say who knows of it since when, and why it waits.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate ack 12 --reason 'the new switch comes tomorrow'
  quorate ack '#12' --reason 'on it' --json

It is over with the incident, and nothing takes it back before that.

Exit codes:
   0  it is done
   2  refused; the first line says why: no such incident is open
   3  UNKNOWN: no collector that answers, or it cannot write it down
  64  wrong usage")]
pub(crate) struct Args {
    /// Its number, as `quorate incidents` and the alert have it
    #[arg(value_name = "INCIDENT", value_parser = number)]
    incident: u64,
    /// Why it waits, for those who see it too
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The cluster, by name or id, where the collector has several
    #[arg(
        long,
        value_name = "CLUSTER",
        default_value = "",
        hide_default_value = true
    )]
    cluster: String,
    #[command(flatten)]
    whom: Whom,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let request = v1::AcknowledgeRequest {
        cluster: args.cluster.clone(),
        incident: args.incident,
        reason: args.reason.clone(),
    };
    let asked = Client::new(&args.whom).and_then(|client| client.acknowledge(&request));
    outcome::give(asked, args.json)
}
