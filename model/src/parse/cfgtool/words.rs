//! The words and letters that `corosync-cfgtool` uses for the state of a node on a link.

use crate::fact::corosync::LinkPosition;

/// The words behind a node. One word that is not known makes the known ones worthless: "not connected".
pub(super) struct Said {
    pub(super) words: String,
    pub(super) connected: Option<bool>,
    pub(super) enabled: Option<bool>,
    pub(super) local: Option<bool>,
}

impl Said {
    pub(super) fn read(status: &str) -> Self {
        let words: Vec<&str> = status.split_whitespace().collect();
        let mut said = Self {
            words: words.join(" "),
            connected: None,
            enabled: None,
            local: None,
        };
        let (mut connected, mut enabled, mut local) = (None, None, None);
        // `link enabled:1 link connected`, of which the end is missing, says nothing.
        let is_alone = words.len() == 1;
        for word in words {
            match word {
                "localhost" => local = Some(true),
                // The versions that print these words print `localhost` for this node itself.
                "connected" | "disconnected" if is_alone => {
                    connected = Some(word == "connected");
                    local = Some(false);
                }
                "connected:1" => connected = Some(true),
                "connected:0" => connected = Some(false),
                "enabled:1" => enabled = Some(true),
                "enabled:0" => enabled = Some(false),
                "link" => {}
                _ => return said,
            }
        }
        (said.connected, said.enabled, said.local) = (connected, enabled, local);
        said
    }
}

/// One letter a node: `n` this node, a digit with bit 1 for enabled and bit 2 for connected, `d` and `?` for
/// errors of knet.
pub(super) fn is_brief(status: &str) -> bool {
    status
        .chars()
        .all(|letter| matches!(letter, 'n' | 'd' | '?') || letter.is_ascii_digit())
}

pub(super) fn brief(status: &str) -> Vec<LinkPosition> {
    let has_local = status.contains('n');
    (0..)
        .zip(status.chars())
        .map(|(position, letter)| {
            let bits = letter.to_digit(10);
            LinkPosition {
                position,
                status: letter.to_string(),
                enabled: bits.map(|bits| bits & 1 != 0),
                connected: bits.map(|bits| bits & 2 != 0),
                local: has_local.then_some(letter == 'n'),
            }
        })
        .collect()
}

/// What follows these words at the start, in whatever case and with whatever blanks between.
pub(super) fn after_words<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    words.iter().try_fold(text, |rest, word| {
        let (first, rest) = split_word(rest);
        first.eq_ignore_ascii_case(word).then_some(rest)
    })
}

pub(super) fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}
