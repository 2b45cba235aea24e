//! Values taken out of a JSON object one by one, as Perl writes them: a number may come as `1`, `"1"` or `true`,
//! depending on how the program last used it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{refused, word_of};
use crate::name::NodeName;
use crate::text::{BadLines, MAX_BAD_LINE_CHARS};

/// An object whose values are taken out one by one; what is left at the end is not known here.
pub(in crate::parse) struct Fields<'a> {
    object: Map<String, Value>,
    /// Where the object stands: `service_status.vm:100`; empty for the outermost.
    path: String,
    bad_lines: &'a mut BadLines,
}

impl<'a> Fields<'a> {
    pub(in crate::parse) fn new(object: Map<String, Value>, bad_lines: &'a mut BadLines) -> Self {
        Self {
            object,
            path: String::new(),
            bad_lines,
        }
    }

    /// The fields of a value in an object at this path; `None` and a bad line if the value is no object.
    pub(in crate::parse) fn inside<'b>(
        &'b mut self,
        key: &str,
        value: Value,
    ) -> Option<Fields<'b>> {
        match value {
            Value::Object(object) => Some(Fields {
                object,
                path: join(&self.path, key),
                bad_lines: self.bad_lines,
            }),
            value => {
                self.refuse(key, &value, "it is not an object");
                None
            }
        }
    }

    pub(in crate::parse) fn refuse(&mut self, key: &str, value: &Value, why: &str) {
        let path = join(&self.path, key);
        self.bad_lines.push(refused(&path, value, why));
    }

    /// The value of a key; `null` is the same as nothing.
    pub(in crate::parse) fn take(&mut self, key: &str) -> Option<Value> {
        self.object.remove(key).filter(|value| !value.is_null())
    }

    /// The value of a key, turned into something; a bad line if it cannot be.
    fn read<T>(
        &mut self,
        key: &str,
        why: &str,
        turn: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(key)?;
        let turned = turn(&value);
        if turned.is_none() {
            self.refuse(key, &value, why);
        }
        turned
    }

    pub(in crate::parse) fn text(&mut self, key: &str) -> Option<String> {
        self.read(key, "it is not a text", word_of)
    }

    pub(in crate::parse) fn number<N: TryFrom<i64>>(&mut self, key: &str) -> Option<N> {
        self.read(key, "it is not a number that fits here", |value| {
            N::try_from(number_of(value)?).ok()
        })
    }

    pub(in crate::parse) fn yes_or_no(&mut self, key: &str) -> Option<bool> {
        self.read(key, "it is neither 0 nor 1", |value| {
            match number_of(value)? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            }
        })
    }

    pub(in crate::parse) fn node(&mut self, key: &str) -> Option<NodeName> {
        self.read(key, "it is not a node name", |value| {
            NodeName::new(value.as_str()?).ok()
        })
    }

    /// Seconds since 1970.
    pub(in crate::parse) fn timestamp(&mut self, key: &str) -> Option<Timestamp> {
        self.read(key, "it is not a time in seconds since 1970", |value| {
            Timestamp::from_second(number_of(value)?).ok()
        })
    }

    /// The members of an object by key; `None` if there is none, or it is no object.
    pub(in crate::parse) fn members(&mut self, key: &str) -> Option<Map<String, Value>> {
        match self.take(key)? {
            Value::Object(members) => Some(members),
            value => {
                self.refuse(key, &value, "it is not an object");
                None
            }
        }
    }

    /// A key of an object that has to be a node's name.
    pub(in crate::parse) fn node_key(&mut self, key: &str, value: &Value) -> Option<NodeName> {
        match NodeName::new(key) {
            Ok(name) => Some(name),
            Err(_) => {
                self.refuse(key, value, "its key is not a node name");
                None
            }
        }
    }

    /// All members, by key.
    pub(in crate::parse) fn take_all(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.object)
    }

    /// What was not taken.
    pub(in crate::parse) fn rest(self) -> BTreeMap<String, Value> {
        self.object.into_iter().collect()
    }
}

/// A whole number, however Perl wrote it; what stands behind the point of a time is dropped.
fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(yes) => Some(i64::from(*yes)),
        Value::Number(number) => whole(&number.to_string()),
        Value::String(text) => whole(text.trim()),
        _ => None,
    }
}

fn whole(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|digit| digit.is_ascii_digit());
    digits.then(|| whole.parse().ok())?
}

fn join(path: &str, key: &str) -> String {
    // A key can be as long as the text: it is quoted, not kept.
    let key = key.chars().take(MAX_BAD_LINE_CHARS);
    if path.is_empty() {
        return key.collect();
    }
    path.chars().chain(['.']).chain(key).collect()
}
