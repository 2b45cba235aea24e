//! JSON as tools and daemons write it. One element of a wrong kind must not lose the others: a value that cannot be
//! read becomes a bad line that names it by its path. JSON is mostly written on one line, so the line's number would
//! say nothing.

mod document;
mod fields;
mod taker;

use serde_json::{Map, Value};

use crate::text::{BadLine, Line, Unreadable};

pub(super) use document::{Document, document};
pub(super) use fields::Fields;
pub(super) use taker::Taker;

/// The object that a text is.
pub(super) fn object_of(text: &str) -> Result<Map<String, Value>, Unreadable> {
    let text = text.trim_start_matches('\u{feff}');
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Unreadable::foreign(text)),
        Err(_) if !text.trim_start().starts_with(['{', '[']) => Err(Unreadable::foreign(text)),
        Err(error) => Err(Unreadable::from_json(text, &error)),
    }
}

/// The elements of an array; a value alone is an array of one, null and nothing are an array of none.
pub(super) fn items(value: Option<&Value>) -> &[Value] {
    match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(items)) => items,
        Some(other) => std::slice::from_ref(other),
    }
}

/// The value at a path, which is not of the kind that is expected there.
pub(super) fn refused(path: &str, value: &Value, why: &str) -> BadLine {
    // A container is only named: it could hold megabytes.
    let quoted = match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        plain => plain.to_string(),
    };
    let text = format!("{path}: {quoted}");
    BadLine::new(
        Line {
            number: 1,
            text: &text,
        },
        why,
    )
}

/// A text, or a number written as one.
fn word_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
