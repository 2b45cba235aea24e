//! Who is told what, and when: `[alerts]` and `[[route]]`.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use model::alert::{Grouping, Policy, Route, Times};
use model::finding::Severity;
use model::pattern::Pattern;
use model::rule;
use settings::value::{refused, text, texts, whole_number};
use settings::{Contradiction, Taken, Value};

use super::Config;
use crate::notify::receivers::named;
use crate::notify::{Heartbeat, SecretError};

/// The longest wait for what one thing broke to arrive.
const MAX_SETTLE_MS: u32 = 60_000;
const MAX_REPEAT_H: u32 = 24 * 365;
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];
const DAY_S_HOURS: &str = "00:00-24:00";

settings::keys! {
    struct RouteRow;
    check route_is_whole;
    /// Receivers.
    "to" => to: Vec<Pattern> = Vec::new(), patterns;
    "severity" => severity: Severity = Severity::Warning, severity;
    "rules" => rules: Vec<Pattern> = Vec::new(), rules;
    "nodes" => nodes: Vec<Pattern> = Vec::new(), patterns;
    "clusters" => clusters: Vec<Pattern> = Vec::new(), patterns;
    /// Empty: every day.
    "days" => days: Vec<Weekday> = Vec::new(), days;
    "hours" => hours: Hours = Hours::default(), hours;
    "zone" => zone: Zone = Zone::default(), zone;
    "group" => group: Grouping = Grouping::Incident, grouping;
    /// 0: never.
    "repeat_h" => repeat_h: u32 = 24, repeat;
    "resolved" => resolved: bool = true, resolved;
}

/// Minutes since midnight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hours {
    from_min: i32,
    to_min: i32,
}

/// A time zone by its name; UTC where none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Config {
    /// Without any route everything that is worse than worth knowing goes to everybody.
    pub(crate) fn policy(&self) -> Policy {
        let receivers: BTreeSet<String> = named(self)
            .iter()
            .map(|named| named.receiver.name().to_owned())
            .collect();
        let mut routes: Vec<Route> = self
            .routes
            .iter()
            .map(|row| row.route(&receivers))
            .collect();
        if routes.is_empty() {
            let to_all = RouteRow::default().route(&receivers);
            routes.push(Route {
                to: receivers.clone(),
                ..to_all
            });
        }
        Policy {
            receivers,
            routes,
            page: self.alerts_page.clone(),
        }
    }

    /// `None`: nobody waits for one.
    pub(crate) fn heartbeat(&self) -> Result<Option<Heartbeat>, SecretError> {
        if !self.heartbeat_url.is_set() {
            return Ok(None);
        }
        let url = self.heartbeat_url.reveal("alerts", "heartbeat_url")?;
        Ok(Some(Heartbeat {
            url,
            every: Duration::from_secs(u64::from(self.heartbeat_every_s)),
        }))
    }
}

impl RouteRow {
    fn route(&self, receivers: &BTreeSet<String>) -> Route {
        let is_always = self.days.is_empty() && self.hours.from_min == self.hours.to_min;
        let times = Times {
            days: self.days.clone(),
            from_min: self.hours.from_min,
            to_min: self.hours.to_min,
            zone: self.zone.0.clone(),
        };
        Route {
            to: receivers
                .iter()
                .filter(|name| self.leads_to(name))
                .cloned()
                .collect(),
            severity: self.severity,
            rules: self.rules.clone(),
            nodes: self.nodes.clone(),
            clusters: self.clusters.clone(),
            times: (!is_always).then_some(times),
            grouping: self.group,
            repeat_ms: (self.repeat_h > 0).then(|| i64::from(self.repeat_h) * 3_600_000),
            tells_end: self.resolved,
        }
    }
}

impl RouteRow {
    fn leads_to(&self, receiver: &str) -> bool {
        self.to.iter().any(|to| to.fits(receiver))
    }
}

/// Who is named and is nobody, and who is somebody and is never told anything.
pub(super) fn contradictions(config: &Config) -> Vec<Contradiction> {
    let receivers = named(config);
    let names: Vec<&str> = receivers
        .iter()
        .map(|named| named.receiver.name())
        .collect();
    let mut found = Vec::new();
    for (row, route) in config.routes.iter().enumerate() {
        for to in &route.to {
            if !names.iter().any(|name| to.fits(name)) {
                let known = match names.as_slice() {
                    [] => "there is none".to_owned(),
                    names => format!("there are {}", names.join(", ")),
                };
                let why = format!(
                    "names {:?}, and no receiver is called so: {known}",
                    to.to_string()
                );
                found.push(Contradiction::new("route.to", why).in_row(row));
            }
        }
    }
    let is_told = |name: &str| {
        config.routes.is_empty() || config.routes.iter().any(|route| route.leads_to(name))
    };
    for named in &receivers {
        let name = named.receiver.name();
        if !name.is_empty() && !is_told(name) {
            let why = format!(
                "{name:?} stands in no [[route]], so that it would never be told anything: name it in one, or take it out"
            );
            found.push(Contradiction::new(named.name_key, why).in_row(named.row));
        }
    }
    found
}

fn route_is_whole(row: &RouteRow) -> Vec<Contradiction> {
    let is_missing = row.to.is_empty();
    let found = is_missing.then(|| Contradiction::new("to", "is missing: name a receiver"));
    found.into_iter().collect()
}

pub(super) fn settle(value: &Value<'_>) -> Taken<u32> {
    whole_number(value, "milliseconds", &(0..=MAX_SETTLE_MS))
}

/// "" stands for none.
pub(super) fn page(value: &Value<'_>) -> Taken<String> {
    const ALLOWED: &str = "an address that begins with https:// or http://, in quotes";
    let page = text(value, ALLOWED)?;
    let is_one = page.is_empty()
        || ((page.starts_with("https://") || page.starts_with("http://"))
            && !page.contains(char::is_whitespace)
            && page.len() < 500);
    if is_one {
        Ok(page.trim_end_matches('/').to_owned())
    } else {
        Err(refused(ALLOWED, format_args!("{page:?}")))
    }
}

pub(super) fn heartbeat_every(value: &Value<'_>) -> Taken<u32> {
    whole_number(value, "seconds", &(10..=86_400))
}

fn severity(value: &Value<'_>) -> Taken<Severity> {
    const ALLOWED: &str = "\"info\", \"warning\" or \"critical\"";
    match text(value, ALLOWED)? {
        "info" => Ok(Severity::Info),
        "warning" => Ok(Severity::Warning),
        "critical" => Ok(Severity::Critical),
        other => Err(refused(ALLOWED, format_args!("{other:?}"))),
    }
}

fn patterns(value: &Value<'_>) -> Taken<Vec<Pattern>> {
    const ALLOWED: &str = "a list of patterns in quotes, such as [\"pve-0[1-4]\", \"lab-*\"]";
    let mut patterns = Vec::new();
    for pattern in texts(value, ALLOWED)? {
        patterns.push(Pattern::new(pattern).map_err(|bad| format!("must be {ALLOWED}: {bad}"))?);
    }
    Ok(patterns)
}

/// A rule that is misspelt would leave its alerts unsent for ever.
fn rules(value: &Value<'_>) -> Taken<Vec<Pattern>> {
    let patterns = patterns(value)?;
    let is_known = |pattern: &&Pattern| rule::ALL.iter().any(|rule| pattern.fits(rule.name));
    match patterns.iter().find(|pattern| !is_known(pattern)) {
        None => Ok(patterns),
        Some(pattern) => Err(format!(
            "names {:?}, and no rule is called so: `quorate explain` lists them",
            pattern.to_string()
        )),
    }
}

fn days(value: &Value<'_>) -> Taken<Vec<Weekday>> {
    const ALLOWED: &str =
        "a list of days: \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"";
    let day = |name: &str| {
        let known = DAYS.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, day)| *day)
            .ok_or_else(|| refused(ALLOWED, format_args!("{name:?}")))
    };
    texts(value, ALLOWED)?.into_iter().map(day).collect()
}

fn hours(value: &Value<'_>) -> Taken<Hours> {
    const ALLOWED: &str = "hours such as \"08:00-18:00\", or \"22:00-06:00\" for a night";
    let hours = text(value, ALLOWED)?;
    if hours == DAY_S_HOURS {
        return Ok(Hours::default());
    }
    let minute = |clock: &str| -> Option<i32> {
        let (hour, minute) = clock.split_once(':')?;
        let is_two =
            |part: &str| part.len() == 2 && part.chars().all(|digit| digit.is_ascii_digit());
        let (hour_number, minute_number) = (hour.parse::<i32>().ok()?, minute.parse::<i32>().ok()?);
        (is_two(hour) && is_two(minute) && hour_number < 24 && minute_number < 60)
            .then_some(hour_number * 60 + minute_number)
    };
    let both = hours.split_once('-').and_then(|(from, to)| {
        let to = if to == "24:00" { "00:00" } else { to };
        Some((minute(from)?, minute(to)?))
    });
    match both {
        Some((from_min, to_min)) if from_min != to_min => Ok(Hours { from_min, to_min }),
        _ => Err(refused(ALLOWED, format_args!("{hours:?}"))),
    }
}

fn zone(value: &Value<'_>) -> Taken<Zone> {
    const ALLOWED: &str =
        "the name of a time zone that this system knows, such as \"Europe/Vienna\" or \"UTC\"";
    let name = text(value, ALLOWED)?;
    // It needs no file of the system's.
    if name == "UTC" {
        return Ok(Zone::default());
    }
    TimeZone::get(name)
        .map(Zone)
        .map_err(|_| refused(ALLOWED, format_args!("{name:?}")))
}

fn grouping(value: &Value<'_>) -> Taken<Grouping> {
    const ALLOWED: &str = "\"incident\", \"rule\", \"node\" or \"cluster\"";
    match text(value, ALLOWED)? {
        "incident" => Ok(Grouping::Incident),
        "rule" => Ok(Grouping::Rule),
        "node" => Ok(Grouping::Node),
        "cluster" => Ok(Grouping::Cluster),
        other => Err(refused(ALLOWED, format_args!("{other:?}"))),
    }
}

fn repeat(value: &Value<'_>) -> Taken<u32> {
    whole_number(value, "hours", &(0..=MAX_REPEAT_H))
}

fn resolved(value: &Value<'_>) -> Taken<bool> {
    value
        .as_bool()
        .ok_or_else(|| "must be true or false".to_owned())
}
