//! RFC 6902 patches of strangers: applied one operation at a time, and with bounds, because a patch can make a value
//! twice as large or deeper with each operation.

use json_patch::jsonptr::Pointer;
use json_patch::{Patch, PatchOperation};
use serde_json::Value;

/// The deepest value; what serde_json reads.
const MAX_DEPTH: usize = 100;
const MAX_OPERATIONS: usize = 20_000;
/// The JSON of one family.
pub(super) const MAX_JSON_BYTES: usize = 8 << 20;

#[derive(Debug, thiserror::Error)]
pub(super) enum BadPatch {
    #[error("it is not an RFC 6902 patch")]
    Form { source: serde_json::Error },
    #[error("what it builds on is not JSON")]
    Base { source: serde_json::Error },
    #[error("it has {count} operations, and {MAX_OPERATIONS} are the most")]
    TooMany { count: usize },
    #[error("it makes a value deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("it makes a value larger than {MAX_JSON_BYTES} bytes")]
    TooLarge,
    #[error("it does not fit")]
    Fit { source: Box<json_patch::PatchError> },
}

/// The JSON with the patch applied.
pub(super) fn apply(json: &str, patch: &str) -> Result<String, BadPatch> {
    let Patch(operations) =
        serde_json::from_str(patch).map_err(|source| BadPatch::Form { source })?;
    if operations.len() > MAX_OPERATIONS {
        return Err(BadPatch::TooMany {
            count: operations.len(),
        });
    }
    let mut value: Value =
        serde_json::from_str(json).map_err(|source| BadPatch::Base { source })?;
    let mut copied = 0;
    for operation in operations {
        check(&value, &operation, &mut copied)?;
        json_patch::patch(&mut value, &[operation]).map_err(|source| BadPatch::Fit {
            source: Box::new(source),
        })?;
    }
    let text = value.to_string();
    if text.len() > MAX_JSON_BYTES {
        return Err(BadPatch::TooLarge);
    }
    Ok(text)
}

/// Before every operation the value is no deeper than the bound, and after it either.
fn check(whole: &Value, operation: &PatchOperation, copied: &mut usize) -> Result<(), BadPatch> {
    let (path, put): (&Pointer, Option<&Value>) = match operation {
        PatchOperation::Add(add) => (&add.path, Some(&add.value)),
        PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
        PatchOperation::Move(moved) => (&moved.path, whole.pointer(moved.from.as_str())),
        PatchOperation::Copy(copy) => {
            let put = whole.pointer(copy.from.as_str());
            *copied += put.map_or(0, |put| put.to_string().len());
            (&copy.path, put)
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(()),
    };
    if *copied > MAX_JSON_BYTES {
        return Err(BadPatch::TooLarge);
    }
    if path.tokens().count() + put.map_or(0, depth) > MAX_DEPTH {
        return Err(BadPatch::TooDeep);
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, patch: &str, expect: &str) {
        let text = apply(json, patch).unwrap_or_else(|error| error.to_string());
        assert_eq!(text, expect);
    }

    #[test]
    fn what_a_patch_says_is_done() {
        check(
            r#"[{"name":"eno1","mtu":1500}]"#,
            r#"[{"op":"replace","path":"/0/mtu","value":9000},{"op":"add","path":"/-","value":{}}]"#,
            r#"[{"name":"eno1","mtu":9000},{}]"#,
        );
    }

    #[test]
    fn a_patch_that_doubles_a_value_again_and_again_is_refused() {
        let doubled = |times: u32| {
            let copy = |at| format!(r#"{{"op":"copy","from":"","path":"/{at}"}}"#);
            format!("[{}]", (0..times).map(copy).collect::<Vec<_>>().join(","))
        };
        check(
            "{}",
            &doubled(60),
            "it makes a value larger than 8388608 bytes",
        );
        assert!(apply("{}", &doubled(5)).is_ok());
    }

    #[test]
    fn a_patch_that_goes_deeper_and_deeper_is_refused() {
        let deep = format!("{}{}", "[".repeat(95), "]".repeat(95));
        let move_in = format!(
            r#"[{{"op":"add","path":"/a","value":{deep}}},{{"op":"add","path":"/b","value":{{"c":{{"d":{{"e":{{"f":{{"g":{{"h":{{"i":{{"j":{{}}}}}}}}}}}}}}}}}}}},{{"op":"move","from":"/a","path":"/b/c/d/e/f/g/h/i/j/k"}}]"#
        );
        check("{}", &move_in, "it makes a value deeper than 100");
    }

    #[test]
    fn a_patch_that_does_not_fit_is_refused() {
        check("{}", r#"[{"op":"remove","path":"/a"}]"#, "it does not fit");
        check("{}", r#"{"op":"remove"}"#, "it is not an RFC 6902 patch");
    }
}
