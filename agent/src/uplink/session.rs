//! One stream to one collector, as a machine without a socket, a clock or a file. It is told what happens and what time
//! it is; whoever drives it takes the next message when the transport has room for one, and never before. What waits
//! meanwhile is the state of each family and a place in the spool: nothing grows.
//!
//! The contract is `fleet.proto`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proto::fact::ReadFact;
use proto::v1;
use proto::v1::agent_message::Message;
use proto::v1::collector_message::Message as Said;

use super::now::Now;
use super::outbox::Outbox;
use super::telling::Telling;
use crate::spool::Item;

/// The pace of heartbeats where the collector names none, and the bounds of what it may name.
const HEARTBEAT: Duration = Duration::from_secs(2);
const SHORTEST_HEARTBEAT_MS: u64 = 200;
const LONGEST_HEARTBEAT_MS: u64 = 60_000;
/// Every so many heartbeats, the ages of all families.
const AGES_EVERY: u64 = 5;
/// A collector that says nothing for so long, or for so many heartbeats, is given up.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_HEARTBEATS: u32 = 15;
/// How many heartbeats are remembered until they are answered.
const MAX_UNANSWERED: usize = 64;
/// A collector that asks for one report after the other gets one in this time.
const BETWEEN_REPORTS: Duration = Duration::from_secs(1);
/// How many of a collector's questions may be open.
pub const MAX_PROBES: usize = 8;

/// What a collector said that cannot be. The stream is ended: it and this agent do not speak of the same thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    #[error("the collector answered before it said Welcome")]
    BeforeWelcome,
    #[error("the collector said Welcome twice")]
    WelcomeTwice,
    #[error(
        "the collector has events up to {up_to} of a spool that ends before {next}: the spool is older than it was; move \
         its directory away, and a new one is begun"
    )]
    KeptBeyondSpool { up_to: u64, next: u64 },
    #[error("the collector says that it has event {up_to}, which there never was")]
    KeptUnmade { up_to: u64 },
    #[error("the collector acknowledges events of another spool")]
    OtherSpool,
    #[error("the collector answered heartbeat {number}, which was not sent to it")]
    AnswerUnsent { number: u64 },
}

/// Something for whoever drives the session.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The collector took the stream.
    Welcomed(v1::Welcome),
    /// It has all events up to this number on its disk.
    Kept { up_to: u64 },
    /// It asks; the answer comes back by [`Session::answer`].
    Probe(v1::Probe),
    /// Whom to trust from now on; what is kept is told with [`Session::trust_kept`].
    Trust(v1::NewTrust),
    /// Whether it decides for the cluster has changed.
    Authority { is_authority: bool },
}

#[derive(Debug)]
enum Stage {
    /// Nothing was said yet.
    New,
    Greeted,
    Welcome,
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    stage: Stage,
    hello: v1::Hello,
    telling: Telling,
    outbox: Outbox,
    revision: u64,
    /// A whole report is to be sent, when it may.
    is_report_wanted: bool,
    report_not_before: Duration,
    heartbeats: Heartbeats,
    answers: VecDeque<v1::ProbeAnswer>,
    open_probes: usize,
    /// What is trusted now, and is to be said.
    trust_kept: Option<Vec<Vec<u8>>>,
    dropped_announcements: u64,
    last_heard: Duration,
}

#[derive(Debug)]
struct Heartbeats {
    every: Duration,
    due: Duration,
    number: u64,
    sent: VecDeque<(u64, Duration)>,
    round_trip: Duration,
    told_dropped: v1::Dropped,
}

impl Session {
    /// A stream that was just opened. `hello` names the spool as it is now.
    pub fn new(hello: v1::Hello, now: Now) -> Self {
        let outbox = Outbox::new(hello.spool_id.clone(), hello.spool_next);
        Self {
            stage: Stage::New,
            hello,
            telling: Telling::default(),
            outbox,
            revision: 0,
            is_report_wanted: false,
            report_not_before: Duration::ZERO,
            heartbeats: Heartbeats {
                every: HEARTBEAT,
                due: now.monotonic,
                number: 0,
                sent: VecDeque::new(),
                round_trip: Duration::ZERO,
                told_dropped: v1::Dropped::default(),
            },
            answers: VecDeque::new(),
            open_probes: 0,
            trust_kept: None,
            dropped_announcements: 0,
            last_heard: now.monotonic,
        }
    }

    /// A family was read, changed or not.
    pub fn heard(&mut self, fact: Arc<ReadFact>) {
        self.telling.heard(fact);
    }

    /// The number that the spool's next record will get.
    pub fn spool_grew(&mut self, next: u64) {
        self.outbox.next = self.outbox.next.max(next);
    }

    /// So many events were missing on the streams before this one.
    pub fn missed_before(&mut self, count: u64) {
        self.outbox.missing += count;
    }

    /// So many announcements were lost since the process started.
    pub fn announcements_dropped(&mut self, count: u64) {
        self.dropped_announcements = count;
    }

    /// From which number on the spool is to be read for this collector, if it is to be. It is asked for once; then
    /// [`Self::found`] or [`Self::not_found`] is waited for.
    pub fn wants_events(&mut self, now: Now) -> Option<u64> {
        if !self.is_welcome() {
            return None;
        }
        self.outbox.wants(now.monotonic)
    }

    /// What the spool holds from there.
    pub fn found(&mut self, items: Vec<Item>) {
        self.outbox.found(items);
    }

    /// The spool could not be read.
    pub fn not_found(&mut self, now: Now) {
        self.outbox.not_found(now.monotonic);
    }

    /// The answer to a question of the collector.
    pub fn answer(&mut self, answer: v1::ProbeAnswer) {
        self.open_probes = self.open_probes.saturating_sub(1);
        self.answers.push_back(answer);
    }

    /// These CAs are trusted, and on the disk.
    pub fn trust_kept(&mut self, fingerprints: Vec<Vec<u8>>) {
        self.trust_kept = Some(fingerprints);
    }

    /// The collector said something. What is not known here is from a newer one, and ignored.
    pub fn take(
        &mut self,
        message: v1::CollectorMessage,
        now: Now,
    ) -> Result<Option<Effect>, Nonsense> {
        self.last_heard = now.monotonic;
        let Some(said) = message.message else {
            return Ok(None);
        };
        if !matches!(said, Said::Welcome(_)) && !self.is_welcome() {
            return Err(Nonsense::BeforeWelcome);
        }
        match said {
            Said::Welcome(welcome) => self.welcome(welcome, now).map(Some),
            Said::HeartbeatAnswer(answer) => self.answered(answer.number, now).map(|()| None),
            Said::EventsKept(kept) => self.kept(&kept).map(Some),
            Said::SendReport(_) => {
                self.is_report_wanted = true;
                Ok(None)
            }
            Said::Probe(probe) => Ok(self.asked(probe)),
            Said::NewTrust(new) => Ok(Some(Effect::Trust(new))),
            Said::AuthorityChanged(changed) => Ok(Some(Effect::Authority {
                is_authority: changed.is_authority,
            })),
        }
    }

    fn is_welcome(&self) -> bool {
        matches!(self.stage, Stage::Welcome)
    }

    fn welcome(&mut self, welcome: v1::Welcome, now: Now) -> Result<Effect, Nonsense> {
        match self.stage {
            Stage::New => return Err(Nonsense::BeforeWelcome),
            Stage::Greeted => self.stage = Stage::Welcome,
            Stage::Welcome => return Err(Nonsense::WelcomeTwice),
        }
        let up_to = welcome.events_kept_up_to;
        if !self.outbox.begin(up_to) {
            let next = self.outbox.next;
            return Err(Nonsense::KeptBeyondSpool { up_to, next });
        }
        self.heartbeats.every = match u64::from(welcome.heartbeat_ms) {
            0 => HEARTBEAT,
            ms => Duration::from_millis(ms.clamp(SHORTEST_HEARTBEAT_MS, LONGEST_HEARTBEAT_MS)),
        };
        self.heartbeats.due = now.monotonic + self.heartbeats.every;
        self.is_report_wanted = true;
        Ok(Effect::Welcomed(welcome))
    }

    fn answered(&mut self, number: u64, now: Now) -> Result<(), Nonsense> {
        if number > self.heartbeats.number || number == 0 {
            return Err(Nonsense::AnswerUnsent { number });
        }
        let sent = &mut self.heartbeats.sent;
        while let Some((of, at)) = sent.pop_front_if(|(of, _)| *of <= number) {
            if of == number {
                self.heartbeats.round_trip = now.monotonic.saturating_sub(at);
            }
        }
        Ok(())
    }

    fn kept(&mut self, kept: &v1::EventsKept) -> Result<Effect, Nonsense> {
        if kept.spool_id != self.outbox.spool_id {
            return Err(Nonsense::OtherSpool);
        }
        let up_to = kept.up_to;
        if !self.outbox.keeps(up_to) {
            return Err(Nonsense::KeptUnmade { up_to });
        }
        let up_to = self.outbox.kept();
        Ok(Effect::Kept { up_to })
    }

    /// With too many questions open, one more is answered at once; and with too many answers waiting, not at all.
    fn asked(&mut self, probe: v1::Probe) -> Option<Effect> {
        if self.open_probes < MAX_PROBES {
            self.open_probes += 1;
            return Some(Effect::Probe(probe));
        }
        if self.answers.len() < MAX_PROBES * 2 {
            let why = format!("{MAX_PROBES} questions are open; ask again when they are answered");
            self.answers.push_back(v1::ProbeAnswer {
                id: probe.id,
                answer: Some(v1::probe_answer::Answer::Failed(why)),
            });
        }
        None
    }

    /// How long the collector has said nothing, if that is too long.
    pub fn silent_for(&self, now: Now) -> Option<Duration> {
        let silent = now.monotonic.saturating_sub(self.last_heard);
        (silent >= self.patience()).then_some(silent)
    }

    fn patience(&self) -> Duration {
        PATIENCE.max(self.heartbeats.every * PATIENCE_HEARTBEATS)
    }

    /// Whether [`Self::next`] has a message, or at least something to look at.
    pub fn has_something(&self, now: Now) -> bool {
        match self.stage {
            Stage::New => true,
            Stage::Greeted => false,
            Stage::Welcome => {
                self.is_report_due(now)
                    || now.monotonic >= self.heartbeats.due
                    || !self.answers.is_empty()
                    || self.trust_kept.is_some()
                    || (self.revision > 0 && self.telling.is_wanted(now.monotonic))
                    || self.outbox.has_batch()
            }
        }
    }

    /// When there will be something, if nothing happens before.
    pub fn wakes_at(&self) -> Duration {
        let silence = self.last_heard + self.patience();
        if !self.is_welcome() {
            return silence;
        }
        let report = self.is_report_wanted.then_some(self.report_not_before);
        let more = [report, self.telling.wakes_at(), self.outbox.wakes_at()];
        let soonest = more.into_iter().flatten().min();
        let soonest = soonest.unwrap_or(silence).min(self.heartbeats.due);
        soonest.min(silence)
    }

    /// The next message; to be asked for when the transport takes one.
    pub fn next(&mut self, now: Now) -> Option<v1::AgentMessage> {
        let message = match self.stage {
            Stage::New => {
                self.stage = Stage::Greeted;
                Message::Hello(self.hello.clone())
            }
            Stage::Greeted => return None,
            Stage::Welcome => self.next_of_open_stream(now)?,
        };
        Some(v1::AgentMessage {
            boottime_ms: now.boottime_ms,
            message: Some(message),
        })
    }

    /// What tells that the agent lives goes first, and events, of which there may be many, last.
    fn next_of_open_stream(&mut self, now: Now) -> Option<Message> {
        if self.is_report_due(now) {
            return Some(Message::Report(self.report(now)));
        }
        if now.monotonic >= self.heartbeats.due {
            return Some(Message::Heartbeat(self.heartbeat(now)));
        }
        if let Some(trust) = self.trust_kept.take() {
            return Some(Message::TrustKept(v1::TrustKept { trust }));
        }
        if let Some(answer) = self.answers.pop_front() {
            return Some(Message::ProbeAnswer(answer));
        }
        if self.revision > 0 && self.telling.is_wanted(now.monotonic) {
            let changes = self.telling.changes(now.monotonic);
            if !changes.is_empty() {
                let base = self.revision;
                self.revision += 1;
                return Some(Message::Delta(v1::Delta {
                    base,
                    revision: self.revision,
                    changes,
                }));
            }
        }
        self.outbox.batch().map(Message::Events)
    }

    fn is_report_due(&self, now: Now) -> bool {
        self.is_report_wanted && now.monotonic >= self.report_not_before
    }

    fn report(&mut self, now: Now) -> v1::Report {
        self.is_report_wanted = false;
        self.report_not_before = now.monotonic + BETWEEN_REPORTS;
        self.revision += 1;
        v1::Report {
            revision: self.revision,
            facts: self.telling.report(now.monotonic),
        }
    }

    fn heartbeat(&mut self, now: Now) -> v1::Heartbeat {
        let dropped = self.dropped();
        let unanswered = now.monotonic.saturating_sub(self.last_heard);
        let beats = &mut self.heartbeats;
        beats.number += 1;
        // One that was late does not bring the next ones forward.
        beats.due = (beats.due + beats.every).max(now.monotonic + beats.every / 2);
        if beats.sent.len() >= MAX_UNANSWERED {
            beats.sent.pop_front();
        }
        beats.sent.push_back((beats.number, now.monotonic));
        let has_ages = beats.number.is_multiple_of(AGES_EVERY);
        let (aged, age_s) = if has_ages {
            self.telling.ages(now.boottime_ms)
        } else {
            (Vec::new(), Vec::new())
        };
        let is_news = dropped != beats.told_dropped;
        beats.told_dropped = dropped;
        v1::Heartbeat {
            number: beats.number,
            unix_ms: now.unix_ms,
            revision: self.revision,
            round_trip_us: u32::try_from(beats.round_trip.as_micros()).unwrap_or(u32::MAX),
            unanswered_ms: u32::try_from(unanswered.as_millis()).unwrap_or(u32::MAX),
            aged,
            age_s,
            dropped: is_news.then_some(dropped),
        }
    }

    /// What did not find its way to this collector.
    pub fn dropped(&self) -> v1::Dropped {
        v1::Dropped {
            events: self.outbox.missing,
            announcements: self.dropped_announcements,
        }
    }
}

#[cfg(test)]
mod tests;
