//! What is asked for of the lease: judged and decided in one turn, and answered when it is on the disk.
//!
//! Nobody else has a turn between the look and the decision, so that of two who ask for the lease one gets it. Whatever is
//! not certain to be kept is no lease: the answer is UNKNOWN then.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::finding::Thing;
use model::gate::{
    self, Accepting, Action, Answer, Basis, CephAnswer, Ending, Kind, Reason, Request, Verdict,
};
use model::lease::healthy::{Reboot, before};
use model::lease::{Grant, Lease, Leases, Step, Transition};
use model::name::NodeName;
use model::report::Facts as _;

use super::{Core, Output};
use crate::keeper::Now;
use crate::keeper::events::News;

/// Who waits until what was decided is on the disk.
const MOST_ASKED: usize = 100;

/// A maintenance that somebody wants to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    pub nodes: BTreeSet<NodeName>,
    pub action: Action,
    pub owner: String,
    pub reason: String,
    pub planned_s: u32,
    /// Also against NO-GO or UNKNOWN.
    pub overrides: bool,
    pub waits_for_end: bool,
    /// It may be empty.
    pub request_id: String,
    /// What Ceph was asked for it before.
    pub ceph: Vec<CephAnswer>,
}

impl Begin {
    pub fn request(&self) -> Request {
        Request::of_nodes(self.nodes.iter().cloned(), self.action)
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAsk {
    Begin(Begin),
    End {
        node: NodeName,
        by: String,
        reboot: Reboot,
    },
    Break {
        node: NodeName,
        by: String,
        reason: String,
    },
    Say {
        node: NodeName,
        by: String,
        words: String,
    },
    Accept(Accepting),
    TakeBack {
        kind: String,
        subject: String,
        by: String,
    },
}

impl LeaseAsk {
    pub fn asker(&self) -> &str {
        match self {
            Self::Begin(begin) => &begin.owner,
            Self::End { by, .. }
            | Self::Break { by, .. }
            | Self::Say { by, .. }
            | Self::TakeBack { by, .. } => by,
            Self::Accept(asked) => &asked.by,
        }
    }

    /// Whether it is about what is accepted, and no lease.
    fn is_of_accepting(&self) -> bool {
        matches!(self, Self::Accept(_) | Self::TakeBack { .. })
    }
}

/// The answer; the lease that it is about, if there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub verdict: Verdict,
    pub lease: Option<Lease>,
    /// What was asked for is so now.
    pub is_done: bool,
    /// Of a maintenance that somebody wants to begin: all that it was judged by.
    pub basis: Option<Box<Basis>>,
}

/// What is to be said, and the step that is to be written if the verdict allows one.
struct Judged {
    verdict: Verdict,
    step: Option<Step>,
    basis: Option<Box<Basis>>,
}

/// What waits for the ledger.
#[derive(Debug)]
pub(super) struct Asked {
    question: u64,
    step: Transition,
    verdict: Verdict,
    basis: Option<Box<Basis>>,
    /// As it will be, if it is kept.
    lease: Option<Lease>,
}

impl Core {
    /// What is asked for of the lease; `Ok` is answered with an output that has the number of the question.
    pub fn lease(&mut self, question: u64, ask: &LeaseAsk, now: Now) -> Result<(), Box<Told>> {
        self.see(now);
        let leases = self.decides(now).map_err(|verdict| {
            Box::new(Told {
                verdict,
                lease: None,
                is_done: false,
                basis: None,
            })
        })?;
        if let LeaseAsk::Begin(begin) = ask
            && let Some(lease) = leases.current().filter(|lease| is_of(lease, begin))
        {
            let scene = self.understanding.scene(&leases, now);
            let scene = scene.with_ceph_answers(&begin.ceph);
            let request = begin.request();
            let verdict = gate::check_as_holder(&scene, &self.understanding.found(), &request);
            return self.answer_again(question, lease, verdict);
        }
        let Judged {
            verdict,
            step,
            basis,
        } = self.judge(&leases, ask, now);
        let Some(step) = step else {
            // Where nothing is to be ended or broken, nothing is left to do.
            let is_done = verdict.answer == Answer::Go && !matches!(ask, LeaseAsk::Begin(_));
            let is_shown = !is_done && !ask.is_of_accepting();
            let lease = leases.current().filter(|_| is_shown).cloned();
            return Err(Box::new(Told {
                verdict,
                lease,
                is_done,
                basis,
            }));
        };
        let number = match &step {
            Step::Granted(_) => Some(leases.next_number()),
            Step::Accepted(_) | Step::TakenBack { .. } => None,
            _ => leases.current().map(|lease| lease.number),
        };
        let step = Transition {
            number: number.unwrap_or_default(),
            at_unix_ms: now.unix_ms,
            step,
        };
        self.events.decide_leases(vec![step.clone()]);
        let after = self.events.leases();
        let lease = after.and_then(|leases| of_number(leases, step.number));
        self.leases_asked.push(Asked {
            question,
            step,
            verdict,
            basis,
            lease,
        });
        self.ask_ledger(now);
        Ok(())
    }

    /// What is decided so far, if more can be decided now.
    fn decides(&self, now: Now) -> Result<Leases, Verdict> {
        let not_now = |kind, sentence: String| Verdict::unknown(kind, sentence, String::new());
        if !self.is_authority() {
            let sentence = "it is not settled which collector decides for the cluster".to_owned();
            return Err(not_now(Kind::AuthorityUnsettled, sentence));
        }
        if let Some(why) = self.events.trouble(now) {
            let sentence =
                format!("the ledger cannot be written ({why}): no lease is promised or ended");
            return Err(not_now(Kind::NotRecorded, sentence));
        }
        if self.leases_asked.len() >= MOST_ASKED {
            let sentence = format!("{MOST_ASKED} others wait for the ledger already");
            return Err(not_now(Kind::NotRecorded, sentence));
        }
        self.events.leases().cloned().ok_or_else(|| {
            let sentence = "which leases are held cannot be read".to_owned();
            not_now(Kind::LeasesUnknown, sentence)
        })
    }

    /// To who has taken it already, and did not hear of it. It is promised only once it is on the disk.
    fn answer_again(
        &mut self,
        question: u64,
        lease: &Lease,
        verdict: Verdict,
    ) -> Result<(), Box<Told>> {
        let is_its_grant = |asked: &&Asked| {
            asked.step.number == lease.number && matches!(asked.step.step, Step::Granted(_))
        };
        let lease = Some(lease.clone());
        let Some(waiting) = self.leases_asked.iter().find(is_its_grant) else {
            return Err(Box::new(Told {
                verdict,
                lease,
                is_done: true,
                basis: None,
            }));
        };
        let step = waiting.step.clone();
        self.leases_asked.push(Asked {
            question,
            step,
            verdict,
            basis: None,
            lease,
        });
        Ok(())
    }

    fn judge(&self, leases: &Leases, ask: &LeaseAsk, now: Now) -> Judged {
        let scene = self.understanding.scene(leases, now);
        let (verdict, step) = match ask {
            LeaseAsk::Begin(begin) => return self.judge_begin(leases, begin, now),
            LeaseAsk::End { node, by, reboot } => {
                let ending = Ending {
                    by,
                    reboot: *reboot,
                    well_for_ms: self.understanding.well_for_ms(now),
                };
                let verdict = gate::end(&scene, leases, node, ending);
                let is_over = verdict.answer == Answer::Go && leases.of(node).is_some();
                let words = match reboot {
                    Reboot::AsPlanned => format!("ended by {by}"),
                    Reboot::NotDone => format!("given back by {by}: not rebooted"),
                };
                let by = Some(by.clone());
                (verdict, is_over.then_some(Step::Ended { by, words }))
            }
            LeaseAsk::Break { node, by, reason } => {
                let verdict = gate::break_lease(&scene, leases, node);
                let is_broken = verdict.answer == Answer::Go && leases.of(node).is_some();
                let (by, reason) = (by.clone(), reason.clone());
                (verdict, is_broken.then_some(Step::Broken { by, reason }))
            }
            LeaseAsk::Say { node, by, words } => {
                let verdict = gate::say(&scene, leases, node, by);
                let is_said = verdict.answer == Answer::Go;
                let words = words.clone();
                (verdict, is_said.then_some(Step::Said { words }))
            }
            LeaseAsk::Accept(asked) => {
                let found = self.understanding.found();
                match gate::accept(&scene, &found, leases, asked) {
                    Ok(acceptance) => {
                        let verdict = Verdict::done(&acceptance.sentence());
                        (verdict, Some(Step::Accepted(Box::new(acceptance))))
                    }
                    Err(refused) => (refused, None),
                }
            }
            LeaseAsk::TakeBack { kind, subject, by } => {
                take_back(leases, (kind, subject), by, now.unix_ms)
            }
        };
        Judged {
            verdict,
            step,
            basis: None,
        }
    }

    fn judge_begin(&self, leases: &Leases, begin: &Begin, now: Now) -> Judged {
        let request = begin.request();
        let scene = &self.understanding.scene(leases, now);
        let basis = Basis {
            cluster: scene.cluster.clone(),
            leases: Some(Arc::new(leases.clone())),
            ceph_answers: begin.ceph.clone(),
            found: self.understanding.found(),
            ..self.understanding.declared().basis(request.clone(), now)
        };
        let verdict = basis.judge();
        let may = matches!(verdict.answer, Answer::Go | Answer::Warn);
        let are_known = begin
            .nodes
            .iter()
            .all(|node| scene.cluster.nodes.contains_key(node));
        let is_free = leases.current().is_none() && are_known && !begin.nodes.is_empty();
        // Whether its data is whole again is not asked in this version: somebody has to look.
        let has_ceph = begin.nodes.iter().any(|node| {
            let node = scene.node(node);
            node.is_some_and(|node| node.ceph().is_some())
        });
        let step = (is_free && (may || begin.overrides)).then(|| {
            let with_before = |node: &NodeName| (node.clone(), before(scene, node));
            Step::Granted(Box::new(Grant {
                nodes: begin.nodes.clone(),
                action: begin.action,
                owner: begin.owner.clone(),
                reason: begin.reason.clone(),
                planned_s: begin.planned_s,
                overrode: (!may).then(|| verdict.sentence.clone()),
                stood_against: stood_against(&verdict, &request),
                waits_for_end: begin.waits_for_end || has_ceph,
                request_id: begin.request_id.clone(),
                before: begin.nodes.iter().map(with_before).collect(),
            }))
        });
        Judged {
            verdict,
            step,
            basis: Some(Box::new(basis)),
        }
    }

    /// Those whose step is on the disk now, or will never be.
    pub(super) fn answer_for_leases(&mut self) {
        for news in self.events.take_lease_news() {
            let (step, is_kept) = match news {
                News::Kept(step) => (step, true),
                News::Lost(step) => (step, false),
            };
            let all = std::mem::take(&mut self.leases_asked).into_iter();
            let (answered, waiting) = all.partition(|asked| asked.step == step);
            self.leases_asked = waiting;
            self.tell_of_lease(answered, is_kept);
        }
    }

    fn tell_of_lease(&mut self, answered: Vec<Asked>, is_kept: bool) {
        for asked in answered {
            let told = if is_kept {
                Told {
                    verdict: asked.verdict,
                    lease: asked.lease,
                    is_done: true,
                    basis: asked.basis,
                }
            } else {
                let sentence = "it was not written down, because somebody else wrote at the same moment: ask again".to_owned();
                Told {
                    verdict: Verdict::unknown(Kind::NotRecorded, sentence, String::new()),
                    lease: None,
                    is_done: false,
                    basis: None,
                }
            };
            self.outputs.push_back(Output::Leased {
                question: asked.question,
                told: Box::new(told),
            });
        }
    }

    pub(super) fn well_since_ms(&self, now: Now) -> Option<u64> {
        let well_for_ms = self.understanding.well_for_ms(now)?;
        Some(now.mono_ms.saturating_sub(well_for_ms))
    }
}

fn take_back(
    leases: &Leases,
    (kind, subject): (&str, &str),
    by: &str,
    now_unix_ms: i64,
) -> (Verdict, Option<Step>) {
    match gate::take_back(leases, kind, subject, now_unix_ms) {
        Ok(acceptance) => {
            let (kind, subject) = (acceptance.kind, acceptance.subject.clone());
            let by = Some(by.to_owned());
            let sentence = format!("{} of {subject} is not accepted any more", kind.name());
            let step = Step::TakenBack { kind, subject, by };
            (Verdict::done(&sentence), Some(step))
        }
        Err(refused) => (refused, None),
    }
}

/// What other nodes did that forbade it, and did not keep him who took it all the same.
fn stood_against(verdict: &Verdict, request: &Request) -> BTreeSet<(Kind, Thing)> {
    let reasons = verdict.reasons.iter();
    let others = reasons.filter(|reason| reason.is_about_others(request));
    others.map(Reason::key).collect()
}

/// Whether it was this question that took it.
fn is_of(lease: &Lease, begin: &Begin) -> bool {
    let is_same = !begin.request_id.is_empty() && lease.grant.request_id == begin.request_id;
    is_same && lease.awaits(&begin.owner, &begin.nodes, begin.action)
}

fn of_number(leases: &Leases, number: u64) -> Option<Lease> {
    let all = leases.current().into_iter().chain(leases.over());
    let mut of_number = all.filter(|lease| lease.number == number);
    of_number.next().cloned()
}
