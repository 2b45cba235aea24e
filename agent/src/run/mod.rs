//! `quorate-agent run`: the agent as it lives on a node.
//!
//! One thread runs everything that waits; sources that read are asked in threads that come and go. What they tell
//! flows one way: source -> hub -> whoever listens.

mod eyes;
mod files;
mod hub;
mod limits;
mod sampler;
mod socket;
mod thrift;
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
use crate::privilege;
use crate::source;
use crate::spool::{Spool, SpoolError};
pub(crate) use eyes::{Eyes, Opening};
use hub::News;
pub(crate) use hub::{Hub, Told};
pub(crate) use limits::Limits;
use socket::{Asked, Question, Socket};

/// Threads that read: more than there are sources, so that none ever waits for one that hangs.
const MAX_THREADS: usize = 48;
/// Nothing here recurses deeply. Only what is touched costs memory.
const STACK_BYTES: usize = 512 << 10;
/// How many questions may wait for the hub.
const MAX_QUESTIONS: usize = 8;
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
        say(&remark);
    }
    for blind_spot in privilege::blind_spots() {
        say(&blind_spot);
    }
    let own = Own {
        spool: open_spool(&config)?,
        limits: Limits::default(),
    };
    let runtime = runtime().context("the runtime cannot start")?;
    let ended = runtime.block_on(async {
        let socket = Socket::listen(&config.socket)?;
        let (asked, questions) = mpsc::channel(MAX_QUESTIONS);
        tokio::spawn(socket.serve(asked));
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
        attend(eyes, questions, patience, &own, began).await
    });
    // A source that hangs must not keep it from ending.
    runtime.shutdown_background();
    ended
}

/// Takes news and answers questions until it is told to end.
async fn attend(
    mut eyes: Eyes,
    mut questions: mpsc::Receiver<Asked>,
    patience: Patience,
    own: &Own,
    began: Instant,
) -> anyhow::Result<()> {
    let mut hub = Hub::new();
    let mut is_ready = false;
    let mut end = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            news = eyes.next() => {
                let Some(mut news) = news else { return Ok(()) };
                own.complete(&mut news);
                hub.take(news);
                if !is_ready && hub.missing().next().is_none() {
                    is_ready = true;
                    let ms = began.elapsed().as_secs_f64() * 1000.0;
                    say(&format!("ready in {ms:.1} ms"));
                }
            }
            Some(asked) = questions.recv() => answer(asked, hub.report(), &patience),
            _ = end.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// What the running agent knows of itself beyond what its source reads.
struct Own {
    /// Or in a sentence why nothing is kept.
    spool: Result<SharedSpool, String>,
    limits: Limits,
}

impl Own {
    /// While the spool is being written its state is not known.
    fn complete(&self, news: &mut News) {
        let News::Fact { fact, .. } = news else {
            return;
        };
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
            say(&why);
            Ok(Err(why))
        }
    }
}

/// The report is at hand; a command is run in a thread, and nobody waits for it but who asked.
fn answer(asked: Asked, report: &NodeReport, patience: &Patience) {
    let Asked { question, answer } = asked;
    // Whoever does not wait for his answer any more does not get it.
    match question {
        Question::Report => {
            let json = serde_json::to_string(report);
            let _ = answer.send(json.unwrap_or_else(|error| socket::error(&error.to_string())));
        }
        Question::PvecmStatus => {
            let patience = patience.clone();
            tokio::task::spawn_blocking(move || {
                let said = source::pvecm_status(&Host::live(&patience));
                let json = serde_json::to_string(&said);
                let _ = answer.send(json.unwrap_or_else(|error| socket::error(&error.to_string())));
            });
        }
    }
}

/// The agent's own log is standard error, which systemd keeps.
#[allow(clippy::print_stderr)]
fn say(line: &str) {
    eprintln!("quorate-agent: {line}");
}
