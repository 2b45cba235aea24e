//! Incidents for a person: each cause with what it rests on and what to do; what it hides is counted.

use std::fmt::Write as _;

use anstyle::Style;
use proto::v1;

use crate::client::Answered;
use crate::command::severity;
use crate::show::{self, DOUBTFUL, GOOD, HEAD, PLAIN};

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
    let roots = open(status).filter(|one| one.cause.is_none()).count();
    let count = match roots {
        0 => "no open incident".to_owned(),
        1 => "1 open incident".to_owned(),
        many => format!("{many} open incidents"),
    };
    let _ = writeln!(text, "{HEAD}{}{HEAD:#}: {count}", show::foreign(name));
    waiting(status, width, text);
    let is_shown = |one: &&v1::Incident| all || one.cause.is_none();
    let mut shown: Vec<&v1::Incident> = status.incidents.iter().filter(is_shown).collect();
    // Those that are over come as they ended, the newest first.
    shown.sort_by_key(|one| match one.closed_unix_ms {
        None => severity::order(one),
        Some(_) => (true, false, std::cmp::Reverse(0), 0),
    });
    for one in shown {
        let mut line = headline(one, 2);
        if let Some(cause) = one.cause {
            let _ = write!(line, " (because of #{cause})");
        }
        text.push_str(&styled(&show::wrap(&line, 4, width), style(one)));
        let mut tell = |line: &str| {
            text.push_str(&show::wrap(&format!("    {line}"), INDENT, width));
        };
        tell(&format!(
            "{}; quorate explain {}",
            since(one),
            show::foreign(&one.rule)
        ));
        said(one).iter().for_each(|line| tell(line));
        match effects(status, one).count() {
            0 => {}
            1 => tell(&format!(
                "1 more is only its effect: quorate incidents {} shows it",
                one.number
            )),
            many => tell(&format!(
                "{many} more are only its effects: quorate incidents {} shows them",
                one.number
            )),
        }
        for seen in &one.evidence {
            tell(&format!(
                "{}: {}",
                show::foreign(&seen.node),
                evidence(seen)
            ));
        }
        if !one.remedy.is_empty() {
            tell(&show::foreign(&one.remedy));
        }
        if !one.way_back.is_empty() {
            tell(&format!("Way back: {}", show::foreign(&one.way_back)));
        }
    }
}

/// One incident, opened up.
pub(super) fn of_one(
    status: &v1::ClusterStatus,
    one: &v1::Incident,
    width: Option<usize>,
) -> String {
    let mut text = styled(&show::wrap(&headline(one, 0), 2, width), style(one));
    let mut tell = |line: &str| text.push_str(&show::wrap(&format!("  {line}"), 4, width));
    tell(&since(one));
    said(one).iter().for_each(|line| tell(line));
    if let Some(cause) = one.cause {
        let cause = status
            .incidents
            .iter()
            .find(|other| other.number == cause)
            .map_or_else(
                || format!("#{cause}"),
                |other| format!("#{}: {}", other.number, show::foreign(&other.sentence)),
            );
        tell(&format!("it is only an effect of {cause}"));
    }
    tell(&format!(
        "found by the rule {}: `quorate explain {}` says what it means",
        show::foreign(&one.rule),
        show::foreign(&one.rule)
    ));
    waiting(status, width, &mut text);
    let seen = one.evidence.iter();
    let seen = seen.map(|seen| format!("{}: {}", show::foreign(&seen.node), evidence(seen)));
    section("Evidence", seen, width, &mut text);
    let line = |line: &str| Some(show::foreign(line)).filter(|line| !line.is_empty());
    section("What to do", line(&one.remedy), width, &mut text);
    section("Way back", line(&one.way_back), width, &mut text);
    section(
        "Effects",
        effects(status, one).map(|other| headline(other, 0)),
        width,
        &mut text,
    );
    let history = one.lines.iter();
    let history = history.map(|line| {
        format!(
            "{}  {}",
            show::moment(line.at_unix_ms),
            show::foreign(&line.sentence)
        )
    });
    section("What happened", history, width, &mut text);
    text
}

/// Nothing, if there is no line in it.
fn section(
    head: &str,
    lines: impl IntoIterator<Item = String>,
    width: Option<usize>,
    text: &mut String,
) {
    for (number, line) in lines.into_iter().enumerate() {
        if number == 0 {
            let _ = writeln!(text, "\n{HEAD}{head}{HEAD:#}");
        }
        text.push_str(&show::wrap(&format!("  {line}"), 4, width));
    }
}

fn waiting(status: &v1::ClusterStatus, width: Option<usize>, text: &mut String) {
    if status.incident_steps_waiting > 0 {
        let line = "  what is newer is not on the collector's disk yet, and not shown";
        text.push_str(&styled(&show::wrap(line, 4, width), DOUBTFUL));
    }
}

fn open(status: &v1::ClusterStatus) -> impl Iterator<Item = &v1::Incident> {
    let incidents = status.incidents.iter();
    incidents.filter(|one| one.closed_unix_ms.is_none())
}

fn effects<'a>(
    status: &'a v1::ClusterStatus,
    of: &v1::Incident,
) -> impl Iterator<Item = &'a v1::Incident> + use<'a> {
    let cause = of.number;
    open(status).filter(move |one| one.cause == Some(cause))
}

/// `#7 critical: switch sw-a is gone`
fn headline(one: &v1::Incident, indent: usize) -> String {
    format!(
        "{}#{} {}: {}",
        " ".repeat(indent),
        one.number,
        severity::word(one.severity()),
        show::foreign(&one.sentence)
    )
}

fn style(one: &v1::Incident) -> Style {
    match one.closed_unix_ms {
        Some(_) => GOOD,
        None => severity::style(one.severity()),
    }
}

fn evidence(seen: &v1::Evidence) -> String {
    let age = seen.age_ms.map_or("age unknown".to_owned(), |ms| {
        format!("{} ago", show::age(ms))
    });
    format!("{} ({age})", show::foreign(&seen.words))
}

/// `since 2026-11-21 14:00:00, came back 2 times`
fn since(one: &v1::Incident) -> String {
    let opened = show::moment(one.opened_unix_ms);
    let mut line = match one.closed_unix_ms {
        None => format!("since {opened}"),
        Some(closed) => format!("over: from {opened} until {}", show::moment(closed)),
    };
    match one.returns {
        0 => {}
        1 => line.push_str(", came back once"),
        many => {
            let _ = write!(line, ", came back {many} times");
        }
    }
    if one.closed_unix_ms.is_none() && !one.is_found {
        line.push_str(", not found now: it may be over soon, or it cannot be looked at");
    }
    line
}

/// What people said of it: who knows of it, and until when nobody is told.
fn said(one: &v1::Incident) -> Vec<String> {
    let known = one.acknowledgement.as_ref().map(|known| {
        let at = show::moment(known.at_unix_ms);
        format!("acknowledged by {} at {at}: {}", known.by, known.reason)
    });
    let silence = one.silence.as_ref().map(|silence| {
        let until = show::moment(silence.until_unix_ms);
        let (id, by, reason) = (silence.id, &silence.by, &silence.reason);
        format!("silenced until {until} by {by} (silence {id}): {reason}")
    });
    let lines = [known, silence].into_iter().flatten();
    lines.map(|line| show::foreign(&line)).collect()
}

fn styled(text: &str, style: Style) -> String {
    if style == PLAIN {
        return text.to_owned();
    }
    format!("{style}{}{style:#}\n", text.trim_end_matches('\n'))
}

#[cfg(test)]
mod tests;
