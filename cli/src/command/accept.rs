//! `quorate accept`: a warning, or a condition that stands, is a note until a day.

use std::process::ExitCode;

use jiff::Timestamp;
use proto::v1;

use crate::client::{Client, NoAnswer, Whom};
use crate::until::until;
use crate::{answer, exit, show, verdict};

/// Accept a warning or a condition that stands, until a day: it is a note then. Without arguments: what is accepted
///
/// Only what is there now can be accepted, and only a loss that is seen: a node that is off for good (node-down), a path that is gone
/// (redundancy), a guest without a backup (no-backup-seen). Never votes, another one's lease, a node that would not come back, or what
/// cannot be seen.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate accept node-down pve-08 --until 2027-03-01 --reason 'a spare, switched off'
  quorate accept no-backup-seen 104 --until 90d --reason 'a test machine'
  quorate accept redundancy pve-02/bond0 --until 2w --reason 'the new card comes in May'
  quorate accept node-down pve-08 --take-back
  quorate accept

KIND and SUBJECT stand in `quorate check --json` with every reason. A path is accepted as it is told now: one more port that is gone
is news. It is over with its time, as soon as the node is there again, or when the path has been well for ten minutes.

Exit codes, as of monitoring plugins:
   0  it is done, or listed
   2  it cannot be accepted; the first line says why
   3  UNKNOWN: no collector that answers
  64  wrong usage")]
pub(crate) struct Args {
    /// As `quorate check --json` has it: node-down, redundancy, no-backup-seen
    #[arg(requires = "subject", value_name = "KIND")]
    kind: Option<String>,
    /// As `quorate check --json` has it: pve-08, pve-02/bond0, 104
    #[arg(requires = "what", value_name = "SUBJECT")]
    subject: Option<String>,
    /// A day or a time (2027-03-01, 2027-03-01T12:00:00Z; a day begins at midnight UTC), or how long from now (90d, 2w, 12h)
    #[arg(long, value_name = "DATE", group = "what", requires = "reason", value_parser = until)]
    until: Option<Timestamp>,
    /// Why, for those who read it later
    #[arg(long, requires = "until")]
    reason: Option<String>,
    /// It weighs again what it weighs
    #[arg(long, group = "what", requires = "kind", conflicts_with = "reason")]
    take_back: bool,
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
    let asked = Client::new(&args.whom).and_then(|client| ask(args, &client));
    let unknown = |error: NoAnswer| (exit::UNKNOWN, verdict::unknown(&error, None, args.json));
    let (code, text) = asked.unwrap_or_else(unknown);
    answer::give_with(code, &text)
}

fn ask(args: &Args, client: &Client) -> Result<(u8, String), NoAnswer> {
    let cluster = args.cluster.clone();
    let (Some(kind), Some(subject)) = (args.kind.clone(), args.subject.clone()) else {
        return list(args, client);
    };
    let given = match args.until {
        Some(until) => client.accept(&v1::AcceptRequest {
            cluster,
            kind,
            subject,
            until_unix_ms: until.as_millisecond(),
            reason: args.reason.clone().unwrap_or_default(),
        })?,
        None => client.take_back(&v1::TakeBackRequest {
            cluster,
            kind,
            subject,
        })?,
    };
    let verdict = given.verdict.unwrap_or_default();
    let text = if args.json {
        given.json + "\n"
    } else {
        verdict::told(&verdict, show::width())
    };
    Ok((verdict::code(&verdict), text))
}

fn list(args: &Args, client: &Client) -> Result<(u8, String), NoAnswer> {
    let list = client.accepted(&args.cluster)?;
    if args.json {
        return Ok((0, list.json + "\n"));
    }
    if list.accepted.is_empty() {
        return Ok((0, "nothing is accepted\n".to_owned()));
    }
    let line = |one: &v1::Accepted| show::wrap(&show::foreign(&one.sentence), 2, show::width());
    Ok((0, list.accepted.iter().map(line).collect()))
}
