//! Opens all the agent's eyes at once: every source at its pace, and every listener that wakes them.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::report::{Fact, Family};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use crate::corosync;
use crate::host::Patience;
use crate::netlink;
use crate::run::files;
use crate::run::hub::{MAX_WAITING, News};
use crate::run::sampler::Sampler;
use crate::run::wakes::Wakes;
use crate::source::{SOURCES, Wake};

/// A listener whose socket failed is opened again after this time.
const AGAIN: Duration = Duration::from_secs(1);
/// These are told by threads of their own, and not asked.
const TOLD: [Family; 2] = [Family::Corosync, Family::Cmap];

/// What all eyes see, in the order in which it was seen.
#[derive(Debug)]
pub(crate) struct Eyes {
    news: mpsc::Receiver<News>,
    pub(crate) opened: Instant,
}

impl Eyes {
    /// Must be called within the runtime.
    pub(crate) fn open() -> std::io::Result<Self> {
        let opened = Instant::now();
        let (sender, news) = mpsc::channel(MAX_WAITING);
        let wakes = Wakes::new();
        let patience = Patience::new(Patience::OF_THE_RUNNING_AGENT);
        // Who listens first misses nothing that happens while the sources are asked for the first time.
        tokio::spawn(listen_to_the_kernel(wakes.clone()));
        tokio::spawn(files::listen(wakes.clone()));
        attend_corosync(patience.clone(), wakes.clone(), sender.clone())?;
        let sampler = Sampler::new(patience, wakes, sender);
        for source in SOURCES {
            if !TOLD.contains(&source.family) {
                sampler.begin(source);
            }
        }
        Ok(Self { news, opened })
    }

    /// The next piece of news. There is always another one: sources are asked until the runtime ends.
    pub(crate) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

async fn listen_to_the_kernel(wakes: Wakes) {
    loop {
        netlink::listen(|heard| wakes.wake(Wake::Network, heard.at)).await;
        // What happened in between is seen now.
        sleep(AGAIN).await;
        wakes.wake(Wake::Network, Instant::now());
    }
}

fn attend_corosync(
    patience: Patience,
    wakes: Wakes,
    news: mpsc::Sender<News>,
) -> std::io::Result<()> {
    let sender = news.clone();
    let mut listening = wakes.listen(&[Wake::Corosync]);
    let supervisor = corosync::run(patience, move |fact, noticed| {
        // It waits where the hub is behind; the hub never waits for corosync. Nobody listens any more at the end.
        let _ = sender.blocking_send(fact_at(fact, Some(noticed)));
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
            for fact in supervisor.overdue(Instant::now()).into_iter().flatten() {
                if news.send(fact_at(fact, None)).await.is_err() {
                    return;
                }
            }
            // A thread that has ended is overdue for ever, and said so once.
            sleep(AGAIN).await;
        }
    });
    Ok(())
}

fn fact_at(fact: Fact, noticed: Option<Instant>) -> News {
    News::Fact {
        fact,
        noticed,
        at: Timestamp::now(),
    }
}
