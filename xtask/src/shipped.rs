//! The agent as it is shipped: built with a profile of its own (Cargo.toml), which keeps it small.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell;

pub(crate) fn agent() -> Result<PathBuf> {
    let mut build = Command::new("cargo");
    build.args(["build", "--profile", "agent", "--locked", "--quiet"]);
    shell::run(build.args(["-p", "quorate-agent"]))?;
    Ok(PathBuf::from("target/agent/quorate-agent"))
}
