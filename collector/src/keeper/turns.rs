//! The task that owns a cluster's core: gives it messages in turns, time, and the ledger's answers; does what it says;
//! publishes its view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::alert::Ask;
use proto::v1;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Status;

use super::actor::{Clock, Command, ToAgent};
use super::cache::{COPY_EVERY, Cache};
use super::core::{AlertAnswer, Core, LeaseAsk, NoAnswer, Output, Told, Wish};
use super::hello::Greeting;
use super::mailbox::{Letters, Mailbox, Taken, mailbox};
use super::refusal::Refusal;
use super::view::ClusterView;
use super::{Now, StreamId};
use crate::ledger::decision::Record;
use crate::ledger::{Appended, Ledger, LedgerError, Snapshot};

/// Messages taken before commands, time and the ledger are looked at again.
const MESSAGES_A_ROUND: usize = 64;
/// An append or a look that takes longer counts as not answered.
const LEDGER_PATIENCE: Duration = Duration::from_secs(10);

/// How late a deadline may be seen to while messages wait.
const TICK_LATE_MS: u64 = 500;

enum LedgerAnswer {
    Appended(Appended),
    Read(Result<(Vec<Record>, Snapshot), String>),
}

/// Starts the task. It ends when nobody can tell it anything any more.
pub(super) fn begin(
    core: Core,
    clock: Clock,
    ledger: Arc<dyn Ledger>,
    cache: Option<Cache>,
    publish: watch::Sender<Arc<ClusterView>>,
    to_do: mpsc::Receiver<Command>,
) {
    let (line, next_in_line) = mpsc::unbounded_channel();
    let (answers, ledger_answers) = mpsc::channel(1);
    let actor = Actor {
        core,
        clock,
        ledger,
        cache,
        streams: BTreeMap::new(),
        paused: BTreeSet::new(),
        asked: BTreeMap::new(),
        leases_asked: BTreeMap::new(),
        alerts_asked: BTreeMap::new(),
        questions: 0,
        line,
        answers,
        publish,
        copied: Instant::now(),
        is_in_trouble: false,
    };
    tokio::spawn(actor.run(to_do, next_in_line, ledger_answers));
}

struct Line {
    mailbox: Mailbox,
    to_agent: mpsc::Sender<ToAgent>,
    /// Room for the status that ends the stream, whatever else waits.
    last_word: mpsc::OwnedPermit<ToAgent>,
}

struct Actor {
    core: Core,
    clock: Clock,
    ledger: Arc<dyn Ledger>,
    cache: Option<Cache>,
    streams: BTreeMap<StreamId, Line>,
    /// Have something, and must wait for the ledger.
    paused: BTreeSet<StreamId>,
    asked: BTreeMap<u64, oneshot::Sender<Result<String, NoAnswer>>>,
    leases_asked: BTreeMap<u64, oneshot::Sender<Told>>,
    alerts_asked: BTreeMap<u64, oneshot::Sender<AlertAnswer>>,
    questions: u64,
    line: mpsc::UnboundedSender<StreamId>,
    answers: mpsc::Sender<LedgerAnswer>,
    publish: watch::Sender<Arc<ClusterView>>,
    copied: Instant,
    is_in_trouble: bool,
}

/// Given to streams, one after the other, in all clusters.
static STREAMS: AtomicU64 = AtomicU64::new(1);

impl Actor {
    async fn run(
        mut self,
        mut to_do: mpsc::Receiver<Command>,
        mut line: mpsc::UnboundedReceiver<StreamId>,
        mut answers: mpsc::Receiver<LedgerAnswer>,
    ) {
        loop {
            let wake = self
                .core
                .deadline_ms()
                .map(|at_ms| self.clock.instant(at_ms));
            tokio::select! {
                Some(answer) = answers.recv() => self.ledger_answered(answer),
                command = to_do.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                Some(stream) = line.recv() => {
                    self.message(stream);
                    for _ in 1..MESSAGES_A_ROUND {
                        match line.try_recv() {
                            Ok(stream) => self.message(stream),
                            Err(_) => break,
                        }
                    }
                }
                () = sleep_until(wake.unwrap_or(self.clock.start)), if wake.is_some() => {}
            }
            // After what had come in already: that is no silence. Under a flood there is always more of that.
            let now = self.clock.now();
            let patience_ms = if line.is_empty() { 0 } else { TICK_LATE_MS };
            if self
                .core
                .deadline_ms()
                .is_some_and(|at_ms| at_ms + patience_ms <= now.mono_ms)
            {
                self.core.tick(now);
            }
            self.act();
            self.resume();
            self.say_trouble();
            self.show();
            // One agent that never stops must not keep the thread from others.
            tokio::task::yield_now().await;
        }
        let streams: Vec<StreamId> = self.streams.keys().copied().collect();
        for stream in streams {
            self.end(stream, &Refusal::Ends);
        }
    }

    fn command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Open {
                greeting,
                to_agent,
                opened,
            } => self.open(&greeting, to_agent, opened, now),
            Command::Ask {
                node,
                question,
                answer,
            } => match self.core.ask(&node, question, now) {
                Ok(id) => drop(self.asked.insert(id, answer)),
                // Whoever asked may not wait any more.
                Err(error) => drop(answer.send(Err(error))),
            },
            Command::Lease { ask, answer } => self.lease(&ask, answer, now),
            Command::Alerts { ask, answer } => self.alerts(&ask, answer, now),
            Command::Settled(step) => self.core.settled(*step, now),
            Command::AlertBy(policy) => self.core.alert_by(policy),
            Command::Called(name) => self.core.called(&name),
            Command::Enrolled(node) => self.core.enrolled(&node),
            Command::Revoked(node) => self.core.revoked(&node),
            Command::Forgotten(node) => self.core.forgotten(&node),
            Command::NewTrust(trust) => self.core.new_trust(*trust),
            // Whoever asked may not wait any more.
            Command::Turn(taken) => drop(taken.send(())),
        }
    }

    fn lease(&mut self, ask: &LeaseAsk, answer: oneshot::Sender<Told>, now: Now) {
        self.questions = self.questions.wrapping_add(1);
        match self.core.lease(self.questions, ask, now) {
            Ok(()) => drop(self.leases_asked.insert(self.questions, answer)),
            // Whoever asked may not wait any more.
            Err(told) => drop(answer.send(*told)),
        }
    }

    fn alerts(&mut self, ask: &Ask, answer: oneshot::Sender<AlertAnswer>, now: Now) {
        self.questions = self.questions.wrapping_add(1);
        match self.core.ask_alerts(self.questions, ask, now) {
            None => drop(self.alerts_asked.insert(self.questions, answer)),
            // Whoever asked may not wait any more.
            Some(answered) => drop(answer.send(answered)),
        }
    }

    fn open(
        &mut self,
        greeting: &Greeting,
        to_agent: mpsc::Sender<ToAgent>,
        opened: oneshot::Sender<Letters>,
        now: Now,
    ) {
        let stream = StreamId(STREAMS.fetch_add(1, Ordering::Relaxed));
        let Ok(last_word) = to_agent.clone().try_reserve_owned() else {
            return;
        };
        let (letters, mailbox) = mailbox(stream, self.line.clone());
        let line = Line {
            mailbox,
            to_agent,
            last_word,
        };
        self.streams.insert(stream, line);
        tracing::info!(
            node = greeting.node.as_str(),
            version = %greeting.version,
            stream = stream.0,
            "stream opened"
        );
        self.core.opened(stream, greeting, now);
        // If nobody waits for it, the letters are dropped here, and that closes the stream.
        drop(opened.send(letters));
    }

    fn message(&mut self, stream: StreamId) {
        let now = self.clock.now();
        let Some(line) = self.streams.get_mut(&stream) else {
            return;
        };
        if !self.core.wants(stream, now) {
            self.paused.insert(stream);
            return;
        }
        match line.mailbox.take() {
            Taken::Message { arrived, has_more } => {
                if has_more && line.mailbox.lines_up() {
                    // The receiver lives as long as this actor.
                    let _ = self.line.send(stream);
                }
                self.core.message(stream, *arrived, now);
                self.act();
            }
            Taken::Empty => {}
            Taken::End(why) => {
                if let Some(line) = self.streams.remove(&stream) {
                    line.last_word.send(Err(why));
                }
                self.core.closed(stream);
            }
            Taken::Closed => self.close(stream),
        }
    }

    fn close(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
        self.paused.remove(&stream);
        self.core.closed(stream);
    }

    fn ledger_answered(&mut self, answer: LedgerAnswer) {
        let now = self.clock.now();
        match answer {
            LedgerAnswer::Appended(appended) => self.core.appended(appended, now),
            LedgerAnswer::Read(read) => self.core.read(read, now),
        }
    }

    fn act(&mut self) {
        while let Some(output) = self.core.next_output() {
            match output {
                Output::Send { stream, message } => self.send(stream, message),
                Output::End { stream, refusal } => self.end(stream, &refusal),
                Output::Ledger(wish) => self.ask_ledger(wish),
                Output::Answered { question, answer } => {
                    if let Some(asked) = self.asked.remove(&question) {
                        // Whoever asked may not wait any more.
                        let _ = asked.send(answer);
                    }
                }
                Output::Leased { question, told } => {
                    // Whoever hears of it sees it too.
                    self.show();
                    if let Some(asked) = self.leases_asked.remove(&question) {
                        let _ = asked.send(*told);
                    }
                }
                Output::Alerted { question, answer } => {
                    self.show();
                    if let Some(asked) = self.alerts_asked.remove(&question) {
                        let _ = asked.send(answer);
                    }
                }
            }
        }
    }

    fn send(&mut self, stream: StreamId, message: v1::CollectorMessage) {
        let Some(line) = self.streams.get(&stream) else {
            return;
        };
        match line.to_agent.try_send(Ok(message)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.end(stream, &Refusal::DoesNotRead);
                self.core.closed(stream);
            }
            Err(mpsc::error::TrySendError::Closed(_)) => self.close(stream),
        }
    }

    fn end(&mut self, stream: StreamId, refusal: &Refusal) {
        self.paused.remove(&stream);
        if let Some(line) = self.streams.remove(&stream) {
            tracing::warn!(stream = stream.0, "stream ended: {refusal}");
            line.last_word.send(Err(Status::from(refusal)));
        }
    }

    /// In a task of its own: the actor goes on, and the answer comes as a message.
    fn ask_ledger(&self, wish: Wish) {
        let ledger = Arc::clone(&self.ledger);
        let answers = self.answers.clone();
        let cluster = self.publish.borrow().cluster.clone();
        tokio::spawn(async move {
            let answer = match wish {
                Wish::Append {
                    expected,
                    epoch,
                    decision,
                } => {
                    let append = ledger.append(&cluster, expected, epoch, decision);
                    let late = |_| Appended::Unknown { why: late() };
                    LedgerAnswer::Appended(
                        timeout(LEDGER_PATIENCE, append).await.unwrap_or_else(late),
                    )
                }
                Wish::Read { after } => {
                    let look = async {
                        let records = match ledger.read(&cluster, after).await {
                            // The snapshot says it all, and appending again does no harm.
                            Err(LedgerError::TooOld { .. }) => Ok(Vec::new()),
                            read => read,
                        };
                        Ok((records?, ledger.snapshot(&cluster).await?))
                    };
                    let read = timeout(LEDGER_PATIENCE, look).await;
                    LedgerAnswer::Read(match read {
                        Ok(read) => read.map_err(|error: LedgerError| error.to_string()),
                        Err(_) => Err(late()),
                    })
                }
            };
            // Without an actor nobody has to know.
            let _ = answers.send(answer).await;
        });
    }

    /// Those that waited for the ledger stand in line again, if it is their turn.
    fn resume(&mut self) {
        let now = self.clock.now();
        let ready: Vec<StreamId> = self
            .paused
            .iter()
            .copied()
            .filter(|stream| self.core.wants(*stream, now))
            .collect();
        for stream in ready {
            self.paused.remove(&stream);
            let _ = self.line.send(stream);
        }
    }

    /// Once when it begins and once when it ends, however often the ledger is tried meanwhile.
    fn say_trouble(&mut self) {
        let trouble = self.core.ledger_trouble(self.clock.now());
        if trouble.is_some() == self.is_in_trouble {
            return;
        }
        self.is_in_trouble = trouble.is_some();
        let cluster = &self.publish.borrow().cluster;
        match trouble {
            Some(why) => tracing::error!(
                %cluster,
                "the ledger cannot be written: {why}; no event is acknowledged until it can, and what nodes report is \
                 kept in memory only"
            ),
            None => tracing::info!(%cluster, "the ledger can be written again"),
        }
    }

    fn show(&mut self) {
        let Some(view) = self.core.view(self.clock.now()) else {
            return;
        };
        let view = Arc::new(view);
        self.publish.send_replace(Arc::clone(&view));
        if let Some(cache) = self.cache.clone()
            && self.copied.elapsed() >= COPY_EVERY
        {
            self.copied = Instant::now();
            tokio::task::spawn_blocking(move || {
                if let Err(error) = cache.write(&view) {
                    tracing::warn!("{error}: {:?}", std::error::Error::source(&error));
                }
            });
        }
    }
}

fn late() -> String {
    format!("no answer within {} s", LEDGER_PATIENCE.as_secs())
}
