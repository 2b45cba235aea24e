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

use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

pub(crate) use eyes::Eyes;
pub(crate) use hub::{Hub, Told};

/// Threads that read: as many as there are sources, and some that are stuck.
const MAX_THREADS: usize = 48;
/// Nothing here recurses deeply. Only what is touched costs memory.
const STACK_BYTES: usize = 512 << 10;

/// Runs the agent, until it is told to end
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> ExitCode {
    ExitCode::SUCCESS
}

pub(crate) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_THREADS)
        .thread_stack_size(STACK_BYTES)
        .thread_name("source")
        .build()
}
