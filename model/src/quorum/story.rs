//! Events in words: what a person types, what a scenario file holds, and what the oracle prints.
//!
//! `down 1,3` · `leave 2` · `up 1` · `split 1,2/3,4` · `join` · `reform 1` · `qdevice on|off|1,2` · `expected 1 3` ·
//! `cancel-wait-for-all 1` · `window`

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::name::{BadName, NodeId};
use crate::quorum::event::{Event, QdeviceState};

/// Words that tell no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEvent {
    #[error(transparent)]
    NodeId(#[from] BadName),
    #[error("{words:?} names no node: write ids with commas between them, as in 1,2,3")]
    NoNodes { words: String },
    #[error("{words:?} is no split: write groups of node ids with '/' between them, as in 1,2/3,4")]
    NotASplit { words: String },
    #[error("{words:?} is neither on nor off")]
    NotOnOrOff { words: String },
    #[error("{words:?} is no node with its votes: write ID=VOTES, as in 1=4")]
    NotIdAndVotes { words: String },
    #[error("{words:?} is not a number of votes")]
    NotVotes { words: String },
    #[error(
        "{words:?} is no event: down IDS, leave IDS, up IDS, split IDS/IDS, join, reform ID, qdevice on|off|IDS, \
         expected ID VOTES, cancel-wait-for-all ID, window"
    )]
    Unknown { words: String },
}

/// Node ids with commas between them: `1,3`.
pub fn node_ids(words: &str) -> Result<BTreeSet<NodeId>, BadEvent> {
    let words = words.trim();
    let ids: BTreeSet<NodeId> = words
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(node_id)
        .collect::<Result<_, _>>()?;
    if ids.is_empty() {
        Err(BadEvent::NoNodes {
            words: words.to_owned(),
        })
    } else {
        Ok(ids)
    }
}

fn node_id(word: &str) -> Result<NodeId, BadEvent> {
    let bad = || BadName::NodeId {
        id: word.to_owned(),
    };
    Ok(NodeId::new(word.parse().map_err(|_| bad())?).map_err(|_| bad())?)
}

/// Groups of node ids with slashes between them: `1,2/3,4`.
pub fn groups(words: &str) -> Result<Vec<BTreeSet<NodeId>>, BadEvent> {
    let groups: Vec<_> = words.split('/').map(node_ids).collect::<Result<_, _>>()?;
    if groups.len() < 2 {
        return Err(BadEvent::NotASplit {
            words: words.to_owned(),
        });
    }
    Ok(groups)
}

impl FromStr for QdeviceState {
    type Err = BadEvent;

    fn from_str(words: &str) -> Result<Self, BadEvent> {
        match words.trim() {
            "on" => Ok(Self::Votes),
            "off" => Ok(Self::Away),
            ids => Ok(Self::VotesFor(node_ids(ids)?)),
        }
    }
}

impl FromStr for Event {
    type Err = BadEvent;

    fn from_str(words: &str) -> Result<Self, BadEvent> {
        let words = words.trim();
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        let rest = rest.trim();
        Ok(match verb {
            "down" => Self::Down(node_ids(rest)?),
            "leave" => Self::Leave(node_ids(rest)?),
            "up" => Self::Up(node_ids(rest)?),
            "split" => Self::Split(groups(rest)?),
            "join" if rest.is_empty() => Self::Join,
            "reform" => Self::Reform(node_id(rest)?),
            "qdevice" => Self::Qdevice(rest.parse()?),
            "expected" => {
                let (node, votes) = rest.split_once(' ').unwrap_or((rest, ""));
                let bad = |_| BadEvent::NotVotes {
                    words: votes.to_owned(),
                };
                Self::Expected {
                    node: node_id(node)?,
                    votes: votes.trim().parse().map_err(bad)?,
                }
            }
            "cancel-wait-for-all" => Self::CancelWaitForAll {
                node: node_id(rest)?,
            },
            "window" if rest.is_empty() => Self::WindowPasses,
            _ => {
                return Err(BadEvent::Unknown {
                    words: words.to_owned(),
                });
            }
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(nodes) => write!(f, "down {}", Ids(nodes)),
            Self::Leave(nodes) => write!(f, "leave {}", Ids(nodes)),
            Self::Up(nodes) => write!(f, "up {}", Ids(nodes)),
            Self::Split(groups) => {
                let groups: Vec<String> = groups.iter().map(|ids| Ids(ids).to_string()).collect();
                write!(f, "split {}", groups.join("/"))
            }
            Self::Join => f.write_str("join"),
            Self::Reform(node) => write!(f, "reform {node}"),
            Self::Qdevice(QdeviceState::Votes) => f.write_str("qdevice on"),
            Self::Qdevice(QdeviceState::Away) => f.write_str("qdevice off"),
            Self::Qdevice(QdeviceState::VotesFor(nodes)) => write!(f, "qdevice {}", Ids(nodes)),
            Self::Expected { node, votes } => write!(f, "expected {node} {votes}"),
            Self::CancelWaitForAll { node } => write!(f, "cancel-wait-for-all {node}"),
            Self::WindowPasses => f.write_str("window"),
        }
    }
}

struct Ids<'a>(&'a BTreeSet<NodeId>);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.0.iter().map(NodeId::to_string).collect();
        f.write_str(&ids.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_read_back_as_it_is_written() {
        for words in [
            "down 1,3",
            "leave 2",
            "up 1",
            "split 1,2/3,4",
            "join",
            "reform 1",
            "qdevice on",
            "qdevice off",
            "qdevice 1,2",
            "expected 1 3",
            "cancel-wait-for-all 1",
            "window",
        ] {
            assert_eq!(words.parse::<Event>().unwrap().to_string(), words);
        }
    }

    #[test]
    fn words_that_tell_no_event_say_what_would() {
        for (words, says) in [
            ("down", "names no node"),
            ("down 0", "\"0\" is not a node id"),
            ("down x", "\"x\" is not a node id"),
            ("split 1,2", "is no split"),
            ("split 1,2/", "names no node"),
            ("expected 1 many", "is not a number of votes"),
            ("explode", "is no event"),
            ("join 1", "is no event"),
        ] {
            let error = words.parse::<Event>().unwrap_err().to_string();
            assert!(error.contains(says), "{words}: {error}");
        }
    }
}
