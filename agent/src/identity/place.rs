//! Where the commands of identity work: on this node, with its configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use nix::unistd::geteuid;

use crate::config::Config;
use crate::host::{Host, Patience};

const CONFIG: &str = "etc/quorate/agent.toml";

/// Where to work.
#[derive(Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// Read the configuration FILE instead of /etc/quorate/agent.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Work on the files below DIR as if it were /
    #[arg(long, value_name = "DIR", hide = true)]
    root: Option<PathBuf>,
}

/// A node that somebody may change.
#[derive(Debug)]
pub(crate) struct Place {
    root: PathBuf,
    pub(crate) state_dir: PathBuf,
    pub(crate) socket: PathBuf,
}

impl PlaceArgs {
    /// Refuses whoever is not root: what is kept is root's alone.
    pub(crate) fn open(&self, command: &str) -> anyhow::Result<Place> {
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        ensure!(
            self.root.is_some() || geteuid().is_root(),
            "only root can change or see what this node keeps: run `sudo quorate-agent {command} ...`"
        );
        let below = root.join(CONFIG);
        let named = match (&self.config, &self.root) {
            (Some(file), _) => Some(file),
            (None, Some(_)) if below.exists() => Some(&below),
            _ => None,
        };
        let config = Config::read(named.map(PathBuf::as_path))?;
        let state_dir = config.state_dir.strip_prefix("/");
        let state_dir = state_dir.context("state_dir is not absolute")?;
        Ok(Place {
            root: root.to_owned(),
            state_dir: root.join(state_dir),
            socket: config.socket,
        })
    }
}

impl Place {
    pub(crate) fn host(&self) -> Host {
        Host::live_below(&self.root, &Patience::new(Patience::OF_A_REPORT))
    }
}
