//! Is a GO true? On a real cluster of eight something is wrong or nothing is; the gate is asked about a node, and then that node
//! is really stopped, whatever was said. A GO or a WARN after which somebody who was quorate is not any more is a false
//! one. A NO-GO or UNKNOWN for a node that could have been stopped is counted, with its reasons.
//!
//! Nodes of a rack play their boot ([`crate::Plan::playing_boot`]); corosync, the network, agents and collector are real.

mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use crate::clock::{PATIENCE, wait_until};
use crate::plan::Plan;
use crate::truth::real::{Real, settle};
use crate::truth::{Stage, UNHURRIED, declaration};
use trouble::Trouble;

const NODES: usize = 8;
const LINKS: usize = 2;
/// Shorter than corosync's own, so that a failure takes seconds.
const TOKEN_MS: u32 = 2_000;
const AT_MOST: usize = 2;
/// The collector of a rack is a station beside the nodes.
const EXTERNAL: &str = "[[dependency]]\nservice = \"collector\"\non = \"external\"\n";
/// One situation after the other: what has changed often within ten minutes is no news here.
const NO_FLAPS: &str = "flaps = 1000\n";

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often each answer was given.
    pub answers: BTreeMap<String, usize>,
    /// GO or WARN, and the others stayed quorate.
    pub confirmed: usize,
    /// Quorum was lost after a GO or a WARN.
    pub wrong: Vec<String>,
    /// Stopping it was harmless; by the kinds of reasons that were given against it.
    pub harmless_refused: BTreeMap<String, usize>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.answers.values().sum();
        write!(f, "{all} situations:")?;
        for (answer, count) in &self.answers {
            write!(f, " {count} {answer}")?;
        }
        write!(
            f,
            "; {} times the node was stopped after a GO or WARN and the others stayed quorate, {} times not",
            self.confirmed,
            self.wrong.len()
        )?;
        for (kinds, count) in &self.harmless_refused {
            write!(f, "\nrefused {count} times though it was harmless: {kinds}")?;
        }
        Ok(())
    }
}

/// The cluster that it is played on, with its switches declared.
pub fn stage() -> Result<Stage> {
    let plan = Plan::new(NODES, LINKS).token_ms(TOKEN_MS).playing_boot();
    let toml = format!("{UNHURRIED}{NO_FLAPS}{}{EXTERNAL}", declaration(&plan));
    Stage::set(plan, &toml)
}

/// Plays so many situations; `say` is told of each as it comes.
pub fn run(seed: u64, situations: usize, say: &dyn Fn(&str)) -> Result<Tally> {
    let mut stage = stage()?;
    let mut random = Rng::with_seed(seed);
    let mut tally = Tally::default();
    for _ in 0..situations {
        let played = play(&mut stage, &mut random)?;
        say(&played.to_string());
        tally.take(&played)?;
    }
    Ok(tally)
}

struct Played {
    troubles: Vec<Trouble>,
    target: String,
    verdict: Verdict,
    /// Who was quorate before, and is not any more.
    lost: Vec<String>,
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let troubles: Vec<String> = self.troubles.iter().map(Trouble::to_string).collect();
        let before = match troubles.as_slice() {
            [] => "nothing is wrong".to_owned(),
            troubles => troubles.join(" and "),
        };
        let outcome = match self.lost.as_slice() {
            [] => "harmless".to_owned(),
            lost => format!("quorum lost on {}", lost.join(", ")),
        };
        let (sentence, target) = (&self.verdict.sentence, &self.target);
        write!(f, "{before}; {sentence}; {target} was stopped: {outcome}")
    }
}

impl Tally {
    fn take(&mut self, played: &Played) -> Result<()> {
        let answer = &played.verdict.answer;
        *self.answers.entry(answer.clone()).or_default() += 1;
        let is_allowed = answer == "GO" || answer == "WARN";
        match (is_allowed, played.lost.is_empty()) {
            (true, true) => self.confirmed += 1,
            (true, false) => self.wrong.push(played.to_string()),
            (false, true) => {
                let kinds = played.verdict.against();
                ensure!(!kinds.is_empty(), "no reason is given: {played}");
                *self.harmless_refused.entry(kinds).or_default() += 1;
            }
            (false, false) => {}
        }
        Ok(())
    }
}

/// What is needed of the JSON of `quorate check`.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Verdict {
    answer: String,
    sentence: String,
    reasons: Vec<Reason>,
}

#[derive(Debug, serde::Deserialize)]
struct Reason {
    kind: String,
    weight: String,
}

impl Verdict {
    fn has(&self, kind: &str) -> bool {
        self.reasons.iter().any(|reason| reason.kind == kind)
    }

    /// The kinds of all reasons that forbid it, or are missing.
    fn against(&self) -> String {
        let reasons = self.reasons.iter();
        let heavy = reasons.filter(|it| it.weight == "blocker" || it.weight == "missing");
        let kinds: BTreeSet<&str> = heavy.map(|reason| reason.kind.as_str()).collect();
        Vec::from_iter(kinds).join(", ")
    }
}

fn play(stage: &mut Stage, random: &mut Rng) -> Result<Played> {
    let mut troubles: Vec<Trouble> = Vec::new();
    for _ in 0..random.usize(0..=AT_MOST) {
        let trouble = Trouble::draw(NODES, LINKS, random);
        if troubles.iter().all(|other| trouble.goes_with(other)) {
            troubles.push(trouble);
        }
    }
    for trouble in &troubles {
        trouble.strike(stage)?;
    }
    let before = settle(&stage.rack)?;
    stage.wait_until_seen()?;
    for trouble in &troubles {
        trouble.wait_until_told(stage)?;
    }
    let target = format!("pve-{:02}", random.usize(1..=NODES));
    let verdict = check(stage, &target)?;
    let lost = stop(stage, &target, &before)?;
    for trouble in &troubles {
        trouble.mend(stage)?;
    }
    if !stage.rack.running().any(|node| node == target) {
        stage.rack.start_node(&target)?;
    }
    stage.recover()?;
    wait_until_all_is_well(stage)?;
    Ok(Played {
        troubles,
        target,
        verdict,
        lost,
    })
}

/// What the gate says to a reboot.
pub(crate) fn check(stage: &Stage, node: &str) -> Result<Verdict> {
    let said = stage
        .collector
        .asked(&stage.rack, &["check", node, "--json"])?;
    serde_json::from_slice(&said.stdout).context("a verdict is JSON")
}

/// Takes the node's power, and says who was quorate and is not any more.
fn stop(stage: &mut Stage, target: &str, before: &Real) -> Result<Vec<String>> {
    if stage.rack.running().any(|node| node == target) {
        stage.rack.stop_node(target)?;
    }
    stage.bury_agents();
    let after = settle(&stage.rack)?;
    let running: Vec<String> = stage.rack.running().map(str::to_owned).collect();
    let is_lost = |node: &String| {
        before.is_quorate(node) == Some(true) && after.is_quorate(node) != Some(true)
    };
    Ok(running.into_iter().filter(is_lost).collect())
}

/// What is left of the last situation is not to be part of the next one.
fn wait_until_all_is_well(stage: &Stage) -> Result<()> {
    let mut said = String::new();
    let well = wait_until("the gate to say GO to a healthy cluster", PATIENCE, || {
        let verdict = check(stage, "pve-01")?;
        said.clone_from(&verdict.sentence);
        Ok((verdict.answer == "GO").then_some(()))
    });
    well.with_context(|| said.clone())
}
