//! `quorate events`: what happened, oldest first: what agents told, and what became of incidents.

mod line;
mod since;

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::process::ExitCode;

use proto::v1;

use crate::client::{Client, NoAnswer, Told, Whom, notice};
use crate::{answer, exit, show};

/// So many are shown where nothing else is said.
const DEFAULT_LINES: u32 = 50;
/// The collector counts back no further.
const MOST_LINES: u32 = 10_000;

/// Shows what happened: lines of journals, changes on nodes, and steps of incidents, newest last
///
/// All of it is on the collector's disk: what it keeps (90 days by default), in the order in which it was kept. The time
/// is the node's own, in the time zone of this terminal; what came more than 5 minutes late says so. With --follow it
/// goes on until it is ended (Ctrl-C), also over a restart of the collector: nothing comes twice or is left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate events -n 20
  quorate events -f --node pve-03
  quorate events --since 2h
  quorate events --since '2026-11-21 14:00' --json | jq -r .sentence

Exit codes:
   0  all that was asked for was shown
   3  no answer, or it broke off: no operator's file, no collector that
      answers, an unknown cluster or node
  64  wrong usage")]
pub(crate) struct Args {
    /// Only the newest N, up to 10000; `all` from the first one kept [default: 50, or all with --since]
    #[arg(short = 'n', long, value_name = "N", value_parser = lines)]
    lines: Option<Lines>,
    /// Only what the collector took since then: 10min, 2h, 3d, '2026-11-21 14:00', 2026-11-21T14:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = since::parse)]
    since: Option<jiff::Timestamp>,
    /// Only of this node: its events, and the incidents about it
    #[arg(
        long,
        value_name = "NODE",
        default_value = "",
        hide_default_value = true
    )]
    node: String,
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
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
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    All,
    Newest(u32),
}

fn lines(text: &str) -> Result<Lines, String> {
    if text == "all" {
        return Ok(Lines::All);
    }
    match text.parse() {
        Ok(count) if count <= MOST_LINES => Ok(Lines::Newest(count)),
        _ => Err(format!("a number up to {MOST_LINES}, or `all`")),
    }
}

impl Args {
    fn request(&self) -> v1::ListHistoryRequest {
        v1::ListHistoryRequest {
            cluster: self.cluster.clone(),
            node: self.node.clone(),
            since_unix_ms: self.since.map(jiff::Timestamp::as_millisecond),
            last: match (self.lines, self.since) {
                (Some(Lines::Newest(count)), _) => Some(count),
                (Some(Lines::All), _) | (None, Some(_)) => None,
                (None, None) => Some(DEFAULT_LINES),
            },
            follow: self.follow,
            after: None,
        }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match read(args) {
        Ok(written) => match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                show::complain(&format!("the answer cannot be written: {error}"));
                ExitCode::from(exit::UNKNOWN)
            }
            // A reader that has enough (`| head`) is no failure.
            _ => ExitCode::SUCCESS,
        },
        Err(error) => answer::give(Err(error), args.json),
    }
}

fn read(args: &Args) -> Result<io::Result<()>, NoAnswer> {
    let width = show::width();
    let mut written = Ok(());
    let mut reader = |told: Told<'_>| {
        if let Told::Entry { place, entry } = &told {
            let text = if args.json {
                line::json(*place, entry)
            } else {
                line::plain(entry, width)
            };
            written = show::print(&text);
        } else if let Some(notice) = notice(&told) {
            let _ = writeln!(anstream::stderr(), "{notice}");
        }
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    Client::new(&args.whom)?.history(args.request(), &mut reader)?;
    Ok(written)
}
