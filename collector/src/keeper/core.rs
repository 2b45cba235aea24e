//! The state of one cluster: what comes in changes it, and what is to be done goes out. No I/O, no clock.

mod alerting;
mod keeping;
mod leasing;
mod telling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use model::alert::{self, Policy};
use model::identity::ClusterId;
use model::name::NodeName;
use proto::v1;
use v1::collector_message::Message;

pub use super::answer::NoAnswer;
use super::answer::{Answered, Questions};
use super::deciding::Deciding;
use super::events::Events;
pub use super::events::Wish;
use super::hello::Greeting;
use super::intake::{Arrived, Heard};
use super::node::Node;
use super::refusal::Refusal;
use super::understanding::Understanding;
use super::view::{ClusterView, NodeView};
use super::{HEARTBEAT_MS, MISSED_HEARTBEATS, Now, Own, SILENT_STREAM_ENDS_MS, StreamId};
use crate::declared::Declared;
use crate::ledger::Snapshot;
pub use alerting::AlertAnswer;
use leasing::Asked;
pub use leasing::{Begin, LeaseAsk, Told};

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    Send {
        stream: StreamId,
        message: v1::CollectorMessage,
    },
    End {
        stream: StreamId,
        refusal: Refusal,
    },
    /// Answered with [`Core::appended`] or [`Core::read`]; there is one at a time.
    Ledger(Wish),
    Answered {
        question: u64,
        answer: Result<String, NoAnswer>,
    },
    /// To who asked for something of the lease.
    Leased {
        question: u64,
        told: Box<Told>,
    },
    /// To who asked for something of alerts.
    Alerted {
        question: u64,
        answer: AlertAnswer,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    /// The node may be silent by then.
    Silent(NodeName),
    /// Its stream may be dead by then.
    Dead(StreamId),
    CloneOver(NodeName),
}

/// One cluster.
#[derive(Debug)]
pub struct Core {
    cluster: ClusterId,
    name: String,
    own: Own,
    deciding: Deciding,
    version: String,
    nodes: BTreeMap<NodeName, Node>,
    streams: BTreeMap<StreamId, NodeName>,
    events: Events,
    questions: Questions,
    leases_asked: Vec<Asked>,
    understanding: Understanding,
    policy: Arc<Policy>,
    trust: Option<v1::NewTrust>,
    alerts_asked: Vec<(u64, alert::Transition)>,
    deadlines: BTreeSet<(u64, Deadline)>,
    outputs: VecDeque<Output>,
    views: BTreeMap<NodeName, Arc<NodeView>>,
    changed: BTreeSet<NodeName>,
    has_changed: bool,
}

impl Core {
    /// `snapshot` is what its ledger adds up to; `writer` is random, of this run of the collector; `version` its own.
    pub fn new(
        cluster: ClusterId,
        own: Own,
        version: &str,
        writer: u64,
        snapshot: Snapshot,
    ) -> Self {
        Self {
            cluster,
            name: String::new(),
            events: Events::new(writer, own.epoch, snapshot),
            deciding: Deciding::new(&own),
            own,
            version: version.to_owned(),
            nodes: BTreeMap::new(),
            streams: BTreeMap::new(),
            questions: Questions::default(),
            leases_asked: Vec::new(),
            understanding: Understanding::new(Declared::default()),
            policy: Arc::default(),
            trust: None,
            alerts_asked: Vec::new(),
            deadlines: BTreeSet::new(),
            outputs: VecDeque::new(),
            views: BTreeMap::new(),
            changed: BTreeSet::new(),
            has_changed: true,
        }
    }

    /// What the operator declared; said at the start.
    pub fn declare(&mut self, declared: Declared) {
        self.understanding = Understanding::new(declared);
    }

    /// A node has a certificate; said at the start and whenever one is given. It ends what `revoked` began.
    pub fn enrolled(&mut self, name: &NodeName) {
        self.node(name).is_revoked = false;
        self.touch(name);
    }

    /// What its cluster was called when it joined, for as long as no node has said it.
    pub fn called(&mut self, name: &str) {
        if self.name.is_empty() {
            name.clone_into(&mut self.name);
            self.has_changed = true;
        }
    }

    /// When a report of it was kept on disk, before this collector started.
    pub fn remembered(&mut self, name: &NodeName, before: Timestamp) {
        self.node(name).before = Some(before);
        self.touch(name);
    }

    pub fn revoked(&mut self, name: &NodeName) {
        let node = self.node(name);
        (node.is_revoked, node.contests) = (true, None);
        self.deciding.no_longer_told(name);
        let stream = self.node(name).stream.as_ref().map(|stream| stream.id);
        if let Some(stream) = stream {
            self.end(stream, Refusal::Revoked { node: name.clone() });
        }
        self.touch(name);
    }

    /// The node is not part of the cluster any more.
    pub fn forgotten(&mut self, name: &NodeName) {
        self.revoked(name);
        self.nodes.remove(name);
        self.views.remove(name);
        self.changed.remove(name);
        self.understanding.forget(name);
    }

    /// A stream whose Hello was checked.
    pub fn opened(&mut self, stream: StreamId, greeting: &Greeting, now: Now) {
        let name = &greeting.node;
        self.streams.insert(stream, name.clone());
        if self.node(name).is_revoked {
            return self.end(stream, Refusal::Revoked { node: name.clone() });
        }
        let before = self.node(name).stream.as_ref().map(|stream| stream.id);
        if let Some(before) = before {
            self.end(before, Refusal::Newer { node: name.clone() });
        }
        if !greeting.cluster_name.is_empty() {
            self.name.clone_from(&greeting.cluster_name);
        }
        let told = greeting.authority.clone();
        self.deciding.told(name, told.clone(), &self.own);
        let contests = told.filter(|_| self.deciding.is_contested_by(name));
        let kept = self.events.kept(name, greeting.spool);
        self.events.opened(stream, name, greeting.spool);
        let node = self.node(name);
        node.contests = contests;
        node.compare_spool(greeting, kept.up_to);
        node.opened(stream, greeting, now);
        if let Some(until_ms) = node.clone_said_until_ms() {
            self.deadlines
                .insert((until_ms, Deadline::CloneOver(name.clone())));
        }
        let silent_ms = now.mono_ms.saturating_add(silent_after_ms());
        self.deadlines
            .insert((silent_ms, Deadline::Silent(name.clone())));
        let dead_ms = now.mono_ms.saturating_add(SILENT_STREAM_ENDS_MS);
        self.deadlines.insert((dead_ms, Deadline::Dead(stream)));
        self.welcome(stream, kept.up_to);
        self.tell_trust(stream, greeting);
        self.touch(name);
    }

    pub fn message(&mut self, stream: StreamId, arrived: Arrived, now: Now) {
        let Some(name) = self.streams.get(&stream).cloned() else {
            return;
        };
        self.node(&name).came(arrived.at, arrived.boottime_ms);
        self.touch(&name);
        if let Some(why) = arrived.ask_report {
            self.send(stream, Message::SendReport(v1::SendReport { why }));
        }
        match arrived.heard {
            Heard::Facts(facts) => {
                self.node(&name)
                    .facts(facts, arrived.at, arrived.boottime_ms);
            }
            Heard::Heartbeat(heartbeat) => {
                let node = self.node(&name);
                node.heartbeat(&heartbeat, arrived.at, arrived.boottime_ms);
                self.answer_heartbeat(stream, &name, &heartbeat, now);
            }
            Heard::Events(events) => {
                let open = self.node(&name).stream.as_ref();
                let Some((first, spool)) = open.map(|open| (open.spool_first, open.spool)) else {
                    return;
                };
                let skew_ms = self.node(&name).skew_ms();
                match self.events.take(stream, first, events, skew_ms, now) {
                    Ok(Some(up_to)) => self.send_kept(stream, spool.0, up_to),
                    Ok(None) => {}
                    Err(refusal) => self.end(stream, refusal),
                }
                self.ask_ledger(now);
            }
            Heard::Answer { id, answer } => {
                let answered = self.questions.answered(stream, id, answer);
                self.hand_out(answered);
            }
            Heard::Nothing => {}
        }
    }

    /// The stream is not there any more, whoever ended it. Ending it from here says so to nobody again.
    pub fn closed(&mut self, stream: StreamId) {
        self.drop_stream(stream);
    }

    /// Asks a node; the answer comes as an output with the number that is returned.
    pub fn ask(
        &mut self,
        name: &NodeName,
        question: v1::probe::Question,
        now: Now,
    ) -> Result<u64, NoAnswer> {
        let open = self.nodes.get(name).and_then(|node| node.stream.as_ref());
        let stream = open
            .map(|stream| stream.id)
            .ok_or_else(|| NoAnswer::NotConnected { node: name.clone() })?;
        let probe = self.questions.ask(name, stream, question, now)?;
        let id = probe.id;
        self.send(stream, Message::Probe(probe));
        Ok(id)
    }

    /// Whether the next message of a stream is to be taken.
    pub fn wants(&self, stream: StreamId, now: Now) -> bool {
        self.events.wants(stream, now)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        while let Some((at_ms, _)) = self.deadlines.first()
            && *at_ms <= now.mono_ms
            && let Some((_, deadline)) = self.deadlines.pop_first()
        {
            self.due(deadline, now);
        }
        let late = self.questions.late(now);
        self.hand_out(late);
        if self.events.trouble(now).is_some() {
            self.has_changed = true;
        }
        let is_authority = self.is_authority();
        if self.deciding.take_news(is_authority, now) {
            self.tell_authority(is_authority);
        }
        self.understand(now);
        self.ask_ledger(now);
    }

    /// When [`Self::tick`] is to be called at the latest.
    pub fn deadline_ms(&self) -> Option<u64> {
        let first = self.deadlines.first().map(|(at_ms, _)| *at_ms);
        let all = [
            first,
            Some(self.understanding.deadline_ms()),
            self.questions.deadline_ms(),
            self.events.deadline_ms(),
            self.deciding.deadline_ms(self.is_authority()),
        ];
        all.into_iter().flatten().min()
    }

    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The picture of now, if it is another one than before.
    pub fn view(&mut self, now: Now) -> Option<ClusterView> {
        if !self.has_changed {
            return None;
        }
        self.has_changed = false;
        self.see(now);
        let mut findings = self.events.findings(now);
        let incidents = self.events.incidents_kept();
        if !findings.is_empty() {
            findings.extend(self.understanding.not_written(&incidents));
        }
        findings.extend(self.views.values().flat_map(|view| view.findings.clone()));
        Some(ClusterView {
            cluster: self.cluster.clone(),
            name: self.name.clone(),
            own: self.own.clone(),
            is_authority: self.is_authority(),
            authority: self.authority(),
            nodes: self.views.clone(),
            findings,
            found: self.understanding.found(),
            incidents,
            leases: self.events.leases_kept(),
            alerts: self.alerts_to_tell(now),
            alerts_kept: self.events.alerts_kept(),
            are_alerts_kept: self.events.trouble(now).is_none(),
            well_since_ms: self.well_since_ms(now),
            steps_waiting: self.events.steps_waiting(),
            revision: self.events.revision(),
            last_place: self.events.last_place(),
        })
    }

    /// Brings the views of the nodes up to what was heard.
    fn see(&mut self, now: Now) {
        for name in std::mem::take(&mut self.changed) {
            if let Some(node) = self.nodes.get(&name) {
                let open = node.stream.as_ref();
                let lost = open.map_or(0, |stream| self.events.lost(stream.id));
                let view = node.view(&self.own, self.events.events_kept(&name), lost);
                // Nobody who was sent away is heard again, and what was said of it cannot be seen to be over.
                if node.is_revoked {
                    self.understanding.forget(&name);
                } else {
                    self.understanding.saw(&name, &view, now);
                }
                self.views.insert(name, Arc::new(view));
            }
        }
    }

    /// The rules look, if it is time, and what comes of it goes to the ledger.
    fn understand(&mut self, now: Now) {
        self.see(now);
        if self.understanding.deadline_ms() > now.mono_ms {
            return;
        }
        let (incidents, leases) = (self.events.incidents(), self.events.leases());
        let decided = self.understanding.look(incidents, leases, now);
        self.events.decide(decided.incidents);
        self.events.decide_leases(decided.leases);
        self.alert(now);
        self.has_changed = true;
    }

    /// Not as long as anybody knows of another that may be.
    pub fn is_authority(&self) -> bool {
        self.own.is_authority && self.events.superseded().is_none() && !self.deciding.is_contested()
    }

    /// Who decides; an observer knows it from the agents.
    fn authority(&self) -> Option<v1::Authority> {
        if self.own.is_authority {
            return self.own.authority().filter(|_| self.is_authority());
        }
        self.deciding.agreed()
    }

    fn due(&mut self, deadline: Deadline, now: Now) {
        match deadline {
            Deadline::Silent(name) => {
                let Some(node) = self.nodes.get_mut(&name) else {
                    return;
                };
                let (Some(heard_ms), Some(_)) = (node.heard_ms, &node.stream) else {
                    return;
                };
                let silent_ms = heard_ms.saturating_add(silent_after_ms());
                if silent_ms <= now.mono_ms {
                    node.is_silent = true;
                    self.touch(&name);
                }
                // Heard again it may be silent again.
                let next_ms = silent_ms.max(now.mono_ms.saturating_add(u64::from(HEARTBEAT_MS)));
                self.deadlines.insert((next_ms, Deadline::Silent(name)));
            }
            Deadline::Dead(stream) => {
                let name = self.streams.get(&stream);
                let Some(heard_ms) = name
                    .and_then(|name| self.nodes.get(name))
                    .and_then(|node| node.heard_ms)
                else {
                    return;
                };
                let dead_ms = heard_ms.saturating_add(SILENT_STREAM_ENDS_MS);
                if dead_ms <= now.mono_ms {
                    let seconds = SILENT_STREAM_ENDS_MS / 1000;
                    self.end(stream, Refusal::Silent { seconds });
                } else {
                    self.deadlines.insert((dead_ms, Deadline::Dead(stream)));
                }
            }
            Deadline::CloneOver(name) => {
                if let Some(node) = self.nodes.get_mut(&name) {
                    node.forget_old(now);
                    self.touch(&name);
                }
            }
        }
    }

    fn end(&mut self, stream: StreamId, refusal: Refusal) {
        self.drop_stream(stream);
        self.outputs.push_back(Output::End { stream, refusal });
    }

    fn drop_stream(&mut self, stream: StreamId) {
        self.events.closed(stream);
        let ended = self.questions.ended(stream);
        self.hand_out(ended);
        let Some(name) = self.streams.remove(&stream) else {
            return;
        };
        let node = self.node(&name);
        if node.stream.as_ref().is_some_and(|open| open.id == stream) {
            node.closed();
            self.deadlines
                .retain(|(_, deadline)| *deadline != Deadline::Silent(name.clone()));
        }
        self.touch(&name);
    }

    fn hand_out(&mut self, answers: impl IntoIterator<Item = Answered>) {
        let answers = answers.into_iter();
        self.outputs
            .extend(answers.map(|(question, answer)| Output::Answered { question, answer }));
    }

    fn node(&mut self, name: &NodeName) -> &mut Node {
        self.nodes
            .entry(name.clone())
            .or_insert_with(|| Node::new(name.clone()))
    }

    fn touch(&mut self, name: &NodeName) {
        self.changed.insert(name.clone());
        self.has_changed = true;
    }
}

fn silent_after_ms() -> u64 {
    MISSED_HEARTBEATS * u64::from(HEARTBEAT_MS)
}
