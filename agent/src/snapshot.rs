//! `quorate-agent snapshot`: everything that this node, or a captured tree, can tell, once.

use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::host::Host;
use crate::source;

/// Shows everything that this node, or a captured tree, can tell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Examine the captured tree below DIR instead of this node (made by `quorate-agent capture`, see docs/capture.md)
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Print one JSON object instead of a summary
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let host = match &args.root {
        None => Host::live(),
        Some(root) => Host::captured(root).unwrap(),
    };
    let report = source::report(&host);
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, &report).unwrap();
    out.flush().unwrap();
    ExitCode::SUCCESS
}
