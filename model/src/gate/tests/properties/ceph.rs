//! Clusters that have Ceph, and what it may say: to what was asked, to something else, too late, or nothing.

use fastrand::Rng;

use super::situation::{Question, Situation};
use super::{draw, is_allowed};
use crate::cluster::testing::known;
use crate::fact::ceph::{self, OkToStop};
use crate::gate::tests::ceph::of_nodes;
use crate::gate::{Answer, CephAnswer, CephQuestion, Kind, OLDEST_ANSWER_MS, Request, ceph_asking};
use crate::reading::Reading;
use crate::rule::Scene;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceph {
    None,
    /// On all nodes, of which each has an OSD.
    Listed,
    /// The agents are older, and do not tell of daemons.
    Unlisted,
}

impl Ceph {
    pub(super) fn told(self, nodes: u32) -> Reading<ceph::Ceph> {
        match self {
            Self::None => Reading::Absent,
            Self::Listed => known(of_nodes(nodes)),
            Self::Unlisted => known(ceph::Ceph {
                daemons: None,
                ..of_nodes(nodes)
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CephSays {
    Yes,
    No,
    /// Neither.
    Unclear,
    NotAsked,
    /// A yes of before.
    Old,
    /// A yes for other daemons, though the question was this one.
    OfOthers,
    /// A yes to another question.
    ToAnother,
    /// A yes to a part of the question.
    ToAPart,
    /// A yes that names nobody.
    OfNobody,
    Failed,
}

impl CephSays {
    pub(super) const ALL: [Self; 10] = [
        Self::Yes,
        Self::No,
        Self::Unclear,
        Self::NotAsked,
        Self::Old,
        Self::OfOthers,
        Self::ToAnother,
        Self::ToAPart,
        Self::OfNobody,
        Self::Failed,
    ];

    pub(super) fn answers(self, scene: &Scene<'_>, request: &Request) -> Vec<CephAnswer> {
        let Some(asking) = ceph_asking(scene, request) else {
            return Vec::new();
        };
        let answer = |question: &CephQuestion| self.answer(scene, question, &asking.of[0]);
        asking.questions.iter().filter_map(answer).collect()
    }

    fn answer(
        self,
        scene: &Scene<'_>,
        question: &CephQuestion,
        node: &crate::name::NodeName,
    ) -> Option<CephAnswer> {
        let mut question = question.clone();
        let mut said = OkToStop {
            what: Some(question.what.kind()),
            ids: question.ids.iter().cloned().collect(),
            ok: Some(true),
            text: String::new(),
            not_ok_pgs: None,
            inactive_pgs: Vec::new(),
        };
        let mut asked_at_ms = scene.now.mono_ms - 1_000;
        match self {
            Self::Yes | Self::Failed => {}
            Self::No => said.ok = Some(false),
            Self::Unclear => said.ok = None,
            Self::NotAsked => return None,
            Self::Old => asked_at_ms = scene.now.mono_ms - OLDEST_ANSWER_MS - 1,
            Self::OfOthers => said.ids = vec!["99".to_owned()],
            Self::ToAnother => {
                question.ids = ["99".to_owned()].into();
                said.ids = vec!["99".to_owned()];
            }
            Self::ToAPart => {
                said.ids.push("99".to_owned());
                question.ids.insert("99".to_owned());
            }
            Self::OfNobody => said.ids.clear(),
        }
        let said = match self {
            Self::Failed => Err("asked too often".to_owned()),
            _ => Ok(said),
        };
        Some(CephAnswer {
            question,
            node: node.clone(),
            asked_at_ms,
            said,
        })
    }
}

#[test]
fn an_answer_that_is_forgotten_old_of_others_or_failed_never_allows_it() {
    let mut random = Rng::with_seed(11);
    let (mut allowed, mut refused) = (0, 0);
    for _ in 0..600 {
        let mut situation = draw::anything(&mut random);
        situation.ceph = Ceph::Listed;
        let world = situation.world();
        let question = Question {
            ceph: CephSays::Yes,
            ..draw::question(&mut random, &situation)
        };
        allowed += u32::from(is_allowed(&question.ask(&world)));
        for ceph in CephSays::ALL.into_iter().skip(1) {
            let spoiled = Question {
                ceph,
                ..question.clone()
            };
            let verdict = spoiled.ask(&world);
            assert!(!is_allowed(&verdict), "{spoiled:?}; {situation:?}");
            refused += 1;
            let is_no = verdict.reasons.iter().any(|it| it.kind == Kind::CephNotOk);
            let is_said = ceph == CephSays::No && question.asks_ceph(&world);
            assert_eq!(is_no, is_said, "{spoiled:?}; {situation:?}");
            assert!(!is_no || verdict.answer == Answer::NoGo);
        }
    }
    println!("{allowed} allowed with Ceph's yes; {refused} refused without it");
    assert!(allowed > 50, "{allowed}");
}

#[test]
fn with_ceph_on_all_nodes_and_its_yes_every_node_may_be_rebooted() {
    for nodes in 3..=16 {
        let situation = Situation {
            ceph: Ceph::Listed,
            ..Situation::nothing_wrong(nodes)
        };
        for node in 1..=nodes {
            let question = Question::of(node, crate::gate::Action::Reboot);
            let verdict = question.ask(&situation.world());
            assert_eq!(verdict.answer, Answer::Go, "{}", verdict.sentence);
        }
    }
}
