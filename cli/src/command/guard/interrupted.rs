//! `guard` is ended from outside: by Ctrl-C, a terminal that is lost, or whoever stops it. The lease stays, because the node may
//! be on its way down, and it says so to those who find it in their way.

use std::future::poll_fn;
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread;

use proto::v1;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Args, NOT_BACK, Outcome, end, is_here};
use crate::client::Client;
use crate::show;

/// How far it has come, and with which lease.
#[derive(Debug, Clone, Default)]
struct At {
    lease: String,
    doing: &'static str,
}

/// Where the one who works tells how far he is.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<Mutex<At>>);

impl Progress {
    pub(super) fn has(&self, lease: &v1::Lease) {
        self.lock().lease.clone_from(&lease.id);
    }

    /// `while …`, as it is said of the lease.
    pub(super) fn is(&self, doing: &'static str) {
        self.lock().doing = doing;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, At> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From now on a signal that ends this is told. Nothing else is different where that cannot be arranged.
pub(super) fn watch(args: &Args, client: Client) -> Progress {
    let progress = Progress::default();
    let (told, args) = (progress.clone(), args.clone());
    let watch = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        let name = runtime.block_on(first(&args.node));
        // The call makes a runtime of its own.
        drop(runtime);
        if let Some(name) = name {
            leave(&args, &client, &told, name);
        }
    };
    thread::spawn(watch);
    progress
}

/// The name of the first signal that comes; `None` if none can be waited for.
async fn first(node: &str) -> Option<&'static str> {
    let mut signals: Vec<(&'static str, Signal)> = Vec::new();
    let mut wait_for = |name, kind| {
        // Without a handler it ends this at once, as ever.
        signals.extend(signal(kind).ok().map(|signal| (name, signal)));
    };
    wait_for("SIGINT", SignalKind::interrupt());
    // On the node itself these come with its going down, which is what was wanted.
    if !is_here(node) {
        wait_for("SIGTERM", SignalKind::terminate());
        if !is_hangup_ignored() {
            wait_for("SIGHUP", SignalKind::hangup());
        }
    }
    if signals.is_empty() {
        return None;
    }
    poll_fn(|context| {
        let mut signals = signals.iter_mut();
        let came = signals
            .find_map(|(name, signal)| signal.poll_recv(context).is_ready().then_some(*name));
        came.map_or(Poll::Pending, |name| Poll::Ready(Some(name)))
    })
    .await
}

/// Under nohup(1) a lost terminal is no end.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

fn leave(args: &Args, client: &Client, told: &Progress, name: &str) -> ! {
    let At { lease, doing } = told.lock().clone();
    let node = &args.node;
    let mut outcome = Outcome {
        code: NOT_BACK,
        ..Outcome::default()
    };
    if lease.is_empty() {
        outcome.sentence = format!(
            "interrupted by {name} before the command was run; whether the lease was taken, `quorate maintenance list` says"
        );
    } else {
        let said = client.say(&v1::SayRequest {
            cluster: args.cluster.clone(),
            node: node.clone(),
            words: format!("its guard was interrupted by {name} while {doing}"),
        });
        let not_said = match said {
            Ok(answer) if answer.is_done => String::new(),
            Ok(_) => "; the collector did not take that down".to_owned(),
            Err(error) => format!(
                "; the collector was not told: {}",
                show::foreign(&show::with_causes(&error))
            ),
        };
        outcome.sentence = format!(
            "interrupted by {name} while {doing}: the lease stays and keeps everybody else back{not_said}. `quorate \
             maintenance list` says what {node} lacks; `quorate maintenance end {node}` gives the lease back"
        );
        outcome.lease = Some(lease);
        outcome.is_lease_held = Some(true);
    }
    let _ = end(args, &outcome);
    exit(NOT_BACK.into())
}
