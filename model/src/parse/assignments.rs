//! `KEY=VALUE` a line, as systemd's state files, its tools and the shell's files of `/etc/default` have it. Nothing is
//! expanded: a value with `$` in it is kept as it stands.

use crate::text::{Line, lines};

/// One line that assigns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Assignment<'a> {
    pub(super) line: Line<'a>,
    pub(super) key: &'a str,
    /// Without the quotes around it.
    pub(super) value: &'a str,
}

impl Assignment<'_> {
    /// `yes`, `no` and the other words that systemd and the shell have for them.
    pub(super) fn yes_or_no(&self) -> Option<bool> {
        match self.value.to_ascii_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => Some(true),
            "0" | "no" | "false" | "off" => Some(false),
            _ => None,
        }
    }
}

/// All lines that assign; comments and whatever else stands there are left out.
pub(super) fn assignments(text: &str) -> impl Iterator<Item = Assignment<'_>> {
    lines(text).filter_map(assignment)
}

fn assignment(line: Line<'_>) -> Option<Assignment<'_>> {
    let text = line.text.trim();
    let text = text.strip_prefix("export ").unwrap_or(text);
    let (key, value) = text.split_once('=')?;
    let key = key.trim_end();
    let fits = |sign: char| sign.is_ascii_alphanumeric() || "_-".contains(sign);
    if key.is_empty() || !key.chars().all(fits) {
        return None;
    }
    Some(Assignment {
        line,
        key,
        value: unquoted(value.trim()),
    })
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inside) = value.strip_prefix(quote)
            && let Some((inside, _)) = inside.split_once(quote)
        {
            return inside;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_quotes_are_taken_off() {
        let text = "# A=1\nB=\"x > y\" # why\n export C='1'\nnonsense\nD=\n=E\n$(F)=1\n";
        let read: Vec<_> = assignments(text)
            .map(|found| (found.line.number, found.key, found.value))
            .collect();
        assert_eq!(read, [(2, "B", "x > y"), (3, "C", "1"), (5, "D", "")]);
    }
}
