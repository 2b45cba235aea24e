//! One event as a line for a person, or for a program.

use std::fmt::Write as _;

use anstyle::Style;
use proto::v1;
use serde::Serialize;

use crate::answer::to_line;
use crate::command::severity;
use crate::show::{self, PLAIN};

const DIM: Style = Style::new().dimmed();
/// As wide as common names are.
const NODE_WIDTH: usize = 8;
const SOURCE_WIDTH: usize = 9;
/// What follows in a second line stands below the node.
const INDENT: usize = 21;
/// What comes later than this says so.
const LATE_MS: i64 = 300_000;
/// Of a step that is about no single node.
const NO_NODE: &str = "-";

pub(super) fn plain(entry: &v1::HistoryEntry, width: Option<usize>) -> String {
    let at = entry.at_unix_ms.unwrap_or(entry.kept_unix_ms);
    let node = match entry.node.as_str() {
        "" => NO_NODE.to_owned(),
        node => show::foreign(node),
    };
    let mut line = format!(
        "{}  {node:NODE_WIDTH$}  {:SOURCE_WIDTH$}  {}",
        show::moment(at),
        show::foreign(&entry.source),
        show::foreign(&entry.sentence)
    );
    let late_ms = entry.kept_unix_ms.saturating_sub(at);
    if late_ms > LATE_MS {
        let late = show::age(late_ms.unsigned_abs());
        let _ = write!(line, " (told {late} later)");
    }
    let wrapped = show::wrap(&line, INDENT, width);
    let text = wrapped.trim_end_matches('\n');
    let style = match entry.incident {
        Some(_) => severity::style(entry.severity()),
        None => PLAIN,
    };
    // The time is plain ASCII of a fixed length, or a word.
    match text.split_once("  ") {
        Some((time, rest)) => format!("{DIM}{time}{DIM:#}  {style}{rest}{style:#}\n"),
        None => format!("{text}\n"),
    }
}

#[derive(Serialize)]
struct Event<'a> {
    at: Option<jiff::Timestamp>,
    kept: Option<jiff::Timestamp>,
    node: Option<&'a str>,
    source: &'a str,
    sentence: &'a str,
    incident: Option<u64>,
    severity: Option<&'static str>,
    /// As the agent told it; its keys are those of `quorate-agent watch --json` and of the journal's events.
    event: Option<serde_json::Value>,
    place: Place,
}

#[derive(Serialize)]
struct Place {
    event: u64,
    step: u64,
}

pub(super) fn json(place: v1::HistoryPlace, entry: &v1::HistoryEntry) -> String {
    let time = |unix_ms| jiff::Timestamp::from_millisecond(unix_ms).ok();
    to_line(&Event {
        at: entry.at_unix_ms.and_then(time),
        kept: time(entry.kept_unix_ms),
        node: Some(entry.node.as_str()).filter(|node| !node.is_empty()),
        source: &entry.source,
        sentence: &entry.sentence,
        incident: entry.incident,
        severity: entry.incident.map(|_| severity::word(entry.severity())),
        event: serde_json::from_str(&entry.json).ok(),
        place: Place {
            event: place.event,
            step: place.step,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> v1::HistoryEntry {
        v1::HistoryEntry {
            kept_unix_ms: 1_000,
            at_unix_ms: Some(500),
            node: "pve-03".to_owned(),
            source: "kernel".to_owned(),
            sentence: "bond0: (slave eno1): link status definitely down, disabling slave"
                .to_owned(),
            incident: None,
            severity: v1::Severity::Unspecified.into(),
            json: r#"{"message":"x"}"#.to_owned(),
        }
    }

    /// Without the time, which stands in the zone of whoever runs this.
    #[track_caller]
    fn check(entry: &v1::HistoryEntry, expect: &str) {
        let text = anstream::adapter::strip_str(&plain(entry, None)).to_string();
        assert_eq!(&text[19..], expect);
    }

    #[test]
    fn a_line_has_time_node_source_and_sentence() {
        check(
            &entry(),
            "  pve-03    kernel     bond0: (slave eno1): link status definitely down, disabling slave\n",
        );
        let step = v1::HistoryEntry {
            node: String::new(),
            source: "incident".to_owned(),
            sentence: "#7 is over".to_owned(),
            incident: Some(7),
            ..entry()
        };
        check(&step, "  -         incident   #7 is over\n");
    }

    #[test]
    fn what_came_late_and_a_strangers_words_are_told_as_that() {
        let mut late = entry();
        late.kept_unix_ms = 720_500;
        late.sentence = "x\x1b[2J".to_owned();
        check(
            &late,
            "  pve-03    kernel     x\\u{1b}[2J (told 12 min later)\n",
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 40..100 {
            let text = anstream::adapter::strip_str(&plain(&entry(), Some(width))).to_string();
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{text}"
            );
        }
    }

    #[test]
    fn the_json_has_null_for_what_is_not_there() {
        let place = v1::HistoryPlace { event: 4, step: 2 };
        assert_eq!(
            json(place, &entry()),
            "{\"at\":\"1970-01-01T00:00:00.5Z\",\"kept\":\"1970-01-01T00:00:01Z\",\"node\":\"pve-03\",\
             \"source\":\"kernel\",\"sentence\":\"bond0: (slave eno1): link status definitely down, disabling slave\",\
             \"incident\":null,\"severity\":null,\"event\":{\"message\":\"x\"},\"place\":{\"event\":4,\"step\":2}}\n"
        );
    }
}
