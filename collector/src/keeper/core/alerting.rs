//! What chats are owed, what arrived, and what people say of alerts.

use std::sync::Arc;

use model::alert::{self, Alerts, Ask, Policy, Refused, Sight, Step, Transition};

use super::{Core, Output};
use crate::keeper::Now;
use crate::keeper::events::News;

/// One message makes room for the next at most so often within one look: a cause takes over, and what it hides joins it.
const ROUNDS: usize = 3;
/// Questions about alerts that wait for the ledger.
const MOST_ASKED: usize = 64;

/// What became of what a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertAnswer {
    /// It is on the disk.
    Done(Box<Step>),
    Refused(Refused),
    /// It is not written down, and why.
    NotNow(String),
}

impl Core {
    /// Who is to be told what; said at the start and whenever the configuration is read again.
    pub fn alert_by(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }

    /// Decides what is owed now, in the same breath as the incidents that it tells of.
    pub(super) fn alert(&mut self, now: Now) {
        if !self.is_authority() {
            return;
        }
        let (name, found) = (self.cluster_name(), self.understanding.found());
        let quorum = self.understanding.quorum_line(now);
        for _ in 0..ROUNDS {
            let (Some(alerts), Some(incidents)) = (self.events.alerts(), self.events.incidents())
            else {
                return;
            };
            let sight = Sight {
                incidents,
                findings: &found,
                cluster_name: &name,
                cluster_id: self.cluster.as_str(),
                quorum: &quorum,
                unix_ms: now.unix_ms,
            };
            let steps = alert::decide(alerts, &self.policy, &sight);
            if steps.is_empty() {
                return;
            }
            self.events.decide_alerts(steps);
        }
    }

    /// A message arrived, or never will. What is settled already changes nothing.
    pub fn settled(&mut self, step: Step, now: Now) {
        let is_owed = |alerts: &Arc<Alerts>| match &step {
            Step::Delivered { id, receiver, .. }
            | Step::GivenUp { id, receiver, .. }
            | Step::Overtaken { id, receiver } => alerts
                .owed()
                .any(|owed| owed.id == *id && owed.to.contains(receiver)),
            _ => false,
        };
        if self.events.alerts().is_some_and(is_owed) {
            let at_unix_ms = now.unix_ms;
            self.events
                .decide_alerts(vec![Transition { at_unix_ms, step }]);
            self.ask_ledger(now);
        }
    }

    /// Somebody asks for a silence or an acknowledgement. Answered at once, or as an output with the question's number.
    pub fn ask_alerts(&mut self, question: u64, ask: &Ask, now: Now) -> Option<AlertAnswer> {
        let not_now = |why: &str| Some(AlertAnswer::NotNow(why.to_owned()));
        if !self.is_authority() {
            return not_now("it is not settled which collector decides for the cluster");
        }
        if let Some(why) = self.events.trouble(now) {
            return not_now(&format!("the ledger cannot be written: {why}"));
        }
        if self.alerts_asked.len() >= MOST_ASKED {
            return not_now("too many others wait for the ledger already");
        }
        let (Some(alerts), Some(incidents)) = (self.events.alerts(), self.events.incidents())
        else {
            return not_now("the ledger was not read yet");
        };
        match ask.step(alerts, incidents, now.unix_ms) {
            Err(refused) => Some(AlertAnswer::Refused(refused)),
            Ok(step) => {
                let at_unix_ms = now.unix_ms;
                let step = Transition { at_unix_ms, step };
                self.events.decide_alerts(vec![step.clone()]);
                self.alerts_asked.push((question, step));
                self.ask_ledger(now);
                None
            }
        }
    }

    /// Those whose step is on the disk now, or will never be.
    pub(super) fn answer_for_alerts(&mut self) {
        for news in self.events.take_alert_news() {
            let (step, is_kept) = match news {
                News::Kept(step) => (step, true),
                News::Lost(step) => (step, false),
            };
            let all = std::mem::take(&mut self.alerts_asked).into_iter();
            let (answered, waiting): (Vec<_>, Vec<_>) = all.partition(|(_, asked)| *asked == step);
            self.alerts_asked = waiting;
            for (question, step) in answered {
                let answer = if is_kept {
                    AlertAnswer::Done(Box::new(step.step))
                } else {
                    let why = "somebody else wrote at the same moment: ask again";
                    AlertAnswer::NotNow(why.to_owned())
                };
                self.outputs.push_back(Output::Alerted { question, answer });
            }
        }
    }

    /// What is on the disk. While nothing can be written, what would be: alerts go out all the same.
    pub(super) fn alerts_to_tell(&self, now: Now) -> Arc<Alerts> {
        let ahead = self.events.trouble(now).and_then(|_| self.events.alerts());
        ahead.map_or_else(|| self.events.alerts_kept(), Arc::clone)
    }

    /// What people call the cluster; before any node spoke, its id.
    fn cluster_name(&self) -> String {
        match self.name.as_str() {
            "" => self.cluster.as_str().to_owned(),
            name => name.to_owned(),
        }
    }
}
