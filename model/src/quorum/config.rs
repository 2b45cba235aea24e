//! corosync's quorum options, and the combinations that corosync refuses to start with.
//!
//! The order of the checks is votequorum's own (`votequorum_readconfig`): some options switch others off, and what
//! is refused depends on what was switched off before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fact::corosync_conf::{ConfNode, CorosyncConf, Device};
use crate::name::{NodeId, NodeName};
use crate::quorum::qnetd::{Algorithm, TieBreaker};

/// The quorum options of one cluster, as votequorum uses them after it has read its configuration.
/// The same on every node; what changes at run time is in [`crate::quorum::voter::Voter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumConfig {
    /// Every configured node with its votes.
    pub votes: BTreeMap<NodeId, u32>,
    pub names: BTreeMap<NodeId, NodeName>,
    /// What a node expects when it starts.
    pub expected_votes: u32,
    pub two_node: bool,
    pub wait_for_all: bool,
    pub last_man_standing: bool,
    pub auto_tie_breaker: Option<AutoTieBreaker>,
    pub allow_downscale: bool,
    pub expected_votes_tracking: bool,
    pub qdevice: Option<QdeviceConfig>,
    /// What corosync would log and then do otherwise than the file says.
    pub notes: Vec<Note>,
}

/// Which half goes on when exactly half of the votes are left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoTieBreaker {
    Lowest,
    Highest,
    /// The first of these that was in the membership before must be in the half that goes on.
    List(Vec<u32>),
}

/// The quorum device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QdeviceConfig {
    pub votes: u32,
    pub algorithm: Algorithm,
    pub tie_breaker: TieBreaker,
}

impl QdeviceConfig {
    fn new(device: &Device, votes: u32, notes: &mut Vec<Note>) -> Self {
        let algorithm = Algorithm::from_conf(device.algorithm.as_deref());
        match algorithm {
            Algorithm::Unknown => notes.push(Note::UnknownAlgorithm),
            Algorithm::Test => notes.push(Note::TestAlgorithm),
            _ => {}
        }
        Self {
            votes,
            algorithm,
            tie_breaker: TieBreaker::from_conf(device.tie_breaker.as_deref()),
        }
    }
}

/// corosync starts, but not with what the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    #[error("two_node is ignored, because auto_tie_breaker is set too")]
    TwoNodeIgnored,
    #[error(
        "auto_tie_breaker is ignored, because the votes are odd in number and wait_for_all is not set"
    )]
    AutoTieBreakerIgnored,
    #[error(
        "auto_tie_breaker_node is neither lowest, nor highest, nor a list of node ids: \
         auto_tie_breaker is ignored"
    )]
    AutoTieBreakerNodeUnreadable,
    #[error("last_man_standing is ignored, because not every node has exactly one vote")]
    LastManStandingIgnored,
    #[error(
        "quorum.provider is not corosync_votequorum: this corosync does not guard quorum at all; \
         what follows is what it would do with that provider"
    )]
    NoProvider,
    #[error(
        "the qdevice's algorithm test votes for every partition that asks, so that two can be quorate at once; \
         set algorithm to ffsplit or lms"
    )]
    TestAlgorithm,
    #[error(
        "the qdevice's algorithm is none that corosync-qdevice knows: it does not start, and nobody gets its \
         votes; set algorithm to ffsplit or lms"
    )]
    UnknownAlgorithm,
    #[error(
        "there are so many votes that the needed ones do not fit into the eight bits that votequorum has \
         for them: it will go on with far too few; give every node one vote"
    )]
    TooManyVotes,
    #[error(
        "allow_downscale and expected_votes_tracking make corosync ignore quorum.expected_votes; it starts \
         from the votes of the nodelist"
    )]
    ExpectedVotesIgnored,
}

/// corosync would not start with this, or what it would start with is not in the file ([`Refusal::is_corosyncs`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "it has no nodelist, so that it does not say which nodes there are; list every node with its nodeid"
    )]
    NoNodes,
    #[error("node {name:?} has no nodeid, and corosync's knet transport needs one for each node")]
    NoNodeId { name: String },
    #[error(
        "node {name:?} has no nodeid: corosync makes one out of the node's address when it starts; write a nodeid \
         for every node"
    )]
    NodeIdMadeAtStart { name: String },
    #[error("node id {id} stands twice in the nodelist")]
    NodeIdTwice { id: NodeId },
    #[error("two_node and quorum.device cannot be set at the same time; remove one of them")]
    TwoNodeWithDevice,
    #[error(
        "auto_tie_breaker and last_man_standing cannot be set together when the votes are odd in number \
         ({votes}), unless wait_for_all is set too; set wait_for_all: 1 or remove last_man_standing"
    )]
    TieBreakerWithLastManStanding { votes: u32 },
    #[error(
        "quorum.device and last_man_standing cannot be set at the same time; remove one of them"
    )]
    DeviceWithLastManStanding,
    #[error(
        "quorum.device and auto_tie_breaker cannot be set at the same time; remove one of them"
    )]
    DeviceWithTieBreaker,
    #[error("quorum.device and allow_downscale cannot be set at the same time; remove one of them")]
    DeviceWithDownscale,
    #[error(
        "quorum.device without votes and quorum.expected_votes cannot be set at the same time; set quorum.device.votes"
    )]
    DeviceVotesWithExpected,
    #[error(
        "quorum.device without votes and nodes with other than one vote cannot go together; set quorum.device.votes"
    )]
    DeviceVotesWithUnevenNodes,
    #[error(
        "quorum.device.votes ({device}) and quorum.expected_votes ({expected}) do not go together: \
         at least two of the expected votes must be the nodes' own"
    )]
    DeviceVotesTooHigh { device: u32, expected: u32 },
}

impl Refusal {
    /// Would corosync itself refuse it? Without, it may start, but the file alone does not say with which nodes.
    pub fn is_corosyncs(&self) -> bool {
        !matches!(self, Self::NoNodes | Self::NodeIdMadeAtStart { .. })
    }
}

impl QuorumConfig {
    /// Takes the options out of a corosync.conf, or says which pair of them corosync refuses.
    pub fn new(conf: &CorosyncConf) -> Result<Self, Refusal> {
        let section = &conf.quorum;
        let (votes, names) = nodes(conf)?;
        let nodes_votes = votes
            .values()
            .fold(0u32, |sum, votes| sum.saturating_add(*votes));
        let mut notes = Vec::new();
        if section.provider.as_deref() != Some("corosync_votequorum") {
            notes.push(Note::NoProvider);
        }

        // A device without a model is none (votequorum_qdevice_is_configured).
        let device = section.device.as_ref();
        let device = device.filter(|device| device.model.as_ref().is_some_and(|m| !m.is_empty()));
        let mut two_node = section.two_node.unwrap_or(false);
        if two_node && device.is_some() {
            return Err(Refusal::TwoNodeWithDevice);
        }
        let last_man_standing = section.last_man_standing.unwrap_or(false);
        let allow_downscale = section.allow_downscale.unwrap_or(false);
        // wait_for_all follows two_node even if two_node is switched off a moment later.
        let wait_for_all = section.wait_for_all.unwrap_or(two_node);
        let mut auto_tie_breaker = tie_breaker(conf, &mut notes);
        if two_node && auto_tie_breaker.is_some() {
            two_node = false;
            notes.push(Note::TwoNodeIgnored);
        }
        if auto_tie_breaker.is_some() && nodes_votes % 2 == 1 && !wait_for_all {
            if last_man_standing {
                return Err(Refusal::TieBreakerWithLastManStanding { votes: nodes_votes });
            }
            auto_tie_breaker = None;
            notes.push(Note::AutoTieBreakerIgnored);
        }
        if last_man_standing && votes.values().any(|votes| *votes > 1) {
            notes.push(Note::LastManStandingIgnored);
        }

        let expected_votes_tracking =
            allow_downscale || section.expected_votes_tracking.unwrap_or(false);
        let configured = section.expected_votes.filter(|votes| *votes > 0);
        let mut expected_votes = configured.unwrap_or(nodes_votes);
        let qdevice = match device {
            None => None,
            Some(_) if last_man_standing => return Err(Refusal::DeviceWithLastManStanding),
            Some(_) if auto_tie_breaker.is_some() => return Err(Refusal::DeviceWithTieBreaker),
            Some(_) if allow_downscale => return Err(Refusal::DeviceWithDownscale),
            Some(device) => {
                let all_have_one = usize::try_from(nodes_votes).is_ok_and(|sum| sum == votes.len());
                let (device_votes, total) =
                    device_votes(device, configured, nodes_votes, all_have_one)?;
                expected_votes = total;
                Some(QdeviceConfig::new(device, device_votes, &mut notes))
            }
        };
        if expected_votes_tracking && configured.is_some() {
            // The tracked number takes the place of the configured one, and it is zero at first.
            expected_votes = nodes_votes;
            notes.push(Note::ExpectedVotesIgnored);
        }
        let config = Self {
            votes,
            names,
            expected_votes,
            two_node,
            wait_for_all,
            last_man_standing,
            auto_tie_breaker,
            allow_downscale,
            expected_votes_tracking,
            qdevice,
            notes,
        };
        Ok(config.with_eight_bits_checked())
    }

    fn with_eight_bits_checked(mut self) -> Self {
        if self.all_votes().max(self.expected_votes) >= 510 {
            self.notes.push(Note::TooManyVotes);
        }
        self
    }

    /// All that could ever vote: every node and the qdevice.
    pub fn all_votes(&self) -> u32 {
        let device = self.qdevice.as_ref().map_or(0, |device| device.votes);
        self.votes
            .values()
            .fold(device, |sum, votes| sum.saturating_add(*votes))
    }
}

type NodeVotes = BTreeMap<NodeId, u32>;

fn nodes(conf: &CorosyncConf) -> Result<(NodeVotes, BTreeMap<NodeId, NodeName>), Refusal> {
    let (mut votes, mut names) = (BTreeMap::new(), BTreeMap::new());
    for node in &conf.nodes {
        let id = node
            .node_id
            .and_then(|id| NodeId::new(id).ok())
            .ok_or_else(|| without_id(conf, node))?;
        if votes.insert(id, node.votes.unwrap_or(1)).is_some() {
            return Err(Refusal::NodeIdTwice { id });
        }
        if let Some(name) = node
            .name
            .as_ref()
            .and_then(|name| NodeName::new(name.as_str()).ok())
        {
            names.insert(id, name);
        }
    }
    if votes.is_empty() {
        Err(Refusal::NoNodes)
    } else {
        Ok((votes, names))
    }
}

/// Only the old transports make up node ids, out of IPv4 addresses.
fn without_id(conf: &CorosyncConf, node: &ConfNode) -> Refusal {
    let called = node
        .name
        .as_ref()
        .or_else(|| node.addresses.values().next());
    let name = called.cloned().unwrap_or_else(|| "without name".into());
    match conf.totem.transport.as_deref() {
        Some("udp" | "udpu") => Refusal::NodeIdMadeAtStart { name },
        _ => Refusal::NoNodeId { name },
    }
}

/// The device's votes, and what a node then expects at its start.
fn device_votes(
    device: &Device,
    configured: Option<u32>,
    nodes_votes: u32,
    all_have_one: bool,
) -> Result<(u32, u32), Refusal> {
    match (device.votes, configured) {
        (None, Some(_)) => Err(Refusal::DeviceVotesWithExpected),
        (None, None) if !all_have_one => Err(Refusal::DeviceVotesWithUnevenNodes),
        (None, None) => {
            let votes = nodes_votes.saturating_sub(1);
            Ok((votes, nodes_votes.saturating_add(votes)))
        }
        (Some(device), Some(expected)) if device > 0 && expected < device.saturating_add(2) => {
            Err(Refusal::DeviceVotesTooHigh { device, expected })
        }
        // The nodes alone are expected at first; the device's votes are added when all nodes are there.
        (Some(device), configured) => Ok((device, configured.unwrap_or(nodes_votes))),
    }
}

fn tie_breaker(conf: &CorosyncConf, notes: &mut Vec<Note>) -> Option<AutoTieBreaker> {
    if !conf.quorum.auto_tie_breaker.unwrap_or(false) {
        return None;
    }
    match conf.quorum.auto_tie_breaker_node.as_deref().map(str::trim) {
        None | Some("lowest") => Some(AutoTieBreaker::Lowest),
        Some("highest") => Some(AutoTieBreaker::Highest),
        Some(list) => {
            // As strtol in a loop: the list ends at the first word that is no number.
            let ids = list
                .split_whitespace()
                .map_while(|word| word.parse::<u32>().ok());
            let ids: Vec<u32> = ids.take_while(|id| *id != 0).collect();
            if ids.is_empty() {
                notes.push(Note::AutoTieBreakerNodeUnreadable);
                return None;
            }
            Some(AutoTieBreaker::List(ids))
        }
    }
}
