//! Which programs are put into a rack: those that were built with these tests.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// The agent's binary in the target directory that this program was built in, or the one that QUORATE_AGENT names.
pub fn agent_binary() -> Result<PathBuf> {
    binary("quorate-agent", "QUORATE_AGENT")
}

/// The same of the collector; QUORATE_COLLECTOR names another.
pub fn collector_binary() -> Result<PathBuf> {
    binary("quorate-collector", "QUORATE_COLLECTOR")
}

/// The same of the terminal's program; QUORATE_TERMINAL names another.
pub fn terminal_binary() -> Result<PathBuf> {
    binary("quorate", "QUORATE_TERMINAL")
}

/// The simulated agents.
pub fn fleet_binary() -> Result<PathBuf> {
    own_binary("fleet")
}

/// The same of a program of these tests.
pub(crate) fn own_binary(name: &str) -> Result<PathBuf> {
    beside(name, "quorate-tests")
}

fn binary(name: &str, variable: &str) -> Result<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path)
            .canonicalize()
            .with_context(|| format!("{variable} names no file")),
        None => beside(name, name).with_context(|| format!("{variable} can name one")),
    }
}

fn beside(name: &str, package: &str) -> Result<PathBuf> {
    // Tests lie in `deps` below it.
    let this = std::env::current_exe().context("this program's own path is not known")?;
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            let this = this.display();
            format!("there is no {name} near {this}: run `cargo build -p {package}`")
        })
}
