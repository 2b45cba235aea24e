//! Events on their way into the ledger: each exactly once, acknowledged only when it is on the disk.
//!
//! One decision is on its way at a time. Whatever its answer is but `Ok`, the ledger is read again, and the decision's
//! id says whether it is there. A decision that is not there is appended again with the same id, so that one that comes
//! late changes nothing.

mod decided;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::alert;
use model::fleet::FleetFinding;
use model::incident::Transition;
use model::lease;
use model::name::NodeName;

pub(super) use decided::News;

use super::intake::NewEvent;
use super::queue::{Queue, Row};
use super::refusal::Refusal;
use super::steps::Steps;
use super::{
    LEDGER_AGAIN_MS, LEDGER_SLOW_MS, MAX_BYTES_APPENDED, MAX_EVENTS_APPENDED, Now, StreamId,
};
use crate::ledger::decision::{
    Decision, DecisionId, Kept, Record, Revision, SpoolId, SpoolRow, TakenEvent,
};
use crate::ledger::{Appended, Snapshot};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The ledger has been asked, and has not answered.
    Asked { since_ms: u64 },
    /// To be read again at this time.
    Read { at_ms: u64 },
    /// To be appended again at this time.
    Append { at_ms: u64 },
}

#[derive(Debug)]
struct OnItsWay {
    /// `None`: the ledger is only to be read, because it was not yet.
    decision: Option<Arc<Decision>>,
    step: Step,
}

/// What the ledger is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    Append {
        expected: Revision,
        epoch: u64,
        decision: Arc<Decision>,
    },
    /// The decisions behind `after`, and then the snapshot.
    Read { after: Revision },
}

/// What is decided beside the events, and goes to the ledger with them.
#[derive(Debug, Default)]
struct Decided {
    transitions: Vec<Transition>,
    leases: Vec<lease::Transition>,
    alerts: Vec<alert::Transition>,
}

#[derive(Debug)]
pub(super) struct Events {
    writer: u64,
    decisions: u64,
    epoch: u64,
    revision: Revision,
    kept: Kept,
    queues: BTreeMap<StreamId, Queue>,
    /// The stream whose turn was last.
    last_turn: StreamId,
    on_its_way: Option<OnItsWay>,
    trouble: Option<String>,
    superseded: Option<u64>,
    steps: Steps,
    lease_news: Vec<News<lease::Transition>>,
    alert_news: Vec<News<alert::Transition>>,
    is_unread: bool,
}

impl Events {
    /// `writer`: random, of this run of the collector.
    pub(super) fn new(writer: u64, epoch: u64, snapshot: Snapshot) -> Self {
        Self {
            writer,
            decisions: 0,
            epoch,
            revision: snapshot.revision,
            steps: Steps::behind(&snapshot.kept),
            lease_news: Vec::new(),
            alert_news: Vec::new(),
            kept: snapshot.kept,
            queues: BTreeMap::new(),
            last_turn: StreamId(0),
            on_its_way: None,
            trouble: None,
            superseded: Some(snapshot.epoch).filter(|found| *found > epoch),
            is_unread: false,
        }
    }

    pub(super) fn kept(&self, node: &NodeName, spool: SpoolId) -> SpoolRow {
        self.kept.spool(node, spool)
    }

    pub(super) fn events_kept(&self, node: &NodeName) -> u64 {
        let rows = self.kept.spools.iter().filter(|((of, _), _)| of == node);
        rows.map(|(_, row)| row.events).sum()
    }

    pub(super) fn lost(&self, stream: StreamId) -> u64 {
        self.queues.get(&stream).map_or(0, |queue| queue.lost)
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn last_place(&self) -> u64 {
        self.kept.last_place
    }

    pub(super) fn superseded(&self) -> Option<u64> {
        self.superseded
    }

    pub(super) fn waiting(&self) -> u64 {
        let waiting: usize = self.queues.values().map(|queue| queue.events.len()).sum();
        (waiting + self.events_on_their_way().count()) as u64
    }

    fn events_on_their_way(&self) -> impl Iterator<Item = &TakenEvent> {
        let decision = self.on_its_way.as_ref().and_then(|on| on.decision.as_ref());
        decision.into_iter().flat_map(|decision| &decision.events)
    }

    /// The ledger could not be read when this began: what it holds is not known, and nothing is kept before it is.
    pub(super) fn unread(&mut self, why: &str) {
        self.trouble = Some(why.to_owned());
        self.is_unread = true;
        self.on_its_way = Some(OnItsWay {
            decision: None,
            step: Step::Read { at_ms: 0 },
        });
    }

    /// What a person must know of the ledger.
    pub(super) fn findings(&self, now: Now) -> Vec<FleetFinding> {
        let superseded = self.superseded.map(|epoch| FleetFinding::Superseded {
            epoch,
            own_epoch: self.epoch,
        });
        let trouble = self.trouble(now);
        let trouble = trouble.map(|why| FleetFinding::LedgerNotWritten {
            why,
            waiting: self.waiting(),
        });
        superseded.into_iter().chain(trouble).collect()
    }

    /// Why nothing can be kept now.
    pub(super) fn trouble(&self, now: Now) -> Option<String> {
        let slow = || match self.on_its_way.as_ref()?.step {
            Step::Asked { since_ms } if now.mono_ms >= since_ms.saturating_add(LEDGER_SLOW_MS) => {
                Some("it does not answer".to_owned())
            }
            Step::Asked { .. } | Step::Read { .. } | Step::Append { .. } => None,
        };
        self.trouble.clone().or_else(slow)
    }

    pub(super) fn opened(&mut self, stream: StreamId, node: &NodeName, spool: SpoolId) {
        let is_known = self.kept(node, spool).up_to > 0;
        let queue = Queue::new((node.clone(), spool), is_known);
        self.queues.insert(stream, queue);
    }

    /// What waits of it is forgotten: the agent still has it.
    pub(super) fn closed(&mut self, stream: StreamId) {
        self.queues.remove(&stream);
    }

    /// Whether more of a stream is to be read: not while its events wait for a ledger that works.
    pub(super) fn wants(&self, stream: StreamId, now: Now) -> bool {
        self.queues
            .get(&stream)
            .is_none_or(|queue| !queue.is_full())
            || self.superseded.is_some()
            || self.trouble(now).is_some()
    }

    /// Takes events of a stream. The number up to which all are kept already, if there was nothing new among them.
    pub(super) fn take(
        &mut self,
        stream: StreamId,
        spool_first: u64,
        events: Vec<NewEvent>,
        skew_ms: Option<i64>,
        now: Now,
    ) -> Result<Option<u64>, Refusal> {
        let is_stuck = self.superseded.is_some() || self.trouble(now).is_some();
        let Some(row) = self.queues.get(&stream).map(|queue| queue.row.clone()) else {
            return Ok(None);
        };
        let kept_up_to = self.kept(&row.0, row.1).up_to;
        let mut taken = self.taken(&row);
        let Some(queue) = self.queues.get_mut(&stream) else {
            return Ok(None);
        };
        let mut is_new = false;
        for new in events {
            if queue.lost > 0 || (is_stuck && queue.is_full() && new.last > taken) {
                queue.lost = queue.lost.saturating_add(1);
                is_new = true;
                continue;
            }
            if new.last <= taken {
                continue;
            }
            let is_first = taken == 0 && new.number <= spool_first;
            if new.number > taken.saturating_add(1) && !is_first {
                return Err(Refusal::Gap {
                    wanted: taken.saturating_add(1),
                    got: new.number,
                });
            }
            is_new = true;
            let number = new.number.max(taken.saturating_add(1)).min(new.last);
            taken = new.last;
            queue.push(number, &new, skew_ms, now);
        }
        Ok((!is_new && taken == kept_up_to && kept_up_to > 0).then_some(kept_up_to))
    }

    /// The last number that is kept, on its way or waiting.
    fn taken(&self, row: &Row) -> u64 {
        let waiting = self.queues.values().filter(|queue| queue.row == *row);
        let waiting = waiting
            .filter_map(|queue| queue.events.back())
            .map(|event| event.last);
        let on_its_way = self
            .events_on_their_way()
            .filter(|event| event.node == row.0 && event.spool == row.1)
            .map(|event| event.last);
        waiting
            .chain(on_its_way)
            .max()
            .unwrap_or_default()
            .max(self.kept(&row.0, row.1).up_to)
    }

    /// What the ledger is to be asked now.
    pub(super) fn next_wish(&mut self, now: Now) -> Option<Wish> {
        if self.superseded.is_some() {
            return None;
        }
        if self.on_its_way.is_none() {
            let decision = Some(Arc::new(self.next_decision(now)?));
            let step = Step::Append { at_ms: now.mono_ms };
            self.on_its_way = Some(OnItsWay { decision, step });
        }
        let on = self.on_its_way.as_mut()?;
        let wish = match on.step {
            Step::Append { at_ms } if at_ms <= now.mono_ms => Wish::Append {
                expected: self.revision,
                epoch: self.epoch,
                decision: Arc::clone(on.decision.as_ref()?),
            },
            Step::Read { at_ms } if at_ms <= now.mono_ms => Wish::Read {
                after: self.revision,
            },
            Step::Asked { .. } | Step::Append { .. } | Step::Read { .. } => return None,
        };
        on.step = Step::Asked {
            since_ms: now.mono_ms,
        };
        Some(wish)
    }

    /// When the ledger is to be asked again, or is to be called slow.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        Some(match self.on_its_way.as_ref()?.step {
            Step::Asked { since_ms } => since_ms.saturating_add(LEDGER_SLOW_MS),
            Step::Append { at_ms } | Step::Read { at_ms } => at_ms,
        })
    }

    /// In turns: one event of each stream after the other, beginning behind the one whose turn was last.
    fn next_decision(&mut self, now: Now) -> Option<Decision> {
        let (mut events, mut late, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut streams: Vec<StreamId> = self.queues.keys().copied().collect();
        let begin = streams.partition_point(|stream| *stream <= self.last_turn);
        streams.rotate_left(begin);
        let mut more = true;
        while more {
            more = false;
            for stream in &streams {
                if events.len() >= MAX_EVENTS_APPENDED || bytes >= MAX_BYTES_APPENDED {
                    break;
                }
                let queue = self.queues.get_mut(stream);
                if let Some((event, told)) = queue.and_then(Queue::pop) {
                    bytes += event.body.len();
                    events.push(event);
                    late.extend(told);
                    self.last_turn = *stream;
                    more = true;
                }
            }
        }
        // In one decision with the events: neither is kept without the other.
        self.steps.tell_late(&late, now);
        let decided = Decided {
            transitions: self.steps.take(),
            leases: self.steps.take_leases(),
            alerts: self.steps.take_alerts(),
        };
        self.decision(events, decided)
    }

    /// `None` where there is nothing to decide.
    fn decision(&mut self, events: Vec<TakenEvent>, decided: Decided) -> Option<Decision> {
        let Decided {
            transitions,
            leases,
            alerts,
        } = decided;
        let is_nothing = transitions.is_empty() && leases.is_empty() && alerts.is_empty();
        if events.is_empty() && is_nothing {
            return None;
        }
        self.decisions = self.decisions.wrapping_add(1);
        let id = DecisionId {
            writer: self.writer,
            number: self.decisions,
        };
        Some(Decision {
            id,
            events,
            transitions,
            leases,
            alerts,
        })
    }

    /// The ledger answered an append. The rows of which more is kept now.
    pub(super) fn appended(&mut self, appended: Appended, now: Now) -> Vec<Row> {
        let Some(OnItsWay {
            decision: Some(decision),
            step,
        }) = &mut self.on_its_way
        else {
            return Vec::new();
        };
        match appended {
            Appended::Ok(revision) => {
                let decision = Arc::clone(decision);
                for event in &decision.events {
                    self.kept.take(event);
                }
                self.kept.fold(&decision);
                self.revision = revision;
                return self.settled(&decision);
            }
            Appended::Conflict => *step = Step::Read { at_ms: now.mono_ms },
            Appended::Unknown { why } => {
                self.trouble = Some(why);
                *step = Step::Read { at_ms: now.mono_ms };
            }
            Appended::NotLeader { epoch } => self.give_up(epoch),
        }
        Vec::new()
    }

    /// The ledger was read again.
    pub(super) fn read(
        &mut self,
        read: Result<(Vec<Record>, Snapshot), String>,
        now: Now,
    ) -> Vec<Row> {
        let Some(on) = &mut self.on_its_way else {
            return Vec::new();
        };
        let again_ms = now.mono_ms.saturating_add(LEDGER_AGAIN_MS);
        let (records, snapshot) = match read {
            Ok(read) => read,
            Err(why) => {
                self.trouble = Some(why);
                on.step = Step::Read { at_ms: again_ms };
                return Vec::new();
            }
        };
        let decision = on.decision.clone();
        let is_there = |own: &&Arc<Decision>| records.iter().any(|record| record.id == own.id);
        let there = decision.as_ref().filter(is_there).cloned();
        if snapshot.epoch > self.epoch {
            if let Some(own) = there {
                // It came in time, and whoever asked for it has it.
                self.settled(&own);
            }
            self.give_up(snapshot.epoch);
            return Vec::new();
        }
        let mut expected = self.kept.clone();
        there.iter().for_each(|own| expected.fold(own));
        let has_moved = snapshot.revision != self.revision;
        self.revision = snapshot.revision;
        self.kept = snapshot.kept;
        self.is_unread = false;
        let is_as_expected = self.kept.incidents == expected.incidents
            && self.kept.leases == expected.leases
            && self.kept.alerts == expected.alerts;
        if has_moved && !is_as_expected {
            self.others_decided(there.is_none());
        }
        match (there, &mut self.on_its_way) {
            (Some(own), _) => return self.settled(&own),
            // At the same revision the store may be in trouble, and asking it without a pause would not help it.
            (None, Some(on)) if on.decision.is_some() => {
                let at_ms = if has_moved { now.mono_ms } else { again_ms };
                on.step = Step::Append { at_ms };
            }
            (None, _) => {
                self.on_its_way = None;
                self.trouble = None;
            }
        }
        Vec::new()
    }

    /// Another writer decided about incidents, leases or alerts. A decision that is not there cannot come any more, for it builds on
    /// a revision that the ledger has left: its events go again, of incidents the rules decide anew, and who asked for a
    /// lease is told that there is none.
    fn others_decided(&mut self, is_own_to_change: bool) {
        let (leases, alerts) = (self.steps.take_leases(), self.steps.take_alerts());
        self.lose(leases, alerts);
        self.steps = Steps::behind(&self.kept);
        let Some(on) = self.on_its_way.take_if(|_| is_own_to_change) else {
            return;
        };
        let own = on.decision.as_ref();
        self.lose(
            own.iter().flat_map(|own| own.leases.clone()),
            own.iter().flat_map(|own| own.alerts.clone()),
        );
        let events = on.decision.map_or_else(Vec::new, |own| own.events.clone());
        let decision = self.decision(events, Decided::default());
        let decision = decision.map(Arc::new);
        let step = on.step;
        self.on_its_way = Some(OnItsWay { decision, step });
    }

    fn settled(&mut self, decision: &Decision) -> Vec<Row> {
        self.on_its_way = None;
        self.trouble = None;
        let leases = decision.leases.iter().cloned();
        self.lease_news.extend(leases.map(News::Kept));
        let alerts = decision.alerts.iter().cloned();
        self.alert_news.extend(alerts.map(News::Kept));
        let rows = decision
            .events
            .iter()
            .map(|event| (event.node.clone(), event.spool));
        rows.collect::<BTreeSet<Row>>().into_iter().collect()
    }

    fn give_up(&mut self, epoch: u64) {
        self.superseded = Some(epoch);
        let on_its_way = self.on_its_way.take().and_then(|on| on.decision);
        let own = on_its_way.iter();
        let leases = own.clone().flat_map(|own| own.leases.clone());
        let leases: Vec<_> = leases.chain(self.steps.take_leases()).collect();
        let alerts = own.flat_map(|own| own.alerts.clone());
        let alerts: Vec<_> = alerts.chain(self.steps.take_alerts()).collect();
        self.lose(leases, alerts);
        for queue in self.queues.values_mut() {
            queue.lose_all();
        }
    }

    /// Streams whose events were left out, now that they could be taken.
    pub(super) fn to_begin_anew(&self, now: Now) -> Vec<StreamId> {
        if self.superseded.is_some() || self.trouble(now).is_some() {
            return Vec::new();
        }
        let ready = self.queues.iter();
        let ready = ready.filter(|(_, queue)| queue.lost > 0 && queue.events.is_empty());
        ready.map(|(stream, _)| *stream).collect()
    }
}
