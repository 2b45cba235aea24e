//! Patterns of names: `*` is any text, `?` any one letter, `[a-c5]` one letter of these.

use std::fmt;
use std::str::Chars;

use serde::{Deserialize, Serialize};

/// The longest pattern; matching takes no longer than its length times that of a name.
pub const MAX_LETTERS: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error(
        "{text:?} has a [ without a ] or with nothing in it; write [1-8] for one of these letters"
    )]
    OpenSet { text: String },
    #[error("a pattern of more than {MAX_LETTERS} letters is not taken")]
    TooLong,
}

/// A pattern that names match or do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    signs: Vec<Sign>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sign {
    Letter(char),
    AnyLetter,
    AnyText,
    /// From the first to the second.
    OneOf(Vec<(char, char)>),
}

impl Pattern {
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text.chars().count() > MAX_LETTERS {
            return Err(BadPattern::TooLong);
        }
        let signs = signs(text).ok_or_else(|| BadPattern::OpenSet {
            text: text.to_owned(),
        })?;
        Ok(Self {
            text: text.to_owned(),
            signs,
        })
    }

    pub fn fits(&self, name: &str) -> bool {
        fits(&self.signs, name)
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

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        Self::new(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}
