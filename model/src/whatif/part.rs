//! What can fail, and how it is named.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{IfaceName, LinkNumber, NodeName, VlanId};

/// A thing that can fail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Node(NodeName),
    /// A port, bond, bridge or VLAN interface that a corosync address stands on.
    Iface(NodeName, IfaceName),
    /// By its id, or by what people call it.
    Switch(String),
    /// All switches that answer LACP as this one system.
    System(String),
    /// All switches that are behind ports of which no switch is known, as if they were one.
    UnknownSwitches,
    /// On every node and in the network.
    Vlan(VlanId),
    /// A corosync network: link N of all nodes.
    Network(LinkNumber),
    Qdevice,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// The carrier is lost.
    Dark,
    /// The carrier is kept, and nothing passes.
    Mute,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Failure {
    pub part: Part,
    pub manner: Manner,
}

impl Failure {
    pub fn dark(part: Part) -> Self {
        let manner = Manner::Dark;
        Self { part, manner }
    }

    pub fn mute(part: Part) -> Self {
        let manner = Manner::Mute;
        Self { part, manner }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.manner {
            Manner::Dark => write!(f, "{}", self.part),
            Manner::Mute => write!(f, "{}, mute", self.part),
        }
    }
}

/// All of these fail at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypothesis {
    pub failures: Vec<Failure>,
}

impl Hypothesis {
    pub fn dark(parts: impl IntoIterator<Item = Part>) -> Self {
        let failures = parts.into_iter().map(Failure::dark).collect();
        Self { failures }
    }
}

/// A hypothesis about a thing that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {asked}{}", nearest_words(nearest))]
pub struct NoSuchPart {
    pub asked: String,
    /// Things of that kind, the most alike first.
    pub nearest: Vec<String>,
}

fn nearest_words(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; the nearest is {one}"),
        several => format!("; the nearest are {}", several.join(", ")),
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {node}"),
            Self::Iface(node, iface) => write!(f, "interface {node}/{iface}"),
            Self::Switch(id) => write!(f, "switch {id}"),
            Self::System(id) => write!(f, "LACP system {id}"),
            Self::UnknownSwitches => f.write_str("unknown switch"),
            Self::Vlan(id) => write!(f, "VLAN {id}"),
            Self::Network(link) => write!(f, "corosync network {link}"),
            Self::Qdevice => f.write_str("qdevice"),
        }
    }
}

/// How many names are proposed.
const NEAREST: usize = 3;

/// The things of that kind whose names are most alike.
pub(super) fn no_such(asked: &Part, known: &[String]) -> NoSuchPart {
    let asked = asked.to_string();
    let mut nearest: Vec<(usize, &String)> = known
        .iter()
        .map(|name| (distance(&asked, name), name))
        .collect();
    nearest.sort();
    NoSuchPart {
        nearest: nearest
            .into_iter()
            .take(NEAREST)
            .map(|(_, name)| name.clone())
            .collect(),
        asked,
    }
}

/// Letters to put in, take out or change, to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut before = index;
        let mut left = index + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (slot, wanted) in row.iter_mut().skip(1).zip(&other) {
            let changed = before + usize::from(letter != *wanted);
            before = *slot;
            left = changed.min(before + 1).min(left + 1);
            *slot = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        assert_eq!(distance("eno1", "eno1"), 0);
        assert_eq!(distance("eno1", "enp1"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        let known = ["node pve-01", "node pve-11", "node lab"].map(str::to_owned);
        let asked = Part::Node(NodeName::new("pve-1").unwrap());
        assert_eq!(
            no_such(&asked, &known).to_string(),
            "there is no node pve-1; the nearest are node pve-01, node pve-11, node lab"
        );
    }
}
