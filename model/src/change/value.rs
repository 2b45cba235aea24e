//! Every value that differs between two JSON values, by its path. The elements of a list are matched by what they are
//! called, not by their place: a port that leaves a bond does not change all those behind it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// The fields that name the elements of a list; the first that name all of them, and each differently.
const NAMES: &[&[&str]] = &[
    &["name"],
    &["interface"],
    &["node_id"],
    &["link"],
    &["number"],
    &["address"],
    &["vmid"],
    &["upid"],
    &["id"],
    &["first"],
    &["key"],
    &["unit"],
    &["unit", "verb"],
    &["slot"],
    // A node tells of several storages, and a storage is seen by several nodes.
    &["node", "storage"],
    &["guest", "target"],
    // An interface can hear several neighbours.
    &["interface", "via", "remote_id"],
];
/// How much of a value is said in a sentence.
const MAX_VALUE_CHARS: usize = 80;

/// One value that differs. `null` stands for unknown as well as for a thing that is not there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// `eno1.mtu_bytes`, `members[3].votes`
    pub path: String,
    pub before: Value,
    pub after: Value,
}

impl Difference {
    /// Is it this value, or one within it?
    pub(super) fn is_below(&self, path: &str) -> bool {
        self.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (short(&self.before), short(&self.after));
        write!(f, "{} is {after}, was {before}", self.path)
    }
}

fn short(value: &Value) -> String {
    let said = match value {
        Value::Null => return "unknown".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if said.chars().count() <= MAX_VALUE_CHARS {
        return said;
    }
    let mut cut: String = said.chars().take(MAX_VALUE_CHARS).collect();
    cut.push('…');
    cut
}

/// The value without these fields, wherever they stand in it.
pub(super) fn without(mut value: Value, fields: &[&str]) -> Value {
    leave_out(&mut value, fields);
    value
}

fn leave_out(value: &mut Value, fields: &[&str]) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !fields.contains(&key.as_str()));
            object
                .values_mut()
                .for_each(|value| leave_out(value, fields));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| leave_out(value, fields)),
        _ => {}
    }
}

pub(super) fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    collect("", before, after, &mut found);
    found
}

fn collect(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(was), Value::Object(is)) => {
            for (key, was) in was {
                collect(
                    &below(path, key),
                    was,
                    is.get(key).unwrap_or(&Value::Null),
                    found,
                );
            }
            for (key, is) in is.iter().filter(|(key, _)| !was.contains_key(*key)) {
                collect(&below(path, key), &Value::Null, is, found);
            }
        }
        (Value::Array(was), Value::Array(is)) => match both_named(was, is) {
            Some((was, is)) => {
                for (name, was) in &was {
                    let is = is.get(name).copied().unwrap_or(&Value::Null);
                    collect(&format!("{path}[{name}]"), was, is, found);
                }
                for (name, is) in is.iter().filter(|(name, _)| !was.contains_key(*name)) {
                    collect(&format!("{path}[{name}]"), &Value::Null, is, found);
                }
            }
            None => found.push(difference(path, before, after)),
        },
        _ => found.push(difference(path, before, after)),
    }
}

fn difference(path: &str, before: &Value, after: &Value) -> Difference {
    Difference {
        path: path.to_owned(),
        before: before.clone(),
        after: after.clone(),
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

type Named<'a> = BTreeMap<String, &'a Value>;

/// The elements of both lists by the same kind of name.
fn both_named<'a>(was: &'a [Value], is: &'a [Value]) -> Option<(Named<'a>, Named<'a>)> {
    NAMES
        .iter()
        .find_map(|fields| Some((named(was, fields)?, named(is, fields)?)))
}

/// For each element of `is` the one of `was` that is the same thing: by name, or by place where they have no names.
pub(crate) fn counterparts<'a>(was: &'a [Value], is: &[Value]) -> Vec<Option<&'a Value>> {
    let by_name = NAMES.iter().find_map(|fields| {
        let was = named(was, fields)?;
        named(is, fields)?;
        let of = |element| Some(was.get(&name(element, fields)?).copied());
        is.iter().map(of).collect()
    });
    by_name.unwrap_or_else(|| {
        let is_as_long = was.len() == is.len();
        (0..is.len())
            .map(|place| was.get(place).filter(|_| is_as_long))
            .collect()
    })
}

fn name(element: &Value, fields: &[&str]) -> Option<String> {
    let words = fields.iter().map(|field| match element.get(field)? {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    Some(words.collect::<Option<Vec<String>>>()?.join(" "))
}

/// The elements by their names; nothing if one has none, or two have the same.
fn named<'a>(list: &'a [Value], fields: &[&str]) -> Option<Named<'a>> {
    let mut named = BTreeMap::new();
    for element in list {
        if named.insert(name(element, fields)?, element).is_some() {
            return None;
        }
    }
    Some(named)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(before: &Value, after: &Value, expect: &[&str]) {
        let said: Vec<String> = differences(before, after)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn elements_are_matched_by_name() {
        let two = json!({"slaves": [{"name": "eno1", "up": true}, {"name": "eno2", "up": true}]});
        let one = json!({"slaves": [{"name": "eno2", "up": false}]});
        check(
            &two,
            &one,
            &[
                r#"slaves[eno1] is unknown, was {"name":"eno1","up":true}"#,
                "slaves[eno2].up is false, was true",
            ],
        );
        check(&two, &two, &[]);
    }

    #[test]
    fn a_list_without_names_is_one_value() {
        check(
            &json!({"flags": ["UP"]}),
            &json!({"flags": []}),
            &[r#"flags is [], was ["UP"]"#],
        );
        let twice = json!([{"name": "a"}, {"name": "a", "x": 1}]);
        assert_eq!(differences(&twice, &json!([])).len(), 1);
    }

    #[test]
    fn a_path_is_below_another_by_whole_names() {
        let difference = difference("statistics.rx_bytes", &json!(1), &json!(2));
        assert!(difference.is_below("statistics") && !difference.is_below("stat"));
    }
}
