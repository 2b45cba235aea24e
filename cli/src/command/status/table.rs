//! The answer for a person: per cluster its votes, what is wrong with it and with the fleet, and its nodes.
//!
//! What a node said counts while its stream speaks and the reading is young; else it is unknown, however good it was.

use std::fmt::Write as _;

use anstyle::Style;
use jiff::Timestamp;
use proto::v1;

use super::grid::INDENT;
use super::nodes::of_nodes;
use super::receivers;
use crate::client::{Answered, Receivers};
use crate::command::severity;
use crate::show::{self, BAD, DOUBTFUL, GOOD, HEAD};

/// What is shown of a cluster's id beside its name.
const ID_LETTERS: usize = 8;
const SHA256: &str = "sha256-";

pub(super) fn of_status(answered: &Answered, width: usize) -> String {
    let mut text = String::new();
    let clusters = &answered.status.clusters;
    if clusters.is_empty() {
        let line = format!(
            "no cluster has joined the collector at {}; `quorate-collector token create` there shows how",
            answered.address
        );
        return show::wrap(&line, INDENT, Some(width));
    }
    for (number, cluster) in clusters.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        let receivers = receivers::of(answered, cluster);
        of_cluster(cluster, receivers, width, &mut text);
    }
    text
}

fn of_cluster(
    status: &v1::ClusterStatus,
    receivers: Option<&Receivers>,
    width: usize,
    text: &mut String,
) {
    votes(status, width, text);
    if !status.is_authority {
        let of = match &status.authority {
            Some(authority) => show::foreign(&authority.collector),
            None => "unknown".to_owned(),
        };
        let what = if status.is_observer {
            "this collector is an observer, and only looks on"
        } else {
            "this collector does not decide until it is settled which one does"
        };
        let line = format!("  {what}; the one that decides: {of}");
        text.push_str(&show::wrap(&line, INDENT * 2, Some(width)));
    }
    for finding in &status.findings {
        let line = format!("  ! {}", show::foreign(finding));
        push(text, &line, INDENT * 2, width, DOUBTFUL);
    }
    incidents(status, width, text);
    for line in receivers::failing(receivers, Timestamp::now()) {
        push(text, &format!("  ! {line}"), INDENT * 2, width, DOUBTFUL);
    }
    text.push_str(&of_nodes(status, width));
}

/// What each partition says; the first stands beside the cluster's name.
fn votes(status: &v1::ClusterStatus, width: usize, text: &mut String) {
    let title = title(status);
    let line = |word: &v1::VotesWord| show::foreign(&format!("{} ({})", word.sentence, word.whose));
    let style = |word: &v1::VotesWord| match word.quorate {
        true => GOOD,
        false => BAD,
    };
    let (first, style_of_first) = match status.votes.first() {
        Some(word) => (line(word), style(word)),
        None => {
            let line = match status.nodes.len() {
                0 => "votes unknown".to_owned(),
                1 => "votes unknown: the one node does not tell".to_owned(),
                nodes => format!("votes unknown: none of {nodes} nodes tells"),
            };
            (line, DOUBTFUL)
        }
    };
    let whole = show::wrap(&format!("{title}: {first}"), INDENT, Some(width));
    match whole.strip_prefix(&format!("{title}: ")) {
        Some(rest) => {
            let rest = rest.trim_end();
            let _ = writeln!(
                text,
                "{HEAD}{title}{HEAD:#}: {style_of_first}{rest}{style_of_first:#}"
            );
        }
        // The name alone is wider than the terminal.
        None => text.push_str(&whole),
    }
    for word in status.votes.iter().skip(1) {
        push(
            text,
            &format!("  {}", line(word)),
            INDENT * 2,
            width,
            style(word),
        );
    }
}

/// The causes that are open, the worst first; what they hide is counted.
fn incidents(status: &v1::ClusterStatus, width: usize, text: &mut String) {
    let open = || {
        status
            .incidents
            .iter()
            .filter(|one| one.closed_unix_ms.is_none())
    };
    let mut causes: Vec<&v1::Incident> = open().filter(|one| one.cause.is_none()).collect();
    causes.sort_by_key(|one| severity::order(one));
    let hidden = open().count() - causes.len();
    let mut line = match causes.len() {
        0 => "  no open incident".to_owned(),
        1 => "  1 open incident".to_owned(),
        many => format!("  {many} open incidents"),
    };
    match hidden {
        0 => {}
        1 => line.push_str(", and 1 more that is only an effect"),
        many => {
            let _ = write!(line, ", and {many} more that are only effects");
        }
    }
    if !causes.is_empty() {
        line.push_str("; `quorate incidents NUMBER` opens one");
    }
    text.push_str(&show::wrap(&line, INDENT * 2, Some(width)));
    if status.incident_steps_waiting > 0 {
        let line = "  ! what is newer is not on the collector's disk yet, and not shown";
        push(text, line, INDENT * 2, width, DOUBTFUL);
    }
    // What is worst is told also if it cannot be looked at.
    let is_told = |one: &&v1::Incident| {
        one.is_found || !matches!(one.severity(), v1::Severity::Info | v1::Severity::Warning)
    };
    let (told, not_found): (Vec<&v1::Incident>, Vec<&v1::Incident>) =
        causes.into_iter().partition(is_told);
    for one in told {
        let effects = open().filter(|other| other.cause == Some(one.number));
        incident(one, effects.count(), width, text);
    }
    let line = match not_found.len() {
        0 => return,
        1 => "  1 more is not found now: it may be over soon, or cannot be looked at".to_owned(),
        many => {
            format!(
                "  {many} more are not found now: they may be over soon, or cannot be looked at"
            )
        }
    };
    push(text, &line, INDENT * 2, width, DOUBTFUL);
}

/// `#4 critical: pve-08 is not in the membership of 6 of 6 peers (2 effects)`
fn incident(one: &v1::Incident, effects: usize, width: usize, text: &mut String) {
    let mut line = format!(
        "  #{} {}: {}",
        one.number,
        severity::word(one.severity()),
        show::foreign(&one.sentence)
    );
    match effects {
        0 => {}
        1 => line.push_str(" (1 effect)"),
        many => {
            let _ = write!(line, " ({many} effects)");
        }
    }
    let said = [
        (one.acknowledgement.is_some(), " (acknowledged)"),
        (one.silence.is_some(), " (silenced)"),
        (!one.is_found, " (not found now)"),
    ];
    line.extend(
        said.iter()
            .filter(|(is_so, _)| *is_so)
            .map(|(_, word)| *word),
    );
    push(
        text,
        &line,
        INDENT * 2,
        width,
        severity::style(one.severity()),
    );
}

fn push(text: &mut String, line: &str, indent: usize, width: usize, style: Style) {
    let wrapped = show::wrap(line, indent, Some(width));
    let _ = writeln!(text, "{style}{}{style:#}", wrapped.trim_end_matches('\n'));
}

/// `pve (0b9d3a52)`: many clusters have the same name.
fn title(status: &v1::ClusterStatus) -> String {
    let Some(cluster) = &status.cluster else {
        return "unknown cluster".to_owned();
    };
    let id = cluster.id.strip_prefix(SHA256).unwrap_or(&cluster.id);
    let id: String = show::foreign(id).chars().take(ID_LETTERS).collect();
    match cluster.name.as_str() {
        "" => format!("cluster without a name ({id})"),
        name => format!("{} ({id})", show::foreign(name)),
    }
}

#[cfg(test)]
mod tests;
