//! Opens all the agent's eyes at once: every source at its pace, and every listener that wakes them.

use std::time::Instant;

use tokio::sync::mpsc;

use crate::host::Patience;
use crate::run::files;
use crate::run::hub::{MAX_WAITING, News};
use crate::run::sampler::Sampler;
use crate::run::wakes::Wakes;
use crate::source::SOURCES;

/// What all eyes see, in the order in which it was seen.
#[derive(Debug)]
pub(crate) struct Eyes {
    news: mpsc::Receiver<News>,
    pub(crate) wakes: Wakes,
    pub(crate) opened: Instant,
}

impl Eyes {
    /// Must be called within the runtime.
    pub(crate) fn open() -> Self {
        let opened = Instant::now();
        let (sender, news) = mpsc::channel(MAX_WAITING);
        let wakes = Wakes::new();
        let patience = Patience::new(Patience::OF_THE_RUNNING_AGENT);
        let sampler = Sampler::new(patience, wakes.clone(), sender);
        for source in SOURCES {
            sampler.begin(source);
        }
        tokio::spawn(files::listen(wakes.clone()));
        Self {
            news,
            wakes,
            opened,
        }
    }

    /// The next piece of news. There is always another one: sources are asked until the runtime ends.
    pub(crate) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}
