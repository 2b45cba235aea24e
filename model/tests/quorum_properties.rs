//! What must hold whatever the cluster and whatever happens to it: drawn clusters, drawn stories.
//!
//! Every draw has a number; a failure names it and prints its story. corosync itself lets two partitions be quorate
//! at once in some configurations: [`may_split_its_brain`] lists them, each with its smallest story, and
//! `testdata/quorum/auto_tie_breaker_holes.txt` tells those of the tie-breaker as scenarios.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic outside its #[test] function too"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fastrand::Rng;
use model::name::NodeId;
use model::parse::corosync_conf;
use model::quorum::cluster::Cluster;
use model::quorum::config::{AutoTieBreaker, QuorumConfig};
use model::quorum::event::{Event, QdeviceState};
use model::quorum::qnetd::Algorithm;
use model::quorum::verdict::Partition;

const CASES: u64 = 2_000;

/// A drawn cluster after each event of a drawn story, the start first.
struct Case {
    number: u64,
    conf: String,
    moments: Vec<(Option<Event>, Cluster)>,
}

impl Case {
    /// One that corosync would start with.
    fn draw(number: u64) -> Self {
        let mut rng = Rng::with_seed(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (conf, config) = loop {
            let conf = draw_conf(&mut rng);
            if let Some(config) = accepted(&conf) {
                break (conf, config);
            }
        };
        let mut now = Cluster::healthy(config);
        let mut moments = vec![(None, now.clone())];
        for _ in 0..rng.usize(1..=8) {
            let event = draw_event(&mut rng, &now);
            // Any order in which the nodes may hear each other. What cannot be does not happen.
            let Ok(outcomes) = now.outcomes(&event) else {
                continue;
            };
            now = outcomes[rng.usize(..outcomes.len())].clone();
            moments.push((Some(event), now.clone()));
        }
        Self {
            number,
            conf,
            moments,
        }
    }

    fn start(&self) -> &Cluster {
        &self.moments[0].1
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
        self.moments.iter().filter_map(|(event, _)| event.as_ref())
    }

    fn story(&self, moment: usize) -> String {
        let mut text = format!("case {}\n{}", self.number, self.conf);
        for (event, cluster) in &self.moments[..=moment] {
            if let Some(event) = event {
                let _ = writeln!(text, "{event}");
            }
            for partition in cluster.partitions() {
                let _ = writeln!(text, "    {partition:?}");
            }
        }
        text
    }
}

/// Looks at every moment of every drawn story.
#[track_caller]
fn always(holds: impl Fn(&Case, &Cluster) -> bool) {
    for number in 0..CASES {
        let case = Case::draw(number);
        for (moment, (_, cluster)) in case.moments.iter().enumerate() {
            assert!(holds(&case, cluster), "{}", case.story(moment));
        }
    }
}

fn accepted(conf: &str) -> Option<QuorumConfig> {
    let parsed = corosync_conf::parse(conf).unwrap();
    assert_eq!(parsed.bad_lines, [], "{conf}");
    QuorumConfig::new(&parsed.value).ok()
}

fn draw_conf(rng: &mut Rng) -> String {
    let mut text = String::from("nodelist {\n");
    let (uneven, mut id, mut sum) = (rng.u8(..4) == 0, 0, 0);
    for _ in 0..rng.u32(1..=8) {
        id += rng.u32(1..=2);
        let votes = if uneven { rng.u32(0..=3) } else { 1 };
        sum += votes;
        let _ = writeln!(
            text,
            "  node {{\n    name: a{id}\n    nodeid: {id}\n    quorum_votes: {votes}\n  }}"
        );
    }
    text.push_str("}\nquorum {\n  provider: corosync_votequorum\n");
    let mut maybe = |one_in: u8, line: String| {
        if rng.u8(..one_in) == 0 {
            let _ = writeln!(text, "  {line}");
        }
    };
    maybe(6, "two_node: 1".into());
    maybe(3, "wait_for_all: 1".into());
    maybe(9, "wait_for_all: 0".into());
    maybe(5, "last_man_standing: 1".into());
    maybe(3, "auto_tie_breaker: 1".into());
    maybe(4, "auto_tie_breaker_node: highest".into());
    maybe(4, "auto_tie_breaker_node: 2 1 3 4".into());
    maybe(8, "allow_downscale: 1".into());
    maybe(9, "expected_votes_tracking: 1".into());
    maybe(8, format!("expected_votes: {}", sum.max(2) - 1));
    maybe(8, format!("expected_votes: {}", sum + 1));
    for net in [
        "algorithm: ffsplit",
        "algorithm: lms",
        "algorithm: test",
        "tie_breaker: highest",
    ] {
        for votes in ["votes: 1", "timeout: 1000"] {
            maybe(
                12,
                format!(
                    "device {{\n    model: net\n    {votes}\n    net {{\n      {net}\n    }}\n  }}"
                ),
            );
        }
    }
    text.push_str("}\n");
    text
}

fn draw_event(rng: &mut Rng, now: &Cluster) -> Event {
    let all: Vec<NodeId> = now.config().votes.keys().copied().collect();
    let node = all[rng.usize(..all.len())];
    let some: BTreeSet<NodeId> = all
        .iter()
        .filter(|_| rng.bool())
        .copied()
        .chain([node])
        .collect();
    match rng.u8(..16) {
        0..=2 => Event::Down(some),
        3 => Event::Leave(some),
        4..=6 => Event::Up(some),
        7..=9 => {
            let rest = all
                .iter()
                .filter(|node| !some.contains(node))
                .copied()
                .collect();
            Event::Split(vec![some, rest])
        }
        10 => Event::Split(all.iter().map(|node| BTreeSet::from([*node])).collect()),
        11 => Event::Join,
        12 => Event::Reform(node),
        13 => Event::WindowPasses,
        14 => Event::Qdevice(if rng.bool() {
            QdeviceState::Votes
        } else {
            QdeviceState::Away
        }),
        _ => Event::Expected {
            node,
            votes: rng.u32(1..=9),
        },
    }
}

fn quorate(partitions: &[Partition]) -> Vec<&Partition> {
    partitions
        .iter()
        .filter(|partition| partition.quorate)
        .collect()
}

#[test]
fn renaming_nodes_changes_nothing() {
    for number in 0..CASES {
        let case = Case::draw(number);
        let renamed = accepted(&case.conf.replace("name: a", "name: pve-")).unwrap();
        assert_ne!(renamed.names, case.start().config().names);
        let mut plain = case.start().clone();
        let mut other = Cluster::healthy(renamed);
        for event in case.events() {
            let (Ok(next), Ok(next_other)) = (plain.step(event), other.step(event)) else {
                continue;
            };
            (plain, other) = (next, next_other);
            assert_eq!(plain.partitions(), other.partitions(), "{}", case.story(0));
        }
    }
}

#[test]
fn what_is_so_already_changes_nothing() {
    always(|_, cluster| {
        let (running, stopped): (BTreeSet<NodeId>, BTreeSet<NodeId>) = cluster
            .config()
            .votes
            .keys()
            .partition(|node| cluster.is_running(**node));
        let as_it_is = cluster
            .partitions()
            .iter()
            .map(|part| part.nodes.iter().copied().collect())
            .collect();
        let nothing = [
            Event::Down(stopped.clone()),
            Event::Leave(stopped),
            Event::Up(running),
            Event::Split(as_it_is),
        ];
        nothing
            .iter()
            .all(|event| cluster.step(event).unwrap().partitions() == cluster.partitions())
    });
}

#[test]
fn every_running_node_is_in_one_partition_and_no_vote_is_counted_that_is_not_there() {
    always(|_, cluster| {
        let partitions = cluster.partitions();
        let mut seen: Vec<NodeId> = partitions
            .iter()
            .flat_map(|part| part.nodes.clone())
            .collect();
        seen.sort();
        let running: Vec<NodeId> = cluster
            .config()
            .votes
            .keys()
            .filter(|node| cluster.is_running(**node))
            .copied()
            .collect();
        let cast: u32 = partitions.iter().map(|part| part.votes).max().unwrap_or(0);
        seen == running && cast <= cluster.config().all_votes()
    });
}

#[test]
fn losing_the_qdevice_gives_quorum_to_nobody() {
    always(|_, cluster| {
        let Ok(without) = cluster.step(&Event::Qdevice(QdeviceState::Away)) else {
            return true;
        };
        let some_is = |cluster: &Cluster, part: &Partition| {
            part.nodes
                .iter()
                .any(|node| cluster.voter(*node).unwrap().is_quorate())
        };
        without
            .partitions()
            .iter()
            .all(|part| !some_is(&without, part) || some_is(cluster, part))
    });
}

#[test]
fn without_wait_for_all_a_split_that_is_healed_leaves_nothing_behind() {
    let mut checked = 0;
    for number in 0..CASES {
        let case = Case::draw(number);
        let start = case.start();
        let split = case.events().find(|event| matches!(event, Event::Split(_)));
        let (Some(split), false) = (split, start.config().wait_for_all) else {
            continue;
        };
        let healed = start.step(split).unwrap().step(&Event::Join).unwrap();
        assert_eq!(
            healed.partitions(),
            start.partitions(),
            "{split}\n{}",
            case.story(0)
        );
        checked += 1;
    }
    assert!(checked > CASES / 10, "{checked}");
}

/// Where corosync itself may let two partitions be quorate at once.
///
/// Not in it: auto_tie_breaker with `lowest` or `highest` and an even number of votes. There one node may
/// take itself for quorate besides another partition, but never all the nodes of a partition.
fn may_split_its_brain(case: &Case) -> bool {
    let config = case.start().config();
    let nodes: u32 = config.votes.values().sum();
    // `split 1/2`: that is what two_node is for.
    let two_node = config.two_node;
    // It votes for everybody.
    let test_device = config
        .qdevice
        .as_ref()
        .is_some_and(|device| device.algorithm == Algorithm::Test);
    // Four nodes, expected_votes 3, all down: `up 1,2`, `split 1/2`, `up 3,4`, `split 1,3/2,4`. The same without
    // expected_votes where the nodes' votes are odd and the qdevice's are written down: a node that starts does not
    // expect these before it has seen everybody.
    let majority = |votes: u32| votes / 2 + 1;
    let fewer_expected = majority(config.expected_votes) < majority(config.all_votes().max(nodes));
    // `pvecm expected` on both sides.
    let by_hand = case
        .events()
        .any(|event| matches!(event, Event::Expected { .. }));
    // allow_downscale after a clean leave. last_man_standing: four nodes, `split 1,2,3/4`, `window` (two of three are enough now), `split 1,2/3,4`: node 3 brings its lower
    // expectation to node 4.
    let left = case.events().any(|event| matches!(event, Event::Leave(_)));
    let lowered = config.last_man_standing || (config.allow_downscale && left);
    // Votes 2 and 3: `split 1/2`. Two are half of five as corosync divides, and it takes the others for too few
    // because it compares a number of nodes with a number of votes. Three nodes with a vote each:
    // `split 1,2/3`, `split 1/2,3`, if node 3 is heard before node 2 has counted.
    let odd = config.auto_tie_breaker.is_some() && config.expected_votes.max(nodes) % 2 == 1;
    // Four nodes, 1 before 3: `split 1,2/3,4`, `reform 3`.
    let listed =
        matches!(config.auto_tie_breaker, Some(AutoTieBreaker::List(_))) && !config.wait_for_all;
    two_node || test_device || fewer_expected || by_hand || lowered || odd || listed
}

#[test]
fn two_partitions_are_never_both_quorate() {
    let mut checked = 0;
    always(|case, cluster| may_split_its_brain(case) || quorate(&cluster.partitions()).len() <= 1);
    for number in 0..CASES {
        checked += u64::from(!may_split_its_brain(&Case::draw(number)));
    }
    assert!(checked > CASES / 5, "{checked}");
}
