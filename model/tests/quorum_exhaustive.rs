//! Small worlds, all of them: every cluster of one to five nodes, every combination of options that corosync
//! accepts, every way to lose nodes, to fall apart and to come back. The model and a second, dumb implementation
//! (`dumb`) must say the same of every partition after every event.
//!
//! corosync-vqsim can play neither clean leaves (allow_downscale) nor a last man standing window that never
//! passes, and it has no qnetd: for these the agreement here rests on the man pages.
//!
//! The numbers of cases are asserted, so that no change can make a test smaller without saying so.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic outside its #[test] function too"
)]

mod dumb;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use dumb::{Answer, Dumb};
use model::name::NodeId;
use model::parse::corosync_conf;
use model::quorum::cluster::Cluster;
use model::quorum::config::QuorumConfig;
use model::quorum::event::{Event, QdeviceState};

/// How many comparisons a test has made.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Configurations that corosync would start with.
    configs: usize,
    /// Configurations that it would not.
    refused: usize,
    /// Events after which every partition was compared.
    cases: usize,
    /// Of these: the order in which nodes hear each other decides, and the dumb answer is one of several.
    decided_by_order: usize,
}

/// The same cluster twice.
#[derive(Clone)]
struct Twins {
    model: Cluster,
    dumb: Dumb,
}

struct World<'a> {
    tally: &'a mut Tally,
    text: String,
    /// The events since the start.
    story: Vec<Event>,
    windows_pass: bool,
}

fn answers(cluster: &Cluster) -> Vec<Answer> {
    let answer = |partition: model::quorum::verdict::Partition| Answer {
        nodes: partition.nodes,
        votes: partition.votes,
        expected: partition.expected,
        quorum: partition.quorum,
        quorate: partition.quorate,
    };
    cluster.partitions().into_iter().map(answer).collect()
}

impl World<'_> {
    /// Plays one event on both and compares; the story ends where the order of messages decides.
    fn play(&mut self, twins: &Twins, event: Event) -> Option<Twins> {
        self.tally.cases += 1;
        let dumb = twins.dumb.step(&event);
        let model = twins.model.step(&event).unwrap();
        self.story.push(event);
        let says = dumb.answers();
        let next = if answers(&model) == says {
            Some(Twins { model, dumb })
        } else {
            let event = self.story.last().unwrap();
            let outcomes = twins.model.outcomes(event).unwrap();
            let each: Vec<Vec<Answer>> = outcomes.iter().map(answers).collect();
            let among_them = each.len() > 1
                && says
                    .iter()
                    .all(|one| each.iter().any(|all| all.contains(one)));
            assert!(among_them, "{}", self.differ(&each, &says));
            self.tally.decided_by_order += 1;
            None
        };
        self.story.pop();
        next
    }

    fn differ(&self, model: &[Vec<Answer>], dumb: &[Answer]) -> String {
        let mut text = format!("{}\n", self.text);
        for event in &self.story {
            let _ = writeln!(text, "{event}");
        }
        for outcome in model {
            let _ = writeln!(text, "the model: {outcome:?}");
        }
        let _ = writeln!(text, "dumb: {dumb:?}");
        text
    }
}

/// A story is a cluster's state so far; each of these plays all stories of one kind from the start.
impl World<'_> {
    fn all_stories(&mut self, start: &Twins, nodes: u32) {
        self.lost_together(start, nodes);
        self.fallen_apart(start, nodes);
        self.lost_in_turn(start, false);
        if start.model.config().allow_downscale {
            self.lost_in_turn(start, true);
        }
    }

    /// The window passes after each event, if it does at all.
    fn play_on(&mut self, twins: &Twins, event: Event) -> Option<Twins> {
        let next = self.play(twins, event.clone())?;
        if !self.windows_pass {
            return Some(next);
        }
        self.story.push(event);
        let after = self.play(&next, Event::WindowPasses);
        self.story.pop();
        after
    }

    fn then(&mut self, event: Event, act: impl FnOnce(&mut Self)) {
        let before = self.story.len();
        self.story.push(event);
        if self.windows_pass {
            self.story.push(Event::WindowPasses);
        }
        act(self);
        self.story.truncate(before);
    }

    /// Every set of nodes is lost at once; then each of them comes back alone, or all do.
    fn lost_together(&mut self, start: &Twins, nodes: u32) {
        for lost in subsets(nodes) {
            let down = Event::Down(lost.clone());
            let Some(rest) = self.play_on(start, down.clone()) else {
                continue;
            };
            self.then(down, |world| {
                world.play_on(&rest, Event::Up(lost.clone()));
                for node in &lost {
                    world.play_on(&rest, Event::Up(BTreeSet::from([*node])));
                }
            });
        }
    }

    /// Every two halves, and together again. Or a node of the second half goes over to the first; what a node
    /// says that loses its quorum while it meets others depends on who speaks first wherever more than votes
    /// matters, so that is played with votes and ties alone.
    fn fallen_apart(&mut self, start: &Twins, nodes: u32) {
        for one in subsets(nodes) {
            let other: BTreeSet<NodeId> = (1..=nodes)
                .map(node)
                .filter(|id| !one.contains(id))
                .collect();
            if other.is_empty() || !one.contains(&node(1)) {
                continue;
            }
            let split = Event::Split(vec![one.clone(), other.clone()]);
            let Some(apart) = self.play_on(start, split.clone()) else {
                continue;
            };
            self.then(split, |world| {
                world.play_on(&apart, Event::Join);
                world.play_on(&apart, Event::Reform(*other.first().unwrap()));
                let config = start.model.config();
                let memory =
                    config.wait_for_all || config.last_man_standing || config.allow_downscale;
                for goes in other.iter().filter(|_| !memory) {
                    let more = &one | &BTreeSet::from([*goes]);
                    let less = &other - &more;
                    world.play_on(&apart, Event::Split(vec![more, less]));
                }
            });
        }
    }

    /// One node after the other, in every order, without a word or cleanly; and back in the order they went.
    fn lost_in_turn(&mut self, now: &Twins, cleanly: bool) {
        let running: Vec<NodeId> = now
            .model
            .config()
            .votes
            .keys()
            .copied()
            .filter(|id| now.model.is_running(*id))
            .collect();
        for id in running {
            let gone = BTreeSet::from([id]);
            let event = if cleanly {
                Event::Leave(gone.clone())
            } else {
                Event::Down(gone.clone())
            };
            let Some(next) = self.play_on(now, event.clone()) else {
                continue;
            };
            self.then(event, |world| {
                world.play_on(&next, Event::Up(gone));
                world.lost_in_turn(&next, cleanly);
            });
        }
    }
}

fn node(id: u32) -> NodeId {
    NodeId::new(id).unwrap()
}

/// Every set of the first `nodes` nodes but the empty one.
fn subsets(nodes: u32) -> impl Iterator<Item = BTreeSet<NodeId>> {
    (1u32..1 << nodes).map(move |bits| {
        (1..=nodes)
            .filter(|id| bits & (1 << (id - 1)) != 0)
            .map(node)
            .collect()
    })
}

/// Votes of one to five nodes: one each, one with more, none, each with others.
fn votes(nodes: u32) -> Vec<Vec<u32>> {
    let ones = vec![1; nodes as usize];
    let with = |index: usize, votes: u32| {
        let mut all = ones.clone();
        all[index] = votes;
        all
    };
    let last = ones.len() - 1;
    let mut vectors = vec![ones.clone(), with(0, 2), with(last, 3)];
    if nodes > 1 {
        vectors.push(with(last, 0));
        vectors.push((1..=nodes).collect());
    }
    vectors
}

fn conf(votes: &[u32], options: &[String]) -> String {
    let mut text = String::from("nodelist {\n");
    for (index, votes) in votes.iter().enumerate() {
        let _ = writeln!(
            text,
            "  node {{\n    nodeid: {}\n    quorum_votes: {votes}\n  }}",
            index + 1
        );
    }
    text.push_str("}\nquorum {\n  provider: corosync_votequorum\n");
    for line in options.iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str("}\n");
    text
}

/// Every way to take one of each.
fn combinations(choices: &[Vec<String>]) -> Vec<Vec<String>> {
    choices.iter().fold(vec![Vec::new()], |begun, choice| {
        let with = |so_far: &Vec<String>| {
            let so_far = so_far.clone();
            choice
                .iter()
                .map(move |one| [so_far.as_slice(), std::slice::from_ref(one)].concat())
        };
        begun.iter().flat_map(with).collect()
    })
}

fn choice(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// All stories of all clusters of these sizes with each combination of these options.
fn exhaust(
    sizes: std::ops::RangeInclusive<u32>,
    choices: impl Fn(u32) -> Vec<Vec<String>>,
) -> Tally {
    let mut tally = Tally::default();
    for nodes in sizes {
        for votes in votes(nodes) {
            let sum: u32 = votes.iter().sum();
            for options in combinations(&choices(sum)) {
                every_story_of(&conf(&votes, &options), nodes, &mut tally);
            }
        }
    }
    tally
}

fn every_story_of(text: &str, nodes: u32, tally: &mut Tally) {
    let parsed = corosync_conf::parse(text).unwrap();
    assert_eq!(parsed.bad_lines, []);
    let Ok(config) = QuorumConfig::new(&parsed.value) else {
        tally.refused += 1;
        return;
    };
    tally.configs += 1;
    for device_works in if config.qdevice.is_some() {
        vec![true, false]
    } else {
        vec![false]
    } {
        for windows_pass in if config.last_man_standing {
            vec![true, false]
        } else {
            vec![false]
        } {
            let state = if device_works {
                QdeviceState::Votes
            } else {
                QdeviceState::Away
            };
            let start = Twins {
                model: Cluster::started(config.clone(), state),
                dumb: Dumb::started(config.clone(), device_works),
            };
            let mut world = World {
                tally,
                text: text.to_owned(),
                story: Vec::new(),
                windows_pass,
            };
            assert_eq!(answers(&start.model), start.dumb.answers(), "{text}");
            world.all_stories(&start, nodes);
            if config.qdevice.is_some() {
                world.device_comes_and_goes(&start, nodes, device_works);
                world.scattered_before(&start, nodes);
            }
        }
    }
}

impl World<'_> {
    /// One half is scattered before it is a half: the qdevice knows who had its votes.
    fn scattered_before(&mut self, start: &Twins, nodes: u32) {
        for one in subsets(nodes) {
            let other: BTreeSet<NodeId> = (1..=nodes)
                .map(node)
                .filter(|id| !one.contains(id))
                .collect();
            if other.is_empty() {
                continue;
            }
            let alone = one.iter().map(|id| BTreeSet::from([*id]));
            let scatter = Event::Split(alone.chain([other.clone()]).collect());
            let Some(scattered) = self.play(start, scatter.clone()) else {
                continue;
            };
            self.then(scatter, |world| {
                world.play(&scattered, Event::Split(vec![one, other]));
            });
        }
    }

    /// After every loss the qdevice changes its mind, and changes it again.
    fn device_comes_and_goes(&mut self, start: &Twins, nodes: u32, works: bool) {
        let state = |works| {
            Event::Qdevice(if works {
                QdeviceState::Votes
            } else {
                QdeviceState::Away
            })
        };
        for lost in subsets(nodes) {
            let down = Event::Down(lost);
            let Some(rest) = self.play(start, down.clone()) else {
                continue;
            };
            self.then(down, |world| {
                let Some(other) = world.play(&rest, state(!works)) else {
                    return;
                };
                world.then(state(!works), |world| {
                    world.play(&other, state(works));
                });
            });
        }
    }
}

fn expected_lines(sum: u32) -> Vec<String> {
    let fewer = sum.saturating_sub(1).max(1);
    vec![
        String::new(),
        format!("expected_votes: {fewer}"),
        format!("expected_votes: {}", sum + 1),
    ]
}

/// Not auto_tie_breaker where a node starts with fewer expected votes than there are: it takes ties among those it
/// has heard so far for real ones. The oracle draws such clusters.
fn ties_and_expected_lines(sum: u32) -> Vec<String> {
    let mut lines = expected_lines(sum);
    for breaker in ["lowest", "highest", "4 2"] {
        let line = format!("auto_tie_breaker: 1\n  auto_tie_breaker_node: {breaker}");
        lines.push(format!("{line}\n  expected_votes: {}", sum + 2));
        lines.push(line);
    }
    lines
}

const FFSPLIT: &str =
    "device {\n    model: net\n    votes: 1\n    net {\n      algorithm: ffsplit\n    }\n  }";
const FFSPLIT_HIGHEST: &str = "device {\n    model: net\n    votes: 1\n    net {\n      algorithm: ffsplit\n      tie_breaker: highest\n    }\n  }";
const LMS: &str = "device {\n    model: net\n    net {\n      algorithm: lms\n    }\n  }";

fn tally(configs: usize, refused: usize, cases: usize, decided_by_order: usize) -> Tally {
    Tally {
        configs,
        refused,
        cases,
        decided_by_order,
    }
}

#[test]
fn majorities_two_node_and_wait_for_all() {
    let done = exhaust(1..=5, |sum| {
        vec![
            choice(&["", "two_node: 1"]),
            choice(&["", "wait_for_all: 0", "wait_for_all: 1"]),
            expected_lines(sum),
        ]
    });
    assert_eq!(done, tally(414, 0, 104_535, 465));
}

#[test]
fn last_man_standing_and_auto_tie_breaker() {
    let done = exhaust(1..=5, |_| {
        vec![
            choice(&["", "last_man_standing: 1"]),
            choice(&["", "wait_for_all: 1"]),
            choice(&[
                "",
                "auto_tie_breaker: 1",
                "auto_tie_breaker: 1\n  auto_tie_breaker_node: highest",
                "auto_tie_breaker: 1\n  auto_tie_breaker_node: 2 1",
            ]),
        ]
    });
    assert_eq!(done, tally(332, 36, 154_676, 0));
}

#[test]
fn clean_leaves_with_allow_downscale() {
    let done = exhaust(1..=4, |sum| {
        vec![
            choice(&["allow_downscale: 1"]),
            choice(&["", "wait_for_all: 1"]),
            choice(&["", "last_man_standing: 1"]),
            choice(&["", "auto_tie_breaker: 1"]),
            choice(&["", "two_node: 1"]),
            choice(&["", &format!("expected_votes: {}", sum.max(2) - 1)]),
        ]
    });
    assert_eq!(done, tally(558, 18, 143_690, 0));
}

#[test]
fn qdevice_that_works_and_one_that_does_not() {
    let done = exhaust(1..=5, |sum| {
        vec![
            choice(&["", "wait_for_all: 1"]),
            choice(&[FFSPLIT, FFSPLIT_HIGHEST, LMS]),
            expected_lines(sum),
        ]
    });
    assert_eq!(done, tally(238, 176, 172_434, 1_503));
}

#[test]
fn every_combination_of_options_on_three_and_four_nodes() {
    let done = exhaust(3..=4, |sum| {
        vec![
            choice(&["", "two_node: 1"]),
            choice(&["", "wait_for_all: 0", "wait_for_all: 1"]),
            choice(&["", "last_man_standing: 1"]),
            ties_and_expected_lines(sum),
            choice(&["", "allow_downscale: 1"]),
            choice(&["", FFSPLIT]),
        ]
    });
    assert_eq!(done, tally(2_145, 2_175, 743_505, 1_395));
}
