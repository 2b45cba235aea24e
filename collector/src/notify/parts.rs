//! What several chats are put together from: colours, letters that a format takes for its own, limits, requests.

use std::time::Duration;

use model::alert::{Kind, Line, Message};
use model::finding::Severity;
use serde_json::Value as Json;

use super::{Answer, Hidden, Http, Outcome, Request, Sending};

/// More lines are in no message; Discord takes no more fields.
pub(super) const MAX_LINES: usize = 24;

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Critical,
    Warning,
    Info,
    /// Nothing is to be done any more.
    Over,
}

impl Tone {
    pub(super) fn of(message: &Message) -> Self {
        match message.severity {
            _ if message.kind.is_end() => Self::Over,
            Severity::Critical => Self::Critical,
            Severity::Warning => Self::Warning,
            Severity::Info => Self::Info,
        }
    }

    /// Red, amber, blue, green.
    pub(super) fn rgb(self) -> u32 {
        match self {
            Self::Critical => 0xd3_2f_2f,
            Self::Warning => 0xff_a0_00,
            Self::Info => 0x19_76_d2,
            Self::Over => 0x38_8e_3c,
        }
    }

    /// `#d32f2f`
    pub(super) fn hex(self) -> String {
        format!("#{:06x}", self.rgb())
    }
}

/// All below the headline, and whether it is recorded.
pub(super) fn lines(sending: &Sending<'_>) -> Vec<Line> {
    let mut lines = sending.message.lines();
    lines.truncate(MAX_LINES - 1);
    if !sending.is_recorded {
        lines.push(Line {
            label: "not recorded",
            words: "the collector's ledger cannot be written".to_owned(),
        });
    }
    lines
}

/// What a kind of message becomes where a message can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    New,
    /// The first message of the thread, by its receipt.
    Edit(&'a str),
}

/// How it is said by a service that can edit. What cannot be edited any more, because the first message is not known, is said
/// anew only if it is news.
pub(super) fn way<'a>(sending: &Sending<'a>) -> Option<Way<'a>> {
    match (sending.message.kind, sending.first) {
        (Kind::Changed | Kind::Over | Kind::Joined, Some(first)) => Some(Way::Edit(first)),
        (Kind::Changed | Kind::Joined, None) => None,
        _ => Some(Way::New),
    }
}

/// Whether it is said by a service that cannot edit.
pub(super) fn is_news(message: &Message) -> bool {
    !matches!(message.kind, Kind::Changed | Kind::Joined)
}

/// A kind of text: which letters it takes for its own, and how its length is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// What is written for a letter; `None`: itself.
    pub(super) escape: fn(char) -> Option<&'static str>,
    pub(super) size: fn(&str) -> usize,
}

/// Letters as JavaScript and Java count them: never fewer than there are.
pub(super) fn utf16(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

pub(super) const PLAIN: Format = Format {
    escape: |_| None,
    size: utf16,
};

pub(super) const PLAIN_BYTES: Format = Format {
    escape: |_| None,
    size: str::len,
};

/// Plain text in which nobody is called.
pub(super) const NOBODY_CALLED: Format = Format {
    escape: |letter| (letter == '@').then_some("@\u{200b}"),
    size: utf16,
};

pub(super) const HTML: Format = Format {
    escape: |letter| match letter {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        _ => None,
    },
    size: utf16,
};

pub(super) const HTML_BYTES: Format = Format {
    size: str::len,
    ..HTML
};

/// Markdown with a backslash before every mark that something begins with, and nobody called: behind `@` stands a blank without width.
pub(super) const MARKDOWN: Format = Format {
    escape: |letter| match letter {
        '\\' => Some("\\\\"),
        '*' => Some("\\*"),
        '_' => Some("\\_"),
        '~' => Some("\\~"),
        '`' => Some("\\`"),
        '|' => Some("\\|"),
        '>' => Some("\\>"),
        '<' => Some("\\<"),
        '[' => Some("\\["),
        '#' => Some("\\#"),
        '@' => Some("@\u{200b}"),
        _ => None,
    },
    size: utf16,
};

/// The text in this format within so much room; what is cut off ends with `…`, and no letter's escape is cut through.
/// Letters that control a terminal, or turn the direction of what follows, are blanks.
pub(super) fn fitted(text: &str, room: usize, format: Format) -> String {
    let mut whole = String::new();
    let mut size = 0;
    // Up to where it can stay if a `…` must follow.
    let mut kept = 0;
    let dots = (format.size)("…");
    for letter in text.chars() {
        let letter = match letter {
            '\n' => '\n',
            control if control.is_control() => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
            other => other,
        };
        let before = whole.len();
        match (format.escape)(letter) {
            Some(escaped) => whole.push_str(escaped),
            None => whole.push(letter),
        }
        size += (format.size)(whole.get(before..).unwrap_or_default());
        if size > room {
            whole.truncate(kept);
            if dots <= room {
                whole.push('…');
            }
            return whole;
        }
        if size + dots <= room {
            kept = whole.len();
        }
    }
    whole
}

/// How long each of several texts may be so that they have room together: the long ones are cut, the short ones stay.
pub(super) fn share(room: usize, sizes: &[usize]) -> usize {
    let (mut enough, mut too_much) = (0, room + 1);
    while enough + 1 < too_much {
        let middle = enough.midpoint(too_much);
        let together: usize = sizes.iter().map(|size| middle.min(*size)).sum();
        if together <= room {
            enough = middle;
        } else {
            too_much = middle;
        }
    }
    enough
}

/// Lines whose words are in a format and have room together. `around`: what is written beside each one's words.
pub(super) fn fitted_lines(
    lines: &[Line],
    room: usize,
    around: usize,
    format: Format,
) -> Vec<(&'static str, String)> {
    let whole = lines
        .iter()
        .map(|line| (line.label, fitted(&line.words, usize::MAX, format)));
    let sizes: Vec<usize> = whole
        .map(|(label, words)| (format.size)(label) + around + (format.size)(&words))
        .collect();
    let most = share(room, &sizes);
    let cut = lines.iter().map(|line| {
        let room = most.saturating_sub((format.size)(line.label) + around);
        (line.label, fitted(&line.words, room, format))
    });
    cut.collect()
}

/// The lines as plain text, one below the other.
pub(super) fn plain_lines(lines: &[Line], room: usize, format: Format) -> String {
    let fitted = fitted_lines(lines, room, ": \n".len(), format);
    let said: Vec<String> = fitted
        .into_iter()
        .map(|(label, words)| format!("{label}: {words}"))
        .collect();
    said.join("\n")
}

/// A title with so much room, and the whole headline, if it had to be cut.
pub(super) fn title(message: &Message, room: usize, format: Format) -> (String, Option<String>) {
    let headline = message.headline();
    let title = fitted(&headline, room, format);
    let is_cut = (format.size)(&fitted(&headline, usize::MAX, format)) > room;
    (title, is_cut.then_some(headline))
}

/// A link that a reader can follow: what is neither http nor https is none.
pub(super) fn link(message: &Message) -> Option<&str> {
    const MAX_BYTES: usize = 1_500;
    let link = message.link.as_str();
    let is_web = link.starts_with("https://") || link.starts_with("http://");
    let is_plain = link.len() <= MAX_BYTES
        && !link.chars().any(|letter| {
            letter.is_whitespace() || letter.is_control() || "<>\"`|\\".contains(letter)
        });
    (is_web && is_plain).then_some(link)
}

pub(super) fn http(
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: &Json,
) -> Request {
    let mut all = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    all.extend(headers);
    Request::Http(Http {
        method,
        url,
        headers: all,
        body: body.to_string(),
    })
}

pub(super) fn bearer(token: &Hidden) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", token.get()))
}

/// The body as JSON; `null` if it is none.
pub(super) fn body(answer: &Answer) -> Json {
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// What stands there; null if nothing does.
pub(super) fn at<'a>(json: &'a Json, pointer: &str) -> &'a Json {
    json.pointer(pointer).unwrap_or(&Json::Null)
}

/// One more field of an object.
pub(super) fn set(json: &mut Json, name: &str, value: Json) {
    if let Some(fields) = json.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// Arrived, and what the service knows it by: that of the first message if it was edited.
pub(super) fn delivered(sending: &Sending<'_>, receipt: Option<String>) -> Outcome {
    let receipt = match way(sending) {
        Some(Way::Edit(first)) => Some(first.to_owned()),
        _ => receipt,
    };
    Outcome::Delivered { receipt }
}

pub(super) fn seconds(value: &Json) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?).ok()
}

/// For a part of a path: whatever the key has, it is one segment.
pub(super) fn path_segment(text: &str) -> String {
    let mut segment = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_its_room_ends_and_never_within_an_escape() {
        let check = |text: &str, room, format: Format, expect: &str| {
            let fitted = fitted(text, room, format);
            assert_eq!(fitted, expect);
            assert!((format.size)(&fitted) <= room, "{fitted}");
        };
        check("abc", 3, PLAIN, "abc");
        check("abcd", 3, PLAIN, "ab…");
        check("a&b", 7, HTML, "a&amp;b");
        check("a&bc", 7, HTML, "a&amp;…");
        check("a&b", 6, HTML, "a…");
        check("🦀🦀", 3, PLAIN, "🦀…");
        check("ääää", 7, PLAIN_BYTES, "ää…");
        check("ab", 0, PLAIN, "");
        check("a\u{7}\tb\u{202e}\n", 9, PLAIN, "a  b \n");
        check("@all *b*", 99, MARKDOWN, "@\u{200b}all \\*b\\*");
    }

    #[test]
    fn the_long_ones_give_way_to_the_short_ones() {
        assert_eq!(share(100, &[10, 10]), 100);
        assert_eq!(share(100, &[10, 200, 300]), 45);
        assert_eq!(share(2, &[9, 9, 9]), 0);
        assert_eq!(share(9, &[]), 9);
    }

    #[test]
    fn a_key_is_one_segment_of_a_path() {
        assert_eq!(path_segment("a/b c:ä~1"), "a%2Fb%20c%3A%C3%A4~1");
    }

    #[test]
    fn only_what_can_be_followed_is_a_link() {
        let mut message = crate::notify::sample::switch_down();
        assert_eq!(link(&message), Some(message.link.as_str()));
        for bad in ["", "javascript:alert(1)", "https://a/|b>", "https://a b"] {
            message.link = bad.to_owned();
            assert_eq!(link(&message), None);
        }
    }
}
