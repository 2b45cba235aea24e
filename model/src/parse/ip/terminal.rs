//! What iproute2's tools have in common: colours on a terminal, and their error messages.

use std::borrow::Cow;

use crate::text::Unreadable;

/// The text without ANSI escape sequences.
pub(in crate::parse) fn without_colours(text: &str) -> Cow<'_, str> {
    const ESCAPE: char = '\u{1b}';
    if !text.contains(ESCAPE) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split(ESCAPE);
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        // `ESC [ 3 6 m`: parameters, then one letter. Anything else is kept.
        let behind = piece.strip_prefix('[').and_then(|sequence| {
            let behind = sequence.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
            behind.strip_prefix(|c: char| c.is_ascii_alphabetic())
        });
        plain.push_str(behind.unwrap_or(piece));
    }
    Cow::Owned(plain)
}

/// The tool's own complaint, if that is what the text begins with.
pub(in crate::parse) fn tool_error(text: &str) -> Option<Unreadable> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let begins = [
        "RTNETLINK answers",
        "Cannot ",
        "Can't ",
        "Error: ",
        "Device \"",
        "Object \"",
        "Option \"",
        "Command \"",
        "Command line is not complete",
        "Dump terminated",
        "Dump was interrupted",
        "Usage: ",
        "Unknown ",
        "Failed to ",
    ];
    let ends = [
        "command not found",
        ": not found",
        "No such file or directory",
        "Permission denied",
        "Operation not permitted",
    ];
    let is_error = begins.iter().any(|begin| line.starts_with(begin))
        || ends.iter().any(|end| line.ends_with(end));
    is_error.then(|| Unreadable::tool_failed(line))
}
