//! Which agent is put into a node: the one that was built with these tests.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// Names another binary than the one beside the tests.
const OVERRIDE: &str = "QUORATE_AGENT";
const NAME: &str = "quorate-agent";

/// The agent's binary in the target directory that this program was built in.
pub fn agent_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(OVERRIDE) {
        return PathBuf::from(path)
            .canonicalize()
            .with_context(|| format!("{OVERRIDE} names no file"));
    }
    // Tests lie in `deps` below it.
    let this = std::env::current_exe().context("this program's own path is not known")?;
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join(NAME))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("there is no {NAME} near {}: run `cargo build -p {NAME}`, or name one in {OVERRIDE}", this.display())
        })
}
