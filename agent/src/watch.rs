//! `quorate-agent watch`: each change as it happens, for a person who works on the node, or for a program.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anstyle::Style;
use jiff::tz::TimeZone;
use model::change::Change;
use model::report::NodeReport;
use serde::Serialize;

use crate::answer::{NO_ANSWER, complain, complain_of_output};
use crate::config::Config;
use crate::host::{Patience, said};
use crate::journal::Start;
use crate::run::{Eyes, Hub, Limits, Opening, Told, runtime};

/// Prints each change of this node as it happens, until it is ended (Ctrl-C)
///
/// Every change of links, bonds, VLANs, corosync and the rest is one line, with how long after the kernel's or
/// corosync's word it was printed. It needs no running agent, and changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Read the configuration FILE instead of /etc/quorate/agent.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let config = match Config::read(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            complain(&said(&error));
            return ExitCode::from(NO_ANSWER);
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the agent cannot start: {error}"));
            return ExitCode::from(NO_ANSWER);
        }
    };
    let ended = runtime.block_on(watch(&config, Printer::new(args.json)));
    // A source that hangs must not keep it from ending.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has enough (`| head`) is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain_of_output(&error);
            ExitCode::from(NO_ANSWER)
        }
    }
}

async fn watch(config: &Config, mut printer: Printer) -> io::Result<()> {
    // The directory it was started in may lie on a file system that hangs, or is to be unmounted.
    std::env::set_current_dir("/")?;
    // From now on: what the journal said before is history, and `snapshot` shows it.
    let mut eyes = Eyes::open(Opening {
        patience: Patience::new(Patience::OF_THE_RUNNING_AGENT),
        disabled: config.sources_disabled.clone(),
        journal: config.journal(),
        start: Start::Now,
        limits: Limits::default(),
    })?;
    let mut hub = Hub::new();
    let mut is_ready = false;
    while let Some(news) = eyes.next().await {
        for told in hub.take(news) {
            printer.print(&told)?;
        }
        if !is_ready && hub.missing().next().is_none() {
            is_ready = true;
            for told in ready(hub.report(), eyes.opened) {
                printer.print(&told)?;
            }
        }
    }
    Ok(())
}

/// How many problems of one family are said at the start; `snapshot` shows them all.
const MAX_PROBLEMS: usize = 3;

/// The first lines: what is watched, what is not here, and what cannot be read and why.
fn ready(report: &NodeReport, opened: Instant) -> Vec<Told> {
    let (mut seen, mut absent, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (family, standing) in report.standings() {
        let problems = standing.problems.iter().take(MAX_PROBLEMS);
        failed.extend(problems.map(|problem| Change::problem(family, problem)));
        match standing.failed {
            Some(why) => failed.push(Change::failed(family, why)),
            None if standing.known => seen.push(family.key()),
            None => absent.push(family.key()),
        }
    }
    let ms = opened.elapsed().as_secs_f64() * 1000.0;
    let mut sentence = format!("watching after {ms:.0} ms: {}", list(&seen));
    if !absent.is_empty() {
        sentence.push_str("; not here: ");
        sentence.push_str(&list(&absent));
    }
    let told = |change| Told {
        change,
        noticed: None,
        at: jiff::Timestamp::now(),
    };
    let first = Change::of_the_agent(sentence);
    let own = report.agent.known();
    let blind = own.into_iter().flat_map(|agent| &agent.blind_spots);
    failed.extend(blind.map(Change::of_the_agent));
    std::iter::once(first).chain(failed).map(told).collect()
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

/// Writes lines where they are wanted.
struct Printer {
    out: anstream::AutoStream<io::Stdout>,
    json: bool,
    zone: TimeZone,
}

/// A line for a program.
#[derive(Serialize)]
struct Line<'a> {
    at: jiff::Timestamp,
    #[serde(flatten)]
    change: &'a Change,
    /// From the kernel's or corosync's word to this line; `null` where nobody gave word and it was found by looking.
    after_ms: Option<f64>,
}

const DIM: Style = Style::new().dimmed();
/// As wide as the longest common name of a family.
const FAMILY_WIDTH: usize = 9;

impl Printer {
    fn new(json: bool) -> Self {
        Self {
            out: anstream::AutoStream::auto(io::stdout()),
            json,
            zone: TimeZone::system(),
        }
    }

    fn print(&mut self, told: &Told) -> io::Result<()> {
        let after_ms = told
            .noticed
            .map(|noticed| noticed.elapsed().as_secs_f64() * 1000.0);
        let Told { change, at, .. } = told;
        if self.json {
            let line = Line {
                at: *at,
                change,
                after_ms,
            };
            let mut text = serde_json::to_string(&line)?;
            text.push('\n');
            self.out.write_all(text.as_bytes())?;
        } else {
            let clock = at
                .to_zoned(self.zone.clone())
                .strftime("%H:%M:%S%.3f")
                .to_string();
            let family = change.family.key();
            let after = after_ms
                .map(|ms| format!("  {DIM}+{ms:.1} ms{DIM:#}"))
                .unwrap_or_default();
            let sentence = printable(&change.sentence);
            writeln!(
                self.out,
                "{DIM}{clock}{DIM:#}  {family:FAMILY_WIDTH$}  {sentence}{after}"
            )?;
        }
        self.out.flush()
    }
}

/// Aliases, switch names and journal lines can hold anything; on a terminal it must not do anything.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
