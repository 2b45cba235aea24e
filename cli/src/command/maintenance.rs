//! `quorate maintenance`: the cluster's one lease.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Subcommand;
use jiff::SignedDuration;
use proto::v1;

use super::action::Action;
use crate::client::{Client, NoAnswer, Whom};
use crate::show::{BAD, DOUBTFUL, GOOD, PLAIN};
use crate::{answer, exit, show, verdict};

/// The cluster's one maintenance lease: take it, give it back, see who has it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate maintenance begin pve-03 --reason 'new kernel' && ssh pve-03 reboot
  quorate maintenance list
  quorate maintenance end pve-03

As long as one holds the lease, `check` and `begin` say NO-GO to everybody else. The lease of a reboot or shutdown ends by itself
when the node runs a new kernel and all is as it was before, for 30 s; that of an upgrade or a change of the network
too, if there was a reboot, and otherwise by `end`. Only its owner ends it before that.

Exit codes, as of monitoring plugins:
   0  GO: it is done
   1  WARN: it is done, and something is worse than usual
   2  NO-GO: it is not done; with --override it is, and the verdict was NO-GO
   3  UNKNOWN: it is not done, or nobody knows; with --override it is
  64  wrong usage")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    /// The cluster, by name or id, where the collector has several
    #[arg(
        long,
        value_name = "CLUSTER",
        default_value = "",
        hide_default_value = true,
        global = true
    )]
    cluster: String,
    #[command(flatten)]
    whom: Whom,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Judge, and take the lease if nothing stands against it, in one step
    Begin(Begin),
    /// Give it back: refused until the node is back and healthy
    End {
        /// The node, or one of its nodes
        node: String,
        /// Nothing was done: the kernel is that of before
        #[arg(long)]
        not_rebooted: bool,
    },
    /// Take it from whoever holds it; the collector's log and `maintenance list` say who did and why
    Break {
        /// The node, or one of its nodes
        node: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Who holds it, what its nodes still lack, and which nodes are away without one
    List,
}

#[derive(Debug, clap::Args)]
struct Begin {
    /// The nodes
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
    /// Why, for those who find the lease in their way
    #[arg(long)]
    reason: String,
    /// How long it is planned to take; it is told when it takes longer, and goes on blocking
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = seconds)]
    planned_s: u32,
    /// What is to be done with them
    #[arg(long, value_enum, default_value_t = Action::Reboot)]
    action: Action,
    /// Take it against NO-GO or UNKNOWN: the names of the nodes, typed again, with commas between them
    #[arg(long = "override", value_name = "NODE")]
    overrides: Option<String>,
}

/// `2h`, `90m`, `1h 30m`
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    let time: SignedDuration = text
        .parse()
        .map_err(|_| "a time is a number with its unit, as in 90s, 45m, 2h".to_owned())?;
    let seconds = u32::try_from(time.as_secs()).unwrap_or_default();
    match seconds {
        0 => Err("it takes a second at least".to_owned()),
        1..=model::lease::MAX_PLANNED_S => Ok(seconds),
        _ => Err("it takes a week at most".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let asked = Client::new(&args.whom).and_then(|client| match &args.what {
        What::List => list(args, &client),
        what => Ok(one(args, &ask(args, what, &client)?)),
    });
    let (code, text) = asked.unwrap_or_else(|error| (exit::UNKNOWN, unknown(args, &error)));
    answer::give_with(code, &text)
}

fn unknown(args: &Args, error: &NoAnswer) -> String {
    let verdict = verdict::unknown(error, None, args.json);
    if args.json {
        // In the place where it stands in an answer of the gate.
        let verdict = verdict.trim_end();
        return format!("{{\"verdict\":{verdict},\"lease\":null,\"is_done\":false}}\n");
    }
    verdict
}

fn ask(args: &Args, what: &What, client: &Client) -> Result<v1::LeaseAnswer, NoAnswer> {
    let cluster = args.cluster.clone();
    match what {
        What::Begin(begin) => client.begin(v1::BeginRequest {
            check: Some(v1::CheckRequest {
                cluster,
                nodes: begin.nodes.clone(),
                action: begin.action.on_the_wire(),
                ..v1::CheckRequest::default()
            }),
            reason: begin.reason.clone(),
            planned_s: begin.planned_s,
            r#override: begin.overrides.clone().unwrap_or_default(),
            waits_for_end: false,
            ..v1::BeginRequest::default()
        }),
        What::End { node, not_rebooted } => client.end(&v1::EndRequest {
            cluster,
            node: node.clone(),
            not_rebooted: *not_rebooted,
        }),
        What::Break { node, reason } => client.break_lease(&v1::BreakRequest {
            cluster,
            node: node.clone(),
            reason: reason.clone(),
        }),
        What::List => Ok(v1::LeaseAnswer::default()),
    }
}

fn one(args: &Args, answer: &v1::LeaseAnswer) -> (u8, String) {
    let given = answer.verdict.clone().unwrap_or_default();
    let code = verdict::code(&given);
    if args.json {
        return (code, answer.json.clone() + "\n");
    }
    let width = show::width();
    let mut text = verdict::told(&given, width);
    if let Some(lease) = answer.lease.as_ref().filter(|_| answer.is_done) {
        text.push_str(&told(lease, width));
    }
    (code, text)
}

fn list(args: &Args, client: &Client) -> Result<(u8, String), NoAnswer> {
    let list = client.leases(&args.cluster)?;
    if args.json {
        return Ok((0, list.json + "\n"));
    }
    let width = show::width();
    let mut text = String::new();
    if !list.leases.iter().any(is_held) {
        text.push_str("no lease is held\n");
    }
    for unleased in &list.unleased {
        let sentence = show::wrap(&show::foreign(&unleased.sentence), 2, width);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{DOUBTFUL}{}{DOUBTFUL:#}", sentence.trim_end());
    }
    for lease in &list.leases {
        text.push_str(&told(lease, width));
    }
    Ok((0, text))
}

pub(crate) fn is_held(lease: &v1::Lease) -> bool {
    !matches!(lease.state.as_str(), "ended" | "broken")
}

/// The lease, its state, and what it still lacks.
fn told(lease: &v1::Lease, width: Option<usize>) -> String {
    let (style, overdue) = match lease.state.as_str() {
        "withdrawn" => (BAD, ""),
        _ if lease.is_overdue && is_held(lease) => (DOUBTFUL, ", overdue"),
        _ if is_held(lease) => (GOOD, ""),
        _ => (PLAIN, ""),
    };
    let words = match lease.words.as_str() {
        "" => String::new(),
        words => format!(" ({words})"),
    };
    let state = show::foreign(&format!("{}{overdue}{words}", lease.state));
    let sentence = format!("{state}: {}", show::foreign(&lease.sentence));
    let wrapped = show::wrap(&sentence, 2, width);
    let mut text = format!("{style}{}{style:#}\n", wrapped.trim_end());
    if !is_held(lease) {
        return text;
    }
    for missing in &lease.missing {
        let line = format!("  missing: {}", show::foreign(missing));
        text.push_str(&show::wrap(&line, 4, width));
    }
    if let Some(well_ms) = lease.well_for_ms {
        let (well_s, settles_s) = (well_ms / 1_000, lease.settles_ms / 1_000);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  all is as it was before, for {} of {settles_s} s",
            well_s.min(settles_s)
        );
    }
    text
}
