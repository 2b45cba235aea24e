//! Licences, doubles and sources of dependencies: `cargo deny`, with deny.toml.
//!
//! Advisories are left to `cargo deny check advisories`, which needs their database from the network.

use std::process::Command;

use anyhow::Result;

use crate::shell;

const VERSION: &str = "0.20.2";

pub(crate) fn check() -> Result<()> {
    let deny = shell::cargo_tool("cargo-deny", VERSION)?;
    shell::run(Command::new(deny).args(["--locked", "check", "bans", "licenses", "sources"]))
}
