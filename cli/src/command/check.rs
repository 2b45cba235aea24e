//! `quorate check`: may I?

use std::process::ExitCode;

use proto::v1;

use super::action::Action;
use super::check_local;
use crate::client::{Client, NoAnswer, Whom};
use crate::{answer, exit, last, show, verdict};

/// May these nodes be rebooted now? GO, WARN, NO-GO or UNKNOWN, with every reason
///
/// Or a switch or a corosync network be taken down. Several are judged as a set: all of them at once. It has no effect, and
/// holds nobody else back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate check pve-03
  quorate check pve-03 --action upgrade --json
  quorate check --switch sw-a
  quorate check pve-03 && ssh pve-03 reboot
  quorate check --local

The first line is the answer. Below it stands every reason: what forbids it, what would have to be known, what is worse
than usual, and what every such action does (note).

Exit codes, as of monitoring plugins:
   0  GO
   1  WARN
   2  NO-GO
   3  UNKNOWN: no collector that answers, an unknown node, or what is needed is
      not known
  64  wrong usage")]
pub(crate) struct Args {
    /// The nodes
    #[arg(value_name = "NODE", required_unless_present_any = ["switch", "network", "local"])]
    nodes: Vec<String>,
    /// Ask the agent of this node about itself, when no collector answers: votes, links, and what it knows of itself. Never
    /// better than WARN
    #[arg(long, conflicts_with_all = ["nodes", "switch", "network", "cluster", "identity", "collector"])]
    local: bool,
    /// What is to be done with the nodes
    #[arg(long, value_enum, default_value_t = Action::Reboot)]
    action: Action,
    /// A switch that is to be taken down, by its name or its chassis id
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    switch: Vec<String>,
    /// A corosync network that is to be taken down: link N of all nodes
    #[arg(long, value_name = "LINK", value_delimiter = ',')]
    network: Vec<u32>,
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
    let (code, text) = if args.local {
        check_local::check(args.action, args.json)
    } else {
        told(args)
    };
    answer::give_with(code, &text)
}

fn told(args: &Args) -> (u8, String) {
    match ask(args) {
        Ok(given) => {
            last::keep(&question(args), &given.sentence);
            let text = if args.json {
                given.json.clone() + "\n"
            } else {
                verdict::told(&given, show::width())
            };
            (verdict::code(&given), text)
        }
        Err(error) => {
            let hint = last::hint(&question(args));
            (exit::UNKNOWN, verdict::unknown(&error, hint, args.json))
        }
    }
}

/// All that makes it another question.
fn question(args: &Args) -> String {
    let Args {
        nodes,
        action,
        switch,
        network,
        cluster,
        whom,
        local: _,
        json: _,
    } = args;
    format!("check {whom:?} {cluster:?} {nodes:?} {action:?} {switch:?} {network:?}")
}

fn ask(args: &Args) -> Result<v1::Verdict, NoAnswer> {
    let request = v1::CheckRequest {
        cluster: args.cluster.clone(),
        nodes: args.nodes.clone(),
        action: args.action.on_the_wire(),
        switches: args.switch.clone(),
        networks: args.network.clone(),
        is_watch: false,
    };
    Client::new(&args.whom)?.check(&request)
}
