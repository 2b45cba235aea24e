//! `cargo xtask oracle`: the model's quorum machine against corosync's own votequorum.
//!
//! Draws clusters and stories, plays each in the real corosync-vqsim and in the model, and compares what every
//! node says after every act. A disagreement is shrunk to its smallest story and written as a scenario file.

mod draw;
mod explain;
mod play;
mod table;
mod vqsim;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::{record, shell};
use draw::Case;
use play::Outcome;

/// Plays random stories in corosync-vqsim and in the model, and compares (needs root)
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// How many clusters are drawn
    #[arg(long, default_value_t = 500)]
    pub(crate) cases: u64,
    /// Where drawing begins; the same seed draws the same clusters and stories
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many simulators run at once: each mostly sleeps
    #[arg(long, default_value_t = 16)]
    pub(crate) jobs: usize,
    /// Plays only the case of this number, and prints every act
    #[arg(long)]
    pub(crate) only: Option<u64>,
    /// Keeps the result in docs/measured
    #[arg(long)]
    pub(crate) record: bool,
}

impl Args {
    pub(crate) fn short(cases: u64) -> Self {
        Self {
            cases,
            seed: 1,
            jobs: 16,
            only: None,
            record: false,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    shell::need(&[
        ("corosync-vqsim", "corosync-vqsim"),
        ("unshare", "util-linux"),
    ])?;
    ensure!(
        shell::is_root(),
        "corosync-vqsim needs a mount namespace of its own: run this as root"
    );
    let begun = Instant::now();
    if let Some(number) = args.only {
        return play_one(args, number);
    }
    let waiting: Mutex<VecDeque<u64>> = Mutex::new((0..args.cases).collect());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                while let Some(number) = waiting.lock().ok().and_then(|mut queue| queue.pop_front())
                {
                    let outcome = play::play(&Case::draw(args.seed, number));
                    if let Ok(mut results) = results.lock() {
                        results.push((number, outcome));
                        show_progress(results.len(), args.cases);
                    }
                }
            });
        }
    });
    let results = results.into_inner().context("a worker panicked")?;
    report(args, results, begun)
}

#[derive(Default)]
struct Tally {
    agreed: usize,
    refused: usize,
    acts: usize,
    answers: usize,
    other_order: usize,
}

fn report(args: &Args, mut results: Vec<(u64, Result<Outcome>)>, begun: Instant) -> Result<()> {
    results.sort_by_key(|(number, _)| *number);
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    let mut unplayed = 0;
    for (number, outcome) in results {
        match outcome {
            Err(error) => {
                println!("case {number} could not be played: {error:#}");
                unplayed += 1;
            }
            Ok(Outcome::Agreed {
                acts,
                answers,
                other_order,
            }) => {
                tally.agreed += 1;
                tally.acts += acts;
                tally.answers += answers;
                tally.other_order += usize::from(other_order);
            }
            Ok(Outcome::RefusedByBoth) => {
                tally.agreed += 1;
                tally.refused += 1;
            }
            Ok(Outcome::Disagreed(disagreement)) => failed.push((number, disagreement)),
        }
    }
    let summary = format!(
        "{} of {} agree (seed {}): {} acts, {} answers of nodes compared, \
         {} configurations refused by both, {} stories in another than the likeliest order of messages, {:.0} s",
        tally.agreed,
        args.cases,
        args.seed,
        tally.acts,
        tally.answers,
        tally.refused,
        tally.other_order,
        begun.elapsed().as_secs_f64()
    );
    println!("{summary}");
    if args.record {
        let command = format!(
            "cargo xtask oracle --cases {} --seed {}",
            args.cases, args.seed
        );
        record::keep("oracle", &command, &summary)?;
    }
    for (number, disagreement) in &failed {
        println!("case {number}: {disagreement}");
        let smallest = play::shrink(disagreement);
        let path = PathBuf::from(format!(
            "target/oracle/seed-{}-case-{number}.txt",
            args.seed
        ));
        std::fs::create_dir_all("target/oracle")?;
        std::fs::write(&path, smallest.as_scenario())?;
        println!("  the smallest story that shows it: {}", path.display());
    }
    ensure!(
        failed.is_empty() && unplayed == 0,
        "{} of {} disagree, {unplayed} could not be played",
        failed.len(),
        args.cases
    );
    Ok(())
}

fn play_one(args: &Args, number: u64) -> Result<()> {
    let case = Case::draw(args.seed, number);
    println!("{}", case.as_scenario());
    println!("{}", play::play(&case)?);
    Ok(())
}

fn show_progress(done: usize, of: u64) {
    use std::io::IsTerminal as _;
    if std::io::stderr().is_terminal() {
        eprint!("\r{done} of {of}");
        if done as u64 == of {
            eprintln!();
        }
    }
}
