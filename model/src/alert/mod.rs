//! What chats are told of incidents: one message per cause, never lost, never twice.
//!
//! What was decided is a list of [`Transition`]s, and [`Alerts`] is what they add up to: messages that are owed, what each
//! receiver was told, silences and acknowledgements. [`decide()`] says which come next, from the incidents and the operator's
//! [`Policy`]. It holds nothing: what is wanted is held against what was told, so that a route that begins at eight, a silence
//! that ends and a receiver that is new need no case of their own.

mod decide;
mod message;
mod policy;
mod silence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::incident::{Number, RETURN_MS};

pub use decide::{Sight, decide};
pub use message::{
    HEADLINE_LETTERS, Kind, Line, MAX_EVIDENCE, MAX_OTHERS, Message, cut, cut_bytes, lasting,
    moment,
};
pub use policy::{Grouping, Policy, Route, Times};
pub use silence::{Acknowledged, Ask, Refused, Silence};

/// Messages that are owed to one receiver at the same time. More are decided when others have arrived.
pub const MAX_OWED: usize = 1_000;
/// Silences at the same time.
pub const MAX_SILENCES: usize = 500;
/// What has not arrived for so long is given up: nobody wants to be woken by it.
pub const GIVEN_UP_AFTER_MS: i64 = 7 * 86_400_000;
/// A silence that is over is still listed for so long.
pub const SILENCE_SHOWN_MS: i64 = 86_400_000;

/// Counts up within its cluster.
pub type MessageId = u64;
/// Counts up within its cluster.
pub type SilenceId = u64;

/// One decision about alerts. Times are the collector's wall clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub at_unix_ms: i64,
    pub step: Step,
}

impl Transition {
    /// The message that it is about; 0 of what people said.
    pub fn message(&self) -> MessageId {
        match &self.step {
            Step::Owed(owed) => owed.id,
            Step::Delivered { id, .. } | Step::GivenUp { id, .. } | Step::Overtaken { id, .. } => {
                *id
            }
            Step::Silenced(_)
            | Step::SilenceEnded { .. }
            | Step::Acknowledged(_)
            | Step::AcknowledgementOver { .. } => 0,
        }
    }

    /// The incident that the thread began with, where the step names it.
    pub fn head(&self) -> Option<Number> {
        match &self.step {
            Step::Owed(owed) => Some(owed.head),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A message is owed to these receivers.
    Owed(Box<Owed>),
    /// It arrived; the receipt is by what the receiver knows it again.
    Delivered {
        id: MessageId,
        receiver: String,
        receipt: Option<String>,
    },
    /// It never will.
    GivenUp {
        id: MessageId,
        receiver: String,
        why: String,
    },
    /// Something newer is owed to the same receiver about the same cause.
    Overtaken {
        id: MessageId,
        receiver: String,
    },
    Silenced(Silence),
    SilenceEnded {
        id: SilenceId,
        by: String,
    },
    Acknowledged(Acknowledged),
    /// The incident is over and cannot come back any more.
    AcknowledgementOver {
        incident: Number,
    },
}

/// A message, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    pub id: MessageId,
    pub to: BTreeSet<String>,
    /// The incident that the thread began with; it names the thread.
    pub head: Number,
    /// All incidents that the thread tells of, in what order ever they came.
    pub members: BTreeSet<Number>,
    /// Threads of the same group are one. Empty: it takes no other incident in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its end is not to be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_quietly: bool,
    pub message: Message,
}

/// What one receiver was told of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    pub members: BTreeSet<Number>,
    pub group: String,
    pub ends_quietly: bool,
    /// The worst that was told since it opened last.
    pub severity: Severity,
    /// The last message.
    pub last: Arc<Message>,
    /// When a person was last called by it: an edited message calls nobody.
    pub called_unix_ms: i64,
    pub is_over: bool,
    /// Of its first message.
    pub receipt: Option<String>,
}

/// All that is to be said, and was: what the transitions of a cluster add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alerts {
    last_message: MessageId,
    last_silence: SilenceId,
    owed: BTreeMap<MessageId, Arc<Owed>>,
    threads: BTreeMap<(String, Number), Thread>,
    silences: BTreeMap<SilenceId, Silence>,
    acknowledged: BTreeMap<Number, Acknowledged>,
    /// Messages that were given up, ever.
    pub given_up: u64,
}

impl Owed {
    /// The same for every attempt to tell this receiver of it, whichever run of the collector makes it, and of no other message:
    /// a ledger that was put back from a copy gives numbers again, and not moments.
    pub fn key(&self, receiver: &str) -> String {
        let at = self.message.at_unix_ms;
        format!("{}-{at}-{}-{receiver}", self.thread(), self.id)
    }

    /// The same for all messages of the thread.
    pub fn thread(&self) -> String {
        thread(&self.message.cluster_id, self.head)
    }
}

/// What names a thread everywhere.
pub fn thread(cluster_id: &str, head: Number) -> String {
    let letters = cluster_id.chars().filter(char::is_ascii_alphanumeric);
    format!("{}-{head}", letters.collect::<String>())
}

impl Alerts {
    pub fn next_message(&self) -> MessageId {
        self.last_message.saturating_add(1)
    }

    pub fn next_silence(&self) -> SilenceId {
        self.last_silence.saturating_add(1)
    }

    /// Messages that have not arrived everywhere, the oldest first.
    pub fn owed(&self) -> impl Iterator<Item = &Arc<Owed>> {
        self.owed.values()
    }

    /// Whether this very message has not arrived there.
    pub fn owes(&self, id: MessageId, at_unix_ms: i64, receiver: &str) -> bool {
        self.owed
            .get(&id)
            .is_some_and(|owed| owed.message.at_unix_ms == at_unix_ms && owed.to.contains(receiver))
    }

    /// What is to go to this receiver, in this order. Of a thread that has more to say since, a changed word and a reminder are
    /// left out: [`Self::overtaken`].
    pub fn owed_to(&self, receiver: &str) -> impl Iterator<Item = &Arc<Owed>> {
        let is_owed = move |owed: &&Arc<Owed>| owed.to.contains(receiver);
        self.owed
            .values()
            .filter(is_owed)
            .filter(move |owed| !self.is_overtaken(owed, receiver))
    }

    /// What need not be said to this receiver any more, because something newer is owed.
    pub fn overtaken(&self, receiver: &str) -> impl Iterator<Item = &Arc<Owed>> {
        let is_owed = move |owed: &&Arc<Owed>| owed.to.contains(receiver);
        self.owed
            .values()
            .filter(is_owed)
            .filter(move |owed| self.is_overtaken(owed, receiver))
    }

    fn is_overtaken(&self, owed: &Owed, receiver: &str) -> bool {
        let is_later = |later: &Arc<Owed>| later.head == owed.head && later.to.contains(receiver);
        matches!(owed.message.kind, Kind::Changed | Kind::Reminder)
            && self
                .owed
                .range(owed.id.saturating_add(1)..)
                .any(|(_, later)| is_later(later))
    }

    /// What a receiver was told of one cause.
    pub fn thread(&self, receiver: &str, head: Number) -> Option<&Thread> {
        self.threads.get(&(receiver.to_owned(), head))
    }

    /// What a receiver was told, by the head of each thread.
    pub fn threads_of<'a>(
        &'a self,
        receiver: &'a str,
    ) -> impl Iterator<Item = (Number, &'a Thread)> {
        let of = self
            .threads
            .range((receiver.to_owned(), Number::MIN)..=(receiver.to_owned(), Number::MAX));
        of.map(|((_, head), thread)| (*head, thread))
    }

    /// Silences that hold now, and those that were over lately.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values()
    }

    pub fn silence(&self, id: SilenceId) -> Option<&Silence> {
        self.silences.get(&id)
    }

    pub fn acknowledged(&self, incident: Number) -> Option<&Acknowledged> {
        self.acknowledged.get(&incident)
    }

    pub fn acknowledgements(&self) -> impl Iterator<Item = &Acknowledged> {
        self.acknowledged.values()
    }

    /// Adds one decision. One that does not fit (of a message that is not there) changes nothing.
    pub fn fold(&mut self, transition: &Transition) {
        let at = transition.at_unix_ms;
        match &transition.step {
            Step::Owed(owed) => self.take_on(owed, at),
            Step::Delivered {
                id,
                receiver,
                receipt,
            } => {
                if let Some(owed) = self.settled(*id, receiver)
                    && let Some(thread) = self.threads.get_mut(&(receiver.clone(), owed.head))
                    && (thread.receipt.is_none() || owed.message.kind == Kind::Opened)
                {
                    thread.receipt.clone_from(receipt);
                }
            }
            Step::GivenUp { id, receiver, .. } => {
                if self.settled(*id, receiver).is_some() {
                    self.given_up = self.given_up.saturating_add(1);
                }
            }
            Step::Overtaken { id, receiver } => drop(self.settled(*id, receiver)),
            Step::Silenced(silence) => {
                self.last_silence = self.last_silence.max(silence.id);
                self.silences
                    .retain(|_, old| at < old.until_unix_ms.saturating_add(SILENCE_SHOWN_MS));
                self.silences.insert(silence.id, silence.clone());
            }
            Step::SilenceEnded { id, by } => {
                if let Some(silence) = self.silences.get_mut(id) {
                    silence.until_unix_ms = silence.until_unix_ms.min(at);
                    silence.ended_by = Some(by.clone());
                }
            }
            Step::Acknowledged(acknowledged) => {
                let incident = acknowledged.incident;
                self.acknowledged.insert(incident, acknowledged.clone());
            }
            Step::AcknowledgementOver { incident } => {
                self.acknowledged.remove(incident);
            }
        }
    }

    fn take_on(&mut self, owed: &Owed, at: i64) {
        self.last_message = self.last_message.max(owed.id);
        let message = Arc::new(owed.message.clone());
        for receiver in &owed.to {
            self.told(receiver, owed, &message, at);
        }
        self.owed.insert(owed.id, Arc::new(owed.clone()));
        // What is over for longer does not come back under its number.
        self.threads.retain(|_, thread| {
            !thread.is_over || at < thread.last.at_unix_ms.saturating_add(FORGOTTEN_AFTER_MS)
        });
    }

    fn told(&mut self, receiver: &str, owed: &Owed, message: &Arc<Message>, at: i64) {
        let key = (receiver.to_owned(), owed.head);
        let before = self.threads.remove(&key);
        let is_new = matches!(message.kind, Kind::Opened | Kind::Again);
        let severity = before
            .as_ref()
            .filter(|_| !is_new)
            .map_or(message.severity, |thread| {
                thread.severity.max(message.severity)
            });
        let calls = !matches!(message.kind, Kind::Changed | Kind::Joined);
        let called = before.as_ref().map(|thread| thread.called_unix_ms);
        let thread = Thread {
            members: owed.members.clone(),
            group: owed.group.clone(),
            ends_quietly: owed.ends_quietly,
            severity,
            last: Arc::clone(message),
            called_unix_ms: if calls { at } else { called.unwrap_or(at) },
            is_over: message.kind.is_end(),
            receipt: before.and_then(|thread| thread.receipt),
        };
        self.threads.insert(key, thread);
    }

    /// This receiver is not owed it any more.
    fn settled(&mut self, id: MessageId, receiver: &str) -> Option<Arc<Owed>> {
        let owed = self.owed.get_mut(&id)?;
        if !Arc::make_mut(owed).to.remove(receiver) {
            return None;
        }
        let owed = Arc::clone(owed);
        if owed.to.is_empty() {
            self.owed.remove(&id);
        }
        Some(owed)
    }
}

/// Longer than an incident can come back, and than its end is held back.
const FORGOTTEN_AFTER_MS: i64 = 2 * RETURN_MS;
