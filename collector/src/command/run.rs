//! `quorate-collector run`: the collector, until it is told to end.

use std::io;

use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tonic::service::Routes;

use super::Place;
use crate::gate::Judge;
use crate::serve::Collector;

/// Runs the collector until it is told to end (SIGTERM)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let (config, identities) = args.place.open()?;
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the collector's threads cannot be started")?;
    runtime.block_on(async {
        let ended = signals().context("signals cannot be waited for")?;
        let collector = Collector::bind(identities, &config.listen()).await?;
        let judge = Judge::service(collector.identities(), collector.refusals());
        let routes = Routes::new(judge);
        collector.serve(routes, ended).await?;
        Ok(())
    })
}

/// Ready when the collector is told to end.
fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to end");
    })
}

/// Every agent takes a descriptor, and a shell's limit is 1,024. Where it cannot be raised, the door says when there
/// are no more.
fn raise_descriptors() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!("the number of open files cannot be raised: {error}");
    }
}
