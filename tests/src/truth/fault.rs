//! A failure: what is asked of it, and how it is done to a rack and mended.

use std::fmt;

use anyhow::Result;
use fastrand::Rng;
use proto::v1;
use proto::v1::failure::Part;

use crate::plan::Plan;
use crate::rack::Rack;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Node(String),
    Cable(String, usize),
    Switch(usize),
    /// Its carriers stay.
    Mute(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {node}"),
            Self::Cable(node, link) => write!(f, "cable {node}/eth{link}"),
            Self::Switch(switch) => write!(f, "switch {}", switch_name(*switch)),
            Self::Mute(switch) => write!(f, "mute switch {}", switch_name(*switch)),
        }
    }
}

/// As collector.toml declares it.
pub(crate) fn switch_name(switch: usize) -> String {
    format!("sw-{switch}")
}

impl Fault {
    pub(crate) fn draw(plan: &Plan, random: &mut Rng) -> Self {
        let node = |random: &mut Rng| format!("pve-{:02}", random.usize(1..=plan.nodes));
        match random.u32(0..10) {
            0..=2 => Self::Node(node(random)),
            3..=6 => Self::Cable(node(random), random.usize(0..plan.links)),
            7..=8 => Self::Switch(random.usize(0..plan.switches())),
            _ => Self::Mute(random.usize(0..plan.switches())),
        }
    }

    /// One of these makes nothing of the other.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Switch(one) | Self::Mute(one), Self::Switch(other) | Self::Mute(other)) => {
                one != other
            }
            _ => self != other,
        }
    }

    fn is_mute(&self) -> bool {
        matches!(self, Self::Mute(_))
    }

    /// At the terminal all is dark or all is mute.
    pub(crate) fn are_of_one_manner(faults: &[Self]) -> bool {
        faults.iter().all(Self::is_mute) || !faults.iter().any(Self::is_mute)
    }

    pub(crate) fn asked(&self) -> v1::Failure {
        let part = match self {
            Self::Node(node) => Part::Node(node.clone()),
            Self::Cable(node, link) => Part::Interface(format!("{node}/eth{link}")),
            Self::Switch(switch) | Self::Mute(switch) => Part::Switch(switch_name(*switch)),
        };
        v1::Failure {
            part: Some(part),
            is_mute: self.is_mute(),
        }
    }

    /// Its place among the arguments of `quorate what-if`, which go kind by kind.
    pub(crate) fn place(&self) -> u8 {
        match self {
            Self::Node(_) => 0,
            Self::Switch(_) | Self::Mute(_) => 1,
            Self::Cable(..) => 2,
        }
    }

    /// The same as arguments of `quorate what-if`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        match self {
            Self::Node(node) => vec!["--down".to_owned(), node.clone()],
            Self::Cable(node, link) => vec!["--nic".to_owned(), format!("{node}/eth{link}")],
            Self::Switch(switch) => vec!["--switch".to_owned(), switch_name(*switch)],
            Self::Mute(switch) => vec![
                "--mute".to_owned(),
                "--switch".to_owned(),
                switch_name(*switch),
            ],
        }
    }

    pub(crate) fn strike(&self, rack: &mut Rack) -> Result<()> {
        match self {
            Self::Node(node) => rack.stop_node(node),
            Self::Cable(node, link) => rack.cut_cable(node, *link),
            Self::Switch(switch) => rack.kill_switch(*switch),
            Self::Mute(switch) => rack.mute_switch(*switch),
        }
    }

    /// A node gets its power back, and nothing runs in it but corosync.
    pub(crate) fn mend(&self, rack: &mut Rack) -> Result<()> {
        match self {
            Self::Node(node) => rack.start_node(node),
            Self::Cable(node, link) => rack.plug_cable(node, *link),
            Self::Switch(switch) | Self::Mute(switch) => rack.revive_switch(*switch),
        }
    }
}
