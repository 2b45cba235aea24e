//! What all simulated agents live through, counted, and printed as lines of JSON:
//!
//! ```text
//! {"event":"enrolled","agents":2000,"seconds":31.2}
//! {"event":"all_welcomed","agents":2000,"seconds":9.8}     since the fleet began, or since the first of them lost its stream
//! {"event":"all_answered","agents":2000,"seconds":11.0}    each has an answer to a heartbeat that it sent behind its report
//! {"event":"ack","cluster":"…","node":"pve-01","spool":"…","up_to":41}      with --print-acks
//! {"event":"state","welcomed":1998,"answered":1990,…}      every five seconds
//! {"event":"error","what":"…"}                             each text once; the summary counts them
//! {"event":"summary",…}                                    at the end
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::report;

const BETWEEN_STATES: Duration = Duration::from_secs(5);
/// How many different errors are told apart, and how many round trips are kept.
const MOST_ERRORS: usize = 50;
const MOST_ROUND_TRIPS: usize = 1_000_000;

#[derive(Debug)]
pub(super) struct Tally {
    agents: usize,
    print_acks: bool,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    /// When the fleet began, or the first one lost its stream while all had one.
    since: Instant,
    welcomed: usize,
    answered: usize,
    /// Whether the line was printed since then.
    told: Told,
    streams: u64,
    lost: u64,
    events_made: u64,
    events_not_made: u64,
    events_kept: u64,
    deltas: u64,
    deltas_left_out: u64,
    reports_asked_for: u64,
    round_trips_us: Vec<u32>,
    errors: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Told {
    welcomed: bool,
    answered: bool,
}

/// What one agent counted since it told last.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) events_made: u64,
    pub(super) events_not_made: u64,
    pub(super) deltas: u64,
    pub(super) deltas_left_out: u64,
}

impl Tally {
    pub(super) fn new(agents: usize, print_acks: bool) -> Self {
        let counts = Counts {
            since: Instant::now(),
            welcomed: 0,
            answered: 0,
            told: Told::default(),
            streams: 0,
            lost: 0,
            events_made: 0,
            events_not_made: 0,
            events_kept: 0,
            deltas: 0,
            deltas_left_out: 0,
            reports_asked_for: 0,
            round_trips_us: Vec::new(),
            errors: BTreeMap::new(),
        };
        Self {
            agents,
            print_acks,
            counts: Mutex::new(counts),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enrolled(&self, agents: usize) {
        let seconds = self.counts().since.elapsed().as_secs_f64();
        print(&json!({"event": "enrolled", "agents": agents, "seconds": seconds}));
    }

    /// The certificates are there, and the agents start.
    pub(super) fn begin(&self) {
        self.counts().since = Instant::now();
    }

    pub(super) fn welcomed(&self) {
        let mut counts = self.counts();
        counts.streams += 1;
        counts.welcomed += 1;
        if counts.welcomed == self.agents && !counts.told.welcomed {
            counts.told.welcomed = true;
            self.all("all_welcomed", &counts);
        }
    }

    /// For the first time on its stream.
    pub(super) fn answered(&self) {
        let mut counts = self.counts();
        counts.answered += 1;
        if counts.answered == self.agents && !counts.told.answered {
            counts.told.answered = true;
            self.all("all_answered", &counts);
        }
    }

    fn all(&self, event: &str, counts: &Counts) {
        let seconds = counts.since.elapsed().as_secs_f64();
        print(&json!({"event": event, "agents": self.agents, "seconds": seconds}));
    }

    pub(super) fn lost(&self, was_answered: bool) {
        let mut counts = self.counts();
        if counts.told.welcomed {
            counts.told = Told::default();
            counts.since = Instant::now();
        }
        counts.lost += 1;
        counts.welcomed -= 1;
        counts.answered -= usize::from(was_answered);
    }

    pub(super) fn round_trip(&self, took: Duration) {
        let mut counts = self.counts();
        if counts.round_trips_us.len() < MOST_ROUND_TRIPS {
            let us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
            counts.round_trips_us.push(us);
        }
    }

    pub(super) fn kept(&self, cluster: &str, node: &str, spool: &str, up_to: u64, events: usize) {
        self.counts().events_kept += events as u64;
        if self.print_acks {
            print(
                &json!({"event": "ack", "cluster": cluster, "node": node, "spool": spool, "up_to": up_to}),
            );
        }
    }

    /// How the link is after the last flap.
    pub(super) fn flapped(&self, node: &str, carrier: bool) {
        let link = report::FLAPPING;
        print(&json!({"event": "flapped", "node": node, "link": link, "carrier": carrier}));
    }

    pub(super) fn report_asked_for(&self) {
        self.counts().reports_asked_for += 1;
    }

    pub(super) fn add(&self, counted: &mut Counted) {
        let Counted {
            events_made,
            events_not_made,
            deltas,
            deltas_left_out,
        } = std::mem::take(counted);
        let mut counts = self.counts();
        counts.events_made += events_made;
        counts.events_not_made += events_not_made;
        counts.deltas += deltas;
        counts.deltas_left_out += deltas_left_out;
    }

    pub(super) fn error(&self, what: String) {
        let mut counts = self.counts();
        if let Some(times) = counts.errors.get_mut(&what) {
            *times += 1;
            return;
        }
        let what = if counts.errors.len() < MOST_ERRORS {
            print(&json!({"event": "error", "what": what}));
            what
        } else {
            "others".to_owned()
        };
        *counts.errors.entry(what).or_default() += 1;
    }

    /// For ever.
    pub(super) async fn tell_of_state(&self) {
        let mut ticks = tokio::time::interval(BETWEEN_STATES);
        loop {
            ticks.tick().await;
            print(&self.counts().line("state"));
        }
    }

    pub(super) fn summary(&self) {
        let mut counts = self.counts();
        counts.round_trips_us.sort_unstable();
        let of = |share: f64| {
            let all = &counts.round_trips_us;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss
            )]
            let place = (all.len().saturating_sub(1) as f64 * share) as usize;
            all.get(place).map(|us| f64::from(*us) / 1000.0)
        };
        let trips = json!({
            "count": counts.round_trips_us.len(), "p50": of(0.5), "p99": of(0.99), "max": of(1.0),
        });
        let mut line = counts.line("summary");
        if let Some(line) = line.as_object_mut() {
            line.insert("round_trips_ms".to_owned(), trips);
            line.insert("errors".to_owned(), json!(counts.errors));
        }
        print(&line);
    }
}

impl Counts {
    fn line(&self, event: &str) -> Value {
        json!({
            "event": event,
            "welcomed": self.welcomed,
            "answered": self.answered,
            "streams": self.streams,
            "lost": self.lost,
            "events_made": self.events_made,
            "events_not_made": self.events_not_made,
            "events_kept": self.events_kept,
            "deltas": self.deltas,
            "deltas_left_out": self.deltas_left_out,
            "reports_asked_for": self.reports_asked_for,
        })
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whoever reads them may have gone; the agents live on.
pub(super) fn print(line: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
}
