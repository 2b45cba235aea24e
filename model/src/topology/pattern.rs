//! Which ports a declaration means: `pve-0[1-8]/eno1`, `*/enp65s0f?`.
//!
//! `*` is any text, `?` any one letter, `[a-c5]` one letter of these. A pattern is a node and an interface with `/` between
//! them, and no sign in it reaches over the `/`.

use std::fmt;
use std::str::Chars;

use serde::{Deserialize, Serialize};

use crate::name::{IfaceName, NodeName};

/// The longest pattern; matching takes no longer than its length times that of a name.
const MAX_LETTERS: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error("{text:?} names no port: write NODE/INTERFACE, as in pve-0[1-8]/eno1")]
    NoPort { text: String },
    #[error(
        "{text:?} has a [ without a ] or with nothing in it; write [1-8] for one of these letters"
    )]
    OpenSet { text: String },
    #[error("a pattern of more than {MAX_LETTERS} letters is not taken")]
    TooLong,
}

/// A pattern that ports match or do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortPattern {
    text: String,
    node: Vec<Sign>,
    iface: Vec<Sign>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sign {
    Letter(char),
    AnyLetter,
    AnyText,
    /// From the first to the second.
    OneOf(Vec<(char, char)>),
}

impl PortPattern {
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text.chars().count() > MAX_LETTERS {
            return Err(BadPattern::TooLong);
        }
        let no_port = || BadPattern::NoPort {
            text: text.to_owned(),
        };
        let (node, iface) = text.split_once('/').ok_or_else(no_port)?;
        if node.is_empty() || iface.is_empty() || iface.contains('/') {
            return Err(no_port());
        }
        let open_set = || BadPattern::OpenSet {
            text: text.to_owned(),
        };
        Ok(Self {
            text: text.to_owned(),
            node: signs(node).ok_or_else(open_set)?,
            iface: signs(iface).ok_or_else(open_set)?,
        })
    }

    pub fn fits(&self, node: &NodeName, iface: &IfaceName) -> bool {
        fits(&self.node, node.as_str()) && fits(&self.iface, iface.as_str())
    }
}

fn signs(text: &str) -> Option<Vec<Sign>> {
    let mut letters = text.chars();
    let mut signs = Vec::new();
    while let Some(letter) = letters.next() {
        signs.push(match letter {
            '*' => Sign::AnyText,
            '?' => Sign::AnyLetter,
            '[' => {
                let (set, rest) = letters.as_str().split_once(']')?;
                letters = rest.chars();
                Sign::OneOf(ranges(set)?)
            }
            letter => Sign::Letter(letter),
        });
    }
    Some(signs)
}

/// `None` for an empty set.
fn ranges(set: &str) -> Option<Vec<(char, char)>> {
    let mut letters = set.chars().peekable();
    let mut ranges = Vec::new();
    while let Some(first) = letters.next() {
        let mut after = letters.clone();
        let last = (after.next() == Some('-')).then(|| after.next()).flatten();
        if last.is_some() {
            letters = after;
        }
        ranges.push((first, last.unwrap_or(first)));
    }
    (!ranges.is_empty()).then_some(ranges)
}

fn fits(mut signs: &[Sign], name: &str) -> bool {
    let mut letters = name.chars();
    // Behind the last `*`, and what it has left over: where it does not fit, that takes one letter more.
    let mut again: Option<(&[Sign], Chars<'_>)> = None;
    loop {
        match signs.split_first() {
            Some((Sign::AnyText, rest)) => {
                again = Some((rest, letters.clone()));
                signs = rest;
                continue;
            }
            Some((sign, rest)) => {
                let mut ahead = letters.clone();
                if ahead.next().is_some_and(|letter| sign.takes(letter)) {
                    (signs, letters) = (rest, ahead);
                    continue;
                }
            }
            None if letters.as_str().is_empty() => return true,
            None => {}
        }
        let Some((behind, left)) = &mut again else {
            return false;
        };
        if left.next().is_none() {
            return false;
        }
        (signs, letters) = (*behind, left.clone());
    }
}

impl Sign {
    fn takes(&self, letter: char) -> bool {
        match self {
            Self::AnyText | Self::AnyLetter => true,
            Self::Letter(wanted) => letter == *wanted,
            Self::OneOf(ranges) => ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&letter)),
        }
    }
}

impl fmt::Display for PortPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for PortPattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        Self::new(&text)
    }
}

impl From<PortPattern> for String {
    fn from(pattern: PortPattern) -> Self {
        pattern.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{iface, name};

    #[track_caller]
    fn check(pattern: &str, fitting: &[(&str, &str)], others: &[(&str, &str)]) {
        let pattern = PortPattern::new(pattern).unwrap();
        for (node, port) in fitting {
            assert!(pattern.fits(&name(node), &iface(port)), "{node}/{port}");
        }
        for (node, port) in others {
            assert!(!pattern.fits(&name(node), &iface(port)), "{node}/{port}");
        }
    }

    #[test]
    fn ports_match_by_letters_sets_and_stars() {
        check(
            "pve-0[1-8]/eno1",
            &[("pve-01", "eno1"), ("pve-08", "eno1")],
            &[("pve-09", "eno1"), ("pve-01", "eno12"), ("pve-1", "eno1")],
        );
        check(
            "*/en*f?",
            &[("a", "enp65s0f0"), ("b.c", "enf1")],
            &[("a", "enp65s0f")],
        );
        check(
            "pve-[ac5-]/e",
            &[("pve-a", "e"), ("pve-5", "e"), ("pve--", "e")],
            &[("pve-b", "e")],
        );
        check("**a*/x", &[("banana", "x")], &[("bnn", "x")]);
    }

    #[test]
    fn what_names_no_port_is_refused() {
        for bad in [
            "pve-01",
            "/eno1",
            "pve-01/",
            "a/b/c",
            "pve-[1/eno1",
            "pve-[]/eno1",
        ] {
            assert!(PortPattern::new(bad).is_err(), "{bad}");
        }
        assert!(PortPattern::new(&"a".repeat(300)).is_err());
    }
}
