//! Asks each source at its own pace and when something woke it. Sources are asked in threads of their own, so one that
//! hangs or panics costs its own family and nothing else: it has failed at its deadline, and is not asked again before
//! it has come back. There are never more threads than sources, and none waits for another's.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::reading::Standing;
use model::report::Fact;
use tokio::sync::mpsc;
use tokio::task::{self, JoinHandle};
use tokio::time::{self, timeout};

use crate::host::{Host, Patience};
use crate::run::hub::News;
use crate::run::wakes::{Listening, Wakes};
use crate::source::Source;

/// A source takes at most one part in this of the time, however often it is woken: 5 % of a core in the worst flood.
const REST_PER_WORK: u32 = 20;
/// The longest rest after a wake.
const MAX_REST: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// What is not there is looked for this often, unless something wakes its source.
const UNTIL_IT_APPEARS: Duration = Duration::from_secs(60);

/// Everything that the sources are asked with.
#[derive(Debug, Clone)]
pub(crate) struct Sampler {
    patience: Patience,
    wakes: Wakes,
    news: mpsc::Sender<News>,
}

impl Sampler {
    pub(crate) fn new(patience: Patience, wakes: Wakes, news: mpsc::Sender<News>) -> Self {
        Self {
            patience,
            wakes,
            news,
        }
    }

    /// Begins to ask this source, until the runtime ends.
    pub(crate) fn begin(&self, source: &'static Source) {
        let asking = Asking {
            source,
            wakes: self.wakes.listen(source.woken_by),
            sampler: self.clone(),
            failures: 0,
        };
        task::spawn(asking.keep_on());
    }
}

/// One source, asked again and again.
struct Asking {
    source: &'static Source,
    wakes: Listening,
    sampler: Sampler,
    /// In a row.
    failures: u32,
}

impl Asking {
    async fn keep_on(mut self) {
        let mut noticed = None;
        loop {
            let begun = Instant::now();
            let fact = self.ask(noticed).await;
            let Some(pause) = fact else { return };
            let rest = (begun.elapsed() * REST_PER_WORK).min(MAX_REST);
            noticed = self.wait(pause, rest).await;
        }
    }

    /// Asks once and hands the answer on. Gives the time until it is asked again; nothing if nobody listens any more.
    async fn ask(&mut self, noticed: Option<Instant>) -> Option<Duration> {
        let (source, patience) = (self.source, self.sampler.patience.clone());
        let mut asked = task::spawn_blocking(move || source.ask(&Host::live(&patience)));
        let answer = timeout(source.deadline, &mut asked).await;
        let fact = match answer {
            Ok(answer) => answer.unwrap_or_else(|error| source.family.failed(error.to_string())),
            Err(_) => self.late(asked, noticed).await?,
        };
        let pause = self.pause_after(&fact.standing());
        self.hand_on(fact, noticed).await?;
        Some(pause)
    }

    /// It has failed by its deadline; then it is waited for, however long that takes.
    async fn late(&self, asked: JoinHandle<Fact>, noticed: Option<Instant>) -> Option<Fact> {
        let family = self.source.family;
        let deadline = self.source.deadline.as_secs_f32();
        let why =
            format!("it did not answer within {deadline} s, and is not asked again before it does");
        self.hand_on(family.failed(why), noticed).await?;
        Some(
            asked
                .await
                .unwrap_or_else(|error| family.failed(error.to_string())),
        )
    }

    async fn hand_on(&self, fact: Fact, noticed: Option<Instant>) -> Option<()> {
        let news = News::Fact {
            fact: Box::new(fact),
            noticed,
            at: Timestamp::now(),
        };
        self.sampler.news.send(news).await.ok()
    }

    fn pause_after(&mut self, standing: &Standing<'_>) -> Duration {
        let every = self.source.every;
        if standing.failed.is_some() {
            let pause = FIRST_RETRY * 2_u32.saturating_pow(self.failures.min(16));
            self.failures = self.failures.saturating_add(1);
            return pause.min(every.max(UNTIL_IT_APPEARS));
        }
        self.failures = 0;
        if standing.is_absent() {
            every.max(UNTIL_IT_APPEARS)
        } else {
            every
        }
    }

    /// Waits for the pace, or for a wake and that it has settled. Woken again and again, it rests in proportion to what the last look cost.
    async fn wait(&mut self, pause: Duration, rest: Duration) -> Option<Instant> {
        let asked = time::Instant::now();
        tokio::select! {
            () = time::sleep(pause) => None,
            noticed = self.wakes.woken() => {
                self.settle().await;
                // Even a timer that is over costs up to a millisecond.
                if asked.elapsed() < rest {
                    time::sleep_until(asked + rest).await;
                }
                Some(noticed)
            }
        }
    }

    async fn settle(&mut self) {
        let settle = self.source.settle;
        if settle > Duration::ZERO {
            while timeout(settle, self.wakes.woken()).await.is_ok() {}
        }
    }
}
