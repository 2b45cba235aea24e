//! How bad an incident is, in the words and colours of status, incidents and events.

use anstyle::Style;
use proto::v1::Severity;

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

/// The larger, the worse.
pub(super) fn weight(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Unspecified => 2,
        Severity::Critical => 3,
    }
}
