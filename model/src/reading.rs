//! What we hold of one fact: known, failed, absent, or never heard of. These are four different things, and none
//! of the last three is zero, empty, or good news.

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::text::BadLine;

/// One fact family of one node, as last read.
///
/// In JSON: `{"known": …, "at": …}`, `{"failed": why}`, `"absent"`, `"never_heard"`.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading<T> {
    /// It was read. Single values in it that could not be read are unknown (`null`), and `problems` says why.
    Known {
        value: T,
        at: Timestamp,
        problems: Vec<Problem>,
    },
    /// It is there, but could not be read, or reading it failed.
    Failed { why: String },
    /// It is not there: no bonding on this node, no ceph.
    Absent,
    /// Nobody has told us yet.
    NeverHeard,
}

/// Something in a known reading that could not be read: one line, or one file or answer of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Below the root: `proc/net/bonding/bond0`, `commands/corosync-quorumtool_-s`.
    pub source: String,
    /// Counted from 1; `None` where the text as a whole could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_number: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    pub why: String,
}

impl Problem {
    pub fn line(source: &str, bad_line: BadLine) -> Self {
        let BadLine {
            line_number,
            line,
            why,
        } = bad_line;
        Self {
            source: source.to_owned(),
            line_number: Some(line_number),
            line: Some(line),
            why,
        }
    }

    pub fn whole(source: &str, why: impl Into<String>) -> Self {
        Self {
            source: source.to_owned(),
            line_number: None,
            line: None,
            why: why.into(),
        }
    }
}

impl<T> Reading<T> {
    /// The value, if it is known. Everything else is unknown, for whatever reason.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Failed { .. } | Self::Absent | Self::NeverHeard => None,
        }
    }

    /// The same reading of a value that stays where it is.
    pub fn as_ref(&self) -> Reading<&T> {
        match self {
            Self::Known {
                value,
                at,
                problems,
            } => Reading::Known {
                value,
                at: *at,
                problems: problems.clone(),
            },
            Self::Failed { why } => Reading::Failed { why: why.clone() },
            Self::Absent => Reading::Absent,
            Self::NeverHeard => Reading::NeverHeard,
        }
    }

    /// Turns the value into another, keeping everything that was said about it.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Known {
                value,
                at,
                problems,
            } => Reading::Known {
                value: turn(value),
                at,
                problems,
            },
            Self::Failed { why } => Reading::Failed { why },
            Self::Absent => Reading::Absent,
            Self::NeverHeard => Reading::NeverHeard,
        }
    }
}

/// How a reading stands, whatever it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    pub known: bool,
    pub failed: Option<&'a str>,
    pub at: Option<Timestamp>,
    pub problems: &'a [Problem],
}

impl<'a> Standing<'a> {
    pub fn of<T>(reading: &'a Reading<T>) -> Self {
        let mut standing = Self {
            known: false,
            failed: None,
            at: None,
            problems: &[],
        };
        match reading {
            Reading::Known { at, problems, .. } => {
                standing.known = true;
                standing.at = Some(*at);
                standing.problems = problems;
            }
            Reading::Failed { why } => standing.failed = Some(why),
            Reading::Absent | Reading::NeverHeard => {}
        }
        standing
    }

    /// Neither known nor failed: it is not there, or nobody has told.
    pub fn is_absent(&self) -> bool {
        !self.known && self.failed.is_none()
    }
}

/// Written by hand, because a derived conversion would copy the value first: a report can hold megabytes.
impl<T: Serialize> Serialize for Reading<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known {
                value,
                at,
                problems,
            } => {
                let mut object = serializer.serialize_map(None)?;
                object.serialize_entry("known", value)?;
                object.serialize_entry("at", at)?;
                if !problems.is_empty() {
                    object.serialize_entry("problems", problems)?;
                }
                object.end()
            }
            Self::Failed { why } => {
                let mut object = serializer.serialize_map(Some(1))?;
                object.serialize_entry("failed", why)?;
                object.end()
            }
            Self::Absent => serializer.serialize_str("absent"),
            Self::NeverHeard => serializer.serialize_str("never_heard"),
        }
    }
}

/// The JSON shape of a reading: the contract of `quorate-agent snapshot --json`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wire {
    Known {
        known: Value,
        at: Timestamp,
        #[serde(default)]
        problems: Vec<Problem>,
    },
    Failed {
        failed: String,
    },
    Word(Word),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Absent,
    NeverHeard,
}

/// The value is read by itself: within an untagged enum, serde takes no number for the key of a map.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Reading<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Known {
                known,
                at,
                problems,
            } => Self::Known {
                value: serde_path_to_error::deserialize(known).map_err(D::Error::custom)?,
                at,
                problems,
            },
            Wire::Failed { failed } => Self::Failed { why: failed },
            Wire::Word(Word::Absent) => Self::Absent,
            Wire::Word(Word::NeverHeard) => Self::NeverHeard,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reading: &Reading<u32>, json: &str) {
        assert_eq!(serde_json::to_string(reading).unwrap(), json);
        assert_eq!(
            &serde_json::from_str::<Reading<u32>>(json).unwrap(),
            reading
        );
    }

    #[test]
    fn the_four_kinds_of_reading_stay_apart_in_json() {
        let at = Timestamp::UNIX_EPOCH;
        check(
            &Reading::Known {
                value: 0,
                at,
                problems: Vec::new(),
            },
            r#"{"known":0,"at":"1970-01-01T00:00:00Z"}"#,
        );
        check(
            &Reading::Failed {
                why: "timed out".into(),
            },
            r#"{"failed":"timed out"}"#,
        );
        check(&Reading::Absent, r#""absent""#);
        check(&Reading::NeverHeard, r#""never_heard""#);
    }

    #[test]
    fn only_known_has_a_value() {
        assert_eq!(Reading::<u32>::Absent.known(), None);
        assert_eq!(Reading::<u32>::NeverHeard.known(), None);
        assert_eq!(Reading::<u32>::Failed { why: String::new() }.known(), None);
    }
}
