//! A second votequorum, dumb on purpose: no messages, only rules over what each node has lived through.
//!
//! Written from man votequorum(5) and man corosync-qdevice(8). A node's life is a list of chapters: who was there,
//! and what it concluded. Every rule below looks at the chapters before and at who is there now. It shares the
//! reading of the configuration and the names of events with the model, and nothing else.
//!
//! What it does not know: in which order nodes hear each other. It takes everybody to be heard before anybody
//! decides. Where corosync decides earlier, its outcome depends on that order, and this one is one of several.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use model::name::NodeId;

use model::quorum::config::{AutoTieBreaker, QuorumConfig};
use model::quorum::event::{Event, QdeviceState};
use model::quorum::qnetd::{Algorithm, TieBreaker};

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

/// What a node has to judge.
#[derive(Debug, Clone, Copy)]
struct Question<'a> {
    members: &'a Nodes,
    /// Everybody in the membership, heard or not.
    there: &'a Nodes,
    /// The membership before.
    before: &'a Nodes,
    /// What it expected until now.
    expected: u32,
    /// What others expect whom it believes.
    others_expect: u32,
    /// The needed votes until now, if they must not fall.
    floor: u32,
    /// It must see everybody at once.
    waits: bool,
    device_votes: bool,
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

fn majority(votes: u32) -> u32 {
    votes / 2 + 1
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
            Event::Split(groups) => next.arrange(groups.clone()),
            Event::Join => next.arrange(vec![next.lives.keys().copied().collect()]),
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
        self.arrange(
            self.partitions
                .iter()
                .map(|members| members - nodes)
                .collect(),
        );
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
    fn arrange(&mut self, groups: Vec<Nodes>) {
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

    /// ffsplit: more than half of the nodes, or the only half there is, or of two halves the one with "members of
    /// the previously active partition", or if that does not tell, the one that the tie-breaker prefers.
    /// lms: the most nodes of all partitions, or of those with the most the one that the tie-breaker prefers.
    fn device_votes(&self, members: &Nodes, active: &Nodes) -> bool {
        let Some(device) = &self.config.qdevice else {
            return false;
        };
        let all: Nodes = self.config.votes.keys().copied().collect();
        let running: Nodes = self.lives.keys().copied().collect();
        let largest = self.partitions.iter().map(BTreeSet::len).max().unwrap();
        let as_large = self
            .partitions
            .iter()
            .filter(|other| other.len() == members.len())
            .count();
        let preferred = |among: &Nodes| match device.tie_breaker {
            TieBreaker::Lowest => *among.first().unwrap(),
            TieBreaker::Highest => *among.last().unwrap(),
            TieBreaker::Node(id) => NodeId::new(id).unwrap(),
        };
        match device.algorithm {
            Algorithm::Test => true,
            Algorithm::Unknown => false,
            Algorithm::Ffsplit if members.len() * 2 == all.len() && as_large == 2 => {
                let rest = &running - members;
                match (members.is_disjoint(active), rest.is_disjoint(active)) {
                    (had, rest_had) if had != rest_had => rest_had,
                    _ => members.contains(&preferred(&all)),
                }
            }
            Algorithm::Ffsplit if members.len() * 2 == all.len() => true,
            Algorithm::Ffsplit => members.len() * 2 > all.len(),
            Algorithm::Lms if members.len() < largest => false,
            Algorithm::Lms => as_large == 1 || members.contains(&preferred(&running)),
        }
    }

    /// last_man_standing: the window starts when somebody is gone and the rest, counted in nodes, are still as many
    /// as the needed votes. With a tie-breaker it also starts where they are not more than that, if the lowest of
    /// those who last held quorum stayed; the lowest, whatever auto_tie_breaker_node says.
    fn window_starts(&self, life: &Life, members: &Nodes, stayed: &Nodes) -> bool {
        // "LMS does not work with asymmetric voting schemes, each node must vote 1": one who has met another knows.
        let met: Nodes = life
            .chapters
            .iter()
            .flat_map(|chapter| &chapter.members)
            .copied()
            .collect();
        if !self.config.last_man_standing || met.iter().any(|node| self.config.votes[node] > 1) {
            return false;
        }
        let somebody_left = stayed.len() < life.now().members.len();
        let (count, needed) = (members.len(), life.now().quorum as usize);
        let lowest = life
            .last_held_by_votes()
            .and_then(|members| members.first());
        let lowest_stayed = lowest.is_some_and(|lowest| stayed.contains(lowest));
        let breaks_ties = self.config.auto_tie_breaker.is_some();
        (somebody_left && count >= needed) || (breaks_ties && lowest_stayed && count <= needed)
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

    fn judge(&self, life: &Life, question: Question<'_>, formed: bool) -> Chapter {
        let Question {
            members, before, ..
        } = question;
        let device = self
            .config
            .qdevice
            .as_ref()
            .map_or(0, |device| device.votes);
        let of_members: u32 = members.iter().map(|node| self.config.votes[node]).sum();
        let expected = question.expected.max(of_members + device);
        let votes = if question.device_votes {
            of_members + device
        } else {
            of_members
        };
        let two = self.config.two_node && members.len() <= 2;
        let expecting = majority(expected.max(question.others_expect));
        let quorum = if two {
            1
        } else {
            expecting.max(question.floor)
        };
        let waits = question.waits && votes != expected;
        let by_votes = !waits && votes >= quorum;
        let half = votes == expected / 2;
        // The others might have quorum among themselves.
        let others_too_few = before.len() < question.there.len() + quorum as usize;
        let by_tie = !waits && half && others_too_few && self.wins_tie(life, question);
        Chapter {
            members: members.clone(),
            formed,
            votes,
            expected,
            quorum,
            by_votes,
            quorate: by_votes || by_tie,
            released: false,
        }
    }

    /// The half with the lowest (highest) of those who last held quorum; or the half with the first node of the
    /// list, unless that one "was not in the cluster before the split": then the second, and so on.
    fn wins_tie(&self, life: &Life, question: Question<'_>) -> bool {
        let Question {
            members,
            there,
            before,
            ..
        } = question;
        let held = life.last_held_by_votes();
        let preferred = match &self.config.auto_tie_breaker {
            None => None,
            Some(AutoTieBreaker::Lowest) => held.and_then(|held| held.first()).copied(),
            Some(AutoTieBreaker::Highest) => held.and_then(|held| held.last()).copied(),
            Some(AutoTieBreaker::List(list)) => {
                let ids = list.iter().map(|id| NodeId::new(*id).unwrap());
                ids.into_iter()
                    .find(|id| there.contains(id) || before.contains(id))
            }
        };
        // The list looks at who is there, the others at who is heard.
        let listed = matches!(self.config.auto_tie_breaker, Some(AutoTieBreaker::List(_)));
        let here = if listed { there } else { members };
        preferred.is_some_and(|node| here.contains(&node))
    }
}
