//! What holds for every cluster and every question: drawn, and the same at each run.

mod by_hand;
mod ceph;
mod draw;
mod fault;
mod rename;
mod situation;
mod spoil;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use fastrand::Rng;

use super::*;
use crate::cluster::testing::node_name;
use crate::report::Family;
use fault::Fault;
use rename::Names;
use situation::{Device, Question, Rules, Situation, id_of};
use spoil::{Spoiling, Word};

/// How often something was so, and the shortest of the cases.
#[derive(Default)]
struct Table(BTreeMap<String, (u32, String)>);

impl Table {
    fn add(&mut self, row: String, case: String) {
        let (count, shortest) = self.0.entry(row).or_default();
        *count += 1;
        if shortest.is_empty() || case.len() < shortest.len() {
            *shortest = case;
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(row, (count, case))| writeln!(f, "{count:6}  {row}: {case}"))
    }
}

fn is_allowed(verdict: &Verdict) -> bool {
    matches!(verdict.answer, Answer::Go | Answer::Warn)
}

/// What weighs more than a note.
fn against(verdict: &Verdict) -> BTreeSet<Kind> {
    let reasons = verdict.reasons.iter();
    let weighs = reasons.filter(|reason| reason.weight > Weight::Note);
    weighs.map(|reason| reason.kind).collect()
}

fn named(verdict: &Verdict) -> String {
    let kinds = against(verdict).into_iter();
    let names: Vec<&str> = kinds.map(Kind::name).collect();
    names.join(", ")
}

/// The readings that the reasons quote, of nodes that are heard.
fn rests_on(verdict: &Verdict) -> Vec<(u32, Family)> {
    let quoted = verdict.reasons.iter().flat_map(|reason| &reason.evidence);
    let reading = |seen: &Seen| {
        let mut families = Family::ALL.iter();
        let family = families.find(|family| family.key() == seen.family)?;
        Some((id_of(&seen.node), *family))
    };
    quoted.filter_map(reading).collect()
}

/// The node whose reading is spoiled, how, and of whom it says something else than the others.
fn spoiling(
    random: &mut Rng,
    situation: &Situation,
    question: &Question,
    before: &Verdict,
) -> (u32, Spoiling, u32) {
    let quoted = rests_on(before);
    let (node, how) = if !quoted.is_empty() && random.bool() {
        let (node, family) = quoted[random.usize(..quoted.len())];
        (node, Spoiling::of(random, family))
    } else {
        let node = random.u32(1..=situation.nodes);
        (node, Spoiling::drawn(random))
    };
    let missed: Vec<u32> = situation.silent.union(&situation.away).copied().collect();
    let asked: Vec<u32> = question.nodes.iter().copied().collect();
    let other = match random.u32(0..3) {
        0 if !missed.is_empty() => missed[random.usize(..missed.len())],
        1 => asked[random.usize(..asked.len())],
        _ => random.u32(1..=situation.nodes),
    };
    (node, how, other)
}

#[test]
fn to_forget_to_age_or_to_contradict_a_reading_never_makes_a_go() {
    let mut random = Rng::with_seed(6);
    let (mut tried, mut made) = (0, Table::default());
    for _ in 0..1_000 {
        let situation = draw::anything(&mut random);
        let question = draw::question(&mut random, &situation);
        let before = question.ask(&situation.world());
        if before.answer == Answer::Go {
            continue;
        }
        for _ in 0..4 {
            let (node, how, other) = spoiling(&mut random, &situation, &question, &before);
            // Who alone says where the qnetd is contradicts nobody.
            let is_news = situation.device == Device::Somewhere
                && matches!(how, Spoiling::Contradict(Word::QnetdToo));
            // Who says again what all others say contradicts nobody.
            let is_mended = matches!(how, Spoiling::Contradict(Word::Quorate))
                && situation.has(|fault| matches!(fault, Fault::SaysNoQuorum(on) if *on == node));
            if !situation.is_heard(node) || is_news || is_mended {
                continue;
            }
            tried += 1;
            let mut world = situation.world();
            how.spoil(&mut random, &mut world, node, other);
            if question.ask(&world).answer == Answer::Go {
                let is_own = question.nodes.contains(&node);
                let whose = if is_own { "its own" } else { "another's" };
                let row = format!("{} [{}] {how:?}, {whose}", before.answer, named(&before));
                made.add(
                    row,
                    format!("{node} of {other}; {question:?}; {situation:?}"),
                );
            }
        }
    }
    println!("{tried} readings were spoiled where it was no GO");
    assert!(made.is_empty(), "made a GO:\n{made}");
    assert!(tried > 2_000, "{tried}");
}

#[test]
fn every_go_leaves_enough_votes_counted_by_hand_and_by_the_quorum_machine() {
    let mut random = Rng::with_seed(7);
    let (mut answers, mut wrong) = (BTreeMap::<Answer, u32>::new(), Table::default());
    let mut by_tie_breaker = 0;
    for _ in 0..3_000 {
        let situation = draw::anything(&mut random);
        let question = draw::question(&mut random, &situation);
        let verdict = question.ask(&situation.world());
        *answers.entry(verdict.answer).or_default() += 1;
        if !is_allowed(&verdict) {
            continue;
        }
        let case = || format!("{}; {question:?}; {situation:?}", verdict.sentence);
        let is_enough = by_hand::enough_stay(&situation, &question.nodes);
        // Fewer votes than are needed, and the half that stays goes on all the same: what the fingers do not know.
        let by_tie = situation.rules == Rules::TieBreaker && verdict.answer == Answer::Warn;
        if !is_enough && by_tie {
            by_tie_breaker += 1;
        } else if !is_enough {
            wrong.add(format!("{}, by hand", verdict.answer), case());
        }
        if !by_hand::machine_confirms(&situation, &question.nodes) {
            wrong.add(format!("{}, by the machine", verdict.answer), case());
        }
    }
    println!(
        "answers, each GO and WARN counted again: {answers:?}; {by_tie_breaker} by the tie-breaker"
    );
    assert!(wrong.is_empty(), "too few votes:\n{wrong}");
    assert!(answers[&Answer::Go] > 300, "{answers:?}");
}

#[test]
fn to_rename_the_nodes_changes_nothing() {
    let mut random = Rng::with_seed(8);
    let mut answers = BTreeMap::<Answer, u32>::new();
    for _ in 0..500 {
        let situation = draw::anything(&mut random);
        let question = draw::question(&mut random, &situation);
        let world = situation.world();
        let judge = |names: &Names| {
            let world = names.world(&situation, &world);
            question.ask_by(&world, |id| names.of(id))
        };
        let one = judge(&Names::as_they_are(situation.nodes));
        let two = judge(&Names::drawn(&mut random, situation.nodes));
        let weighed = |verdict: &Verdict| {
            let reasons = verdict.reasons.iter();
            let mut all: Vec<(Kind, Weight)> = reasons.map(|it| (it.kind, it.weight)).collect();
            all.sort_unstable();
            (verdict.answer, all)
        };
        assert_eq!(weighed(&one), weighed(&two), "{question:?}; {situation:?}");
        *answers.entry(one.answer).or_default() += 1;
    }
    println!("the same under other names: {answers:?}");
    assert_eq!(answers.len(), 4, "{answers:?}");
}

#[test]
fn where_nothing_is_wrong_every_node_may_be_rebooted() {
    let mut random = Rng::with_seed(9);
    let mut answers = BTreeMap::<Answer, u32>::new();
    for nodes in 3..=32 {
        for (device, is_one_link) in [
            (Device::None, false),
            (Device::None, true),
            (Device::External, false),
            (Device::External, true),
        ] {
            let situation = Situation {
                device,
                is_one_link,
                ..Situation::nothing_wrong(nodes)
            };
            let question = Question::of(random.u32(1..=nodes), draw::action(&mut random));
            let verdict = question.ask(&situation.world());
            let said = (verdict.answer, against(&verdict));
            let expect = (Answer::Go, BTreeSet::new());
            assert_eq!(said, expect, "{situation:?}: {}", verdict.sentence);
            // Of three or four votes none can be spared, ever.
            let mut kinds = verdict.reasons.iter().map(|reason| reason.kind);
            let is_told = kinds.any(|kind| kind == Kind::NoMargin);
            assert_eq!(is_told, !by_hand::has_margin(&situation), "{situation:?}");
            *answers.entry(verdict.answer).or_default() += 1;
        }
    }
    println!("nothing wrong: {answers:?}");
}

#[test]
fn what_is_harmless_is_allowed_and_what_is_not_never_is() {
    let mut random = Rng::with_seed(10);
    let mut harmless = BTreeMap::<Answer, u32>::new();
    let (mut harmful, mut let_go) = (Table::default(), Table::default());
    let mut refused = Table::default();
    for _ in 0..800 {
        let (situation, target) = draw::everyday(&mut random);
        let question = Question {
            ceph: draw::ceph_says(&mut random),
            ..Question::of(target, draw::action(&mut random))
        };
        let verdict = question.ask(&situation.world());
        let case = || format!("{question:?}; {situation:?}");
        if let Some(harm) = by_hand::harm(&situation, &question) {
            harmful.add(format!("{harm}: {}", verdict.answer), String::new());
            if is_allowed(&verdict) {
                let_go.add(format!("{}, though {harm}", verdict.answer), case());
            }
        } else if by_hand::gap(&situation, &question).is_none() {
            *harmless.entry(verdict.answer).or_default() += 1;
            let heavy = verdict.reasons.iter();
            let heavy = heavy.filter(|reason| reason.weight > Weight::Warning);
            for reason in heavy {
                let row = format!("{}, {}", verdict.answer, reason.kind.name());
                refused.add(row, case());
            }
        }
    }
    let all: u32 = harmless.values().sum();
    let allowed = [Answer::Go, Answer::Warn].map(|answer| harmless.get(&answer).copied());
    let allowed: u32 = allowed.into_iter().flatten().sum();
    println!("harmless: {allowed} of {all} allowed, {harmless:?}\n{harmful}");
    assert!(let_go.is_empty(), "allowed what does harm:\n{let_go}");
    assert!(refused.is_empty(), "refused what does no harm:\n{refused}");
    assert!(allowed * 100 >= all * 95, "{allowed} of {all}");
    assert!(all > 300, "{all}");
}

#[test]
fn of_two_nodes_one_may_go_only_where_the_other_keeps_quorum() {
    let devices = [
        Device::None,
        Device::External,
        Device::Somewhere,
        Device::Mute,
        Device::On(1),
        Device::On(2),
    ];
    let plain = devices.map(|device| (device, Rules::Plain));
    let mut answers = BTreeMap::new();
    for (device, rules) in plain.into_iter().chain([(Device::None, Rules::TwoNode)]) {
        let situation = Situation {
            device,
            rules,
            ..Situation::nothing_wrong(2)
        };
        let question = Question::of(1, Action::Reboot);
        let verdict = question.ask(&situation.world());
        let is_kept = by_hand::machine_confirms(&situation, &question.nodes);
        assert_eq!(
            is_allowed(&verdict),
            is_kept,
            "{}; {situation:?}",
            verdict.sentence
        );
        answers.insert(format!("{device:?}, {rules:?}"), verdict.answer);
    }
    println!("two nodes: {answers:?}");
}

#[test]
fn what_is_written_down_of_a_verdict_gives_the_same_verdict_again() {
    let mut random = Rng::with_seed(11);
    let mut answers = BTreeMap::<Answer, u32>::new();
    for _ in 0..300 {
        let situation = draw::anything(&mut random);
        let question = draw::question(&mut random, &situation);
        let world = situation.world();
        let found = rule::findings(&world.scene());
        let nodes = question.nodes.iter().copied().map(node_name);
        let request = Request::of_nodes(nodes, question.action);
        let basis = Basis {
            cluster: world.cluster.clone(),
            now: world.now,
            thresholds: Arc::new(world.thresholds.clone()),
            site: Arc::new(world.site.clone()),
            leases: world.leases.clone().map(Arc::new),
            ceph_answers: question.ceph.answers(&world.scene(), &request),
            found: Arc::new(found),
            request,
            is_holder: question.is_holder,
        };
        let given = question.ask(&world);
        assert_eq!(basis.judge(), given, "{question:?}; {situation:?}");
        let text = basis.to_json(|piece| piece.to_json()).unwrap().to_string();
        let again = Basis::from_json(serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(again.judge(), given, "{question:?}; {situation:?}");
        *answers.entry(given.answer).or_default() += 1;
    }
    println!("judged again: {answers:?}");
    assert_eq!(answers.len(), 4, "{answers:?}");
}
