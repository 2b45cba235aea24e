//! What a rack is built of.

use anyhow::{Result, ensure};

/// The host parts of the addresses, and the names, have room for so many.
const MOST_NODES: usize = 99;
/// corosync has eight links.
const MOST_LINKS: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub nodes: usize,
    /// Network cards of a node, each a link of corosync.
    pub links: usize,
    /// Each network has two switches with half of the nodes behind each, and a cable between them.
    pub has_halves: bool,
    /// corosync's token time-out, whatever the number of nodes is. `None`: corosync's own.
    pub token_ms: Option<u32>,
    /// Statements of the quorum section, one a line.
    pub quorum: Vec<String>,
    /// Nodes say that they have booted and will do so again; that is played.
    pub plays_boot: bool,
}

impl Plan {
    /// One switch a network, and corosync as it is by itself.
    #[must_use]
    pub fn new(nodes: usize, links: usize) -> Self {
        Self {
            nodes,
            links,
            has_halves: false,
            token_ms: None,
            quorum: Vec::new(),
            plays_boot: false,
        }
    }

    #[must_use]
    pub fn halves(self) -> Self {
        Self {
            has_halves: true,
            ..self
        }
    }

    #[must_use]
    pub fn token_ms(self, ms: u32) -> Self {
        Self {
            token_ms: Some(ms),
            ..self
        }
    }

    #[must_use]
    pub fn playing_boot(self) -> Self {
        Self {
            plays_boot: true,
            ..self
        }
    }

    #[must_use]
    pub fn quorum(mut self, statement: &str) -> Self {
        self.quorum.push(statement.to_owned());
        self
    }

    /// The switches of all networks: those of the first halves, then those of the second ones.
    #[must_use]
    pub fn switches(&self) -> usize {
        if self.has_halves {
            2 * self.links
        } else {
            self.links
        }
    }

    /// The switch that a node's card is cabled to. Stations are with the first half.
    #[must_use]
    pub fn switch_of(&self, number: usize, link: usize) -> usize {
        let is_second = self.has_halves && number > self.nodes / 2 && number <= self.nodes;
        if is_second { link + self.links } else { link }
    }

    pub(crate) fn check(&self) -> Result<()> {
        ensure!(
            (1..=MOST_NODES).contains(&self.nodes) && (1..=MOST_LINKS).contains(&self.links),
            "a rack has 1 to {MOST_NODES} nodes and 1 to {MOST_LINKS} links"
        );
        Ok(())
    }
}
