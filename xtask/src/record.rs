//! Keeps the last result of a long check in docs/measured, with the command, the commit and the machine.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell;

pub(crate) fn keep(name: &str, command: &str, result: &str) -> Result<()> {
    let commit = shell::output(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]))?;
    let changed = shell::output(Command::new("git").args(["status", "--porcelain", "-uno"]))?;
    let state = if changed.trim().is_empty() {
        ""
    } else {
        " with uncommitted changes"
    };
    let date = shell::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let compiler = shell::output(Command::new("rustc").arg("--version"))?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = format!(
        "$ {command}\n{result}\n\ncommit {}{state}, {}, {}, {cores} cores\n",
        commit.trim(),
        date.trim(),
        compiler.trim()
    );
    let path = PathBuf::from("docs/measured").join(format!("{name}.txt"));
    std::fs::create_dir_all("docs/measured")?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("kept in {}", path.display());
    Ok(())
}
