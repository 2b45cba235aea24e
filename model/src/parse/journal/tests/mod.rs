// A table: one line of the catalogue a line.
#[rustfmt::skip]
mod catalogue;
mod formats;
mod merging;

use crate::fact::journal::{Journal, JournalEvent};
use crate::text::Parsed;

use super::parse;

#[track_caller]
fn read(text: &str) -> Parsed<Journal> {
    parse(text).unwrap()
}

/// The events of a text without a single bad line, as JSON without the entries' own fields.
#[track_caller]
fn told(text: &str) -> Vec<String> {
    let parsed = read(text);
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value.events.iter().map(event).collect()
}

fn event(told: &JournalEvent) -> String {
    serde_json::to_string(&told.event).unwrap()
}
