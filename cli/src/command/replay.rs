//! `quorate replay`: judges a verdict again that was given before, by all that it was judged by then.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use model::gate::{Basis, Verdict};
use proto::v1;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Client, NoAnswer, Whom};
use crate::{answer, exit, show, verdict};

/// This version says something else than was said then.
const OTHERWISE: u8 = 2;

/// Judge a verdict again that was given before: how it came to be. Without arguments: the verdicts that were given last
///
/// The collector keeps every verdict for 30 days with the readings, the lease and the declarations that it was judged by. Here they
/// are judged by this version, on this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate replay
  quorate replay 019aa8e5c40f3a2b
  quorate replay 019aa8e5c40f3a2b --save verdict.json
  quorate replay ./verdict.json

A saved verdict holds what the nodes told of themselves: guests, addresses, lines of the journal. It can be attached to a report of a
wrong verdict once that is known.

Exit codes:
   0  this version says the same, or they are listed
   2  this version says something else
   3  UNKNOWN: no collector that answers, or no such verdict
  64  wrong usage")]
pub(crate) struct Args {
    /// The id that `quorate check` printed, or a file that --save wrote (with a / in its name)
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Write all of it to a new FILE too
    #[arg(long, value_name = "FILE", requires = "id")]
    save: Option<PathBuf>,
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

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("it is no verdict that this version can judge")]
    NoVerdict(#[source] serde_json::Error),
}

/// What was kept; the basis and the verdict are read on their own.
#[derive(Deserialize)]
struct Kept {
    id: String,
    at_unix_ms: i64,
    asker: String,
    asked: String,
    version: String,
    revision: u64,
    epoch: u64,
    basis: Value,
    verdict: Value,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let done = match &args.id {
        Some(id) => again(args, id),
        None => list(args),
    };
    let unknown = |error: Failed| (exit::UNKNOWN, verdict::unknown(&error, None, args.json));
    let (code, text) = done.unwrap_or_else(unknown);
    answer::give_with(code, &text)
}

fn list(args: &Args) -> Result<(u8, String), Failed> {
    let list = Client::new(&args.whom)?.verdicts(&args.cluster)?;
    if args.json {
        return Ok((0, list.json + "\n"));
    }
    if list.verdicts.is_empty() {
        return Ok((0, "no verdict is kept\n".to_owned()));
    }
    let line = |given: &v1::GivenVerdict| {
        let at = at(given.at_unix_ms);
        let line = format!("{} {at} {}: {}", given.id, given.asker, given.sentence);
        show::wrap(&show::foreign(&line), 2, show::width())
    };
    Ok((0, list.verdicts.iter().map(line).collect()))
}

fn at(unix_ms: i64) -> String {
    let at = Timestamp::from_millisecond(unix_ms);
    at.map_or_else(
        |_| "at an unknown time".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

fn again(args: &Args, id: &str) -> Result<(u8, String), Failed> {
    let text = if id.contains('/') {
        let path = PathBuf::from(id);
        fs::read_to_string(&path).map_err(|source| Failed::Read { path, source })?
    } else {
        Client::new(&args.whom)?.verdict(&args.cluster, id)?.json
    };
    if let Some(path) = &args.save {
        save(path, &text).map_err(|source| Failed::Write {
            path: path.clone(),
            source,
        })?;
    }
    let kept: Kept = serde_json::from_str(&text).map_err(Failed::NoVerdict)?;
    let basis = Basis::from_json(kept.basis.clone()).map_err(Failed::NoVerdict)?;
    let now = basis.judge();
    let is_same = serde_json::to_value(&now).is_ok_and(|now| now == kept.verdict);
    let code = if is_same { 0 } else { OTHERWISE };
    let text = if args.json {
        let Kept {
            id,
            at_unix_ms,
            asker,
            asked,
            version,
            revision,
            epoch,
            verdict,
            ..
        } = kept;
        let told = json!({
            "id": id, "at_unix_ms": at_unix_ms, "asker": asker, "asked": asked, "version": version,
            "revision": revision, "epoch": epoch, "verdict": verdict, "again": now, "is_same": is_same,
        });
        answer::to_line(&told)
    } else {
        told(&kept, now, is_same).map_err(Failed::NoVerdict)?
    };
    Ok((code, text))
}

/// Only a new file, that nobody else may read: it holds what the nodes told.
fn save(path: &PathBuf, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn told(kept: &Kept, now: Verdict, is_same: bool) -> Result<String, serde_json::Error> {
    let width = show::width();
    let version = env!("CARGO_PKG_VERSION");
    let heading = format!(
        "{} to {} ({}), by version {}, revision {}, epoch {}",
        at(kept.at_unix_ms),
        kept.asker,
        kept.asked,
        kept.version,
        kept.revision,
        kept.epoch
    );
    let mut text = show::wrap(&show::foreign(&heading), 2, width);
    if is_same {
        text.push_str(&format!("version {version} says the same:\n"));
    } else {
        text.push_str("it said:\n");
        text.push_str(&then(&kept.verdict, width));
        text.push_str(&format!("version {version} says otherwise:\n"));
    }
    text.push_str(&verdict::told(&proto::verdict::message(now)?, width));
    Ok(text)
}

/// The sentences of a verdict that may be another version's.
fn then(given: &Value, width: Option<usize>) -> String {
    let of = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let reasons = given["reasons"].as_array().into_iter().flatten();
    let reasons =
        reasons.map(|reason| format!("  {}: {}", of(reason, "weight"), of(reason, "sentence")));
    let lines = std::iter::once(of(given, "sentence")).chain(reasons);
    let lines = lines.map(|line| show::wrap(&show::foreign(&line), 4, width));
    lines.collect()
}
