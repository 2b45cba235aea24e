//! `quorate simulate`: what corosync would do, step by step, from a corosync.conf alone.

mod json;
mod steps;
mod table;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::parse::corosync_conf;
use model::quorum::config::{QuorumConfig, Refusal};
use model::quorum::event::Impossible;
use model::quorum::forecast::{Forecast, Outlook};
use model::quorum::story::BadEvent;
use model::text::{BadLine, Unreadable};

use crate::exit;
use crate::show::{complain, print};
use steps::Steps;

/// Plays failures through corosync's quorum rules, offline
///
/// All nodes of the configuration run at the start and see each other; a qdevice, if there is one, votes as its
/// algorithm says. Steps are taken in the order given, and each is settled before the next: the window of
/// last_man_standing has passed, unless --fast is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nodes are given by id or by name, with commas between them.

  quorate simulate --config corosync.conf --down 1 --down 2,3 --up 1
  quorate simulate --config corosync.conf --split 1,2,3,4/5,6,7,8 --join
  quorate simulate --config corosync.conf --qdevice off --down pve-03 --json

Exit codes:
   0  answered
   3  no answer: no such file, not a corosync.conf, a configuration that
      corosync refuses, an unknown node
  64  wrong usage")]
pub(crate) struct Args {
    /// The corosync.conf to play
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    steps: Steps,
    /// The steps follow each other faster than the window of last_man_standing
    #[arg(long)]
    fast: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("{} cannot be read: {}", path.display(), hint(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no corosync.conf: {source}", path.display())]
    NotAConf { path: PathBuf, source: Unreadable },
    #[error("corosync would refuse {}: {}", path.display(), said(bad_lines))]
    BadLines {
        path: PathBuf,
        bad_lines: Vec<BadLine>,
    },
    #[error(
        "{} {}: {source}",
        if source.is_corosyncs() { "corosync would refuse" } else { "nobody can say what corosync would do with" },
        path.display()
    )]
    Refused { path: PathBuf, source: Refusal },
    #[error("--{step}: there is no node {name:?} in the nodelist; it has {known}")]
    NoSuchName {
        step: String,
        name: String,
        known: String,
    },
    #[error("--{step}: {source}")]
    Impossible { step: String, source: Impossible },
    #[error(transparent)]
    Usage(#[from] BadStep),
}

/// A step that cannot be read: wrong usage.
#[derive(Debug, thiserror::Error)]
#[error("--{step}: {source}")]
struct BadStep {
    step: String,
    source: BadEvent,
}

fn hint(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::IsADirectory => {
            "it is a directory; name the file in it, as in DIR/corosync.conf".into()
        }
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::PermissionDenied => format!("{error}; on a node, run this as root"),
        _ => error.to_string(),
    }
}

fn said(bad_lines: &[BadLine]) -> String {
    bad_lines
        .iter()
        .map(BadLine::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// What was played, and what came of it.
struct Played {
    cluster_name: Option<String>,
    config: QuorumConfig,
    stages: Vec<Stage>,
}

/// The start, or what is after a step.
struct Stage {
    /// As it was typed: `down 1,2`; `None` is the start.
    step: Option<String>,
    partitions: Vec<Outlook>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let answer = play(args).map(|played| {
        if args.json {
            json::of_played(&played)
        } else {
            table::of_played(&played)
        }
    });
    match answer {
        Ok(text) => match print(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Whoever closed the pipe knows; everything else is worth a word.
                if error.kind() != ErrorKind::BrokenPipe {
                    complain(&format!("the answer cannot be written: {error}"));
                }
                ExitCode::from(exit::UNKNOWN)
            }
        },
        Err(error) => {
            complain(&error.to_string());
            if args.json {
                let _ = print(&json::of_error(&error.to_string()));
            }
            let usage = matches!(error, NoAnswer::Usage(_));
            ExitCode::from(if usage { exit::USAGE } else { exit::UNKNOWN })
        }
    }
}

fn play(args: &Args) -> Result<Played, NoAnswer> {
    args.steps.check()?;
    let (cluster_name, config) = read(&args.config)?;
    let events = args.steps.events(&config)?;
    let mut forecast = Forecast::healthy(config.clone());
    let mut stages = vec![Stage {
        step: None,
        partitions: forecast.partitions(),
    }];
    for (step, event) in events {
        let impossible = |source| NoAnswer::Impossible {
            step: step.clone(),
            source,
        };
        forecast = forecast.step(&event).map_err(impossible)?;
        if !args.fast {
            forecast = forecast.let_window_pass().map_err(impossible)?;
        }
        stages.push(Stage {
            step: Some(step),
            partitions: forecast.partitions(),
        });
    }
    Ok(Played {
        cluster_name,
        config,
        stages,
    })
}

fn read(path: &Path) -> Result<(Option<String>, QuorumConfig), NoAnswer> {
    let path = || path.to_owned();
    let bytes = std::fs::read(path()).map_err(|source| NoAnswer::Read {
        path: path(),
        source,
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let parsed = corosync_conf::parse(&text).map_err(|source| NoAnswer::NotAConf {
        path: path(),
        source,
    })?;
    if !parsed.bad_lines.is_empty() {
        return Err(NoAnswer::BadLines {
            path: path(),
            bad_lines: parsed.bad_lines,
        });
    }
    let config = QuorumConfig::new(&parsed.value).map_err(|source| NoAnswer::Refused {
        path: path(),
        source,
    })?;
    Ok((parsed.value.totem.cluster_name, config))
}
