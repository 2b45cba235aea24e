//! `quorate-agent run`: the agent as it lives on a node.
//!
//! One thread runs everything that waits; sources that read are asked in threads that come and go. What they tell
//! flows one way: source -> hub -> whoever listens.

mod eyes;
mod files;
mod hub;
mod sampler;
mod socket;
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
use crate::host::{Host, Patience};
use crate::journal::{SharedSpool, Start};
use crate::privilege;
use crate::source;
use crate::spool::Spool;
pub(crate) use eyes::{Eyes, Opening};
use hub::News;
pub(crate) use hub::{Hub, Told};
use socket::{Asked, Question, Socket};

/// Threads that read: as many as there are sources, and some that are stuck.
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
    let max_bytes = u64::from(config.spool_max_mib) * BYTES_PER_MIB;
    let spool = Arc::new(Mutex::new(Spool::open(&config.spool_dir(), max_bytes)?));
    runtime()
        .context("the runtime cannot start")?
        .block_on(async {
            let socket = Socket::listen(&config.socket)?;
            let (asked, questions) = mpsc::channel(MAX_QUESTIONS);
            tokio::spawn(socket.serve(asked));
            let eyes = Eyes::open(Opening {
                patience: patience.clone(),
                disabled: config.sources_disabled.clone(),
                journal: config.journal(),
                start: Start::Spool(Arc::clone(&spool)),
            })?;
            attend(eyes, questions, patience, spool, began).await
        })
}

/// Takes news and answers questions until it is told to end.
async fn attend(
    mut eyes: Eyes,
    mut questions: mpsc::Receiver<Asked>,
    patience: Patience,
    spool: SharedSpool,
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
                add_spool(&mut news, &spool);
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

/// What the agent says of itself is completed by its spool. While that is being written its state is as it was.
fn add_spool(news: &mut News, spool: &SharedSpool) {
    if let News::Fact {
        fact: Fact::Agent(Reading::Known { value, .. }),
        ..
    } = news
        && let Ok(spool) = spool.try_lock()
    {
        value.spool = Some(spool.state());
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
