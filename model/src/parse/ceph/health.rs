//! `ceph health`: JSON of all releases, the `health` object inside of other answers, and the plain text.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::fact::ceph::{Health, HealthCheck, HealthStatus};
use crate::parse::json::{Taker, items};
use crate::text::{BadLines, Line, Parsed, lines};

/// The health that an answer states: it is the answer itself (`ceph health`), or stands below `health`.
/// An empty object states nothing.
pub(super) fn from_root(taker: &mut Taker, root: &Map<String, Value>) -> Option<Health> {
    let is_itself = ["overall_status", "checks"]
        .iter()
        .any(|key| root.contains_key(*key))
        || matches!(root.get("status"), Some(Value::String(word)) if is_word(word));
    if is_itself {
        return Some(from_object(taker, root));
    }
    match root.get("health")? {
        Value::Object(health) if health.is_empty() => None,
        Value::Object(health) => Some(from_object(taker, health)),
        Value::String(word) if is_word(word) => Some(Health {
            status: Some(HealthStatus::from_word(word)),
            ..Health::default()
        }),
        Value::Null => None,
        other => {
            taker.bad("health", other, "it is no health");
            None
        }
    }
}

fn is_word(word: &str) -> bool {
    word.starts_with("HEALTH_")
}

fn from_object(taker: &mut Taker, object: &Map<String, Value>) -> Health {
    let mut health = Health {
        status: status(taker, object),
        ..Health::default()
    };
    for mute in items(object.get("mutes")) {
        let code = mute.as_object().and_then(|mute| taker.text(mute, "code"));
        match code {
            Some(code) => health.mutes.push(code),
            None => taker.bad("mutes", mute, "it has no code"),
        }
    }
    match object.get("checks") {
        Some(Value::Object(checks)) => {
            for (name, value) in checks {
                health.checks.push(check(taker, name, value));
            }
            mark_muted(&mut health);
            // Luminous repeats here, in the old form, that the form has changed: no statement about the cluster.
            return health;
        }
        Some(Value::Null) | None => {}
        Some(other) => taker.bad("checks", other, "it is not an object"),
    }
    for value in items(object.get("summary")) {
        health.checks.push(summary(taker, value));
    }
    health.detail = details(taker, object);
    health
}

/// `status` of luminous and later wins over `overall_status`, which luminous sets to a warning of its own.
fn status(taker: &mut Taker, object: &Map<String, Value>) -> Option<HealthStatus> {
    for key in ["status", "overall_status", "health"] {
        match object.get(key) {
            Some(Value::String(word)) if is_word(word.trim()) => {
                return Some(HealthStatus::from_word(word.trim()));
            }
            // jewel: `health: {health: {health_services: …}}` beside `overall_status`.
            None | Some(Value::Null) => {}
            Some(Value::Object(_)) if key == "health" => {}
            Some(other) => taker.bad(key, other, "it is no word of health"),
        }
    }
    None
}

fn check(taker: &mut Taker, name: &str, value: &Value) -> HealthCheck {
    let mut check = HealthCheck {
        name: Some(name.to_owned()),
        ..HealthCheck::default()
    };
    let Value::Object(object) = value else {
        taker.bad(name, value, "it is not an object");
        return check;
    };
    check.severity = severity(taker, object);
    match object.get("summary") {
        Some(Value::Object(summary)) => {
            check.summary = taker.text(summary, "message");
            check.count = taker.number(summary, "count");
        }
        _ => check.summary = taker.text(object, "summary"),
    }
    check.detail = details(taker, object);
    check.muted = taker.flag(object, "muted");
    check
}

/// The list of mutes holds too where a check itself says nothing of it.
fn mark_muted(health: &mut Health) {
    let mutes: BTreeSet<&String> = health.mutes.iter().collect();
    for check in &mut health.checks {
        if check.name.as_ref().is_some_and(|name| mutes.contains(name)) {
            check.muted = Some(true);
        }
    }
}

fn severity(taker: &mut Taker, object: &Map<String, Value>) -> Option<HealthStatus> {
    taker
        .text(object, "severity")
        .map(|word| HealthStatus::from_word(&word))
}

/// An element of the old list: `{"severity": "HEALTH_WARN", "summary": "…"}`.
fn summary(taker: &mut Taker, value: &Value) -> HealthCheck {
    match value {
        Value::Object(object) => HealthCheck {
            severity: severity(taker, object),
            summary: taker.text(object, "summary"),
            ..HealthCheck::default()
        },
        other => HealthCheck {
            summary: taker.text_of("summary", other),
            ..HealthCheck::default()
        },
    }
}

/// `[{"message": "…"}]`, or before luminous plain texts.
fn details(taker: &mut Taker, object: &Map<String, Value>) -> Vec<String> {
    let mut details = Vec::new();
    for value in items(object.get("detail")) {
        details.extend(match value {
            Value::Object(detail) => taker.text(detail, "message"),
            other => taker.text_of("detail", other),
        });
    }
    details
}

/// `HEALTH_WARN 1 osds down; …`, and what `ceph health detail` prints below it. `None` if that is not what it is.
pub(super) fn from_plain(text: &str) -> Option<Parsed<Health>> {
    let mut lines = lines(text).filter(|line| !line.is_blank());
    // Warnings of librados can stand before the answer.
    let head = lines.find(|line| is_word(line.text.trim()))?;
    let (word, rest) = head
        .text
        .trim()
        .split_once(' ')
        .unwrap_or((head.text.trim(), ""));
    let mut health = Health {
        status: Some(HealthStatus::from_word(word)),
        ..Health::default()
    };
    let summaries = head_summaries(&mut health, rest);
    let outer = head.indent();
    for line in lines {
        detail_line(&mut health, line, outer);
    }
    if health.checks.is_empty() {
        health.checks = summaries;
    }
    mark_muted(&mut health);
    Some(BadLines::default().with(health))
}

/// `1 osds down; 1 host down; (muted: OSD_DOWN(5m) POOL_FULL)`
fn head_summaries(health: &mut Health, rest: &str) -> Vec<HealthCheck> {
    let (summaries, muted) = rest.split_once("(muted:").unwrap_or((rest, ""));
    let muted = muted.trim().trim_end_matches(')').split_whitespace();
    health.mutes = muted
        .map(|mute| mute.split('(').next().unwrap_or(mute).to_owned())
        .collect();
    let summaries = summaries
        .split(';')
        .map(str::trim)
        .filter(|summary| !summary.is_empty());
    summaries
        .map(|summary| HealthCheck {
            summary: Some(summary.to_owned()),
            ..HealthCheck::default()
        })
        .collect()
}

/// A check (`[WRN] OSD_DOWN: 1 osds down`, `OSD_DOWN 1 osds down`), or a line of detail below one.
fn detail_line(health: &mut Health, line: Line<'_>, outer: usize) {
    let text = line.text.trim();
    if line.indent() <= outer
        && let Some(check) = named_check(text)
    {
        health.checks.push(check);
        return;
    }
    let below = if line.indent() > outer {
        health.checks.last_mut()
    } else {
        None
    };
    match below {
        Some(check) => check.detail.push(text.to_owned()),
        None => health.detail.push(text.to_owned()),
    }
}

fn named_check(text: &str) -> Option<HealthCheck> {
    let (muted, text) = match text.strip_prefix("(MUTED") {
        Some(rest) => (Some(true), rest.split_once(')')?.1.trim()),
        None => (None, text),
    };
    let (severity, text) = match text.strip_prefix('[') {
        Some(rest) => {
            let (word, rest) = rest.split_once(']')?;
            (Some(HealthStatus::from_word(word)), rest.trim())
        }
        None => (None, text),
    };
    let (name, summary) = text.split_once(' ')?;
    let name = name.trim_end_matches(':');
    let is_name = name.contains('_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    is_name.then(|| HealthCheck {
        name: Some(name.to_owned()),
        severity,
        summary: Some(summary.trim().to_owned()),
        muted,
        ..HealthCheck::default()
    })
}
