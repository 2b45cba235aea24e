//! The answer as JSON: the contract of `quorate simulate --json`.

use serde::Serialize;

use super::{Played, Stage};

#[derive(Serialize)]
struct Answer<'a> {
    steps: Vec<Step<'a>>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Step<'a> {
    /// `null` is the start.
    step: Option<&'a str>,
    partitions: Vec<PartitionAnswer>,
}

#[derive(Serialize)]
struct PartitionAnswer {
    nodes: Vec<u32>,
    votes: u32,
    expected: u32,
    quorum: u32,
    quorate: bool,
    /// False where the order in which the nodes hear each other decides; `quorate` is false then too.
    certain: bool,
    reason: String,
}

#[derive(Serialize)]
struct Failure<'a> {
    error: &'a str,
}

pub(super) fn of_played(played: &Played) -> String {
    let notes = played
        .config
        .notes
        .iter()
        .map(ToString::to_string)
        .collect();
    to_line(&Answer {
        steps: played.stages.iter().map(step).collect(),
        notes,
    })
}

pub(super) fn of_error(error: &str) -> String {
    to_line(&Failure { error })
}

fn step(stage: &Stage) -> Step<'_> {
    let partitions = stage.partitions.iter().map(|outlook| PartitionAnswer {
        nodes: outlook.partition.nodes.iter().map(|id| id.get()).collect(),
        votes: outlook.partition.votes,
        expected: outlook.partition.expected,
        quorum: outlook.partition.quorum,
        quorate: outlook.partition.quorate,
        certain: outlook.certain,
        reason: outlook.to_string(),
    });
    Step {
        step: stage.step.as_deref(),
        partitions: partitions.collect(),
    }
}

fn to_line(answer: &impl Serialize) -> String {
    // Plain numbers, words and lists: there is nothing in it that JSON could not hold.
    let line = serde_json::to_string(answer);
    line.unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}")) + "\n"
}
