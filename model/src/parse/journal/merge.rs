//! Several texts of one node's journal, as one.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::fact::journal::{Journal, JournalEvent, JournalTime, MAX_EVENTS};

/// One text's journal.
#[derive(Debug)]
pub struct Part {
    pub journal: Journal,
    /// When the text was read: only to find out the year that its lines leave out.
    pub read_at: Timestamp,
}

/// Joins the journals of several texts in the order of time. An entry that several texts hold is kept once: by its
/// cursor where both state one; else the richest text's copy stays (the journal's own formats before plain logs, which
/// state neither boot nor unit) and the other's goes, if program, text and time agree. Times without a zone agree
/// if they are a whole number of quarter hours apart, as zones are.
pub fn merge(mut parts: Vec<Part>) -> Journal {
    parts.sort_by_key(|part| richness(&part.journal));
    let mut merged = Journal::default();
    let mut cursors = HashSet::new();
    let mut told: HashMap<Trace, u32> = HashMap::new();
    let mut events: Vec<(Option<Timestamp>, JournalEvent)> = Vec::new();
    let span = span(&parts);
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.into_iter().enumerate() {
        let Part { journal, read_at } = part;
        count(&mut merged, &journal);
        let mut told_here: HashMap<Trace, u32> = HashMap::new();
        let mut matched: Vec<Trace> = Vec::new();
        let mut last_moment = None;
        for event in journal.events {
            let moment = event
                .time
                .as_ref()
                .and_then(|time| moment(time, read_at))
                .or(last_moment);
            last_moment = moment;
            match is_told(&event, moment, &mut cursors, &mut told) {
                Told::New => {}
                Told::SameCursor => {
                    merged.events_repeated += 1;
                    continue;
                }
                Told::SameTrace(trace) => {
                    merged.events_repeated += 1;
                    matched.push(trace);
                    continue;
                }
            }
            // Nobody looks for what the last one tells, and mostly there is but one.
            if index < last {
                *told_here.entry(Trace::of(&event, moment)).or_default() += 1;
                if moment.is_some() {
                    // What a text tells with times since the boot can only be known by its words.
                    *told_here.entry(Trace::of(&event, None)).or_default() += 1;
                }
            }
            events.push((moment, event));
        }
        for (trace, times) in told_here {
            *told.entry(trace).or_default() += times;
        }
        // A third text may tell the same again.
        for trace in matched {
            *told.entry(trace).or_default() += 1;
        }
    }
    (merged.first, merged.last) = span;
    events.sort_by_key(|(moment, _)| *moment);
    let too_many = events.len().saturating_sub(MAX_EVENTS);
    merged.events_dropped += too_many as u64;
    merged.events = events
        .into_iter()
        .skip(too_many)
        .map(|(_, event)| event)
        .collect();
    merged
}

/// What two copies of one entry have in common, whatever format they are in.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Trace {
    identifier: Option<String>,
    message: String,
    /// Within the quarter of an hour.
    second: Option<i64>,
}

impl Trace {
    fn of(event: &JournalEvent, moment: Option<Timestamp>) -> Self {
        Self {
            identifier: event.identifier.clone(),
            // Plain logs indent further lines, the journal's own formats do not.
            message: event.message.lines().next().unwrap_or_default().to_owned(),
            second: moment.map(|moment| moment.as_second().rem_euclid(900)),
        }
    }
}

enum Told {
    New,
    SameCursor,
    SameTrace(Trace),
}

/// Has a text before this one told it? Each copy stands for one: a line that stands twice within a second in both
/// texts is two events.
fn is_told(
    event: &JournalEvent,
    moment: Option<Timestamp>,
    cursors: &mut HashSet<String>,
    told: &mut HashMap<Trace, u32>,
) -> Told {
    if let Some(cursor) = &event.cursor {
        return match cursors.insert(cursor.clone()) {
            true => Told::New,
            false => Told::SameCursor,
        };
    }
    // Two programs that write down the same line may see different seconds.
    let found = [0, -1, 1].into_iter().find_map(|apart| {
        let moment =
            moment.and_then(|moment| moment.checked_add(SignedDuration::from_secs(apart)).ok());
        let trace = Trace::of(event, moment);
        let times = told.get_mut(&trace).filter(|times| **times > 0)?;
        *times -= 1;
        Some(trace)
    });
    found.map_or(Told::New, Told::SameTrace)
}

/// The journal's own formats first, then plain texts with exact times, then the others.
fn richness(journal: &Journal) -> u8 {
    if journal.events.iter().any(|event| event.cursor.is_some()) {
        0
    } else if matches!(journal.last, Some(JournalTime::Exact(_))) {
        1
    } else {
        2
    }
}

fn count(merged: &mut Journal, part: &Journal) {
    merged.entries_read += part.entries_read;
    merged.entries_of_others += part.entries_of_others;
    merged.entries_unreadable += part.entries_unreadable;
    merged.lines_too_long += part.lines_too_long;
    merged.events_dropped += part.events_dropped;
    merged.events_repeated += part.events_repeated;
}

/// The oldest and the newest time of all parts. Times since the boot are told only where there are no others.
fn span(parts: &[Part]) -> (Option<JournalTime>, Option<JournalTime>) {
    let ends = |end: fn(&Journal) -> &Option<JournalTime>| {
        parts.iter().filter_map(move |part| {
            let time = end(&part.journal).as_ref()?;
            Some((moment(time, part.read_at), time))
        })
    };
    let known = |(moment, _): &(Option<Timestamp>, _)| (moment.is_none(), *moment);
    let first = ends(|journal| &journal.first).min_by_key(known);
    let last = ends(|journal| &journal.last).max_by_key(|(moment, _)| *moment);
    let time = |end: Option<(_, &JournalTime)>| end.map(|(_, time)| time.clone());
    (time(first), time(last))
}

/// A moment to order by; times since the boot have none.
fn moment(time: &JournalTime, read_at: Timestamp) -> Option<Timestamp> {
    match time {
        JournalTime::Exact(moment) => Some(*moment),
        JournalTime::Civil(civil) => civil.for_ordering(read_at),
        JournalTime::SinceBootUs(_) => None,
    }
}
