//! `quorate silence`: nobody is told of some incidents until a moment.

use std::process::ExitCode;

use clap::{ArgGroup, Subcommand};
use jiff::Timestamp;
use model::pattern::Pattern;
use proto::v1;

use super::incidents::number;
use crate::client::{Client, NoAnswer, Whom};
use crate::until::until;
use crate::{answer, outcome, show};

/// Keep alerts of some incidents back until a moment
///
/// The incidents are found and listed all the same, and `quorate check` judges as before: only chats are not told. What still stands
/// when the silence is over is told then.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate silence add --subject pve-03 --until 8h --reason 'new mainboard'
  quorate silence add --rule 'bond-*' --subject 'pve-0[1-3]' --until 90m --reason 'new cables'
  quorate silence add --incident 12 --until 2027-03-01 --reason 'the new card comes in March'
  quorate silence list
  quorate silence expire 3

In patterns `*` is any text, `?` one letter, `[a-c]` one letter of these. A subject is what `quorate incidents --json` calls it; the
name of a node is everything of that node. What is named must all fit.

Exit codes:
   0  it is done, or listed
   2  refused; the first line says why
   3  UNKNOWN: no collector that answers, or it cannot write it down
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
    /// Be quiet about a rule, a subject or an incident, or about what fits several of these
    Add(Add),
    /// Silences that hold or were over within a day, and what was acknowledged
    List,
    /// End a silence before its time
    Expire {
        /// As `quorate silence list` has it
        id: u64,
    },
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("of").args(["rule", "subject", "incident"]).required(true).multiple(true))]
struct Add {
    /// Incidents of rules whose names fit
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    rule: Option<Pattern>,
    /// Incidents of subjects that fit: pve-03, pve-02/bond0
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    subject: Option<Pattern>,
    /// One incident that is open, by its number
    #[arg(long, value_name = "N", value_parser = number)]
    incident: Option<u64>,
    /// How long from now (90m, 8h, 2w), or a day or a time (2027-03-01, 2027-03-01T12:00:00Z; a day begins at midnight UTC)
    #[arg(long, value_name = "WHEN", value_parser = until)]
    until: Timestamp,
    /// Why, for those who wonder at the quiet
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

fn pattern(text: &str) -> Result<Pattern, String> {
    if text.trim().is_empty() {
        return Err("a pattern of nothing fits nothing; leave it out for everything".to_owned());
    }
    Pattern::new(text).map_err(|error| error.to_string())
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let client = Client::new(&args.whom);
    match &args.what {
        What::List => answer::give(client.and_then(|client| list(args, &client)), args.json),
        What::Add(add) => {
            let request = request(&args.cluster, add);
            outcome::give(
                client.and_then(|client| client.silence(&request)),
                args.json,
            )
        }
        What::Expire { id } => {
            let request = v1::ExpireRequest {
                cluster: args.cluster.clone(),
                id: *id,
            };
            outcome::give(client.and_then(|client| client.expire(&request)), args.json)
        }
    }
}

fn request(cluster: &str, add: &Add) -> v1::SilenceRequest {
    let text = |pattern: &Option<Pattern>| pattern.as_ref().map(Pattern::to_string);
    v1::SilenceRequest {
        cluster: cluster.to_owned(),
        rule: text(&add.rule).unwrap_or_default(),
        subject: text(&add.subject).unwrap_or_default(),
        incident: add.incident,
        until_unix_ms: add.until.as_millisecond(),
        reason: add.reason.clone(),
    }
}

fn list(args: &Args, client: &Client) -> Result<String, NoAnswer> {
    let list = client.silences(&args.cluster)?;
    Ok(if args.json {
        list.json + "\n"
    } else {
        told(&list, show::width())
    })
}

fn told(list: &v1::ListSilencesResponse, width: Option<usize>) -> String {
    let silence = |one: &v1::Silence| match one.holds {
        true => one.sentence.clone(),
        false => format!("over: {}", one.sentence),
    };
    let silences = list.silences.iter().map(silence);
    let known = list.acknowledgements.iter().map(|one| one.sentence.clone());
    let lines: String = silences
        .chain(known)
        .map(|line| show::wrap(&show::foreign(&line), 2, width))
        .collect();
    if lines.is_empty() {
        return "no silence holds, and nothing is acknowledged\n".to_owned();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_listed_as_such_and_what_is_known_too() {
        let silence = |id: u64, holds| v1::Silence {
            id,
            holds,
            sentence: format!("silence {id}: rule bond-*: until then, by anna: new\u{1b}cables"),
            ..v1::Silence::default()
        };
        let list = v1::ListSilencesResponse {
            silences: vec![silence(2, true), silence(1, false)],
            acknowledgements: vec![v1::Acknowledgement {
                sentence: "#12 is known to anna since then: on it".to_owned(),
                ..v1::Acknowledgement::default()
            }],
            json: String::new(),
        };
        let expected = "\
silence 2: rule bond-*: until then, by anna: new\\u{1b}cables
over: silence 1: rule bond-*: until then, by anna: new\\u{1b}cables
#12 is known to anna since then: on it
";
        assert_eq!(told(&list, None), expected);
        assert_eq!(
            told(&v1::ListSilencesResponse::default(), None),
            "no silence holds, and nothing is acknowledged\n"
        );
    }

    #[test]
    fn a_pattern_that_is_none_is_wrong_usage() {
        for text in ["", " ", "bond-[", "[]"] {
            assert!(pattern(text).is_err(), "{text:?}");
        }
        assert!(pattern("pve-0[1-3]/*").is_ok());
    }
}
