//! One stream's messages, made into facts. It stands beside the socket and not in the core: parsing and patching cost
//! time by the size of what a stranger sends, and nobody else shall wait for that.
//!
//! A family that is not understood becomes `Failed` and says so; the stream goes on. A delta that does not build on the
//! revision here is left out, and a whole report is asked for once.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;

use model::report::Family;
use proto::fact::{BadFact, ReadFact};
use proto::v1;
use v1::agent_message::Message;

use super::Now;
use super::hello::{MAX_NUMBER, boottime, quoted};
use super::late::Worth;
use super::patch;
use super::refusal::Refusal;
use crate::ledger::decision::SpoolId;

/// A message as the core takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrived {
    /// When it came in, before it waited for its turn.
    pub at: Now,
    /// When it was made, on the node's clock since its boot.
    pub boottime_ms: u64,
    pub heard: Heard,
    /// Why a whole report is wanted.
    pub ask_report: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Facts(Facts),
    Heartbeat(Heartbeat),
    Events(Vec<NewEvent>),
    Answer {
        id: u64,
        answer: Result<String, String>,
    },
    /// Something of a newer agent, or a delta that does not fit.
    Nothing,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// What is not among them was not told of.
    pub is_whole: bool,
    pub facts: Vec<HeardFact>,
    /// Families that are not known here.
    pub unknown: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HeardFact {
    pub fact: Arc<ReadFact>,
    pub is_understood: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    pub number: u64,
    pub unix_ms: i64,
    pub round_trip_us: u32,
    pub unanswered_ms: u32,
    /// Empty unless the facts here are those that the agent speaks of.
    pub ages_s: Vec<(Family, u32)>,
    pub dropped: Option<v1::Dropped>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    pub number: u64,
    pub last: u64,
    pub event: v1::Event,
    /// To be told if it came late.
    pub worth: Option<Worth>,
}

/// What the patches of a family build on.
#[derive(Debug)]
struct Base {
    json: String,
    problems: Vec<v1::Problem>,
}

/// The state of one stream's decoding.
#[derive(Debug)]
pub struct Intake {
    version: String,
    spool: SpoolId,
    /// `None`: a whole report must come first.
    revision: Option<u64>,
    is_asked: bool,
    bases: BTreeMap<Family, Base>,
}

impl Intake {
    pub fn new(version: String, spool: SpoolId) -> Self {
        Self {
            version,
            spool,
            revision: None,
            is_asked: false,
            bases: BTreeMap::new(),
        }
    }

    pub fn take(&mut self, message: v1::AgentMessage, at: Now) -> Result<Arrived, Refusal> {
        let boottime_ms = boottime(message.boottime_ms)?;
        let mut ask_report = None;
        let heard = match message.message {
            Some(Message::Hello(_)) => return Err(Refusal::SecondHello),
            Some(Message::Report(report)) => Heard::Facts(self.report(report, boottime_ms)),
            Some(Message::Delta(delta)) => self.delta(delta, boottime_ms, &mut ask_report)?,
            Some(Message::Heartbeat(heartbeat)) => {
                Heard::Heartbeat(self.heartbeat(&heartbeat, &mut ask_report)?)
            }
            Some(Message::Events(events)) => Heard::Events(self.events(events)?),
            Some(Message::ProbeAnswer(answer)) => Heard::Answer {
                id: answer.id,
                answer: match answer.answer {
                    Some(v1::probe_answer::Answer::Json(json)) => Ok(json),
                    Some(v1::probe_answer::Answer::Failed(why)) => Err(why),
                    None => Err("the answer is empty".to_owned()),
                },
            },
            // What it trusts is for whoever keeps the identities.
            Some(Message::TrustKept(_)) | None => Heard::Nothing,
        };
        Ok(Arrived {
            at,
            boottime_ms,
            heard,
            ask_report,
        })
    }

    fn report(&mut self, report: v1::Report, sent_ms: u64) -> Facts {
        self.revision = Some(report.revision);
        self.is_asked = false;
        self.bases.clear();
        let mut facts = Facts {
            is_whole: true,
            ..Facts::default()
        };
        for fact in report.facts {
            self.whole(fact, sent_ms, &mut facts);
        }
        facts
    }

    fn delta(
        &mut self,
        delta: v1::Delta,
        sent_ms: u64,
        ask: &mut Option<String>,
    ) -> Result<Heard, Refusal> {
        if delta.revision <= delta.base {
            let why = format!("{} is not behind base, {}", delta.revision, delta.base);
            return Err(Refusal::field("delta.revision", why));
        }
        if self.revision != Some(delta.base) {
            let why = format!("a delta builds on revision {}, {}", delta.base, self.here());
            self.ask(ask, why);
            return Ok(Heard::Nothing);
        }
        self.revision = Some(delta.revision);
        let mut facts = Facts::default();
        for change in delta.changes {
            match change.change {
                Some(v1::fact_change::Change::Whole(fact)) => {
                    self.whole(fact, sent_ms, &mut facts);
                }
                Some(v1::fact_change::Change::Patch(patch)) => {
                    self.patch(&patch, sent_ms, &mut facts, ask);
                }
                // Of a newer agent: which family it is cannot be said.
                None => self.ask(ask, "a change is of an unknown kind".to_owned()),
            }
        }
        Ok(Heard::Facts(facts))
    }

    fn whole(&mut self, wire: v1::Fact, sent_ms: u64, facts: &mut Facts) {
        let Ok(family) = proto::fact::family(wire.family) else {
            facts.unknown = facts.unknown.saturating_add(1);
            return;
        };
        match &wire.state {
            Some(v1::fact::State::Known(known)) => {
                let base = Base {
                    json: known.json.clone(),
                    problems: known.problems.clone(),
                };
                self.bases.insert(family, base);
            }
            Some(_) | None => {
                self.bases.remove(&family);
            }
        }
        facts.facts.push(self.typed(family, wire, sent_ms));
    }

    fn patch(
        &mut self,
        wire: &v1::FactPatch,
        sent_ms: u64,
        facts: &mut Facts,
        ask: &mut Option<String>,
    ) {
        let Ok(family) = proto::fact::family(wire.family) else {
            facts.unknown = facts.unknown.saturating_add(1);
            return;
        };
        let key = family.key();
        let patched = match self.bases.get_mut(&family) {
            None => Err(format!("{key} was changed, but is not known here")),
            Some(base) => match patch::apply(&base.json, &wire.json_patch) {
                Ok(json) => {
                    base.json.clone_from(&json);
                    Ok((json, base.problems.clone()))
                }
                Err(error) => Err(format!("the patch of {key} cannot be used: {error}")),
            },
        };
        let (json, problems) = match patched {
            Ok(patched) => patched,
            Err(why) => {
                // What it was before is not what it is now: unknown until the whole report comes.
                self.bases.remove(&family);
                facts.facts.push(failed(family, why.clone(), sent_ms));
                self.ask(ask, why);
                return;
            }
        };
        let whole = v1::Fact {
            family: wire.family,
            read_at_boottime_ms: wire.read_at_boottime_ms,
            state: Some(v1::fact::State::Known(v1::Known {
                json,
                at_unix_ms: wire.at_unix_ms,
                problems,
            })),
        };
        facts.facts.push(self.typed(family, whole, sent_ms));
    }

    fn typed(&self, family: Family, wire: v1::Fact, sent_ms: u64) -> HeardFact {
        let about = format!(
            "what the agent (version {}) says of {}",
            self.version,
            family.key()
        );
        let read_ms = wire.read_at_boottime_ms;
        if read_ms > sent_ms {
            let why =
                format!("{about} was read at {read_ms} ms, after it was sent, at {sent_ms} ms");
            return failed(family, why, sent_ms);
        }
        match ReadFact::try_from(wire) {
            Ok(fact) => HeardFact {
                fact: Arc::new(fact),
                is_understood: true,
            },
            Err(error) => {
                let why = match (&error, error.source()) {
                    (BadFact::Value { .. }, Some(source)) => source.to_string(),
                    _ => error.to_string(),
                };
                failed(family, format!("{about} is not understood: {why}"), read_ms)
            }
        }
    }

    fn heartbeat(
        &mut self,
        wire: &v1::Heartbeat,
        ask: &mut Option<String>,
    ) -> Result<Heartbeat, Refusal> {
        if wire.aged.len() != wire.age_s.len() {
            let why = format!("{} ages of {} families", wire.age_s.len(), wire.aged.len());
            return Err(Refusal::field("heartbeat.age_s", why));
        }
        if jiff::Timestamp::from_millisecond(wire.unix_ms).is_err() {
            let why = format!("{} ms since 1970 is no time", wire.unix_ms);
            return Err(Refusal::field("heartbeat.unix_ms", why));
        }
        let is_same = self.revision == Some(wire.revision);
        // Before its first report an agent has nothing that could be missing here.
        if !is_same && self.revision.is_some() {
            let why = format!(
                "a heartbeat is of revision {}, {}",
                wire.revision,
                self.here()
            );
            self.ask(ask, why);
        }
        let ages = wire.aged.iter().zip(&wire.age_s).filter(|_| is_same);
        let ages =
            ages.filter_map(|(number, age_s)| Some((proto::fact::family(*number).ok()?, *age_s)));
        Ok(Heartbeat {
            number: wire.number,
            unix_ms: wire.unix_ms,
            round_trip_us: wire.round_trip_us,
            unanswered_ms: wire.unanswered_ms,
            ages_s: ages.collect(),
            dropped: wire.dropped,
        })
    }

    fn events(&self, wire: v1::Events) -> Result<Vec<NewEvent>, Refusal> {
        if wire.spool_id != self.spool.0 {
            let why = "it is not the one in hello; begin a new stream for a new spool";
            return Err(Refusal::field("events.spool_id", why));
        }
        let checked = wire.events.into_iter().map(|event| {
            let number = event.number;
            let last = match &event.event {
                Some(v1::event::Event::Missing(missing)) => missing.last,
                Some(_) | None => number,
            };
            if number == 0 || last < number || last > MAX_NUMBER {
                let why = format!("{number} to {last} are no numbers of a spool");
                return Err(Refusal::field("events.number", why));
            }
            let worth = Worth::of(&event);
            Ok(NewEvent {
                number,
                last,
                event,
                worth,
            })
        });
        checked.collect()
    }

    /// Once, until a report comes.
    fn ask(&mut self, ask: &mut Option<String>, why: String) {
        if !self.is_asked {
            self.is_asked = true;
            *ask = Some(quoted_whole(why));
        }
        self.revision = None;
    }

    fn here(&self) -> String {
        match self.revision {
            Some(revision) => format!("and revision {revision} is here"),
            None => "and no report is here that it could build on".to_owned(),
        }
    }
}

fn failed(family: Family, why: String, read_at_boottime_ms: u64) -> HeardFact {
    let fact = ReadFact {
        fact: Arc::new(family.failed(why)),
        read_at_boottime_ms,
    };
    HeardFact {
        fact: Arc::new(fact),
        is_understood: false,
    }
}

/// A sentence of ours that a stranger's text may be part of.
fn quoted_whole(why: String) -> String {
    if why.chars().any(char::is_control) {
        quoted(&why)
    } else {
        why
    }
}
