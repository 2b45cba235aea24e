//! Opens all the agent's eyes at once: every source at its pace, the threads that tell by themselves, and every
//! listener that wakes them.

mod attended;
mod counted;
mod followed;

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::reading::Reading;
use model::report::{Fact, Family};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::host::Patience;
use crate::journal::{Settings, Start};
use crate::netlink;
use crate::run::files;
use crate::run::hub::{MAX_WAITING, News};
use crate::run::limits::Limits;
use crate::run::sampler::Sampler;
use crate::run::wakes::Wakes;
use crate::source::{self, SOURCES, Wake};
use crate::uplink::boottime_ms_at;

/// A listener whose socket failed is opened again after this time.
const AGAIN: Duration = Duration::from_secs(1);
/// These are told by threads of their own, and not asked.
const TOLD: [Family; 3] = [Family::Corosync, Family::Cmap, Family::Journal];

pub(super) const LOST_ANNOUNCEMENTS: &str =
    "announcements of the kernel lost, and asked for instead";

/// How the eyes are to be opened.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) patience: Patience,
    /// Families that nobody wants to see here.
    pub(crate) disabled: Vec<Family>,
    pub(crate) journal: Settings,
    /// Where the journal is begun, and whether it is kept.
    pub(crate) start: Start,
    pub(crate) limits: Limits,
}

/// What all eyes see, in the order in which it was seen.
#[derive(Debug)]
pub(crate) struct Eyes {
    news: mpsc::Receiver<News>,
    pub(crate) opened: Instant,
}

impl Eyes {
    /// Must be called within the runtime.
    pub(crate) fn open(opening: Opening) -> io::Result<Self> {
        let opened = Instant::now();
        let Opening {
            patience,
            disabled,
            journal,
            start,
            limits,
        } = opening;
        let (sender, news) = mpsc::channel(MAX_WAITING);
        let wakes = Wakes::default();
        let is_wanted = |family: &Family| !disabled.contains(family);
        // Who listens first misses nothing that happens while the sources are asked for the first time.
        tokio::spawn(listen_to_the_kernel(wakes.clone(), limits.clone()));
        files::listen(wakes.clone(), limits)?;
        if is_wanted(&Family::Ovs) {
            let wakes = wakes.clone();
            tokio::spawn(source::ovs::listen(move |kind| {
                wakes.wake(kind, Instant::now())
            }));
        }
        tokio::spawn(counted::pmxcfs(patience.clone(), wakes.clone()));
        // One thread tells both.
        if is_wanted(&Family::Corosync) || is_wanted(&Family::Cmap) {
            attended::corosync(patience.clone(), &wakes, sender.clone(), disabled.clone())?;
        }
        if is_wanted(&Family::Journal) {
            followed::journal(journal, start, wakes.clone(), sender.clone())?;
        }
        let sampler = Sampler::new(patience, wakes, sender.clone());
        let asked = SOURCES
            .iter()
            .filter(|source| !TOLD.contains(&source.family));
        for source in asked.filter(|source| is_wanted(&source.family)) {
            sampler.begin(source);
        }
        tokio::spawn(say_disabled(disabled, sender));
        Ok(Self { news, opened })
    }

    /// The next piece of news. There is always another one: sources are asked until the runtime ends.
    pub(crate) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

/// What is switched off has failed as far as anybody knows: it is not absent.
async fn say_disabled(disabled: Vec<Family>, news: mpsc::Sender<News>) {
    for family in disabled {
        let why = "it is switched off in the agent's configuration (sources.disabled)".to_owned();
        if news.send(fact_now(family.failed(why), None)).await.is_err() {
            return;
        }
    }
}

async fn listen_to_the_kernel(wakes: Wakes, limits: Limits) {
    loop {
        let mut overruns = 0;
        netlink::listen(|heard| {
            let more = heard.overruns.saturating_sub(overruns);
            limits.hit(LOST_ANNOUNCEMENTS, more);
            overruns = heard.overruns;
            wakes.wake(Wake::Network, heard.at);
        })
        .await;
        limits.hit(
            "the kernel's announcements could not be heard for a moment",
            1,
        );
        // What happened in between is seen now.
        sleep(AGAIN).await;
        wakes.wake(Wake::Network, Instant::now());
    }
}

/// It was read after that was noticed; nothing: just now.
fn fact_now(fact: Fact, noticed: Option<Instant>) -> News {
    fact_of(fact, noticed, noticed.unwrap_or_else(Instant::now))
}

fn fact_of(fact: Fact, noticed: Option<Instant>, began: Instant) -> News {
    News::Fact {
        fact: Box::new(fact),
        noticed,
        began_boottime_ms: boottime_ms_at(began),
        at: Timestamp::now(),
    }
}

fn is_heard<T>(reading: &Reading<T>) -> bool {
    !matches!(reading, Reading::NeverHeard)
}
