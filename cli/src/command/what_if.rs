//! `quorate what-if`: a failure, played before it happens.

use std::fmt::Write as _;
use std::process::ExitCode;

use proto::v1;
use proto::v1::failure::Part;

use crate::client::{Client, NoAnswer, Whom};
use crate::command::rank;
use crate::{answer, show};

/// Plays failures on the cluster as it is now: who is left with whom, who has quorum, who resets itself
///
/// All that is named fails at once. With nothing named, the present. It judges nothing: the exit code says only
/// whether it could be played.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate what-if --down pve-03
  quorate what-if --switch sw-a --mute
  quorate what-if --nic pve-03/eno1,pve-04/eno1 --json

Below the outcome, `-` is why and `?` is what would have to be known.

Exit codes:
   0  it was played
   3  no answer: no operator's file, no collector that answers, an unknown
      cluster or thing, or the present is not known
  64  wrong usage")]
pub(crate) struct Args {
    /// Nodes that die without a word
    #[arg(long, value_name = "NODE,...", value_delimiter = ',')]
    down: Vec<String>,
    /// A switch, by its name or its chassis id
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    switch: Vec<String>,
    /// A port, bond, bridge or VLAN interface that loses its carrier
    #[arg(long, value_name = "NODE/IFACE", value_delimiter = ',')]
    nic: Vec<String>,
    /// A corosync network: link N of all nodes
    #[arg(long, value_name = "LINK", value_delimiter = ',')]
    network: Vec<u32>,
    /// A VLAN that is gone everywhere
    #[arg(long, value_name = "VLAN", value_delimiter = ',')]
    vlan: Vec<u32>,
    /// The qdevice
    #[arg(long)]
    qdevice: bool,
    /// All switches behind ports of which no switch is known, as if they were one
    #[arg(long)]
    unknown_switches: bool,
    /// Switches and interfaces keep their carrier, and nothing passes
    #[arg(long)]
    mute: bool,
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
    answer::give(ask(args), args.json)
}

fn ask(args: &Args) -> Result<String, NoAnswer> {
    let request = v1::WhatIfRequest {
        cluster: args.cluster.clone(),
        failures: failures(args),
    };
    let played = Client::new(&args.whom)?.what_if(&request)?;
    Ok(if args.json {
        played.json + "\n"
    } else {
        told(&played, show::width())
    })
}

fn failures(args: &Args) -> Vec<v1::Failure> {
    let failure = |part, can_be_mute: bool| v1::Failure {
        part: Some(part),
        is_mute: can_be_mute && args.mute,
    };
    let mut all = Vec::new();
    let nodes = args.down.iter().cloned().map(Part::Node);
    all.extend(nodes.map(|part| failure(part, false)));
    let switches = args.switch.iter().cloned().map(Part::Switch);
    all.extend(switches.map(|part| failure(part, true)));
    let nics = args.nic.iter().cloned().map(Part::Interface);
    all.extend(nics.map(|part| failure(part, true)));
    let networks = args.network.iter().copied().map(Part::Network);
    all.extend(networks.map(|part| failure(part, false)));
    let vlans = args.vlan.iter().copied().map(Part::Vlan);
    all.extend(vlans.map(|part| failure(part, false)));
    if args.qdevice {
        all.push(failure(Part::Qdevice(v1::Absent {}), false));
    }
    if args.unknown_switches {
        all.push(failure(Part::UnknownSwitches(v1::Absent {}), true));
    }
    all
}

fn told(played: &v1::WhatIfResponse, width: Option<usize>) -> String {
    let style = rank::style(played.worst());
    let sentence = show::wrap(&show::foreign(&played.sentence), 2, width);
    let mut text = format!("{style}{}{style:#}\n", sentence.trim_end());
    let _ = writeln!(
        text,
        "  in short: {}",
        rank::both(played.rank(), played.worst())
    );
    for line in &played.trace {
        text.push_str(&show::wrap(
            &format!("  - {}", show::foreign(line)),
            4,
            width,
        ));
    }
    for line in &played.unknown {
        text.push_str(&show::wrap(
            &format!("  ? {}", show::foreign(line)),
            4,
            width,
        ));
    }
    text
}
