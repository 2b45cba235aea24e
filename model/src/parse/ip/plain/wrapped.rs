//! The lines as the tool printed them, made from those that arrived.

use std::borrow::Cow;

use super::{header, is_known_begin};

/// A line that is as long as a terminal is wide can have been wrapped.
const NARROWEST_TERMINAL: usize = 79;

pub(super) struct Whole<'a> {
    /// Of its first piece, counted from 1.
    pub(super) number: usize,
    pub(super) text: Cow<'a, str>,
}

/// Joins what a terminal wrapped, even inside a word, and parts what `-o` put on one line.
pub(super) fn lines(text: &str) -> Vec<Whole<'_>> {
    let mut whole: Vec<Whole<'_>> = Vec::new();
    let mut indent = None;
    let mut width_before = 0;
    for (index, line) in text.lines().enumerate() {
        let begin = line.len() - line.trim_start().len();
        let is_header = header(line).is_some();
        if is_header {
            indent.get_or_insert(begin);
        }
        // Everything but the header is indented four blanks deeper than it; a line wrapped before blanks begins with
        // fewer.
        let is_rest = !is_header
            && width_before >= NARROWEST_TERMINAL
            && !line.trim().is_empty()
            && indent.is_some_and(|indent| begin < indent + 4)
            && !line.starts_with('\t')
            && !is_prompt(line)
            && !is_known_begin(line);
        width_before = line.len();
        match whole.last_mut().filter(|_| is_rest) {
            Some(last) => last.text.to_mut().push_str(line),
            None if is_header && line.contains("\\  ") => {
                whole.extend(parts(line).map(|text| Whole {
                    number: index + 1,
                    text: Cow::Borrowed(text.trim_end()),
                }));
            }
            None => whole.push(Whole {
                number: index + 1,
                // Blanks at the end can stand before the rest of a wrapped line.
                text: Cow::Borrowed(line),
            }),
        }
    }
    whole
}

/// `root@pve1:~# ` behind the output, in a copy from a terminal.
fn is_prompt(line: &str) -> bool {
    line.split_once(['#', '$'])
        .is_some_and(|(before, _)| before.contains('@') && !before.contains(' '))
}

/// `ip -o` puts a backslash where the line would end; the next begins with blanks.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        match text.split_once("\\  ") {
            Some((part, behind)) => {
                rest = Some(behind);
                Some(part)
            }
            None => rest.take(),
        }
    })
}
