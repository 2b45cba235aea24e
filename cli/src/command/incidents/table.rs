//! Incidents for a person: each cause with what it rests on and what to do; what it hides is counted.

use std::fmt::Write as _;

use anstyle::Style;
use proto::v1;

use super::json::{severity, time};
use crate::client::Answered;
use crate::show::{self, BAD, DOUBTFUL, GOOD, HEAD, PLAIN};

const INDENT: usize = 6;

pub(super) fn of_incidents(answered: &Answered, all: bool, width: Option<usize>) -> String {
    let mut text = String::new();
    for (number, cluster) in answered.status.clusters.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        of_cluster(cluster, all, width, &mut text);
    }
    if text.is_empty() {
        text = "no cluster has joined this collector\n".to_owned();
    }
    text
}

fn of_cluster(status: &v1::ClusterStatus, all: bool, width: Option<usize>, text: &mut String) {
    let name = status.cluster.as_ref().map_or("", |cluster| &cluster.name);
    let open = || {
        status
            .incidents
            .iter()
            .filter(|one| one.closed_unix_ms.is_none())
    };
    let roots = open().filter(|one| one.cause.is_none()).count();
    let count = match roots {
        0 => "no open incident".to_owned(),
        1 => "1 open incident".to_owned(),
        many => format!("{many} open incidents"),
    };
    let _ = writeln!(text, "{HEAD}{}{HEAD:#}: {count}", show::foreign(name));
    if status.incident_steps_waiting > 0 {
        let line = "  what is newer is not on the collector's disk yet, and not shown";
        text.push_str(&styled(&show::wrap(line, 4, width), DOUBTFUL));
    }
    let is_shown = |one: &&v1::Incident| all || one.cause.is_none();
    for one in status.incidents.iter().filter(is_shown) {
        let hides = open()
            .filter(|other| other.cause == Some(one.number))
            .count();
        incident(one, hides, width, text);
    }
}

fn incident(one: &v1::Incident, hides: usize, width: Option<usize>, text: &mut String) {
    let mut line = format!(
        "  #{} {} {}",
        one.number,
        severity(one.severity()),
        show::foreign(&one.sentence)
    );
    if let Some(cause) = one.cause {
        let _ = write!(line, " (because of #{cause})");
    }
    let style = match (one.closed_unix_ms, one.severity()) {
        (Some(_), _) => GOOD,
        (None, v1::Severity::Info) => PLAIN,
        (None, v1::Severity::Warning) => DOUBTFUL,
        (None, v1::Severity::Critical | v1::Severity::Unspecified) => BAD,
    };
    text.push_str(&styled(&show::wrap(&line, 4, width), style));
    let mut tell = |line: &str| {
        text.push_str(&show::wrap(&format!("    {line}"), INDENT, width));
    };
    tell(&since(one));
    match hides {
        0 => {}
        1 => tell("one more is only its effect: --all shows it"),
        many => tell(&format!(
            "{many} more are only its effects: --all shows them"
        )),
    }
    for seen in &one.evidence {
        let age = seen.age_ms.map_or("age unknown".to_owned(), |ms| {
            format!("{} ago", show::age(ms))
        });
        tell(&format!(
            "{}: {} ({age})",
            show::foreign(&seen.node),
            show::foreign(&seen.words)
        ));
    }
    if !one.remedy.is_empty() {
        tell(&show::foreign(&one.remedy));
    }
    if !one.way_back.is_empty() {
        tell(&format!("Way back: {}", show::foreign(&one.way_back)));
    }
}

/// `since 2026-11-21T14:00:00Z, came back 2 times; quorate explain bond-degraded`
fn since(one: &v1::Incident) -> String {
    let at = |unix_ms| time(unix_ms).map_or("unknown".to_owned(), |at| format!("{at:.0}"));
    let mut line = match one.closed_unix_ms {
        None => format!("since {}", at(one.opened_unix_ms)),
        Some(closed) => format!("from {} until {}", at(one.opened_unix_ms), at(closed)),
    };
    if one.returns > 0 {
        let _ = write!(line, ", came back {} times", one.returns);
    }
    if one.closed_unix_ms.is_none() && !one.is_found {
        line.push_str(", not found now: it may be over soon, or it cannot be looked at");
    }
    let _ = write!(line, "; quorate explain {}", show::foreign(&one.rule));
    line
}

fn styled(text: &str, style: Style) -> String {
    format!("{style}{}{style:#}\n", text.trim_end_matches('\n'))
}
