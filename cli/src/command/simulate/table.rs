//! The answer as a table for a person.

use std::fmt::Write as _;

use model::name::NodeId;
use model::quorum::config::{AutoTieBreaker, QuorumConfig};
use model::quorum::forecast::Outlook;

use super::Played;
use crate::show::{BAD, DOUBTFUL, GOOD, HEAD};

pub(super) fn of_played(played: &Played) -> String {
    let mut text = String::new();
    let config = &played.config;
    let name = played
        .cluster_name
        .as_deref()
        .unwrap_or("cluster without a name");
    let _ = writeln!(text, "{HEAD}{name}{HEAD:#}: {}", describe(config));
    for note in &config.notes {
        let _ = writeln!(text, "{DOUBTFUL}note{DOUBTFUL:#}: {note}");
    }
    let rows: Vec<Vec<String>> = played
        .stages
        .iter()
        .map(|stage| stage.partitions.iter().map(nodes).collect())
        .collect();
    let widest = rows
        .iter()
        .flatten()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max("NODES".len());
    for (stage, nodes) in played.stages.iter().zip(rows) {
        let step = stage.step.as_deref().unwrap_or("start");
        let _ = writeln!(text, "\n{HEAD}{step}{HEAD:#}");
        if nodes.is_empty() {
            text.push_str("  nobody runs\n");
            continue;
        }
        let _ = writeln!(
            text,
            "  {:widest$}  VOTES  EXPECTED  NEEDED  QUORATE  WHY",
            "NODES"
        );
        for (nodes, outlook) in nodes.iter().zip(&stage.partitions) {
            let part = &outlook.partition;
            let (style, word) = match (outlook.certain, part.quorate) {
                (true, true) => (GOOD, "yes"),
                (true, false) => (BAD, "no"),
                (false, _) if !part.dissenting.is_empty() => (DOUBTFUL, "differs"),
                (false, _) => (DOUBTFUL, "unknown"),
            };
            let _ = writeln!(
                text,
                "  {nodes:widest$}  {:>5}  {:>8}  {:>6}  {style}{word:7}{style:#}  {outlook}",
                part.votes, part.expected, part.quorum
            );
        }
    }
    text
}

/// Node ids with runs drawn together: `1-4,6`.
fn nodes(outlook: &Outlook) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for id in outlook.partition.nodes.iter().map(|id| id.get()) {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            _ => runs.push((id, id)),
        }
    }
    let run = |(first, last): (u32, u32)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(",")
}

fn describe(config: &QuorumConfig) -> String {
    let count = config.votes.len();
    let nodes = if count == 1 { "node" } else { "nodes" };
    let mut words = vec![format!("{count} {nodes}{}", names(config))];
    words.push(format!("{} votes in all", config.all_votes()));
    words.extend(options(config));
    words.join("; ")
}

/// The names beside the ids, if there are any: the table speaks of ids.
fn names(config: &QuorumConfig) -> String {
    let known = |id: &NodeId| config.names.get(id).map(|name| format!("{id} {name}"));
    let known: Vec<String> = config.votes.keys().filter_map(known).collect();
    if known.is_empty() {
        String::new()
    } else {
        format!(" ({})", known.join(", "))
    }
}

fn options(config: &QuorumConfig) -> Vec<String> {
    let mut options = Vec::new();
    let mut given = |set: bool, option: &str| {
        if set {
            options.push(option.to_owned());
        }
    };
    given(config.two_node, "two_node");
    given(config.wait_for_all, "wait_for_all");
    given(config.last_man_standing, "last_man_standing");
    given(config.allow_downscale, "allow_downscale");
    match &config.auto_tie_breaker {
        None => {}
        Some(AutoTieBreaker::Lowest) => given(true, "auto_tie_breaker lowest"),
        Some(AutoTieBreaker::Highest) => given(true, "auto_tie_breaker highest"),
        Some(AutoTieBreaker::List(ids)) => {
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            given(true, &format!("auto_tie_breaker {}", ids.join(" ")));
        }
    }
    if let Some(device) = &config.qdevice {
        let votes = if device.votes == 1 { "vote" } else { "votes" };
        given(
            true,
            &format!("qdevice {} with {} {votes}", device.algorithm, device.votes),
        );
    }
    options
}
