//! What happened, for whoever asks: events that agents told and steps of incidents, merged by when they were kept.
//!
//! Both are read page by page from the ledger, so that a long history costs no more memory than a short one. Each part
//! that is sent says where its reader stands, and behind that place he can go on: nothing comes twice or is left out.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use model::history::Happened;
use model::identity::ClusterId;
use model::incident::Step;
use model::name::NodeName;
use prost::Message as _;
use proto::v1;
use proto::v1::event::Event as Kind;
use tokio::sync::mpsc;
use tonic::Status;

use crate::incidents::severity;
use crate::keeper::actor::Keeper;
use crate::ledger::decision::{KeptEvent, KeptStep};
use crate::ledger::{
    EventsWanted, Ledger, LedgerError, MAX_EVENTS_READ, MAX_NEWEST, MAX_STEPS_READ, Mark, Newest,
    NewestWanted,
};

/// What one caller wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) node: Option<NodeName>,
    pub(crate) since_unix_ms: Option<i64>,
    pub(crate) last: Option<usize>,
    pub(crate) follow: bool,
    pub(crate) after: Option<v1::HistoryPlace>,
}

/// One caller who reads.
pub(crate) struct Reading {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) cluster: ClusterId,
    pub(crate) wanted: Wanted,
    pub(crate) parts: mpsc::Sender<Result<v1::HistoryPart, Status>>,
}

/// Why nothing more is sent.
enum Ended {
    Told(Status),
    /// Whoever has gone need not hear it.
    CallerGone,
}

impl From<LedgerError> for Ended {
    fn from(error: LedgerError) -> Self {
        Self::Told(Status::unavailable(error.to_string()))
    }
}

impl Reading {
    pub(crate) async fn run(self, keeper: Keeper) {
        if let Err(Ended::Told(why)) = self.read(keeper).await {
            let _ = self.parts.send(Err(why)).await;
        }
    }

    async fn read(&self, keeper: Keeper) -> Result<(), Ended> {
        let mut views = keeper.views();
        let mut place = self.start().await?;
        self.send(place, None).await?;
        loop {
            // Before the look: what is decided after it is seen then.
            let (revision, last_place) = {
                let view = views.borrow_and_update();
                (view.revision, view.last_place)
            };
            place = self.some(place).await?;
            if !self.wanted.follow {
                return Ok(());
            }
            // Of another node: the place moves on all the same.
            place.event = place.event.max(last_place);
            tokio::select! {
                more = views.wait_for(|view| view.revision != revision) => if more.is_err() { return Ok(()) },
                () = self.parts.closed() => return Ok(()),
            }
        }
    }

    /// Behind which place it begins.
    async fn start(&self) -> Result<v1::HistoryPlace, Ended> {
        let Wanted {
            node,
            since_unix_ms,
            last,
            after,
            ..
        } = &self.wanted;
        let wanted = NewestWanted {
            cluster: self.cluster.clone(),
            node: node.clone(),
            since_unix_ms: *since_unix_ms,
            last: if after.is_some() { Some(0) } else { *last },
        };
        let newest = self.ledger.newest(&wanted).await?;
        match after {
            None => Ok(behind(&newest, *last)),
            Some(place) if place.event > newest.last_event => {
                Err(Ended::Told(Status::out_of_range(format!(
                    "this ledger has {} events, and place {} was read before: it was put back from a copy, or is another \
                     one",
                    newest.last_event, place.event
                ))))
            }
            Some(place) => Ok(v1::HistoryPlace {
                event: place.event,
                // Steps of what is long over are taken away, also the last one.
                step: place.step.min(newest.last_step),
            }),
        }
    }

    /// Sends all that is there now, and says up to where.
    async fn some(&self, mut place: v1::HistoryPlace) -> Result<v1::HistoryPlace, Ended> {
        let mut events = Pages::new(place.event, MAX_EVENTS_READ);
        let mut steps = Pages::new(place.step, MAX_STEPS_READ);
        loop {
            if events.is_due() {
                let wanted = EventsWanted {
                    cluster: self.cluster.clone(),
                    node: self.wanted.node.clone(),
                    after: events.read_up_to,
                    limit: MAX_EVENTS_READ,
                };
                events.put(self.ledger.events(&wanted).await?, |kept| kept.place);
            }
            if steps.is_due() {
                let page = self.ledger.steps(&self.cluster, steps.read_up_to).await?;
                steps.put(page, |kept| kept.place);
            }
            let entry = match (events.page.front(), steps.page.front()) {
                (None, None) => return Ok(place),
                (Some(event), step) if step.is_none_or(|step| is_before(event, step)) => {
                    place.event = event.place;
                    let entry = of_event(event);
                    events.page.pop_front();
                    entry?
                }
                (_, Some(step)) => {
                    place.step = step.place;
                    let of = self.wanted.node.as_ref();
                    let entry = of
                        .is_none_or(|node| step.is_about(node))
                        .then(|| of_step(step));
                    steps.page.pop_front();
                    entry
                }
                (Some(_), None) => return Ok(place),
            };
            if entry.is_some() {
                self.send(place, entry).await?;
            }
        }
    }

    async fn send(
        &self,
        place: v1::HistoryPlace,
        entry: Option<v1::HistoryEntry>,
    ) -> Result<(), Ended> {
        let part = v1::HistoryPart {
            place: Some(place),
            entry,
        };
        let sent = self.parts.send(Ok(part)).await;
        sent.map_err(|_| Ended::CallerGone)
    }
}

/// One of the two lists, as far as it was read.
struct Pages<T> {
    page: VecDeque<T>,
    read_up_to: u64,
    full: usize,
    is_at_end: bool,
}

impl<T> Pages<T> {
    fn new(after: u64, full: usize) -> Self {
        Self {
            page: VecDeque::new(),
            read_up_to: after,
            full,
            is_at_end: false,
        }
    }

    fn is_due(&self) -> bool {
        self.page.is_empty() && !self.is_at_end
    }

    fn put(&mut self, page: Vec<T>, place: impl Fn(&T) -> u64) {
        self.is_at_end = page.len() < self.full;
        self.read_up_to = page.last().map_or(self.read_up_to, place);
        self.page = page.into();
    }
}

/// What an agent told explains the incident that came of it, and stands before it.
fn is_before(event: &KeptEvent, step: &KeptStep) -> bool {
    event.event.kept_unix_ms <= step.step.at_unix_ms
}

/// The place behind which the newest `last` of both together stand; without a number, all that were found.
fn behind(newest: &Newest, last: Option<usize>) -> v1::HistoryPlace {
    let mut events = newest.events.as_slice();
    let mut steps = newest.steps.as_slice();
    let mut place = v1::HistoryPlace {
        event: newest.last_event,
        step: newest.last_step,
    };
    for _ in 0..last.unwrap_or(usize::MAX).min(2 * MAX_NEWEST) {
        let order = match (events.first(), steps.first()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (Some(event), Some(step)) => event.kept_unix_ms.cmp(&step.kept_unix_ms),
        };
        // Of the same moment, the step is the newer one.
        if order == Ordering::Greater {
            place.event = take(&mut events, place.event);
        } else {
            place.step = take(&mut steps, place.step);
        }
    }
    place
}

fn take(marks: &mut &[Mark], place: u64) -> u64 {
    let Some((first, rest)) = marks.split_first() else {
        return place;
    };
    *marks = rest;
    first.place.saturating_sub(1)
}

/// Nothing for a number that was used up for nothing.
fn of_event(kept: &KeptEvent) -> Result<Option<v1::HistoryEntry>, Ended> {
    let event = v1::Event::decode(kept.event.body.as_slice()).map_err(|error| {
        Ended::Told(Status::data_loss(format!(
            "the event at place {} is not readable: {error}",
            kept.place
        )))
    })?;
    let (happened, json) = match event.event {
        Some(Kind::JournalJson(json)) => (Happened::of_journal(&json), json),
        Some(Kind::ChangeJson(json)) => (Happened::of_change(&json), json),
        Some(Kind::JournalGapJson(json)) => (Happened::of_journal_gap(&json), json),
        Some(Kind::Missing(missing)) => (Happened::of_missing(missing.count), String::new()),
        Some(Kind::Passed(v1::Absent {})) | None => return Ok(None),
    };
    Ok(Some(v1::HistoryEntry {
        kept_unix_ms: kept.event.kept_unix_ms,
        at_unix_ms: happened.at.map(jiff::Timestamp::as_millisecond),
        node: kept.event.node.as_str().to_owned(),
        source: happened.source,
        sentence: happened.sentence,
        incident: None,
        severity: v1::Severity::Unspecified.into(),
        json,
    }))
}

fn of_step(kept: &KeptStep) -> v1::HistoryEntry {
    let opening = kept.opening_said();
    let happened = Happened::of_step(&kept.step, opening);
    let said = match &kept.step.step {
        Step::Opened { said, .. } | Step::Changed { said } | Step::CameBack { said } => Some(said),
        Step::Under { .. } | Step::Closed { .. } | Step::Told { .. } => opening,
    };
    v1::HistoryEntry {
        kept_unix_ms: kept.step.at_unix_ms,
        at_unix_ms: Some(kept.step.at_unix_ms),
        node: String::new(),
        source: happened.source,
        sentence: happened.sentence,
        incident: Some(kept.step.number),
        severity: said
            .map_or(v1::Severity::Unspecified, |said| severity(said.severity))
            .into(),
        json: String::new(),
    }
}

#[cfg(test)]
mod tests;
