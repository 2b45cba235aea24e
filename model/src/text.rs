//! What every parser of text shares: numbered lines, lines that could not be read, and texts that are no answer.
//!
//! A parser skips lines that it does not know. A line that it knows but cannot read becomes a [`BadLine`] with
//! its number and text, and the value that stood there stays unknown; everything else in the text is kept. So one
//! bad line never loses the rest, and never passes for a good value.

use serde::{Deserialize, Serialize};

/// How many bad lines of one text are kept; the rest are only counted, so that garbage cannot grow a report.
pub const MAX_BAD_LINES: usize = 50;
/// How many characters of a bad line are kept.
pub const MAX_BAD_LINE_CHARS: usize = 200;
/// How many characters of a reason are kept: it may quote what it is about.
const MAX_WHY_CHARS: usize = 400;

/// Stands in a fact where a text holds a secret: a report travels, and a key must not.
pub const SECRET: &str = "(secret)";

/// A line that the parser knows but cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("line {line_number}: cannot read {line:?}: {why}")]
pub struct BadLine {
    /// Counted from 1.
    pub line_number: usize,
    /// The line as it stood there, cut at [`MAX_BAD_LINE_CHARS`].
    pub line: String,
    /// What was expected: "votes are not a whole number".
    pub why: String,
}

impl BadLine {
    pub fn new(line: Line<'_>, why: impl Into<String>) -> Self {
        Self {
            line_number: line.number,
            line: line.text.chars().take(MAX_BAD_LINE_CHARS).collect(),
            why: cut(why.into()),
        }
    }
}

fn cut(mut why: String) -> String {
    if let Some((end, _)) = why.char_indices().nth(MAX_WHY_CHARS) {
        why.truncate(end);
        why.push('…');
    }
    why
}

/// A text as a whole that is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("there is nothing in it")]
    Empty,
    /// The tool printed an error instead of an answer: `Cannot initialize QUORUM service`.
    #[error("the tool answered: {message}")]
    ToolFailed { message: String },
    #[error("none of its lines is one that is expected here; it begins with {first_line:?}")]
    Foreign { first_line: String },
    #[error(transparent)]
    BadLine(#[from] BadLine),
}

impl Unreadable {
    /// `Empty` or `Foreign`, whichever the text is.
    pub fn foreign(text: &str) -> Self {
        match text.lines().map(str::trim).find(|line| !line.is_empty()) {
            None => Self::Empty,
            Some(line) => Self::Foreign {
                first_line: line.chars().take(MAX_BAD_LINE_CHARS).collect(),
            },
        }
    }

    /// The tool said this instead of an answer.
    pub fn tool_failed(line: &str) -> Self {
        Self::ToolFailed {
            message: line.trim().chars().take(MAX_BAD_LINE_CHARS).collect(),
        }
    }

    /// The first line that is a complaint as what the tool said, or that the text is foreign.
    pub fn complaint_in(text: &str, is_complaint: impl Fn(&str) -> bool) -> Self {
        let complaint = text.lines().map(str::trim).find(|line| is_complaint(line));
        complaint.map_or_else(|| Self::foreign(text), Self::tool_failed)
    }

    /// A JSON text that serde_json could not read, with the line it stumbled over.
    pub fn from_json(text: &str, error: &serde_json::Error) -> Self {
        if text.trim().is_empty() {
            return Self::Empty;
        }
        let at = error.line().max(1);
        let line = text.lines().nth(at - 1).unwrap_or_default();
        // Tools print one long line: quote what stands around the column, not the first characters.
        let from = error.column().saturating_sub(MAX_BAD_LINE_CHARS / 2);
        let around: String = line.chars().skip(from).take(MAX_BAD_LINE_CHARS).collect();
        Self::BadLine(BadLine {
            line_number: at,
            line: around,
            why: cut(error.to_string()),
        })
    }
}

/// Does a line of a tool written in Perl (Proxmox VE's, most of them) sound like an error? Such errors come in the words
/// of whatever library failed; ask only of lines that are none of the answer's own.
pub fn sounds_like_an_error(line: &str) -> bool {
    const WORDS: [&str; 14] = [
        "error",
        "failed",
        "unable",
        "cannot",
        "can't",
        "not found",
        "denied",
        "refused",
        "no such",
        "must be",
        "unknown",
        "timeout",
        "timed out",
        "usage",
    ];
    let line = line.to_ascii_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

/// A value read from a text, and the lines of it that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    pub value: T,
    /// At most [`MAX_BAD_LINES`], in the order of the text.
    pub bad_lines: Vec<BadLine>,
}

impl<T> Parsed<T> {
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Parsed<U> {
        Parsed {
            value: turn(self.value),
            bad_lines: self.bad_lines,
        }
    }
}

/// Collects bad lines up to [`MAX_BAD_LINES`]; the last one kept then says how many more there were.
#[derive(Debug, Default)]
pub struct BadLines {
    kept: Vec<BadLine>,
    dropped: usize,
}

impl BadLines {
    pub fn push(&mut self, bad_line: BadLine) {
        if self.kept.len() < MAX_BAD_LINES {
            self.kept.push(bad_line);
        } else {
            self.dropped += 1;
        }
    }

    /// Takes the value out of a result; an error becomes a bad line and the value stays unknown.
    pub fn keep<T>(&mut self, result: Result<T, BadLine>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(bad_line) => {
                self.push(bad_line);
                None
            }
        }
    }

    pub fn with<T>(mut self, value: T) -> Parsed<T> {
        if self.dropped > 0
            && let Some(last) = self.kept.last_mut()
        {
            last.why = format!("{} (and {} more bad lines)", last.why, self.dropped);
        }
        Parsed {
            value,
            bad_lines: self.kept,
        }
    }
}

/// One line of a text: its number from 1, and its text without line end or trailing blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub number: usize,
    pub text: &'a str,
}

impl<'a> Line<'a> {
    /// Splits `Key: value` at the first colon; both sides trimmed.
    pub fn key_value(self) -> Option<(&'a str, &'a str)> {
        self.text
            .split_once(':')
            .map(|(key, value)| (key.trim(), value.trim()))
    }

    /// Reads a number, or says that `what` is not one.
    pub fn number<N: std::str::FromStr>(self, value: &str, what: &str) -> Result<N, BadLine> {
        value
            .trim()
            .parse()
            .map_err(|_| BadLine::new(self, format!("{what} is not a number")))
    }

    pub fn is_blank(self) -> bool {
        self.text.trim().is_empty()
    }

    /// How many blanks or tabs the line begins with.
    pub fn indent(self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }
}

/// The lines of a text, numbered. CRLF and a missing final newline make no difference.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().enumerate().map(|(index, text)| Line {
        number: index + 1,
        text: text.trim_end(),
    })
}

/// The number of the last line, where nothing ends it. The text may have been cut there: what would look the same if
/// its end were missing (a number, an address) is not to be believed.
pub fn unended_line(text: &str) -> Option<usize> {
    let is_ended = text.is_empty() || text.ends_with('\n');
    (!is_ended).then(|| text.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_an_end_is_found() {
        assert_eq!(unended_line(""), None);
        assert_eq!(unended_line("a\nb\n"), None);
        assert_eq!(unended_line("a\nb"), Some(2));
        assert_eq!(unended_line("a\r\nb\r"), Some(2));
    }

    #[test]
    fn crlf_and_a_missing_final_newline_make_no_difference() {
        let texts: Vec<_> = lines("a: 1\r\n b  \r\nc").map(|line| line.text).collect();
        assert_eq!(texts, ["a: 1", " b", "c"]);
    }

    #[test]
    fn garbage_cannot_grow_a_report() {
        let mut bad_lines = BadLines::default();
        for number in 1..=1000 {
            bad_lines.push(BadLine::new(
                Line {
                    number,
                    text: &"x".repeat(9999),
                },
                "ä".repeat(9999),
            ));
        }
        let parsed = bad_lines.with(());
        assert_eq!(parsed.bad_lines.len(), MAX_BAD_LINES);
        assert!(
            parsed
                .bad_lines
                .iter()
                .all(|bad| bad.line.len() == MAX_BAD_LINE_CHARS)
        );
        assert!(
            parsed
                .bad_lines
                .iter()
                .all(|bad| bad.why.chars().count() < 2 * MAX_WHY_CHARS)
        );
        assert!(parsed.bad_lines.last().unwrap().why.contains("950 more"));
    }

    #[test]
    fn a_bad_line_says_number_text_and_reason() {
        let line = Line {
            number: 7,
            text: "Total votes:      many",
        };
        let error = line.number::<u32>("many", "the vote count").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 7: cannot read \"Total votes:      many\": the vote count is not a number"
        );
    }
}
