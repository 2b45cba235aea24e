//! `/metrics`: what the collector counts, in the text that the caller understands. What each metric means is in the [`table`],
//! and in docs/metrics.md, which a test holds against it.

mod cluster;
mod family;
mod form;
mod ledger_size;
mod own;
mod picture;
mod table;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::door::line;
use crate::alerts::Receivers;
use crate::keepers::Keepers;
use crate::refusal::Refusals;
use crate::tally::Tally;
use crate::tls::connections::Connections;
use form::Form;
use picture::{OfCluster, Picture};

/// Where all of it is published.
pub(crate) struct Sources {
    pub(crate) keepers: Arc<Keepers>,
    /// The ledger's file.
    pub(crate) ledger: PathBuf,
    pub(crate) can_write: watch::Receiver<bool>,
    /// Of agents and people.
    pub(crate) connections: Arc<Connections>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) given: Arc<Tally>,
    pub(crate) receivers: Receivers,
}

/// Where it is answered.
pub(super) struct Desk {
    sources: Sources,
    started: Timestamp,
    ledger_bytes: watch::Receiver<Option<u64>>,
    /// One picture at a time: many who ask at once must not take the threads of all others.
    turns: Arc<Semaphore>,
}

impl Desk {
    /// And what is to be polled as long as it answers.
    pub(super) fn new(sources: Sources) -> (Arc<Self>, impl Future<Output = ()>) {
        let (size, ledger_bytes) = watch::channel(None);
        let looking = ledger_size::look(sources.ledger.clone(), size);
        let desk = Self {
            sources,
            started: Timestamp::now(),
            ledger_bytes,
            turns: Arc::new(Semaphore::new(1)),
        };
        (Arc::new(desk), looking)
    }

    /// Whether the last that was to be written into the ledger could be.
    pub(super) fn can_write(&self) -> bool {
        *self.sources.can_write.borrow()
    }

    /// All metrics at this moment; `None` while the collector ends.
    async fn text(&self, form: Form) -> Option<String> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let picture = self.picture().await;
        let written = tokio::task::spawn_blocking(move || {
            // As long as this works, even if nobody waits for it any more.
            let _turn = turn;
            form.text(picture)
        });
        written.await.ok()?.ok()
    }

    async fn picture(&self) -> Picture {
        let keepers = &self.sources.keepers;
        let now = keepers.now();
        let all = keepers.all().await;
        let views = all.iter().map(|(_, keeper)| keeper.view());
        Picture {
            now,
            version: keepers.version(),
            started_unix_s: self.started.as_second(),
            can_write: self.can_write(),
            ledger_bytes: *self.ledger_bytes.borrow(),
            connections: self.sources.connections.count(),
            refusals: self.sources.refusals.counts(),
            given: self.sources.given.counts(),
            receivers: (self.sources.receivers)(),
            clusters: views.map(|view| OfCluster::new(view, now)).collect(),
        }
    }
}

pub(super) async fn answer(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    let form = Form::wanted(&headers);
    let Some(text) = desk.text(form).await else {
        let words = "the metrics could not be put together; this is a bug, please report it";
        return line(StatusCode::INTERNAL_SERVER_ERROR, words);
    };
    let headers = [
        (header::CONTENT_TYPE, form.content_type()),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept"),
    ];
    (headers, text).into_response()
}
