//! All nodes' votequorum together: who runs, who sees whom, and what happens next.
//!
//! [`Cluster::outcomes`] plays one event to its end: memberships form, every node hears every other, the qdevice is
//! asked, and only then is the outcome looked at. In which order the nodes hear each other is not known
//! beforehand ([`Order`]), and once in a while it decides: `wait_for_all` latches on a node that hears too little
//! first. So an event has one outcome or several, and what is not the same in all of them is not certain.

mod resume;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::name::NodeId;
use crate::quorum::config::QuorumConfig;
use crate::quorum::event::{Event, Impossible, QdeviceState};
use crate::quorum::message::NodeInfo;
use crate::quorum::order::{Counted, MOST_FIRST_SPEAKERS, Order, Words};
use crate::quorum::qnetd;
use crate::quorum::verdict::Partition;
use crate::quorum::voter::Voter;

pub use resume::Observed;

/// A cluster at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    config: Arc<QuorumConfig>,
    voters: BTreeMap<NodeId, Voter>,
    /// Who sees whom: every running node is in exactly one.
    partitions: Vec<BTreeSet<NodeId>>,
    qdevice: QdeviceState,
    /// How the nodes hear each other in the step that is being played.
    order: Order,
}

impl Cluster {
    /// Every configured node runs and sees every other, and the qdevice, if there is one, does its work.
    pub fn healthy(config: QuorumConfig) -> Self {
        let qdevice = match config.qdevice {
            Some(_) => QdeviceState::Votes,
            None => QdeviceState::Away,
        };
        Self::started(config, qdevice)
    }

    /// Every configured node has started and sees every other; the qdevice has been so from the beginning.
    pub fn started(config: QuorumConfig, qdevice: QdeviceState) -> Self {
        let nodes: BTreeSet<NodeId> = config.votes.keys().copied().collect();
        let config = Arc::new(config);
        let (voters, partitions) = (BTreeMap::new(), Vec::new());
        let order = Order::LIKELIEST;
        let mut cluster = Self {
            config,
            voters,
            partitions,
            qdevice,
            order,
        };
        for node in &nodes {
            cluster.boot(*node);
        }
        cluster.partitions = vec![nodes];
        cluster.form(0, &[]);
        cluster
    }

    /// The qdevice answers so from the next event on; until then nobody has asked it again.
    #[must_use]
    pub fn with_qdevice(mut self, state: QdeviceState) -> Self {
        self.qdevice = state;
        self
    }

    pub fn config(&self) -> &QuorumConfig {
        &self.config
    }

    pub fn is_running(&self, node: NodeId) -> bool {
        self.voters.contains_key(&node)
    }

    /// What this node's own votequorum holds, if it runs.
    pub fn voter(&self, node: NodeId) -> Option<&Voter> {
        self.voters.get(&node)
    }

    /// The cluster after the event, if the nodes hear each other in the likeliest order. What is so already stays
    /// so: a node that is down can be lost again.
    pub fn step(&self, event: &Event) -> Result<Self, Impossible> {
        self.step_in(event, Order::LIKELIEST)
    }

    /// Every cluster that there may be after the event; the likeliest first.
    pub fn outcomes(&self, event: &Event) -> Result<Vec<Self>, Impossible> {
        let (likeliest, others) = self.branches(event)?;
        Ok([vec![likeliest], others].concat())
    }

    /// The likeliest cluster after the event, and the others that there may be.
    pub(crate) fn branches(&self, event: &Event) -> Result<(Self, Vec<Self>), Impossible> {
        let orders = Order::all(&self.voices(event), Counted::AtTheEnd);
        // In the first of them the lowest of all begins, as in the likeliest.
        self.branches_in(event, orders.into_iter().skip(1))
    }

    /// Does [`Self::outcomes`] let everybody begin who may make a difference by it?
    pub(crate) fn tries_every_beginning(&self, event: &Event) -> bool {
        self.voices(event).len() <= MOST_FIRST_SPEAKERS
    }

    /// Every cluster that there may be after the event in corosync-vqsim, whose nodes do not wait for each other
    /// before they count for the last time.
    pub fn outcomes_without_barrier(&self, event: &Event) -> Result<Vec<Self>, Impossible> {
        let everybody: Vec<NodeId> = self.voters.keys().copied().collect();
        let counted = [Counted::AtTheEnd, Counted::AtOnce, Counted::WithoutQdevice];
        let orders = counted.map(|counted| Order::all(&everybody, counted));
        let (likeliest, others) = self.branches_in(event, orders.concat())?;
        Ok([vec![likeliest], others].concat())
    }

    /// Who may make a difference by beginning to speak: the first of each run of nodes that say the same of
    /// themselves, and nodes that start now.
    fn voices(&self, event: &Event) -> Vec<NodeId> {
        let mut voices = Vec::new();
        let mut before = None;
        for (node, voter) in &self.voters {
            let says = voter.node_info().without_sender();
            if before.replace(says) != Some(says) {
                voices.push(*node);
            }
        }
        if let Event::Up(nodes) = event {
            voices.extend(nodes.iter().filter(|node| !self.is_running(**node)));
            voices.sort();
        }
        voices
    }

    fn branches_in(
        &self,
        event: &Event,
        orders: impl IntoIterator<Item = Order>,
    ) -> Result<(Self, Vec<Self>), Impossible> {
        let likeliest = self.step(event)?;
        let mut others = Vec::new();
        for order in orders {
            let outcome = self.step_in(event, order)?;
            if outcome != likeliest && !others.contains(&outcome) {
                others.push(outcome);
            }
        }
        Ok((likeliest, others))
    }

    fn step_in(&self, event: &Event, order: Order) -> Result<Self, Impossible> {
        let mut next = self.clone();
        next.order = order;
        match event {
            Event::Down(nodes) => next.lose(nodes)?,
            Event::Leave(nodes) => next.leave(nodes)?,
            Event::Up(nodes) => next.up(nodes)?,
            Event::Split(groups) => next.split(groups)?,
            Event::Join => next.join(),
            Event::Reform(node) => {
                let index = next.partition_of(*node)?;
                next.form(index, &[]);
            }
            Event::Qdevice(_) if self.config.qdevice.is_none() => {
                return Err(Impossible::NoQdevice);
            }
            Event::Qdevice(state) => next.qdevice = state.clone(),
            Event::Expected { node, votes } => next.expect(*node, *votes)?,
            Event::CancelWaitForAll { node } => {
                let index = next.partition_of(*node)?;
                next.each_in(index, Voter::cancel_wait_for_all);
            }
            Event::WindowPasses => next.voters.values_mut().for_each(Voter::window_passes),
        }
        next.poll_everywhere();
        // The order is how it came about, not what it is: two outcomes that hold the same are the same.
        next.order = Order::LIKELIEST;
        Ok(next)
    }

    /// This outcome, with the nodes of one partition as they are in another outcome of the same event: partitions
    /// do not hear each other, so each has an order of its own.
    #[must_use]
    pub fn with_partition_of(mut self, other: &Self, node: NodeId) -> Self {
        let members = other
            .partitions
            .iter()
            .find(|members| members.contains(&node));
        for member in members.into_iter().flatten() {
            if let Some(voter) = other.voters.get(member) {
                self.voters.insert(*member, voter.clone());
            }
        }
        self
    }

    /// Is a last man standing window running anywhere?
    pub fn window_runs(&self) -> bool {
        self.voters.values().any(Voter::window_runs)
    }

    /// The partitions, ordered by their lowest node.
    pub fn partitions(&self) -> Vec<Partition> {
        let mut partitions: Vec<Partition> = self
            .partitions
            .iter()
            .filter_map(|nodes| self.judge(nodes))
            .collect();
        partitions.sort_by(|one, two| one.nodes.cmp(&two.nodes));
        partitions
    }

    fn judge(&self, nodes: &BTreeSet<NodeId>) -> Option<Partition> {
        let first = nodes.first().and_then(|node| self.voters.get(node))?;
        let dissents = |node: &&NodeId| {
            self.voters
                .get(node)
                .is_none_or(|voter| voter.is_quorate() != first.is_quorate())
        };
        let dissenting: Vec<NodeId> = nodes.iter().filter(dissents).copied().collect();
        Some(Partition {
            nodes: nodes.iter().copied().collect(),
            votes: first.total_votes(),
            expected: first.expected_votes(),
            quorum: first.needed_votes(),
            quorate: first.is_quorate() && dissenting.is_empty(),
            dissenting,
            reason: first.reason().clone(),
        })
    }

    fn lose(&mut self, nodes: &BTreeSet<NodeId>) -> Result<(), Impossible> {
        self.must_know(nodes)?;
        self.voters.retain(|node, _| !nodes.contains(node));
        let left = self
            .partitions
            .iter()
            .map(|members| members - nodes)
            .collect();
        self.rearrange(left);
        Ok(())
    }

    fn leave(&mut self, nodes: &BTreeSet<NodeId>) -> Result<(), Impossible> {
        self.must_know(nodes)?;
        for node in nodes {
            // Only allow_downscale makes a leaving node say so (votequorum_exec_exit_fn).
            if self.config.allow_downscale
                && let Some(voter) = self.voters.get_mut(node)
            {
                voter.set_leaving();
                let word = voter.node_info();
                let index = self.partition_of(*node)?;
                self.deliver(index, &[word]);
            }
            self.lose(&BTreeSet::from([*node]))?;
        }
        Ok(())
    }

    fn up(&mut self, nodes: &BTreeSet<NodeId>) -> Result<(), Impossible> {
        self.must_know(nodes)?;
        for node in nodes {
            if self.is_running(*node) {
                continue;
            }
            let lowest = self.voters.keys().next().copied();
            let word = self.boot(*node);
            let index = match lowest {
                Some(lowest) => self.partition_of(lowest)?,
                None => {
                    self.partitions.push(BTreeSet::new());
                    self.partitions.len() - 1
                }
            };
            if let Some(members) = self.partitions.get_mut(index) {
                members.insert(*node);
            }
            self.form(index, &[word]);
        }
        Ok(())
    }

    /// The node starts and at first sees nobody but itself. Gives what it then says: it is the first word that the
    /// others hear when it joins them.
    fn boot(&mut self, node: NodeId) -> NodeInfo {
        let mut voter = Voter::start(node, &self.config);
        let word = voter.node_info();
        voter.hear(word);
        voter.sync_init(&BTreeSet::from([node]));
        voter.hear(voter.node_info());
        voter.sync_activate();
        self.voters.insert(node, voter);
        word
    }

    fn split(&mut self, groups: &[BTreeSet<NodeId>]) -> Result<(), Impossible> {
        let mut named = BTreeSet::new();
        for group in groups {
            self.must_know(group)?;
            if let Some(id) = group.intersection(&named).next() {
                return Err(Impossible::InTwoGroups { id: *id });
            }
            named.extend(group);
        }
        let running = |group: &BTreeSet<NodeId>| {
            group
                .iter()
                .filter(|node| self.is_running(**node))
                .copied()
                .collect()
        };
        let rest = self.partitions.iter().map(|members| members - &named);
        let apart = groups.iter().map(running).chain(rest).collect();
        self.rearrange(apart);
        Ok(())
    }

    fn join(&mut self) {
        let all = self.voters.keys().copied().collect();
        self.rearrange(vec![all]);
    }

    fn expect(&mut self, node: NodeId, votes: u32) -> Result<(), Impossible> {
        let index = self.partition_of(node)?;
        let voter = self
            .voters
            .get(&node)
            .ok_or(Impossible::NotRunning { node })?;
        if !voter.takes_expected(votes) {
            let total = voter.total_votes();
            return Err(Impossible::ExpectedRefused { node, votes, total });
        }
        self.each_in(index, |voter| voter.set_expected(votes));
        Ok(())
    }

    fn must_know(&self, nodes: &BTreeSet<NodeId>) -> Result<(), Impossible> {
        match nodes
            .iter()
            .find(|node| !self.config.votes.contains_key(node))
        {
            None => Ok(()),
            Some(id) => {
                let known = self.config.votes.keys().copied().collect();
                Err(Impossible::UnknownNode { id: *id, known })
            }
        }
    }

    fn partition_of(&self, node: NodeId) -> Result<usize, Impossible> {
        self.must_know(&BTreeSet::from([node]))?;
        let holds = |members: &BTreeSet<NodeId>| members.contains(&node);
        self.partitions
            .iter()
            .position(holds)
            .ok_or(Impossible::NotRunning { node })
    }

    /// Sets who sees whom; memberships that differ from before form anew.
    fn rearrange(&mut self, partitions: Vec<BTreeSet<NodeId>>) {
        let partitions = partitions
            .into_iter()
            .filter(|members| !members.is_empty())
            .collect();
        let before = std::mem::replace(&mut self.partitions, partitions);
        let changed = self.partitions.iter().enumerate();
        let changed = changed.filter(|(_, members)| !before.contains(members));
        for index in changed.map(|(index, _)| index).collect::<Vec<_>>() {
            self.form(index, &[]);
        }
    }

    /// One membership forms: everybody learns who is there, tells of itself, is told by the qdevice, and counts.
    /// `first_words` are heard before anybody tells of itself.
    fn form(&mut self, index: usize, first_words: &[NodeInfo]) {
        let Some(members) = self.partitions.get(index).cloned() else {
            return;
        };
        self.each_in(index, |voter| voter.sync_init(&members));
        self.deliver(index, first_words);
        let speakers = self.order.of(&members);
        match self.order.words {
            Words::Together => {
                let words: Vec<NodeInfo> = speakers
                    .iter()
                    .filter_map(|node| self.speak(*node))
                    .collect();
                self.deliver(index, &words);
            }
            Words::InTurn => {
                for node in speakers {
                    let word = self.speak(node);
                    self.deliver(index, word.as_slice());
                }
            }
        }
        self.poll(index);
        if self.order.counted == Counted::AtTheEnd {
            self.each_in(index, Voter::sync_activate);
        }
    }

    /// What this node tells the others while a membership forms.
    fn speak(&mut self, node: NodeId) -> Option<NodeInfo> {
        let voter = self.voters.get_mut(&node)?;
        let word = voter.node_info();
        if self.order.counted != Counted::AtTheEnd {
            voter.sync_activate();
        }
        Some(word)
    }

    /// Everybody in the partition hears these messages in this order: totem's promise.
    fn deliver(&mut self, index: usize, words: &[NodeInfo]) {
        for word in words {
            self.each_in(index, |voter| voter.hear(*word));
        }
    }

    /// The qdevice tells each node of the partition whether it votes for it; who learns something new says so.
    fn poll(&mut self, index: usize) {
        let Some(members) = self.partitions.get(index) else {
            return;
        };
        let votes_for: Vec<(NodeId, bool)> = members
            .iter()
            .map(|node| (*node, self.qdevice_votes_for(*node, members)))
            .collect();
        let at_once = self.order.counted == Counted::WithoutQdevice;
        let mut words = Vec::new();
        for (node, votes) in votes_for {
            if let Some(voter) = self.voters.get_mut(&node)
                && voter.poll_qdevice(votes)
            {
                words.push(voter.node_info());
                if at_once && !votes {
                    voter.sync_activate();
                }
            }
        }
        self.deliver(index, &words);
    }

    fn poll_everywhere(&mut self) {
        for index in 0..self.partitions.len() {
            self.poll(index);
        }
    }

    fn qdevice_votes_for(&self, node: NodeId, members: &BTreeSet<NodeId>) -> bool {
        let Some(device) = &self.config.qdevice else {
            return false;
        };
        match &self.qdevice {
            QdeviceState::Away => false,
            QdeviceState::VotesFor(nodes) => nodes.contains(&node),
            QdeviceState::Votes => qnetd::votes_for(
                device.algorithm,
                device.tie_breaker,
                members,
                &self.partitions,
                &self.config.votes.keys().copied().collect(),
                &self.with_qdevice_votes(),
            ),
        }
    }

    /// Whom the qdevice votes for until it is asked again.
    fn with_qdevice_votes(&self) -> BTreeSet<NodeId> {
        let with = self
            .voters
            .iter()
            .filter(|(_, voter)| voter.has_qdevice_votes());
        with.map(|(node, _)| *node).collect()
    }

    fn each_in(&mut self, index: usize, mut act: impl FnMut(&mut Voter)) {
        let Some(members) = self.partitions.get(index) else {
            return;
        };
        for node in members {
            if let Some(voter) = self.voters.get_mut(node) {
                act(voter);
            }
        }
    }
}
