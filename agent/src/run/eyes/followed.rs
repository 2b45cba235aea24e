//! The journal, followed by a thread of its own; its entries wake the sources that know more.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::fact::journal::{Event, JournalEvent};
use model::report::Fact;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::{fact_of, is_heard};
use crate::journal::{Follower, Settings, Start, View};
use crate::run::hub::News;
use crate::run::wakes::Wakes;
use crate::source::Wake;

/// How long to wait before it is looked again whether the journal was read for the first time: longer each time.
const UNTIL_READ: Duration = Duration::from_millis(5);
const LONGEST_UNTIL_READ: Duration = Duration::from_secs(1);
/// The report's list of events is made anew at most this often; each new event is told at once.
const BETWEEN_LISTS: Duration = Duration::from_secs(5);
/// A look that hangs is noticed although nothing wakes the list.
const EVERY: Duration = Duration::from_secs(30);

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
    let mut until_read = UNTIL_READ;
    loop {
        let reading = view.reading();
        if !is_heard(&reading) {
            sleep(until_read).await;
            until_read = longer(until_read);
            continue;
        }
        let fact = Fact::Journal(reading);
        let looked = view.looked().unwrap_or_else(Instant::now);
        if news.send(fact_of(fact, None, looked)).await.is_err() {
            return;
        }
        sleep(BETWEEN_LISTS).await;
        tokio::select! {
            _ = listening.woken() => {}
            () = sleep(EVERY) => {}
        }
    }
}

fn longer(waited: Duration) -> Duration {
    (waited * 2).min(LONGEST_UNTIL_READ)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_look_that_does_not_end_is_asked_for_less_and_less_often() {
        let waits = std::iter::successors(Some(UNTIL_READ), |waited| Some(longer(*waited)));
        let waits: Vec<Duration> = waits.take(68).collect();
        assert!(waits.iter().sum::<Duration>() > Duration::from_secs(60));
        assert_eq!(waits.last(), Some(&LONGEST_UNTIL_READ));
    }
}
