//! Clauses that several families say alike.

use std::fmt::Display;

/// `MTU is 9000 bytes, was 1500 bytes`; nothing if it is the same. Unknown is called so.
pub(super) fn became<T: PartialEq + Display>(
    what: &str,
    unit: &str,
    before: Option<&T>,
    after: Option<&T>,
) -> Option<String> {
    if before == after {
        return None;
    }
    let said = |value: Option<&T>| match value {
        Some(value) => format!("{value}{unit}"),
        None => "unknown".to_owned(),
    };
    Some(format!("{what} is {}, was {}", said(after), said(before)))
}

/// `1 port`, `2 ports`
pub(super) fn counted(count: usize, thing: &str) -> String {
    if count == 1 {
        format!("{count} {thing}")
    } else {
        format!("{count} {thing}s")
    }
}

/// At most this many values are named in one sentence; `--json` has them all.
const MAX_NAMED: usize = 4;

/// The clauses of one subject as one sentence; where there are none of its own, the values themselves.
pub(super) fn sentence(
    subject: &str,
    clauses: &[String],
    differences: &[super::Difference],
) -> String {
    if !clauses.is_empty() {
        return format!("{subject}: {}", clauses.join("; "));
    }
    let mut said: Vec<String> = differences
        .iter()
        .take(MAX_NAMED)
        .map(ToString::to_string)
        .collect();
    let more = differences.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        said.push(format!("{} more", counted(more, "value")));
    }
    format!("{subject}: {}", said.join("; "))
}
