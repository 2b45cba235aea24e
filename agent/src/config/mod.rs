//! The agent's configuration, `/etc/quorate/agent.toml`. It works without one; a file that says something unknown or
//! impossible is an error that names file, line, key and what is allowed, all of them at once. `packaging/agent.toml`
//! is the documented example, and is held against this table by a test.

mod value;

use std::path::{Path, PathBuf};

use model::report::Family;
use settings::value::{absolute, absolute_or_none};
use settings::{Contradiction, SettingsError};

use crate::journal::Settings;
use value::{families, socket, spool_mib, word_or_none};

const DEFAULT_FILE: &str = "/etc/quorate/agent.toml";

settings::keys! {
    check excluded;
    "state_dir" => state_dir: PathBuf = PathBuf::from("/var/lib/quorate/agent"), absolute;
    "socket" => socket: PathBuf = PathBuf::from("/run/quorate/agent.sock"), socket;
    /// `None`: the node's own journal.
    "journal.directory" => journal_directory: Option<PathBuf> = None, absolute_or_none;
    /// `None`: the default one.
    "journal.namespace" => journal_namespace: Option<String> = None, word_or_none;
    "spool.max_mib" => spool_max_mib: u32 = 16, spool_mib;
    "sources.disabled" => sources_disabled: Vec<Family> = Vec::new(), families;
}

/// A namespace's files lie in directories of their own.
fn excluded(config: &Config) -> Vec<Contradiction> {
    let both = config.journal_directory.is_some() && config.journal_namespace.is_some();
    let contradiction = || {
        let why = "does not go with `journal.directory`: name the directory of the namespace's files, or leave the \
                   directory out";
        Contradiction::new("journal.namespace", why)
    };
    both.then(contradiction).into_iter().collect()
}

impl Config {
    pub(crate) fn spool_dir(&self) -> PathBuf {
        self.state_dir.join("spool")
    }

    pub(crate) fn journal(&self) -> Settings {
        Settings {
            directory: self.journal_directory.clone(),
            namespace: self.journal_namespace.clone(),
        }
    }

    /// Reads the file that `--config` names, which must be there, or else the default one, which need not.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, SettingsError> {
        settings::read(DEFAULT_FILE, named)
    }
}

#[cfg(test)]
mod tests;
