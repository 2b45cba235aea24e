//! `quorate-agent capture`
use std::process::ExitCode;
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}
pub(crate) fn run(_: &Args) -> ExitCode {
    ExitCode::SUCCESS
}
