//! `cargo xtask demo`: a cluster on this machine with an agent on every node and a collector, and one incident from before it
//! happens until it is over. Whatever was started ends with this program.

mod picture;
mod real;
mod recorded;
mod screen;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use quorate_tests::Rack;

use crate::shell;
use picture::Picture;
use screen::Screen;

/// Shows Quorate on a cluster of eight nodes on this machine, while you look on; Ctrl-C ends it at any time
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds between two steps
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    pause: u64,
    /// Plays recorded nodes instead of real ones; so it is without root
    #[arg(long)]
    recorded: bool,
    /// Draws what a terminal shows of it into this file, as the picture in README.md is made
    #[arg(long, value_name = "FILE", conflicts_with = "recorded")]
    picture: Option<PathBuf>,
}

impl Args {
    /// Nobody looks on; it still ends badly if anything of it does not come.
    pub(crate) fn short(recorded: bool) -> Self {
        Self {
            pause: 0,
            recorded,
            picture: None,
        }
    }
}

/// What the story is told on.
trait Scene {
    /// `quorate` with these words, asked as the operator.
    fn ask(&self, words: &[&str]) -> Result<Command>;
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let screen = Screen::new(Duration::from_secs(args.pause));
    if !shell::is_root() {
        if !args.recorded {
            screen.say("Not root: no network namespaces can be made here. So these are recorded nodes, with a real collector. `sudo cargo xtask demo` has real ones.");
        }
        build_without_agent()?;
        return recorded::play(&screen);
    }
    if !args.recorded {
        screen.say("Makes eight nodes, each with a real corosync, on this machine.");
    }
    need()?;
    shell::build_programs()?;
    if args.recorded {
        return recorded::play(&screen);
    }
    if let Err(error) = Rack::new(1, 1) {
        screen.say(&format!("No node can be made here: {error:#}. So these are recorded nodes, with a real collector. A container that may make network namespaces and mounts (`--privileged`) has real ones."));
        return recorded::play(&screen);
    }
    real::play(&screen, Picture::new(args.picture.clone()))
}

fn need() -> Result<()> {
    shell::need_libraries(crate::test::LIBRARIES)?;
    shell::need(&[
        ("corosync", "corosync"),
        ("ip", "iproute2"),
        ("nsenter", "util-linux"),
        ("systemctl", "systemd"),
    ])
}

/// The agent is linked against corosync's libraries, which only root can install.
fn build_without_agent() -> Result<()> {
    let mut build = Command::new("cargo");
    build.args(["build", "--locked"]);
    for package in ["quorate", "quorate-collector", "quorate-tests"] {
        build.args(["-p", package]);
    }
    shell::run(&mut build).context("the programs cannot be built")
}
