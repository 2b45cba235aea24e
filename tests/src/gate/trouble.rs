//! What can be wrong when somebody asks.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use super::check;
use crate::agent::Agent;
use crate::clock::{PATIENCE, wait_until};
use crate::truth::Stage;

const HOUR_S: u64 = 3_600;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Has no power.
    Stopped(String),
    Cable(String, usize),
    /// Its agent was killed.
    Mute(String),
    /// Somebody has the lease for it.
    Leased(String),
    /// Its systemd has a reboot planned.
    Going(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(node) => write!(f, "{node} is stopped"),
            Self::Cable(node, link) => write!(f, "the cable of {node}/eth{link} is cut"),
            Self::Mute(node) => write!(f, "the agent of {node} is killed"),
            Self::Leased(node) => write!(f, "{node} is leased"),
            Self::Going(node) => write!(f, "a reboot of {node} is scheduled"),
        }
    }
}

impl Trouble {
    pub(super) fn draw(nodes: usize, links: usize, random: &mut Rng) -> Self {
        let node = format!("pve-{:02}", random.usize(1..=nodes));
        match random.u32(0..10) {
            0..=2 => Self::Stopped(node),
            3..=5 => Self::Cable(node, random.usize(0..links)),
            6..=7 => Self::Mute(node),
            8 => Self::Leased(node),
            _ => Self::Going(node),
        }
    }

    fn node(&self) -> &str {
        match self {
            Self::Stopped(node)
            | Self::Cable(node, _)
            | Self::Mute(node)
            | Self::Leased(node)
            | Self::Going(node) => node,
        }
    }

    /// There is one lease; and of a node one thing is wrong, so that neither makes nothing of the other.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        let are_leases = matches!((self, other), (Self::Leased(_), Self::Leased(_)));
        !are_leases && self.node() != other.node()
    }

    pub(super) fn strike(&self, stage: &mut Stage) -> Result<()> {
        match self {
            Self::Stopped(node) => {
                stage.rack.stop_node(node)?;
                stage.bury_agents();
                Ok(())
            }
            Self::Cable(node, link) => stage.rack.cut_cable(node, *link),
            Self::Mute(node) => agent(stage, node)?.kill(),
            Self::Leased(node) => {
                let reason = ["--reason", "somebody else's work", "--override", node];
                maintain(stage, &[&["begin", node], &reason[..]].concat())
            }
            Self::Going(node) => stage.rack.schedule_reboot(node, HOUR_S),
        }
    }

    /// Of the others the status tells.
    pub(super) fn wait_until_told(&self, stage: &Stage) -> Result<()> {
        let Self::Going(node) = self else {
            return Ok(());
        };
        wait_until("a planned reboot to be told", PATIENCE, || {
            let verdict = check(stage, node)?;
            Ok(verdict.has("node-going").then_some(()))
        })
    }

    /// What is left to do once the nodes that were stopped have power again; agents are started for all.
    pub(super) fn mend(&self, stage: &mut Stage) -> Result<()> {
        match self {
            Self::Stopped(node) if stage.rack.running().any(|running| running == node) => Ok(()),
            Self::Stopped(node) => stage.rack.start_node(node),
            Self::Cable(node, link) => stage.rack.plug_cable(node, *link),
            Self::Mute(_) => Ok(()),
            Self::Leased(node) => maintain(stage, &["break", node, "--reason", "it is over"]),
            // It may have lost its power meanwhile, and then comes back by itself.
            Self::Going(node) if stage.rack.running().any(|running| running == node) => {
                stage.rack.take_reboot_back(node)
            }
            Self::Going(_) => Ok(()),
        }
    }
}

fn agent<'a>(stage: &'a mut Stage, node: &str) -> Result<&'a mut Agent> {
    let mut agents = stage.agents.iter_mut();
    let found = agents.find(|agent| agent.node() == node);
    found.with_context(|| format!("{node} has no agent"))
}

fn maintain(stage: &Stage, args: &[&str]) -> Result<()> {
    let args = [&["maintenance"], args].concat();
    let done = stage.collector.asked(&stage.rack, &args)?;
    let said = String::from_utf8_lossy(&done.stdout);
    ensure!(matches!(done.status.code(), Some(0..=3)), "{said}");
    Ok(())
}
