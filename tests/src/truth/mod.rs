//! Truth: `what-if` is asked before a failure, then the failure is done to a real cluster, and what corosync makes of it on
//! every node is held against what was foretold.
//!
//! By one seed everything is drawn; racks of different plans play side by side. That nothing could be foretold counts as
//! agreement only where the real nodes do not all reach each other.

mod fault;
mod judge;
pub(crate) mod real;
mod stage;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use fastrand::Rng;

use crate::plan::Plan;
use judge::Judgement;
pub use stage::{Stage, UNHURRIED, declaration};

/// Shorter than corosync's own, so that a failure takes seconds; a node that is not scheduled for so long is lost.
const TOKEN_MS: u32 = 2_000;
/// A rack takes longer to build than a failure to play.
const FAILURES_OF_A_RACK: usize = 4;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub agreed: usize,
    /// The real cluster was no clique, and nothing was foretold.
    pub not_foretold: usize,
    pub disagreements: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let played = self.agreed + self.not_foretold + self.disagreements.len();
        write!(
            f,
            "{} of {played} failures came as foretold, {} of them open, as the nodes were no clique; {} did not",
            self.agreed + self.not_foretold,
            self.not_foretold,
            self.disagreements.len()
        )
    }
}

/// The racks, those that differ most first. None has last_man_standing: once a node came back to such a cluster of five,
/// its corosyncs (3.1.7) did nothing but form anew, until both cores were theirs.
fn plans() -> Vec<(&'static str, Plan)> {
    let plan = |nodes, links| Plan::new(nodes, links).token_ms(TOKEN_MS);
    vec![
        ("eight nodes, two links", plan(8, 2)),
        ("four nodes in halves, two links", plan(4, 2).halves()),
        ("five nodes, one link", plan(5, 1)),
        ("three nodes, three links", plan(3, 3)),
        (
            "eight nodes in halves, one link, auto_tie_breaker",
            plan(8, 1).halves().quorum("auto_tie_breaker: 1"),
        ),
        ("two nodes, two_node", plan(2, 2).quorum("two_node: 1")),
        (
            "five nodes, two links, wait_for_all",
            plan(5, 2).quorum("wait_for_all: 1"),
        ),
        ("eight nodes in halves, two links", plan(8, 2).halves()),
        (
            "four nodes, one link, auto_tie_breaker",
            plan(4, 1)
                .quorum("auto_tie_breaker: 1")
                .quorum("auto_tie_breaker_node: highest"),
        ),
        ("eight nodes in halves, one link", plan(8, 1).halves()),
    ]
}

/// Plays so many failures on so many racks at once; `say` is told of each as it comes.
pub fn run(
    seed: u64,
    failures: usize,
    at_once: usize,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Tally> {
    let plans = plans();
    let racks = failures.div_ceil(FAILURES_OF_A_RACK).clamp(1, plans.len());
    let shares: Vec<usize> = (0..racks)
        .map(|rack| failures / racks + usize::from(rack < failures % racks))
        .collect();
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    let failed = Mutex::new(Vec::new());
    let work = || {
        while let Some((rack, share)) = take(&next, &shares) {
            let Some((name, plan)) = plans.get(rack) else {
                return;
            };
            let random = Rng::with_seed(seed.wrapping_add(rack as u64));
            let played = play(name, plan, random, *share, rack == 0, &tally, say);
            if let Err(error) = played.with_context(|| format!("the rack of {name}")) {
                say(&format!("{error:#}"));
                failed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(error);
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(work);
        }
    });
    match failed
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .pop()
    {
        Some(error) => Err(error),
        None => Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

fn take<'a>(next: &AtomicUsize, shares: &'a [usize]) -> Option<(usize, &'a usize)> {
    let rack = next.fetch_add(1, Ordering::Relaxed);
    shares.get(rack).map(|share| (rack, share))
}

fn play(
    name: &str,
    plan: &Plan,
    mut random: Rng,
    share: usize,
    at_the_terminal: bool,
    tally: &Mutex<Tally>,
    say: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    let mut stage = Stage::declared(plan.clone())?;
    for round in 0..share {
        let played = stage.play(&mut random, at_the_terminal && round == 0)?;
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        match played.judgement {
            Judgement::Agreed => {
                tally.agreed += 1;
                say(&format!("{name}: {}: as foretold", played.what));
            }
            Judgement::NotForetold => {
                tally.not_foretold += 1;
                say(&format!("{name}: {}: open, and no clique", played.what));
            }
            Judgement::Disagreed(why) => {
                let text = format!(
                    "{name}: {}: NOT as foretold:\n  {}\nforetold:\n  {}",
                    played.what,
                    why.join("\n  "),
                    played.trace.join("\n  ")
                );
                say(&text);
                tally.disagreements.push(text);
            }
        }
    }
    Ok(())
}
