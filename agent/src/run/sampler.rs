//! Asks each source at its own pace and when something woke it. Sources are asked in threads of their own, so one that
//! hangs or panics costs its own family and nothing else: it has failed at its deadline, and is not asked again before
//! it has come back. None waits for another's thread.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::reading::Standing;
use model::report::Fact;
use tokio::sync::mpsc;
use tokio::task;
use tokio::time::{self, timeout};

use crate::cost;
use crate::host::{Host, Patience};
use crate::run::hub::News;
use crate::run::wakes::{Listening, Wakes};
use crate::source::Source;
use crate::uplink::boottime_ms;

/// A source takes at most one part in this of a core, however often it is woken: 5 % in the worst flood.
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

/// How it went.
struct Asked {
    /// Until it is asked again.
    pause: Duration,
    cost: Duration,
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
            let Some(Asked { pause, cost }) = self.ask(noticed).await else {
                return;
            };
            let rest = (cost * REST_PER_WORK).min(MAX_REST).min(pause);
            noticed = self.wait(pause, rest).await;
        }
    }

    /// Asks once and hands the answer on. Gives the time until it is asked again; nothing if nobody listens any more.
    async fn ask(&mut self, noticed: Option<Instant>) -> Option<Asked> {
        let (source, patience) = (self.source, self.sampler.patience.clone());
        let began = boottime_ms();
        let mut asked = task::spawn_blocking(move || {
            let before = cost::spent();
            let fact = source.ask(&Host::live(&patience));
            (fact, cost::spent().saturating_sub(before))
        });
        let (fact, cost) = match timeout(source.deadline, &mut asked).await {
            Ok(Ok(answer)) => answer,
            // It did not even come to an end of its own.
            Ok(Err(error)) => (source.family.failed(error.to_string()), Duration::ZERO),
            Err(_) => {
                let failed = self.late();
                let pause = self.pause_after(&failed.standing());
                self.hand_on(failed, noticed, began).await?;
                // What it says then is of a time long past: it is asked again.
                let _ = asked.await;
                return Some(Asked {
                    pause,
                    cost: Duration::ZERO,
                });
            }
        };
        let pause = self.pause_after(&fact.standing());
        self.hand_on(fact, noticed, began).await?;
        Some(Asked { pause, cost })
    }

    fn late(&self) -> Fact {
        let deadline = self.source.deadline.as_secs_f32();
        let why =
            format!("it did not answer within {deadline} s, and is not asked again before it does");
        self.source.family.failed(why)
    }

    async fn hand_on(
        &self,
        fact: Fact,
        noticed: Option<Instant>,
        began_boottime_ms: u64,
    ) -> Option<()> {
        let news = News::Fact {
            fact: Box::new(fact),
            noticed,
            began_boottime_ms,
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use model::reading::Reading;
    use model::report::Family;

    use super::*;
    use crate::source::Wake;

    fn sampler() -> (Sampler, Wakes, mpsc::Receiver<News>) {
        let (sender, news) = mpsc::channel(8);
        let wakes = Wakes::default();
        let patience = Patience::new(Patience::OF_THE_RUNNING_AGENT);
        (Sampler::new(patience, wakes.clone(), sender), wakes, news)
    }

    fn hang_until(released: &AtomicBool) {
        while !released.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets what hangs come back at the end of a test, also when that fails: the runtime waits for its threads.
    struct Release(&'static AtomicBool);

    impl Drop for Release {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// The next fact of this family; others may come before it.
    async fn next(news: &mut mpsc::Receiver<News>, family: Family) -> Fact {
        loop {
            match news.recv().await {
                Some(News::Fact { fact, .. }) if fact.family() == family => return *fact,
                Some(_) => {}
                None => panic!("nobody tells anything any more"),
            }
        }
    }

    const fn source(family: Family, collect: fn(&Host) -> Fact) -> Source {
        Source {
            family,
            every: Duration::from_secs(3600),
            deadline: Duration::from_secs(3600),
            woken_by: &[Wake::Network],
            settle: Duration::ZERO,
            collect,
        }
    }

    #[tokio::test]
    async fn a_source_that_hangs_has_failed_by_its_deadline_and_is_asked_again_when_it_came_back() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        static MAY_COME_BACK: AtomicBool = AtomicBool::new(false);
        static HANGING: Source = Source {
            deadline: Duration::from_millis(20),
            ..source(Family::Ceph, |_| {
                if ASKED.fetch_add(1, Ordering::SeqCst) == 0 {
                    hang_until(&MAY_COME_BACK);
                }
                Fact::Ceph(Reading::Absent)
            })
        };
        let (sampler, _wakes, mut news) = sampler();
        let release = Release(&MAY_COME_BACK);
        sampler.begin(&HANGING);
        let first = next(&mut news, Family::Ceph).await;
        let why = first.standing().failed.unwrap().to_owned();
        assert!(why.starts_with("it did not answer within 0.02 s"), "{why}");
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
        drop(release);
        // The late answer itself is not taken for a new one.
        let second = next(&mut news, Family::Ceph).await;
        assert_eq!(second, Fact::Ceph(Reading::Absent));
        assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn one_that_panics_or_hangs_leaves_the_others_alone_and_a_wake_asks_at_once() {
        static MAY_COME_BACK: AtomicBool = AtomicBool::new(false);
        static PANICS: Source = source(Family::Lldp, |_| panic!("a panic in a source"));
        static HANGS: Source = source(Family::Ceph, |_| {
            hang_until(&MAY_COME_BACK);
            Fact::Ceph(Reading::Absent)
        });
        static WELL: Source = source(Family::Ovs, |_| Fact::Ovs(Reading::Absent));
        let (sampler, wakes, mut news) = sampler();
        let _release = Release(&MAY_COME_BACK);
        for source in [&HANGS, &PANICS, &WELL] {
            sampler.begin(source);
        }
        let panicked = next(&mut news, Family::Lldp).await;
        let why = panicked.standing().failed.unwrap().to_owned();
        assert!(why.starts_with("the source panicked"), "{why}");
        let well = Fact::Ovs(Reading::Absent);
        wakes.wake(Wake::Network, Instant::now());
        assert_eq!(next(&mut news, Family::Ovs).await, well);
        wakes.wake(Wake::Network, Instant::now());
        assert_eq!(next(&mut news, Family::Ovs).await, well);
    }
}
