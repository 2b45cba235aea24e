//! How bad an incident is, in the words and colours of status, incidents and events.

use std::cmp::Reverse;

use anstyle::Style;
use proto::v1::{Incident, Severity};

use crate::show::{BAD, DOUBTFUL, PLAIN};

/// A severity that this program does not know is no small one.
pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Unspecified => "unknown",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

pub(super) fn style(severity: Severity) -> Style {
    match severity {
        Severity::Info => PLAIN,
        Severity::Warning => DOUBTFUL,
        Severity::Critical | Severity::Unspecified => BAD,
    }
}

/// What is over stands last, then what is not found now; the worst first, and of alike ones the first.
pub(super) fn order(one: &Incident) -> (bool, bool, Reverse<u8>, u64) {
    let weight = Reverse(weight(one.severity()));
    (
        one.closed_unix_ms.is_some(),
        !one.is_found,
        weight,
        one.number,
    )
}

/// The larger, the worse.
fn weight(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Unspecified => 2,
        Severity::Critical => 3,
    }
}
