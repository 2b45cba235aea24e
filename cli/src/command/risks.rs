//! `quorate risks`: every failure, played before it happens, the worst first.

use std::fmt::Write as _;
use std::process::ExitCode;

use proto::v1;
use serde::Serialize;

use crate::client::{Client, NoAnswer, Whom};
use crate::command::rank;
use crate::{answer, show};

/// Plays every single failure on the cluster as it is now, and ranks them
///
/// Says how many failures it takes to cost quorum. It judges nothing: the exit code says only whether it could be
/// played.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate risks
  quorate risks --depth 2 --all
  quorate risks --json | jq .edge

Exit codes:
   0  all were played
   3  no answer: no operator's file, no collector that answers, an unknown
      cluster, or the present is not known
  64  wrong usage")]
pub(crate) struct Args {
    /// 2: pairs too, those that are worse than either failure alone
    #[arg(long, value_name = "1|2", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    depth: u8,
    /// Those that cost only redundancy, or nothing, too; and more than the first of each kind
    #[arg(long)]
    all: bool,
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
    /// Print one JSON object; it holds all that were played
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Risks<'a> {
    edge: Edge<'a>,
    played: u32,
    risks: Vec<Risk<'a>>,
}

#[derive(Serialize)]
struct Edge<'a> {
    failures: Option<u32>,
    words: &'a str,
    parts: &'a [String],
}

#[derive(Serialize)]
struct Risk<'a> {
    failures: &'a [String],
    rank: &'static str,
    worst: &'static str,
    sentence: &'a str,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    answer::give(ask(args), args.json)
}

fn ask(args: &Args) -> Result<String, NoAnswer> {
    let request = v1::ListRisksRequest {
        cluster: args.cluster.clone(),
        with_pairs: args.depth > 1,
    };
    let found = Client::new(&args.whom)?.risks(&request)?;
    Ok(if args.json {
        json(&found)
    } else {
        told(&found, args.all, show::width())
    })
}

fn json(found: &v1::ListRisksResponse) -> String {
    let risk = |risk: &v1::Risk| (rank::word(risk.rank()), rank::word(risk.worst()));
    answer::to_line(&Risks {
        edge: Edge {
            failures: found.edge_failures,
            words: &found.edge,
            parts: &found.edge_parts,
        },
        played: found.played,
        risks: found
            .risks
            .iter()
            .map(|said| Risk {
                failures: &said.failures,
                rank: risk(said).0,
                worst: risk(said).1,
                sentence: &said.sentence,
            })
            .collect(),
    })
}

fn told(found: &v1::ListRisksResponse, all: bool, width: Option<usize>) -> String {
    let parts: Vec<String> = found
        .edge_parts
        .iter()
        .map(|part| show::foreign(part))
        .collect();
    let mut line = format!(
        "Failures until quorum is lost: {}",
        show::foreign(&found.edge)
    );
    if !parts.is_empty() {
        let _ = write!(line, ": {}", parts.join(", "));
    }
    let mut text = show::wrap(&line, 2, width);
    let is_shown = |risk: &&v1::Risk| all || risk.worst() > v1::Rank::RedundancyLost;
    let shown: Vec<&v1::Risk> = found.risks.iter().filter(is_shown).collect();
    let most = if all { usize::MAX } else { MOST_OF_A_KIND };
    for kind in shown.chunk_by(|one, other| kind(one) == kind(other)) {
        let Some(first) = kind.first() else {
            continue;
        };
        let style = rank::style(first.worst());
        let head = show::wrap(&rank::both(first.rank(), first.worst()), 2, width);
        let _ = writeln!(text, "{style}{}{style:#}", head.trim_end());
        for risk in kind.iter().take(most) {
            let line = format!("  - {}", show::foreign(&risk.sentence));
            text.push_str(&show::wrap(&line, 4, width));
        }
        let more = kind.len().saturating_sub(most);
        if more > 0 {
            let line = format!("  - and {more} more of this kind: --all shows them");
            text.push_str(&show::wrap(&line, 4, width));
        }
    }
    let rest = found.risks.len() - shown.len();
    let line = format!(
        "{} failures played; {rest} cost redundancy at most{}",
        found.played,
        if rest > 0 && !all {
            ": --all shows them"
        } else {
            ""
        }
    );
    text + &show::wrap(&line, 2, width)
}

/// Pairs that cost the same are mostly the same pair at other nodes.
const MOST_OF_A_KIND: usize = 5;

fn kind(risk: &v1::Risk) -> (v1::Rank, v1::Rank) {
    (risk.rank(), risk.worst())
}
