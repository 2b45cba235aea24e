//! `cargo xtask lab`: boots a real Debian 13 kernel under QEMU, makes the fixtures that only a real kernel, a real
//! corosync and a real journal can make, and puts the agent and the collector before those. The work is done by the
//! scripts in `xtask/lab/`.

mod packages;
mod power;
mod stories;
mod units;

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::fs;
use std::hash::Hasher as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::shell;
use packages::Packages;
pub(crate) use power::{Power, run as power};
use stories::Stories;

/// What the machine is built by; a machine is kept until this file changes.
const RECIPE: &str = "build-machine.sh";
/// An emulated machine needs about 6 minutes for the captures on two idle cores.
const CAPTURES_DEADLINE_S: u32 = 1800;
/// And about as long for the agent's cases.
const AGENT_DEADLINE_S: u32 = 2400;
/// It boots, and goes down again.
const SHUTDOWN_DEADLINE_S: u32 = 600;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Make the captures of model/fixtures/ anew: bonds in every state, and whole trees of a node.
    Captures {
        /// Where they go [default: model/fixtures]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    Agent(Agent),
    /// Reboot the machine below the agent: is it announced, and kept, before the agent is stopped?
    Shutdown,
    Packages(Packages),
    Power(Power),
    Stories(Stories),
    /// Run agent and collector by the units that are shipped: does the agent see all that it sees without a sandbox?
    Units,
}

/// Put the agent before real bonds, bridges, corosync and a journal, and look whether it sees what changes
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Agent {
    /// Another binary than a debug build of this tree
    #[arg(long, value_name = "PATH")]
    agent: Option<PathBuf>,
    /// Where the snapshots of cases that were not seen go [default: target/lab]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.task {
        Task::Captures { out } => {
            let fixtures = workspace().join("model/fixtures");
            captures(out.as_deref().unwrap_or(&fixtures))
        }
        Task::Agent(args) => agent(args),
        Task::Shutdown => shutdown(),
        Task::Packages(args) => packages::run(args),
        Task::Power(args) => power::run(args),
        Task::Stories(args) => stories::run(args),
        Task::Units => units::run(),
    }
}

fn captures(out: &Path) -> anyhow::Result<()> {
    let results = tempfile::tempdir().context("a directory for the machine's results")?;
    let scripts = [
        "captures-init.sh",
        "machine.sh",
        "captures-bonding.sh",
        "captures-node.sh",
    ];
    let files: Vec<PathBuf> = scripts.map(script).into();
    let status = run_machine(results.path(), CAPTURES_DEADLINE_S, &files)?;
    ensure!(
        status == "0",
        "the machine's script ended with {status}: what it said is above; {} is left as it was",
        out.display()
    );
    for part in ["bonding", "trees"] {
        copy_tree(&results.path().join(part), &out.join(part))?;
    }
    Ok(())
}

/// The cases are in the scripts; each says what it saw.
pub(crate) fn agent(args: &Agent) -> anyhow::Result<()> {
    let binary = args.agent.clone().map_or_else(build_agent, Ok)?;
    let inputs = tempfile::tempdir().context("a directory for the machine's inputs")?;
    let agent = inputs.path().join("quorate-agent");
    strip(&binary, &agent)?;
    let scripts = [
        "agent-init.sh",
        "machine.sh",
        "captures-bonding.sh",
        "captures-node.sh",
        "agent-bonds.sh",
        "agent-node.sh",
    ];
    let mut files: Vec<PathBuf> = scripts.map(script).into();
    files.push(agent);
    let default = workspace().join("target/lab");
    let out = args.out.as_deref().unwrap_or(&default);
    let status = run_machine(out, AGENT_DEADLINE_S, &files)?;
    ensure!(
        status == "0",
        "not everything was seen: what was not is above, its last snapshots are in {}",
        out.display()
    );
    Ok(())
}

/// Below the real systemd, with the unit that is shipped.
fn shutdown() -> anyhow::Result<()> {
    let work = tempfile::tempdir().context("a directory for the machine's files")?;
    let agent = work.path().join("quorate-agent");
    strip(&build_agent()?, &agent)?;
    let unit = workspace().join("systemd/quorate-agent.service");
    let files = [script("shutdown-init.sh"), agent, unit];
    let results = work.path().join("results");
    let status = run_machine(&results, SHUTDOWN_DEADLINE_S, &files)?;
    ensure!(
        status == "0",
        "the reboot was not kept before the agent was stopped: what it said is above"
    );
    Ok(())
}

fn build_agent() -> anyhow::Result<PathBuf> {
    shell::build_programs()?;
    Ok(built("quorate-agent"))
}

/// A debug build of this tree.
fn built(name: &str) -> PathBuf {
    workspace().join("target/debug").join(name)
}

/// Symbols are a hundred times what the machine needs.
fn strip(binary: &Path, to: &Path) -> anyhow::Result<()> {
    shell::run(Command::new("strip").arg("-o").arg(to).arg(binary))
}

/// Boots the machine with these files, of which the first is run, and gives the exit code that it left.
fn run_machine(results: &Path, deadline_s: u32, files: &[PathBuf]) -> anyhow::Result<String> {
    let mut args: Vec<OsString> = vec![
        machine()?.into(),
        results.into(),
        deadline_s.to_string().into(),
    ];
    args.extend(files.iter().map(OsString::from));
    bash("run-machine.sh", &args)?;
    let status =
        fs::read_to_string(results.join("status")).context("the machine left no exit code")?;
    Ok(status.trim().to_owned())
}

/// The machine's directory in the cache; it is built if there is none of this recipe.
fn machine() -> anyhow::Result<PathBuf> {
    let recipe = fs::read(script(RECIPE)).with_context(|| format!("{RECIPE} cannot be read"))?;
    let dir = shell::cache_dir()?.join("lab").join(key(&recipe));
    if !dir.join("root.img").is_file() {
        bash(RECIPE, &[dir.clone().into()])?;
    }
    Ok(dir)
}

/// Sixteen hexadecimal digits that change with the text. Nobody is kept from anything by it, so any hash serves.
fn key(text: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    format!("{:016x}", hasher.finish())
}

/// The scripts say what they do, and what went wrong, on standard error.
fn bash(name: &str, args: &[OsString]) -> anyhow::Result<()> {
    let status = Command::new("bash")
        .arg(script(name))
        .args(args)
        .status()
        .context("bash cannot be run")?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

fn script(name: &str) -> PathBuf {
    workspace().join("xtask/lab").join(name)
}

fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Copies the files below `from`; what else is below `to` stays.
fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    let entries =
        fs::read_dir(from).with_context(|| format!("{} cannot be listed", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("{} cannot be listed", from.display()))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_tree(&path, &target)?;
        } else {
            fs::copy(&path, &target)
                .with_context(|| format!("{} cannot be written", target.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_recipe_is_another_machine() {
        assert_eq!(key(b"trixie"), key(b"trixie"));
        assert_ne!(key(b"trixie"), key(b"forky"));
    }

    #[test]
    fn a_copy_keeps_what_was_there_and_takes_what_is_new() {
        let dirs = tempfile::tempdir().unwrap();
        let (from, to) = (dirs.path().join("from"), dirs.path().join("to"));
        for file in ["from/a/new", "to/old", "to/a/kept"] {
            let path = dirs.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        copy_tree(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/new")).unwrap(), "from/a/new");
        assert!(to.join("old").is_file() && to.join("a/kept").is_file());
    }
}
