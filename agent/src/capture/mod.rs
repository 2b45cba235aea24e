//! `quorate-agent capture`: copies what the sources read from this node into a tree, for `snapshot --root` elsewhere
//! (docs/capture.md). It only reads the node, and leaves secrets out.

mod tree;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;

use crate::answer::{NO_ANSWER, complain, complain_of_output};
use crate::host::{Host, Patience, said};
use crate::secret::{NEVER_READ, cleaned, is_secret_file};
use crate::source;

use tree::Tree;

/// How much of the end of a log is taken.
const MAX_LOG_BYTES: u64 = 1 << 20;
const LOGS: &str = "var/log/";

/// Copies what `snapshot` reads into a directory, to be examined elsewhere; secrets are left out
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory to make; it may exist if it is empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match capture(&args.out) {
        Ok(0) => {
            complain(&format!(
                "nothing was there to be captured; {} holds only capture.json, which says what was tried",
                args.out.display()
            ));
            ExitCode::from(NO_ANSWER)
        }
        Ok(taken) => match tell(&args.out, taken) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain_of_output(&error);
                ExitCode::from(NO_ANSWER)
            }
        },
        Err(error) => {
            complain(&said(&error));
            ExitCode::from(NO_ANSWER)
        }
    }
}

fn tell(dir: &Path, taken: usize) -> io::Result<()> {
    let dir = dir.display();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "captured {taken} texts into {dir}; capture.json in it says what is missing, and why"
    )?;
    writeln!(out, "examine it with: quorate-agent snapshot --root {dir}")?;
    out.flush()
}

/// `capture.json`: what a capture holds, and what it does not.
#[derive(Debug, Serialize)]
struct Contents {
    version: &'static str,
    at: Timestamp,
    hostname: Option<String>,
    kernel: Option<String>,
    /// Was it root who captured? Others do not see all.
    as_root: Option<bool>,
    taken: Vec<Taken>,
    skipped: Vec<Skipped>,
    never_read: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct Taken {
    path: String,
    bytes: usize,
    /// Lines that held a secret, or of which nobody needs to know.
    #[serde(skip_serializing_if = "is_zero")]
    lines_left_out: usize,
    /// Only the end of the text was taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

#[derive(Debug, Serialize)]
struct Skipped {
    path: String,
    why: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Fills the directory; how many texts were taken?
fn capture(dir: &Path) -> Result<usize, tree::TreeError> {
    let tree = Tree::make(dir)?;
    let host = Host::live(&Patience::new(Patience::OF_A_REPORT));
    let first_line = |path| {
        let text = host.read(path).ok().flatten()?;
        Some(text.text.trim().to_owned())
    };
    let mut contents = Contents {
        version: env!("CARGO_PKG_VERSION"),
        at: Timestamp::now(),
        hostname: first_line("proc/sys/kernel/hostname"),
        kernel: first_line("proc/sys/kernel/osrelease"),
        as_root: is_root(&host),
        taken: Vec::new(),
        skipped: Vec::new(),
        never_read: NEVER_READ,
    };
    let mut progress = Progress::new();
    files(&host, &tree, &mut contents, &mut progress)?;
    commands(&host, &tree, &mut contents, &mut progress)?;
    progress.end();
    let json = serde_json::to_string_pretty(&contents).unwrap_or_default();
    tree.write("capture.json", &json)?;
    Ok(contents.taken.len())
}

fn files(
    host: &Host,
    tree: &Tree,
    contents: &mut Contents,
    progress: &mut Progress,
) -> Result<(), tree::TreeError> {
    for pattern in source::FILES.iter().copied().flatten() {
        progress.step(pattern);
        match host.expand(pattern) {
            Ok(paths) => {
                for path in paths {
                    file(host, tree, contents, &path)?;
                }
            }
            Err(error) => contents.skip(pattern, said(&error)),
        }
    }
    for path in source::sourced_files(host) {
        if !contents.has(&path) {
            file(host, tree, contents, &path)?;
        }
    }
    Ok(())
}

fn commands(
    host: &Host,
    tree: &Tree,
    contents: &mut Contents,
    progress: &mut Progress,
) -> Result<(), tree::TreeError> {
    for command in source::COMMANDS.iter().copied().flatten() {
        let path = format!("commands/{}", command.capture_name());
        if let Some(why) = source::not_asked(host, command) {
            contents.skip(&path, why.to_owned());
            continue;
        }
        progress.step(command.path);
        match host.ask(command) {
            Ok(answers) if answers.is_empty() => {
                contents.skip(&path, format!("{} is not installed", command.path));
            }
            Ok(answers) => {
                for text in answers.iter().flatten() {
                    contents.take(tree, &path, &text.text, false)?;
                }
            }
            Err(error) => contents.skip(&path, said(&error)),
        }
    }
    Ok(())
}

fn file(
    host: &Host,
    tree: &Tree,
    contents: &mut Contents,
    path: &str,
) -> Result<(), tree::TreeError> {
    if is_secret_file(path) {
        contents.skip(path, "its name says that it holds a secret".to_owned());
        return Ok(());
    }
    let found = if path.starts_with(LOGS) {
        host.read_end(path, MAX_LOG_BYTES)
    } else {
        let read = host.read(path);
        read.map(|found| found.map(|text| (text.text, false)))
    };
    match found {
        Ok(Some((text, cut))) => contents.take(tree, path, &text, cut),
        Ok(None) => {
            contents.skip(path, "it is not there".to_owned());
            Ok(())
        }
        Err(error) => {
            contents.skip(path, said(&error));
            Ok(())
        }
    }
}

impl Contents {
    fn take(
        &mut self,
        tree: &Tree,
        path: &str,
        text: &str,
        cut: bool,
    ) -> Result<(), tree::TreeError> {
        let whole_lines = if cut { behind_first_line(text) } else { text };
        let (clean, lines_left_out) = cleaned(path, whole_lines);
        tree.write(path, &clean)?;
        self.taken.push(Taken {
            path: path.to_owned(),
            bytes: clean.len(),
            lines_left_out,
            cut,
        });
        Ok(())
    }

    fn has(&self, path: &str) -> bool {
        self.taken.iter().any(|taken| taken.path == path)
    }

    fn skip(&mut self, path: &str, why: String) {
        self.skipped.push(Skipped {
            path: path.to_owned(),
            why,
        });
    }
}

/// A text that was cut begins within a line.
fn behind_first_line(text: &str) -> &str {
    text.split_once('\n')
        .map_or("", |(_, whole_lines)| whole_lines)
}

/// By the effective user id in `/proc/self/status`: `Uid: real effective saved file-system`.
fn is_root(host: &Host) -> Option<bool> {
    let status = host.read("proc/self/status").ok()??;
    let line = status
        .text
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))?;
    Some(line.split_whitespace().nth(1)? == "0")
}

/// Says on a terminal what is being asked: a tool that hangs is waited for.
struct Progress {
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            shown: io::stderr().is_terminal(),
        }
    }

    fn step(&mut self, what: &str) {
        if self.shown {
            // A terminal that has gone needs no progress.
            let _ = write!(io::stderr(), "\r\u{1b}[Kreading {what}");
        }
    }

    fn end(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
