//! JSON as tools print it: warnings may stand around it (`2>&1`, log lines of librados or lldpd), numbers may be
//! strings, and one element of a wrong type must not lose the others.

use std::str::FromStr;

use serde_json::{Deserializer, Map, Value};

use crate::text::{BadLine, BadLines, Line, Unreadable, lines};

/// A tool's JSON object, and the lines that stood around it.
pub(crate) struct Document<'a> {
    pub(crate) value: Value,
    pub(crate) around: Vec<Line<'a>>,
}

/// Reads the object that begins with the first line that begins with a brace. `None` if no line does.
pub(crate) fn document(text: &str) -> Option<Result<Document<'_>, Unreadable>> {
    let mut around = Vec::new();
    let mut offset = 0;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        if whole.trim_start().starts_with('{') {
            let json = text.get(offset..)?;
            return Some(object(json, index, around));
        }
        offset += whole.len();
        let line = Line {
            number: index + 1,
            text: whole.trim_end(),
        };
        if !line.is_blank() && around.len() < MAX_AROUND {
            around.push(line);
        }
    }
    None
}

/// How many of the lines around the JSON are looked at.
const MAX_AROUND: usize = 20;

fn object<'a>(
    json: &'a str,
    lines_before: usize,
    mut around: Vec<Line<'a>>,
) -> Result<Document<'a>, Unreadable> {
    let mut values = Deserializer::from_str(json).into_iter::<Value>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(shifted(Unreadable::from_json(json, &error), lines_before)),
        None => return Err(Unreadable::Empty),
    };
    let end = values.byte_offset();
    let before = json.get(..end).unwrap_or_default().matches('\n').count();
    let behind = lines(json.get(end..).unwrap_or_default());
    around.extend(
        behind
            .filter(|line| !line.is_blank())
            .map(|line| Line {
                number: lines_before + before + line.number,
                text: line.text,
            })
            .take(MAX_AROUND),
    );
    Ok(Document { value, around })
}

/// The line number in the whole text, not in the JSON part of it.
fn shifted(unreadable: Unreadable, by: usize) -> Unreadable {
    match unreadable {
        Unreadable::BadLine(bad) => Unreadable::BadLine(BadLine {
            line_number: bad.line_number + by,
            ..bad
        }),
        other => other,
    }
}

/// Takes values out of JSON, and collects what is not of the expected kind. Where a text is one long line its line
/// number says nothing: the bad line then holds the path and the value instead of a line of the text.
#[derive(Default)]
pub(crate) struct Taker {
    pub(crate) bad_lines: BadLines,
}

impl Taker {
    pub(crate) fn bad(&mut self, path: &str, value: &Value, why: &str) {
        let text = format!("{path}: {}", quoted(value));
        let line = Line {
            number: 1,
            text: &text,
        };
        self.bad_lines.push(BadLine::new(line, why));
    }

    /// A text, or a number written as one. `None` without a bad line where nothing is said: null, or nothing there.
    pub(crate) fn text(&mut self, object: &Map<String, Value>, key: &str) -> Option<String> {
        let value = object.get(key)?;
        self.text_of(key, value)
    }

    pub(crate) fn text_of(&mut self, path: &str, value: &Value) -> Option<String> {
        match plain(value) {
            Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => {
                self.bad(path, value, "it is not a text");
                None
            }
        }
    }

    /// A whole number, or a text that holds one.
    pub(crate) fn number<N: FromStr>(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
    ) -> Option<N> {
        let value = object.get(key)?;
        self.number_of(key, value)
    }

    pub(crate) fn number_of<N: FromStr>(&mut self, path: &str, value: &Value) -> Option<N> {
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

    pub(crate) fn flag(&mut self, object: &Map<String, Value>, key: &str) -> Option<bool> {
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
    pub(crate) fn texts(&mut self, object: &Map<String, Value>, key: &str) -> Vec<String> {
        let texts = items(object.get(key))
            .iter()
            .filter_map(|value| self.text_of(key, value));
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// An object below a key; something else than an object is a bad line.
    pub(crate) fn object<'v>(
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

/// The elements of an array; a value alone is an array of one, null and nothing are an array of none.
pub(crate) fn items(value: Option<&Value>) -> &[Value] {
    match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(items)) => items,
        Some(other) => std::slice::from_ref(other),
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

/// A container is only named: it could hold megabytes.
fn quoted(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_around_the_json_are_kept_with_their_numbers() {
        let read = document("warning: a\n\n{\"b\":\n1}\nwarning: c").unwrap();
        let around = read.unwrap().around;
        assert_eq!(around[0].number, 1);
        assert_eq!((around[1].number, around[1].text), (5, "warning: c"));
        assert!(document("[errno 110] no json").is_none());
    }

    #[test]
    fn broken_json_is_said_with_the_line_of_the_whole_text() {
        let read = document("warning\n{\"b\":\nnope}").unwrap();
        let Err(Unreadable::BadLine(bad)) = read.map(|_| ()) else {
            panic!("it was read");
        };
        assert_eq!(bad.line_number, 3);
    }

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
