//! corosync, attended by a thread of its own that can hang with it.

use std::io;
use std::time::Instant;

use model::report::{Fact, Family};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use super::{AGAIN, fact_now};
use crate::corosync;
use crate::host::Patience;
use crate::run::hub::News;
use crate::run::wakes::Wakes;
use crate::source::Wake;

pub(super) fn corosync(
    patience: Patience,
    wakes: &Wakes,
    news: mpsc::Sender<News>,
    disabled: Vec<Family>,
) -> io::Result<()> {
    let sender = news.clone();
    let waking = wakes.clone();
    let mut before = None;
    let switched_off = disabled.clone();
    let mut listening = wakes.listen(&[Wake::Corosync]);
    let supervisor = corosync::run(patience, move |fact, noticed| {
        if let Some(now) = membership(&fact)
            && before.as_ref() != Some(&now)
        {
            waking.wake(Wake::Membership, noticed);
            before = Some(now);
        }
        if disabled.contains(&fact.family()) {
            return;
        }
        // It waits where the hub is behind; the hub never waits for corosync. At the end nobody listens any more.
        let _ = sender.blocking_send(fact_now(fact, Some(noticed)));
    })?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = sleep_until(supervisor.deadline().into()) => {}
                _ = listening.woken() => {
                    // Only a lack of memory can refuse this, and the thread looks by itself soon.
                    let _ = supervisor.look();
                    continue;
                }
            }
            let overdue = supervisor.overdue(Instant::now()).into_iter().flatten();
            for fact in overdue.filter(|fact| !switched_off.contains(&fact.family())) {
                if news.send(fact_now(fact, None)).await.is_err() {
                    return;
                }
            }
            // A thread that is late stays late until it comes back, and that was said once.
            sleep(AGAIN).await;
        }
    });
    Ok(())
}

/// Who belongs together, and whether that is enough.
fn membership(fact: &Fact) -> Option<(Option<bool>, Option<String>, Option<u32>)> {
    let Fact::Corosync(reading) = fact else {
        return None;
    };
    let corosync = reading.known()?;
    let ring_id = corosync.ring_id.clone();
    Some((corosync.quorate, ring_id, corosync.total_votes))
}
