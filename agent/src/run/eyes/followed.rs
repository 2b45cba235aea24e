//! The journal, followed by a thread of its own; its entries wake the sources that know more.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use model::fact::journal::{Event, JournalEvent};
use model::report::Fact;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::{fact_now, is_heard};
use crate::journal::{Follower, Settings, Start, View};
use crate::run::hub::News;
use crate::run::wakes::Wakes;
use crate::source::Wake;

/// How often it is looked whether the journal was read for the first time.
const UNTIL_READ: Duration = Duration::from_millis(5);
/// The report's list of events is made anew at most this often; each new event is told at once.
const BETWEEN_LISTS: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(60);

pub(super) fn journal(
    settings: Settings,
    start: Start,
    wakes: Wakes,
    news: mpsc::Sender<News>,
) -> io::Result<()> {
    let (follower, view, stopper) = Follower::new(settings, start)?;
    let events = news.clone();
    let waking = wakes.clone();
    follower.spawn(move |event, noticed| {
        for kind in woken_by(event) {
            waking.wake(kind, noticed);
        }
        let event = News::Event {
            event: Box::new(event.clone()),
            noticed,
            at: Timestamp::now(),
        };
        // The follower waits where the hub is behind: the journal keeps what comes meanwhile.
        let _ = events.blocking_send(event);
    })?;
    tokio::spawn(async move {
        list(view, wakes, news).await;
        // Following ends with the one who listens.
        drop(stopper);
    });
    Ok(())
}

/// Keeps the report's list of events up to date.
async fn list(view: View, wakes: Wakes, news: mpsc::Sender<News>) {
    let mut listening = wakes.listen(&[Wake::Journal]);
    loop {
        let reading = view.reading();
        if !is_heard(&reading) {
            sleep(UNTIL_READ).await;
            continue;
        }
        let fact = Fact::Journal(reading);
        if news.send(fact_now(fact, None)).await.is_err() {
            return;
        }
        sleep(BETWEEN_LISTS).await;
        tokio::select! {
            _ = listening.woken() => {}
            () = sleep(EVERY) => {}
        }
    }
}

/// Who knows more about what this entry tells.
fn woken_by(event: &JournalEvent) -> impl Iterator<Item = Wake> {
    let program = event.identifier.as_deref();
    let by_program = match program {
        Some("corosync" | "corosync-qdevice") => Some(Wake::Corosync),
        Some("kernel") => Some(Wake::Network),
        Some("systemd-logind" | "systemd-shutdown") => Some(Wake::Power),
        Some("systemd") if !matches!(event.event, Event::Other) => Some(Wake::Power),
        _ => None,
    };
    std::iter::once(Wake::Journal).chain(by_program)
}
