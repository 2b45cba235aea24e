//! `quorate check`: may I?

use std::fmt::Write as _;
use std::process::ExitCode;

use model::gate::{Kind, Verdict};
use proto::v1;

use crate::client::{Client, NoAnswer, Whom};
use crate::show::{BAD, DOUBTFUL, GOOD, PLAIN};
use crate::{answer, exit, show};

/// May these nodes be rebooted now? GO, WARN, NO-GO or UNKNOWN, with every reason
///
/// Several nodes are judged as a set: all of them at once. It has no effect, and holds nobody else back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate check pve-03
  quorate check pve-03 --action upgrade --json
  quorate check pve-03 && ssh pve-03 reboot

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
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
    /// What is to be done with them
    #[arg(long, value_enum, default_value_t = Action::Reboot)]
    action: Action,
    /// The cluster, by name or id, where the collector has several
    #[arg(long, value_name = "CLUSTER", default_value = "")]
    cluster: String,
    #[command(flatten)]
    whom: Whom,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Action {
    Reboot,
    Shutdown,
    /// Judged like a reboot, and guests want a backup
    Upgrade,
    /// A change of the node's network
    Network,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let (code, text) = match ask(args) {
        Ok(verdict) => {
            let text = if args.json {
                verdict.json.clone() + "\n"
            } else {
                told(&verdict, show::width())
            };
            (code(&verdict), text)
        }
        Err(error) => (exit::UNKNOWN, unknown(&error, args.json)),
    };
    match answer::printed(&text) {
        true => ExitCode::from(code),
        // A GO that nobody could read is none.
        false => ExitCode::from(exit::UNKNOWN),
    }
}

fn ask(args: &Args) -> Result<v1::Verdict, NoAnswer> {
    let action = match args.action {
        Action::Reboot => v1::Action::Reboot,
        Action::Shutdown => v1::Action::Shutdown,
        Action::Upgrade => v1::Action::Upgrade,
        Action::Network => v1::Action::Network,
    };
    let request = v1::CheckRequest {
        cluster: args.cluster.clone(),
        nodes: args.nodes.clone(),
        action: action.into(),
    };
    Client::new(&args.whom)?.check(&request)
}

/// Whatever is not one of the other three is UNKNOWN.
fn code(verdict: &v1::Verdict) -> u8 {
    match verdict.answer() {
        v1::Answer::Go => 0,
        v1::Answer::Warn => 1,
        v1::Answer::NoGo => 2,
        v1::Answer::Unknown | v1::Answer::Unspecified => exit::UNKNOWN,
    }
}

fn unknown(error: &NoAnswer, is_json: bool) -> String {
    let why = show::foreign(&show::with_causes(error));
    let verdict = Verdict::unknown(Kind::NothingKnown, why, String::new());
    if is_json {
        answer::to_line(&verdict)
    } else {
        verdict.sentence + "\n"
    }
}

fn told(verdict: &v1::Verdict, width: Option<usize>) -> String {
    let style = match verdict.answer() {
        v1::Answer::Go => GOOD,
        v1::Answer::Warn => DOUBTFUL,
        v1::Answer::NoGo | v1::Answer::Unknown | v1::Answer::Unspecified => BAD,
    };
    let sentence = show::wrap(&show::foreign(&verdict.sentence), 2, width);
    let mut text = format!("{style}{}{style:#}\n", sentence.trim_end());
    for reason in &verdict.reasons {
        text.push_str(&told_of(reason, width));
    }
    if verdict.valid_ms > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  valid for {} s", verdict.valid_ms / 1_000);
    }
    text
}

fn told_of(reason: &v1::Reason, width: Option<usize>) -> String {
    let (word, style) = match reason.weight() {
        v1::Weight::Blocker => ("no-go", BAD),
        v1::Weight::Missing => ("unknown", BAD),
        v1::Weight::Warning => ("warning", DOUBTFUL),
        v1::Weight::Note => ("note", PLAIN),
        // One that a newer collector knows weighs at least as much as a warning.
        v1::Weight::Unspecified => ("reason", DOUBTFUL),
    };
    let sentence = format!("  {word}: {}", show::foreign(&reason.sentence));
    let wrapped = show::wrap(&sentence, 4, width);
    let mut text = format!("{style}{}{style:#}\n", wrapped.trim_end());
    for seen in &reason.evidence {
        let age = show::age(seen.age_ms);
        let line = format!("    {}: {} ({age} ago)", seen.node, seen.words);
        text.push_str(&show::wrap(&show::foreign(&line), 6, width));
    }
    let remedies = [("", &reason.remedy), ("Way back: ", &reason.way_back)];
    for (before, words) in remedies.iter().filter(|(_, words)| !words.is_empty()) {
        let line = format!("    {before}{}", show::foreign(words));
        text.push_str(&show::wrap(&line, 6, width));
    }
    text
}
