//! A second votequorum, dumb on purpose: no messages, only rules over what each node has lived through.
//!
//! Written from man votequorum(5) and man corosync-qdevice(8). A node's life is a list of chapters: who was there,
//! and what it concluded. Every rule below looks at the chapters before and at who is there now. It shares the
//! reading of the configuration and the names of events with the model, and nothing else.
//!
//! What it does not know: in which order nodes hear each other. It takes everybody to be heard before anybody
//! decides. Where corosync decides earlier, its outcome depends on that order, and this one is one of several.

mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use model::name::NodeId;
use model::quorum::config::QuorumConfig;
use model::quorum::event::{Event, QdeviceState};

use rules::Question;

type Nodes = BTreeSet<NodeId>;

/// What is compared: the words of the lowest node of a partition, and whether all its nodes are quorate.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) votes: u32,
    pub(crate) expected: u32,
    pub(crate) quorum: u32,
    pub(crate) quorate: bool,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.nodes.iter().map(NodeId::to_string).collect();
        let Self {
            votes,
            expected,
            quorum,
            quorate,
            ..
        } = self;
        let word = if *quorate { "quorate" } else { "not quorate" };
        write!(
            f,
            "{}: {word}, {votes} votes, expected {expected}, quorum {quorum}",
            ids.join(",")
        )
    }
}

/// What one node concluded at one moment of its life.
#[derive(Debug, Clone)]
struct Chapter {
    members: Nodes,
    /// A membership formed; otherwise only something was counted again.
    formed: bool,
    votes: u32,
    expected: u32,
    quorum: u32,
    /// There were enough votes; nothing else was needed.
    by_votes: bool,
    quorate: bool,
    /// It has met a quorate node, and waits for nobody until it is asked again.
    released: bool,
}

/// One node since it started.
#[derive(Debug, Clone)]
struct Life {
    chapters: Vec<Chapter>,
    window_runs: bool,
}

impl Life {
    fn now(&self) -> &Chapter {
        self.chapters.last().unwrap()
    }

    /// Who was there before the membership formed that holds now.
    fn previous_members(&self) -> Nodes {
        let mut formed = self.chapters.iter().rev().filter(|chapter| chapter.formed);
        formed
            .nth(1)
            .map(|chapter| chapter.members.clone())
            .unwrap_or_default()
    }

    /// Who was there when there were last enough votes.
    fn last_held_by_votes(&self) -> Option<&Nodes> {
        let held = self.chapters.iter().rev().find(|chapter| chapter.by_votes);
        held.map(|chapter| &chapter.members)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Dumb {
    config: Arc<QuorumConfig>,
    lives: BTreeMap<NodeId, Life>,
    partitions: Vec<Nodes>,
    device_works: bool,
    /// Whom the qdevice last told that it votes for them.
    device_votes_for: Nodes,
}

impl Dumb {
    pub(crate) fn started(config: QuorumConfig, device_works: bool) -> Self {
        let all: Nodes = config.votes.keys().copied().collect();
        let mut dumb = Self {
            config: Arc::new(config),
            lives: BTreeMap::new(),
            partitions: vec![all.clone()],
            device_works,
            device_votes_for: Nodes::new(),
        };
        for node in &all {
            dumb.boot(*node);
        }
        dumb.form(&all, None);
        dumb.ask_device();
        dumb
    }

    pub(crate) fn answers(&self) -> Vec<Answer> {
        let mut answers: Vec<Answer> = self
            .partitions
            .iter()
            .map(|members| self.answer(members))
            .collect();
        answers.sort_by(|one, two| one.nodes.cmp(&two.nodes));
        answers
    }

    fn answer(&self, members: &Nodes) -> Answer {
        let first = self.lives[members.first().unwrap()].now();
        Answer {
            nodes: members.iter().copied().collect(),
            votes: first.votes,
            expected: first.expected,
            quorum: first.quorum,
            quorate: members.iter().all(|node| self.lives[node].now().quorate),
        }
    }

    pub(crate) fn step(&self, event: &Event) -> Self {
        let mut next = self.clone();
        match event {
            Event::Down(nodes) => next.lose(nodes),
            Event::Leave(nodes) => nodes.iter().for_each(|node| next.leave(*node)),
            Event::Up(nodes) => nodes.iter().for_each(|node| next.up(*node)),
            Event::Split(groups) => next.arrange(groups),
            Event::Join => next.arrange(&[next.lives.keys().copied().collect()]),
            Event::Reform(node) => {
                let with_node = |members: &&Nodes| members.contains(node);
                let members = next.partitions.iter().find(with_node).unwrap().clone();
                next.form(&members, None);
            }
            Event::Qdevice(state) => next.device_works = *state == QdeviceState::Votes,
            Event::WindowPasses => next.window_passes(),
            Event::Expected { .. } | Event::CancelWaitForAll { .. } => {
                unreachable!("not played here")
            }
        }
        next.ask_device();
        next
    }

    fn lose(&mut self, nodes: &Nodes) {
        self.lives.retain(|node, _| !nodes.contains(node));
        let left: Vec<Nodes> = self
            .partitions
            .iter()
            .map(|members| members - nodes)
            .collect();
        self.arrange(&left);
    }

    /// allow_downscale: "expected votes and quorum are recalculated when a node leaves the cluster in a clean state
    /// down to configured expected_votes" — which are those that every node starts with.
    fn leave(&mut self, node: NodeId) {
        let partition = self
            .partitions
            .iter()
            .find(|members| members.contains(&node));
        if self.config.allow_downscale
            && let Some(members) = partition
        {
            let mut rest = members.clone();
            rest.remove(&node);
            for other in rest.clone() {
                let count = u32::try_from(rest.len()).unwrap();
                self.expect(other, &rest, count, self.config.expected_votes);
            }
        }
        self.lose(&Nodes::from([node]));
    }

    fn up(&mut self, node: NodeId) {
        if self.lives.contains_key(&node) {
            return;
        }
        let lowest = self.lives.keys().next().copied();
        let joins = lowest.and_then(|low| {
            self.partitions
                .iter()
                .position(|members| members.contains(&low))
        });
        self.boot(node);
        let members = match joins {
            Some(index) => &mut self.partitions[index],
            None => {
                self.partitions.push(Nodes::new());
                self.partitions.last_mut().unwrap()
            }
        };
        members.insert(node);
        let members = members.clone();
        self.form(&members, Some(node));
        self.ask_device();
    }

    fn boot(&mut self, node: NodeId) {
        let alone = Nodes::from([node]);
        let question = Question {
            members: &alone,
            there: &alone,
            before: &Nodes::new(),
            expected: self.config.expected_votes,
            others_expect: 0,
            floor: 0,
            waits: self.config.wait_for_all,
            device_votes: false,
        };
        let mut life = Life {
            chapters: Vec::new(),
            window_runs: false,
        };
        life.chapters.push(self.judge(&life, question, true));
        life.window_runs = self.window_starts(&life, &alone, &alone);
        self.lives.insert(node, life);
        self.device_votes_for.remove(&node);
    }

    /// Sets who sees whom. Whoever is named nowhere stays with those that are named nowhere either.
    fn arrange(&mut self, groups: &[Nodes]) {
        let named: Nodes = groups.iter().flatten().copied().collect();
        let rest = self.partitions.iter().map(|members| members - &named);
        let running = |group: &Nodes| {
            group
                .iter()
                .filter(|node| self.lives.contains_key(node))
                .copied()
                .collect()
        };
        let rest: Vec<Nodes> = rest.collect();
        let partitions: Vec<Nodes> = groups
            .iter()
            .chain(&rest)
            .map(running)
            .filter(|group: &Nodes| !group.is_empty())
            .collect();
        let before = std::mem::replace(&mut self.partitions, partitions);
        for members in self.partitions.clone() {
            if !before.contains(&members) {
                self.form(&members, None);
            }
        }
    }

    /// A membership forms: first those who are gone are missed, then those who came are heard. A newcomer from
    /// the start is heard before it hears the others.
    fn form(&mut self, members: &Nodes, newcomer: Option<NodeId>) {
        let waits_for_all = self.config.wait_for_all;
        let told: BTreeMap<NodeId, u32> = members
            .iter()
            .map(|node| (*node, self.lives[node].now().expected))
            .collect();
        let highest_told = told.values().copied().max().unwrap_or(0);
        let mut after: BTreeMap<NodeId, Chapter> = BTreeMap::new();
        let mut kept_quorum = Nodes::new();
        for node in members {
            let life = &self.lives[node];
            let now = life.now();
            let stayed = &now.members & members;
            let starts = self.window_starts(life, members, &stayed);
            let missed = Question {
                members: &stayed,
                there: members,
                before: &now.members,
                expected: now.expected,
                others_expect: 0,
                floor: now.quorum,
                waits: waits_for_all && !now.quorate,
                device_votes: self.device_votes_for.contains(node),
            };
            let alone = self.judge(life, missed, true);
            if alone.quorate {
                kept_quorum.insert(*node);
            }
            // expected_votes_tracking believes everybody's expectation.
            let tracked = if self.config.expected_votes_tracking {
                highest_told
            } else {
                0
            };
            let heard = Question {
                members,
                others_expect: tracked,
                floor: alone.quorum,
                waits: waits_for_all && !alone.quorate,
                ..missed
            };
            after.insert(*node, self.judge(life, heard, true));
            if starts {
                self.lives.get_mut(node).unwrap().window_runs = true;
            }
        }
        self.believe_the_quorate(members, newcomer, &kept_quorum, &mut after);
        for (node, chapter) in after {
            self.lives.get_mut(&node).unwrap().chapters.push(chapter);
        }
    }

    /// Who is not quorate and meets one who is takes over what that one expects, and waits for nobody. Those who
    /// were quorate before are believed first, then those who have become so now; but not a newcomer, because it
    /// told of itself before it heard the others.
    fn believe_the_quorate(
        &self,
        members: &Nodes,
        newcomer: Option<NodeId>,
        kept_quorum: &Nodes,
        after: &mut BTreeMap<NodeId, Chapter>,
    ) {
        // A newcomer has not seen any membership yet when it tells of itself, so it cannot have won a tie.
        let was = |node: &NodeId| {
            let before = self.lives[node].now();
            if Some(*node) == newcomer {
                before.by_votes
            } else {
                before.quorate
            }
        };
        let now: Nodes = members
            .iter()
            .filter(|node| after[node].quorate)
            .copied()
            .collect();
        let before: Nodes = now.iter().filter(|node| was(node)).copied().collect();
        let here: Nodes = now
            .iter()
            .filter(|node| Some(**node) != newcomer)
            .copied()
            .collect();
        let believed = [before, here].into_iter().find(|nodes| !nodes.is_empty());
        let Some(believed) = believed else {
            return;
        };
        let first = after[believed.first().unwrap()].expected;
        let told = after.clone();
        for node in members {
            let life = &self.lives[node];
            let is_believed =
                believed.contains(node) || (after[node].quorate && kept_quorum.contains(node));
            let heard = |other: &&NodeId| {
                *other != node && (believed.contains(other) || self.config.expected_votes_tracking)
            };
            // Its companions expected what it did, and it does not forget that as long as they are there.
            let companions = (life.now().members.intersection(members))
                .any(|other| other != node && !believed.contains(other));
            let remembered = if companions && !is_believed {
                life.now().expected
            } else {
                0
            };
            let others = members
                .iter()
                .filter(heard)
                .map(|other| told[other].expected)
                .max()
                .unwrap_or(0);
            let question = Question {
                members,
                there: members,
                before: &life.now().members,
                expected: if is_believed {
                    told[node].expected
                } else {
                    first
                },
                others_expect: others.max(remembered),
                floor: if is_believed { told[node].quorum } else { 0 },
                waits: false,
                device_votes: self.device_votes_for.contains(node),
            };
            let released = !is_believed;
            after.insert(
                *node,
                Chapter {
                    released,
                    ..self.judge(life, question, true)
                },
            );
        }
    }

    /// Asks the qdevice for every partition; where its answer is new, votes are counted again.
    fn ask_device(&mut self) {
        let active = self.device_votes_for.clone();
        for members in self.partitions.clone() {
            let votes = self.device_works && self.device_votes(&members, &active);
            let news = members
                .iter()
                .any(|node| self.device_votes_for.contains(node) != votes);
            for node in &members {
                if votes {
                    self.device_votes_for.insert(*node);
                } else {
                    self.device_votes_for.remove(node);
                }
            }
            for node in members.iter().filter(|_| news) {
                let life = &self.lives[node];
                let now = life.now();
                let question = Question {
                    members: &members,
                    there: &members,
                    before: &life.previous_members(),
                    expected: now.expected,
                    others_expect: 0,
                    floor: now.quorum,
                    waits: self.config.wait_for_all && !now.quorate && !now.released,
                    device_votes: votes,
                };
                let chapter = self.judge(life, question, false);
                self.lives.get_mut(node).unwrap().chapters.push(chapter);
            }
        }
    }

    /// "expected_votes and quorum are recalculated": to those who are there.
    fn window_passes(&mut self) {
        for node in self.lives.keys().copied().collect::<Vec<_>>() {
            let life = self.lives.get_mut(&node).unwrap();
            let ran = std::mem::take(&mut life.window_runs);
            let now = life.now().clone();
            let met_uneven = now.members.iter().any(|node| self.config.votes[node] > 1);
            if ran && now.quorate && !met_uneven {
                let count = u32::try_from(now.members.len()).unwrap();
                // "down to configured expected_votes" holds for every way to fall.
                let least = if self.config.allow_downscale {
                    self.config.expected_votes
                } else {
                    0
                };
                self.expect(node, &now.members, count, least);
            }
        }
    }

    /// This node expects `count` votes from now on, and needs a majority of them, but of no less than `least`.
    fn expect(&mut self, node: NodeId, members: &Nodes, count: u32, least: u32) {
        let life = &self.lives[&node];
        let question = Question {
            members,
            there: &life.now().members,
            before: &life.previous_members(),
            expected: count,
            others_expect: least,
            floor: 0,
            waits: self.config.wait_for_all && !life.now().quorate,
            device_votes: false,
        };
        let chapter = self.judge(life, question, false);
        self.lives.get_mut(&node).unwrap().chapters.push(chapter);
    }
}
