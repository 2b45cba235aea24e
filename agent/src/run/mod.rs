//! `quorate-agent run`: the agent as it lives on a node.
//!
//! One thread runs everything that waits; sources that read are asked in threads that come and go. What they tell
//! flows one way: source -> hub -> whoever listens.

mod departure;
mod eyes;
mod files;
mod guard;
mod hub;
mod limits;
mod log;
mod passage;
mod sampler;
mod socket;
mod supervised;
mod thrift;
mod transitions;
mod wakes;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context as _;
use model::reading::Reading;
use model::report::{Fact, NodeReport};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::answer::{NO_ANSWER, complain};
use crate::config::Config;
use crate::host::{Host, Patience, said};
use crate::journal::{SharedSpool, Start};
use crate::logind;
use crate::privilege;
use crate::source;
use crate::spool::{Spool, SpoolError};
use crate::uplink::{self, Board, Uplinks};
use departure::{Departure, Urgent};
pub(crate) use eyes::{Eyes, Opening};
use guard::Guard;
use hub::News;
pub(crate) use hub::{Hub, Told};
pub(crate) use limits::Limits;
pub(crate) use log::{say, warn};
use proto::fact::ReadFact;
use socket::{Asked, Question, Socket};
use supervised::Supervised;
use transitions::Transitions;

/// Threads that read: more than there are sources, so that none ever waits for one that hangs.
const MAX_THREADS: usize = 48;
/// Nothing here recurses deeply. Only what is touched costs memory.
const STACK_BYTES: usize = 512 << 10;
/// How many questions may wait for the hub.
const MAX_QUESTIONS: usize = 8;
const MAX_WORDS_OF_LOGIND: usize = 4;
const BYTES_PER_MIB: u64 = 1 << 20;

/// Runs the agent, until it is told to end (SIGTERM)
///
/// It reads this node as things happen, keeps what the journal says in its state directory, and answers root on its
/// socket. It gives up every capability but CAP_NET_ADMIN, and changes nothing on the node.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read the configuration FILE instead of /etc/quorate/agent.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    thrift::start_anew();
    match live(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(NO_ANSWER)
        }
    }
}

pub(crate) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_THREADS)
        .thread_stack_size(STACK_BYTES)
        .thread_name("source")
        .build()
}

/// Everything that can be wrong with how it was started is said before anything is begun.
fn live(args: &Args) -> anyhow::Result<()> {
    let began = Instant::now();
    let config = Config::read(args.config.as_deref())?;
    // The directory it was started in may lie on a file system that hangs, or is to be unmounted.
    std::env::set_current_dir("/").context("/ cannot be entered")?;
    let patience = Patience::new(Patience::OF_THE_RUNNING_AGENT);
    for remark in privilege::give_up(&Host::live(&patience))? {
        warn(&remark);
    }
    for blind_spot in privilege::blind_spots() {
        warn(&blind_spot);
    }
    let own = Own {
        spool: open_spool(&config)?,
        limits: Limits::default(),
        board: Board::default(),
        departure: Departure::default(),
        guard: Guard::default(),
    };
    let runtime = runtime().context("the runtime cannot start")?;
    let ended = runtime.block_on(async {
        let socket = Socket::listen(&config.socket)?;
        let (asked, questions) = mpsc::channel(MAX_QUESTIONS);
        tokio::spawn(socket.serve(asked, config.state_dir.clone()));
        let eyes = Eyes::open(Opening {
            patience: patience.clone(),
            disabled: config.sources_disabled.clone(),
            journal: config.journal(),
            start: match &own.spool {
                Ok(spool) => Start::Spool(Arc::clone(spool)),
                Err(_) => Start::Boot,
            },
            limits: own.limits.clone(),
        })?;
        let uplinks = Uplinks::begin(uplink::Opening {
            state_dir: config.state_dir.clone(),
            root: PathBuf::from("/"),
            patience: patience.clone(),
            board: own.board.clone(),
            spool: own.spool.as_ref().ok().map(Arc::clone),
        });
        let asked = Questions {
            waiting: questions,
            patience,
            uplinks,
            guard: own.guard.clone(),
        };
        let guard = own.guard.clone();
        tokio::spawn(guard.keep(config.state_dir.clone()));
        attend(eyes, asked, own, began).await
    });
    // A source that hangs must not keep it from ending.
    runtime.shutdown_background();
    ended
}

/// Takes news and answers questions until it is told to end.
async fn attend(
    mut eyes: Eyes,
    mut questions: Questions,
    mut own: Own,
    began: Instant,
) -> anyhow::Result<()> {
    let mut hub = Hub::new();
    let (heard, mut of_logind) = mpsc::channel(MAX_WORDS_OF_LOGIND);
    tokio::spawn(logind::attend(logind::SYSTEM_BUS, heard));
    let spool = own.spool.as_ref().ok().map(Arc::clone);
    let mut transitions = spool.map(|spool| Transitions::begin(spool, own.limits.clone()));
    let mut is_ready = false;
    let mut end = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut supervised = Supervised::begin();
    loop {
        tokio::select! {
            news = eyes.next() => {
                let Some(mut news) = news else { break };
                own.complete(&mut news);
                own.tell(news, &mut hub, transitions.as_mut());
                if !is_ready && hub.missing().next().is_none() {
                    is_ready = true;
                    let ms = began.elapsed().as_secs_f64() * 1000.0;
                    say(&format!("ready in {ms:.1} ms"));
                }
            }
            Some(heard) = of_logind.recv() => {
                if let Some(urgent) = own.departure.take(heard, hub.report()) {
                    own.tell_at_once(urgent, &mut hub, transitions.as_mut(), &questions.uplinks);
                }
            }
            Some(asked) = questions.waiting.recv() => questions.answer(asked, hub.report()),
            () = supervised.is_due() => supervised.goes_on(&hub, &questions.uplinks),
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    supervised.ends();
    if let Some(transitions) = transitions {
        transitions.end().await;
    }
    Ok(())
}

/// Whoever asks, and what it takes to answer.
struct Questions {
    waiting: mpsc::Receiver<Asked>,
    patience: Patience,
    uplinks: Uplinks,
    guard: Guard,
}

/// What the running agent knows of itself beyond what its source reads.
struct Own {
    /// Or in a sentence why nothing is kept.
    spool: Result<SharedSpool, String>,
    limits: Limits,
    board: Board,
    departure: Departure,
    guard: Guard,
}

impl Own {
    /// Tells it, and lets know whoever waits once it is on the disk and on its way to every collector that is connected.
    fn tell_at_once(
        &self,
        urgent: Urgent,
        hub: &mut Hub,
        mut transitions: Option<&mut Transitions>,
        uplinks: &Uplinks,
    ) {
        self.tell(urgent.news, hub, transitions.as_deref_mut());
        let Some(told) = urgent.told else {
            return;
        };
        let written = transitions.map(|transitions| transitions.written());
        let handed_over = uplinks.handed_over();
        tokio::spawn(async move {
            if let Some(written) = written {
                // Without an answer there is nothing to wait for.
                let _ = written.await;
            }
            handed_over.await;
            let _ = told.send(());
        });
    }

    /// Hands a piece of news to the hub, what changed by it to the spool, and the family to the collectors.
    fn tell(&self, news: News, hub: &mut Hub, mut transitions: Option<&mut Transitions>) {
        let read = match &news {
            News::Fact {
                fact,
                began_boottime_ms,
                ..
            } => Some((fact.family(), *began_boottime_ms)),
            // The journal's own thread keeps it.
            News::Event { .. } => None,
        };
        let told = hub.take(news);
        let Some((family, read_at_boottime_ms)) = read else {
            return;
        };
        if !told.is_empty() {
            self.guard.wake();
        }
        for told in &told {
            if let Some(transitions) = &mut transitions {
                transitions.keep(told);
            }
        }
        self.board.announcements_dropped(
            self.limits.count(eyes::LOST_ANNOUNCEMENTS) + self.limits.count(transitions::TOO_FAST),
        );
        self.board.post(ReadFact {
            fact: Arc::new(hub.report().fact(family)),
            read_at_boottime_ms,
        });
    }

    /// While the spool is being written its state is not known.
    fn complete(&self, news: &mut News) {
        let News::Fact { fact, .. } = news else {
            return;
        };
        self.departure.complete(fact);
        let Fact::Agent(Reading::Known { value, .. }) = &mut **fact else {
            return;
        };
        value.limits_hit = self.limits.all();
        match &self.spool {
            Ok(spool) => value.spool = spool.try_lock().ok().map(|spool| spool.state()),
            Err(why) => value.blind_spots.push(why.clone()),
        }
    }
}

/// An agent whose disk is full or read-only goes on watching, and says that it keeps nothing. Two agents with one spool
/// would both be wrong.
fn open_spool(config: &Config) -> anyhow::Result<Result<SharedSpool, String>> {
    let max_bytes = u64::from(config.spool_max_mib) * BYTES_PER_MIB;
    match Spool::open(&config.spool_dir(), max_bytes) {
        Ok(spool) => Ok(Ok(Arc::new(Mutex::new(spool)))),
        Err(error @ SpoolError::InUse { .. }) => Err(error.into()),
        Err(error) => {
            let why = format!("what happens is kept in memory only: {}", said(&error));
            warn(&why);
            Ok(Err(why))
        }
    }
}

impl Questions {
    /// What is known is at hand; a command is run in a thread, and nobody waits for it but who asked.
    fn answer(&self, asked: Asked, report: &NodeReport) {
        let Asked { question, answer } = asked;
        // Whoever does not wait for his answer any more does not get it.
        match question {
            Question::Report => {
                let _ = answer.send(json_of(report));
            }
            Question::Uplinks => {
                let _ = answer.send(self.uplinks.to_json());
            }
            Question::GuardReboot => {
                let _ = answer.send(self.guard.to_json());
            }
            Question::PvecmStatus => {
                let patience = self.patience.clone();
                tokio::task::spawn_blocking(move || {
                    let said = source::pvecm_status(&Host::live(&patience));
                    let _ = answer.send(json_of(&said));
                });
            }
        }
    }
}

fn json_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| socket::error(&error.to_string()))
}
