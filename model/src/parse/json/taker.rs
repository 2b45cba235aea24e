//! Values of a JSON object that stays as it is: numbers may be strings, a single value may stand for a list of one.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{items, refused, word_of};
use crate::text::BadLines;

/// Takes values out of JSON, and collects what is not of the expected kind. Where a text is one long line its line
/// number says nothing: the bad line then holds the path and the value instead of a line of the text.
#[derive(Default)]
pub(in crate::parse) struct Taker {
    pub(in crate::parse) bad_lines: BadLines,
}

impl Taker {
    pub(in crate::parse) fn bad(&mut self, path: &str, value: &Value, why: &str) {
        self.bad_lines.push(refused(path, value, why));
    }

    /// A text, or a number written as one. `None` without a bad line where nothing is said: null, or nothing there.
    pub(in crate::parse) fn text(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
    ) -> Option<String> {
        let value = object.get(key)?;
        self.text_of(key, value)
    }

    pub(in crate::parse) fn text_of(&mut self, path: &str, value: &Value) -> Option<String> {
        match plain(value) {
            Some(Value::Null) => None,
            plain => {
                let word = plain.and_then(word_of);
                if word.is_none() {
                    self.bad(path, value, "it is not a text");
                }
                word
            }
        }
    }

    /// A whole number, or a text that holds one.
    pub(in crate::parse) fn number<N: FromStr>(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
    ) -> Option<N> {
        let value = object.get(key)?;
        self.number_of(key, value)
    }

    pub(in crate::parse) fn number_of<N: FromStr>(
        &mut self,
        path: &str,
        value: &Value,
    ) -> Option<N> {
        let number = match plain(value) {
            Some(Value::Null) => return None,
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(Value::Number(number)) => number.to_string().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.bad(path, value, "it is not a whole number that fits here");
        }
        number
    }

    pub(in crate::parse) fn flag(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
    ) -> Option<bool> {
        let value = object.get(key)?;
        match plain(value) {
            Some(Value::Null) => None,
            Some(Value::Bool(flag)) => Some(*flag),
            Some(Value::String(word)) if ["true", "yes", "on"].contains(&word.as_str()) => {
                Some(true)
            }
            Some(Value::String(word)) if ["false", "no", "off"].contains(&word.as_str()) => {
                Some(false)
            }
            _ => {
                self.bad(key, value, "it is neither true nor false");
                None
            }
        }
    }

    /// Texts, of which one alone may stand without brackets; empty ones are left out.
    pub(in crate::parse) fn texts(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
    ) -> Vec<String> {
        let texts = items(object.get(key))
            .iter()
            .filter_map(|value| self.text_of(key, value));
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// An object below a key; something else than an object is a bad line.
    pub(in crate::parse) fn object<'v>(
        &mut self,
        object: &'v Map<String, Value>,
        key: &str,
    ) -> Option<&'v Map<String, Value>> {
        let value = object.get(key)?;
        match first(value) {
            Value::Object(inner) => Some(inner),
            Value::Null => None,
            other => {
                self.bad(key, other, "it is not an object");
                None
            }
        }
    }
}

/// What an array of one holds; anything else is itself.
fn first(value: &Value) -> &Value {
    match value {
        Value::Array(items) => match items.as_slice() {
            [only] => only,
            _ => value,
        },
        other => other,
    }
}

/// The plain value: lldpcli's json0 wraps each into `[{"value": …}]`.
fn plain(value: &Value) -> Option<&Value> {
    match first(value) {
        Value::Object(object) => object.get("value").filter(|value| is_plain(value)),
        value if is_plain(value) => Some(value),
        _ => None,
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_wrong_kind_is_said_by_its_path() {
        let object: Map<String, Value> =
            serde_json::from_str(r#"{"a":{"b":1},"n":"7","x":"seven","z":null}"#).unwrap();
        let mut taker = Taker::default();
        assert_eq!(taker.text(&object, "a"), None);
        assert_eq!(taker.number::<u32>(&object, "n"), Some(7));
        assert_eq!(taker.number::<u32>(&object, "x"), None);
        assert_eq!(taker.number::<u32>(&object, "z"), None);
        let bad_lines = taker.bad_lines.with(()).bad_lines;
        assert_eq!(bad_lines.len(), 2);
        assert_eq!(bad_lines[0].line, "a: an object");
        assert_eq!(bad_lines[1].line, "x: \"seven\"");
    }
}
