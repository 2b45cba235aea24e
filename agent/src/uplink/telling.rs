//! What of the facts a collector has been told, and what it is to be told next. For each family one text is kept: what
//! was sent last. A family that changes ten times while nothing can be sent goes out once, as it is then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::change::is_same_reason;
use model::measure::{Due, to_tell};
use model::reading::{Problem, Reading};
use model::report::Family;
use proto::fact::{ReadFact, family_to_wire, problem_to_wire};
use proto::v1;
use serde_json::Value;

/// Measures go together, at most this often.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const QUARTER_HOUR: Duration = Duration::from_secs(900);
/// A larger fact is not sent; that it is too large is.
pub(super) const MAX_FACT_BYTES: usize = 1 << 20;
/// What one message holds of facts; the others go in the next.
pub(super) const MAX_FACTS_BYTES: usize = 2 << 20;

/// All families, for one collector.
#[derive(Debug, Default)]
pub(super) struct Telling {
    families: BTreeMap<Family, Slot>,
    minute_at: Duration,
    quarter_hour_at: Duration,
}

#[derive(Debug)]
struct Slot {
    latest: Arc<ReadFact>,
    told: Option<Told>,
    /// For which of them the latest reading has not been looked at.
    fresh: [bool; 3],
}

/// As it was sent last.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Known {
        json: String,
        problems: Vec<Problem>,
    },
    Failed(String),
    Absent,
}

const DUES: [Due; 3] = [Due::Facts, Due::Minute, Due::QuarterHour];

impl Telling {
    pub(super) fn heard(&mut self, fact: Arc<ReadFact>) {
        let family = fact.fact.family();
        let told = self.families.remove(&family).and_then(|before| before.told);
        let slot = Slot {
            latest: fact,
            told,
            fresh: [true; 3],
        };
        self.families.insert(family, slot);
    }

    /// Everything, as the collector is to know it from here on. What does not fit goes as a change behind it.
    pub(super) fn report(&mut self, now: Duration) -> Vec<v1::Fact> {
        self.minute_at = now + MINUTE;
        self.quarter_hour_at = now + QUARTER_HOUR;
        let (mut facts, mut bytes) = (Vec::new(), 0);
        for slot in self.families.values_mut() {
            (slot.told, slot.fresh) = (None, [true, false, false]);
            if bytes >= MAX_FACTS_BYTES {
                continue;
            }
            if let Some(Step { told, change, size }) = slot.step(Due::QuarterHour)
                && let Some(v1::fact_change::Change::Whole(fact)) = change.change
            {
                facts.push(fact);
                bytes += size;
                (slot.told, slot.fresh) = (Some(told), [false; 3]);
            }
        }
        facts
    }

    /// What changed; nothing if all that was read is known there, or may wait.
    pub(super) fn changes(&mut self, now: Duration) -> Vec<v1::FactChange> {
        let due = self.due(now);
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for slot in self.families.values_mut() {
            if bytes >= MAX_FACTS_BYTES {
                // The others stay as they are, and so does what is due.
                return changes;
            }
            if !slot.is_wanted(due) {
                continue;
            }
            if let Some(Step { told, change, size }) = slot.step(due) {
                changes.push(change);
                bytes += size;
                slot.told = Some(told);
            }
            for (fresh, of) in slot.fresh.iter_mut().zip(DUES) {
                *fresh &= of > due;
            }
        }
        if due >= Due::Minute {
            self.minute_at = now + MINUTE;
        }
        if due >= Due::QuarterHour {
            self.quarter_hour_at = now + QUARTER_HOUR;
        }
        changes
    }

    pub(super) fn is_wanted(&self, now: Duration) -> bool {
        let due = self.due(now);
        self.families.values().any(|slot| slot.is_wanted(due))
    }

    /// When the next measures are due, if any wait.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        let waits = |due| self.families.values().any(|slot| slot.is_wanted(due));
        let minute = waits(Due::Minute).then_some(self.minute_at);
        let quarter_hour = waits(Due::QuarterHour).then_some(self.quarter_hour_at);
        [minute, quarter_hour].into_iter().flatten().min()
    }

    /// Every family that was read, and how many whole seconds ago, rounded up.
    pub(super) fn ages(&self, boottime_ms: u64) -> (Vec<i32>, Vec<u32>) {
        let age = |slot: &Slot| {
            let ms = boottime_ms.saturating_sub(slot.latest.read_at_boottime_ms);
            u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX)
        };
        let aged = self
            .families
            .iter()
            .map(|(family, slot)| (i32::from(family_to_wire(*family)), age(slot)));
        aged.unzip()
    }

    fn due(&self, now: Duration) -> Due {
        if now >= self.quarter_hour_at {
            Due::QuarterHour
        } else if now >= self.minute_at {
            Due::Minute
        } else {
            Due::Facts
        }
    }
}

/// What is sent of a family, and what is known there then.
struct Step {
    told: Told,
    change: v1::FactChange,
    size: usize,
}

impl Slot {
    fn is_wanted(&self, due: Due) -> bool {
        let mut of = self.fresh.iter().zip(DUES);
        of.any(|(fresh, of)| *fresh && of <= due)
    }

    fn step(&self, due: Due) -> Option<Step> {
        let family = self.latest.fact.family();
        let (told, at_unix_ms, value) = match self.latest.fact.to_json() {
            Reading::Known {
                mut value,
                at,
                problems,
            } => {
                if family == Family::Journal {
                    without_events(&mut value);
                }
                match self.known(family, &value, problems, due)? {
                    (told @ Told::Known { .. }, value) => (told, at.as_millisecond(), Some(value)),
                    (told, _) => (told, 0, None),
                }
            }
            Reading::Failed { why } => match &self.told {
                Some(Told::Failed(told)) if is_same_reason(told, &why) => return None,
                _ => (Told::Failed(why), 0, None),
            },
            Reading::Absent if self.told == Some(Told::Absent) => return None,
            Reading::Absent => (Told::Absent, 0, None),
            Reading::NeverHeard => return None,
        };
        if let Some(step) = value.and_then(|value| self.patched(&told, &value, at_unix_ms)) {
            return Some(step);
        }
        let whole = v1::Fact {
            family: family_to_wire(family).into(),
            read_at_boottime_ms: self.latest.read_at_boottime_ms,
            state: Some(told.to_wire(at_unix_ms)),
        };
        Some(Step {
            size: told.size(),
            told,
            change: v1::FactChange {
                change: Some(v1::fact_change::Change::Whole(whole)),
            },
        })
    }

    fn known(
        &self,
        family: Family,
        value: &Value,
        problems: Vec<Problem>,
        due: Due,
    ) -> Option<(Told, Value)> {
        let before = match &self.told {
            Some(Told::Known { json, problems }) => serde_json::from_str::<Value>(json)
                .ok()
                .map(|value| (value, problems)),
            _ => None,
        };
        let told = before.as_ref().map(|(value, _)| value);
        let value = match to_tell(family, told, value, due) {
            Some(value) => value,
            None if before
                .as_ref()
                .is_some_and(|(_, before)| **before == problems) =>
            {
                return None;
            }
            None => before.map(|(value, _)| value)?,
        };
        let json = value.to_string();
        if json.len() <= MAX_FACT_BYTES {
            return Some((Told::Known { json, problems }, value));
        }
        let why = format!(
            "it is too large to be sent: {} bytes, of {MAX_FACT_BYTES} at most",
            json.len()
        );
        let is_told = matches!(&self.told, Some(Told::Failed(told)) if is_same_reason(told, &why));
        (!is_told).then_some((Told::Failed(why), Value::Null))
    }

    /// The difference, where that is shorter.
    fn patched(&self, told: &Told, value: &Value, at_unix_ms: i64) -> Option<Step> {
        let (
            Some(Told::Known {
                json: was,
                problems: before,
            }),
            Told::Known { json, problems },
        ) = (&self.told, told)
        else {
            return None;
        };
        if before != problems {
            return None;
        }
        let was: Value = serde_json::from_str(was).ok()?;
        let json_patch = serde_json::to_string(&json_patch::diff(&was, value)).ok()?;
        if json_patch.len() >= json.len() {
            return None;
        }
        Some(Step {
            size: json_patch.len(),
            told: told.clone(),
            change: v1::FactChange {
                change: Some(v1::fact_change::Change::Patch(v1::FactPatch {
                    family: family_to_wire(self.latest.fact.family()).into(),
                    read_at_boottime_ms: self.latest.read_at_boottime_ms,
                    at_unix_ms,
                    json_patch,
                })),
            },
        })
    }
}

impl Told {
    fn size(&self) -> usize {
        match self {
            Self::Known { json, problems } => {
                let said = |problem: &Problem| problem.why.len() + problem.source.len();
                json.len() + problems.iter().map(said).sum::<usize>()
            }
            Self::Failed(why) => why.len(),
            Self::Absent => 0,
        }
    }

    fn to_wire(&self, at_unix_ms: i64) -> v1::fact::State {
        match self {
            Self::Known { json, problems } => v1::fact::State::Known(v1::Known {
                json: json.clone(),
                at_unix_ms,
                problems: problems.iter().cloned().map(problem_to_wire).collect(),
            }),
            Self::Failed(why) => v1::fact::State::Failed(why.clone()),
            Self::Absent => v1::fact::State::Absent(v1::Absent {}),
        }
    }
}

/// They go as events.
fn without_events(journal: &mut Value) {
    if let Some(events) = journal.get_mut("events") {
        *events = Value::Array(Vec::new());
    }
}
