//! What all commands print alike: where it goes, how wide it is, its colours, and words of strangers.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HEAD: Style = Style::new().bold();

/// Narrower than this nothing can be set; a terminal that says so is not believed.
const NARROWEST: usize = 20;

/// Writes an answer; colours go only to a terminal whose user has not said NO_COLOR.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

pub(crate) fn complain(what: &str) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "error: {what}");
}

/// How wide the terminal is; `None` where the answer goes to a file or another program, which has no edge.
pub(crate) fn width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(columns).max(NARROWEST))
}

/// An error with all its causes, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some libraries print their cause themselves.
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// Words that came over the wire: none of them moves the cursor or colours the screen.
pub(crate) fn foreign(text: &str) -> String {
    let escaped = |letter: char| {
        if letter.is_control() {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        }
    };
    text.chars().map(escaped).collect()
}

/// An age, to one unit: nobody acts on the seconds of an hour.
pub(crate) fn age(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

/// A moment on the clock of whoever reads it: `2026-11-21 14:00:03`.
pub(crate) fn moment(unix_ms: i64) -> String {
    let Ok(at) = jiff::Timestamp::from_millisecond(unix_ms) else {
        return "at an unknown time".to_owned();
    };
    let at = at.to_zoned(jiff::tz::TimeZone::system());
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Breaks a line between words so that it fits; what follows is indented. A word that is too long is broken itself.
pub(crate) fn wrap(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| *width > indent + 1) else {
        return format!("{text}\n");
    };
    let mut lines = String::new();
    let mut line = String::new();
    let mut used = 0;
    let mut words = text.split(' ').collect::<std::collections::VecDeque<_>>();
    while let Some(word) = words.pop_front() {
        let long = word.chars().count();
        let is_first = line.trim().is_empty();
        let blank = usize::from(!is_first);
        if used + blank + long <= width {
            if !is_first {
                line.push(' ');
            }
            line.push_str(word);
            // Blanks at the start are the text's own indentation.
            if word.is_empty() && is_first {
                line.push(' ');
            }
            used = line.chars().count();
        } else if is_first {
            let room = width.saturating_sub(used);
            let cut = word
                .char_indices()
                .nth(room)
                .map_or(word.len(), |(at, _)| at);
            let (fits, rest) = word.split_at(cut);
            line.push_str(fits);
            words.push_front(rest);
            used = width;
            line = next_line(&mut lines, &line, indent, &mut used);
        } else {
            words.push_front(word);
            line = next_line(&mut lines, &line, indent, &mut used);
        }
    }
    lines + &line + "\n"
}

fn next_line(lines: &mut String, line: &str, indent: usize, used: &mut usize) -> String {
    lines.push_str(line);
    lines.push('\n');
    *used = indent;
    " ".repeat(indent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let text =
            "  pve-01: certificates of 2 nodes end soon; averyveryverylongword_without_any_gap end";
        for width in 8..90 {
            let wrapped = wrap(text, 4, Some(width));
            for line in wrapped.lines() {
                assert!(line.chars().count() <= width, "{width}: {line:?}");
            }
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(letters(&wrapped), letters(text));
        }
        assert_eq!(wrap(text, 4, None), format!("{text}\n"));
        assert_eq!(wrap("  a b c", 4, Some(6)), "  a b\n    c\n");
    }

    #[test]
    fn an_age_has_one_unit() {
        assert_eq!(age(999), "0 s");
        assert_eq!(age(119_999), "119 s");
        assert_eq!(age(120_000), "2 min");
        assert_eq!(age(7_200_000), "2 h");
        assert_eq!(age(200_000_000), "2 d");
    }

    #[test]
    fn a_strangers_words_stay_words() {
        assert_eq!(foreign("pve\x1b[31m-01\n"), "pve\\u{1b}[31m-01\\n");
    }
}
