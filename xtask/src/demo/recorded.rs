//! Three nodes that say what real ones have said once, and a real collector: for whoever may not make network namespaces.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use quorate_tests::{PATIENCE, collector_binary, fleet_binary, terminal_binary, wait_until};
use serde_json::Value;

use super::Scene;
use super::screen::Screen;

const NODES: &str = "3";

/// A program that ends with this one.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Recorded {
    dir: tempfile::TempDir,
    enrolment: String,
    _collector: Running,
}

impl Scene for Recorded {
    fn ask(&self, words: &[&str]) -> Result<Command> {
        let mut quorate = Command::new(terminal_binary()?);
        quorate
            .args(words)
            .env("QUORATE_IDENTITY", self.file("operator.json"));
        Ok(quorate)
    }
}

impl Recorded {
    /// What the chat has been told, in the order of its arrival.
    fn told(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.file("told")).unwrap_or_default();
        let lines = text.lines().map(|line| Ok(serde_json::from_str(line)?));
        lines.collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The nodes, as long as what is given back lives.
    fn nodes(&self, more: &[&str]) -> Result<Running> {
        let mut fleet = Command::new(fleet_binary()?);
        fleet
            .args(["--agents", NODES, "--per-cluster", NODES, "--identities"])
            .arg(self.file("nodes"))
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut fleet = Running(fleet.spawn().context("cannot run the recorded nodes")?);
        let said = fleet.0.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(said).lines();
        let all = lines.find(|line| {
            line.as_ref()
                .is_ok_and(|line| line.contains("\"all_answered\""))
        });
        ensure!(
            all.is_some(),
            "the recorded nodes did not reach the collector"
        );
        Ok(fleet)
    }
}

pub(super) fn play(screen: &Screen) -> Result<()> {
    let scene = set()?;
    let token = command(&scene, &["token", "create", "--uses", NODES])?;
    let token = token
        .split(|letter: char| letter.is_whitespace() || letter == '"')
        .find(|word| word.starts_with("quorate1_"))
        .context("there is no token")?;
    wait_until("the collector to take nodes", PATIENCE, || {
        Ok(TcpStream::connect(&scene.enrolment).ok())
    })?;
    let nodes = scene.nodes(&["--enrolment", &scene.enrolment, "--token", token])?;
    screen.say("Three recorded nodes, and a collector:");
    screen.show(&scene, &["status"])?;
    screen.say("What would happen if something failed?");
    screen.show(&scene, &["risks"])?;
    screen.say("May a node be rebooted now? What was recorded says less than a living node, and what is not known is never a GO:");
    screen.show(&scene, &["check", "pve-03"])?;

    screen.say("Now cables are pulled out of bonds. The chat hears:");
    drop(nodes);
    let pulled = scene.nodes(&["--pull-cables"])?;
    let told = wait_until("the message", PATIENCE, || {
        Ok(scene.told()?.first().cloned())
    })?;
    screen.chat(&told);
    screen.show(&scene, &["incidents"])?;

    screen.say("They are in again. When all has been well for half a minute, it is over:");
    drop(pulled);
    let _nodes = scene.nodes(&[])?;
    let over = wait_until("the end", PATIENCE, || {
        let is_end = |one: &&Value| one.get("kind").and_then(Value::as_str) == Some("over");
        Ok(scene.told()?.iter().find(is_end).cloned())
    })?;
    screen.chat(&over);
    screen.show(&scene, &["status"])?;
    screen.say("That was it. Everything that was started ends with this program.");
    Ok(())
}

fn set() -> Result<Recorded> {
    let dir = tempfile::tempdir().context("a directory for the collector")?;
    let path = |name: &str| dir.path().join(name);
    let (listen, enrolment) = (free_port()?, free_port()?);
    let chat = path("chat");
    fs::write(
        &chat,
        format!("#!/bin/sh\ncat >> '{}'\n", path("told").display()),
    )?;
    fs::set_permissions(&chat, fs::Permissions::from_mode(0o755))?;
    fs::create_dir(path("nodes"))?;
    let toml = format!(
        "state_dir = \"{}\"\nlisten = \"{listen}\"\n[enrolment]\nlisten = \"{enrolment}\"\n[http]\nlisten = \"\"\n\
         [[receiver.command]]\nname = \"chat\"\nprogram = \"{}\"\n[[route]]\nto = [\"chat\"]\nrules = [\"bond-*\"]\n",
        path("state").display(),
        chat.display()
    );
    fs::write(path("collector.toml"), toml)?;
    run(dir.path(), &["init", "--address", "127.0.0.1"])?;
    let operator = path("operator.json");
    run(
        dir.path(),
        &[
            "operator",
            "add",
            "you",
            "--out",
            &operator.to_string_lossy(),
        ],
    )?;
    let mut collector = collector(dir.path(), &["run"])?;
    let log = fs::File::create(path("log"))?;
    let collector = Running(collector.stderr(log).spawn()?);
    Ok(Recorded {
        enrolment,
        _collector: collector,
        dir,
    })
}

fn command(scene: &Recorded, words: &[&str]) -> Result<String> {
    run(scene.dir.path(), words)
}

/// One of the collector's other commands; gives what it printed.
fn run(dir: &Path, words: &[&str]) -> Result<String> {
    crate::shell::output(&mut collector(dir, words)?)
}

fn collector(dir: &Path, words: &[&str]) -> Result<Command> {
    let mut collector = Command::new(collector_binary()?);
    collector
        .args(words)
        .arg("--config")
        .arg(dir.join("collector.toml"));
    Ok(collector)
}

/// One that nobody has now.
fn free_port() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
