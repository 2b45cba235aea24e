//! What is made of Python: a client, with gRPC as its own makers wrote it, Ansible, a mail server, and a homeserver of Matrix. Each has
//! a place of its own (`python3 -m venv`) that is made once and kept; the packages and their versions stand in `python/*.txt`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use model::identity::is_uuid;
use proto::token::fingerprint;
use serde_json::Value;

const REQUIREMENTS: &str = "requirements.txt";
const ANSIBLE: &str = "ansible.txt";
const MAIL: &str = "mail.txt";
const MATRIX: &str = "matrix.txt";
/// So many bytes of the digest of what is installed stand in the folder's name.
const DIGEST_BYTES: usize = 8;
const SERVICES: &[&str] = &[
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
    "quorate.v1.Fleet",
    "quorate.v1.Query",
];

/// The program, and the folder with the .proto files that it is given.
#[must_use]
pub fn client() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python/client.py")
}

#[must_use]
pub fn protos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/proto")
}

/// How Ansible gets into the rooms of a rack.
#[must_use]
pub fn connection() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python/connection")
}

/// A Python for the client. The first call installs its packages from PyPI.
pub fn interpreter() -> Result<PathBuf> {
    with(REQUIREMENTS)
}

/// The same for Ansible: `python -m ansible playbook`.
pub fn ansible() -> Result<PathBuf> {
    with(ANSIBLE)
}

/// The same for a mail server, [`mail_server`].
pub fn mail() -> Result<PathBuf> {
    with(MAIL)
}

/// The same for a homeserver of Matrix: `python -m synapse.app.homeserver`.
pub fn matrix() -> Result<PathBuf> {
    with(MATRIX)
}

/// The mail server's program.
#[must_use]
pub fn mail_server() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python/mail_server.py")
}

/// Two tests of one program want the same one at the same time.
static MAKING: Mutex<()> = Mutex::new(());

/// A Python that has the packages of this list.
fn with(list: &str) -> Result<PathBuf> {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let list = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(list);
    let packages =
        std::fs::read(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let digest: String = fingerprint(&packages)
        .iter()
        .take(DIGEST_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tools = cache_dir()?.join("tools");
    let dir = tools.join(format!("python-{digest}"));
    let python = dir.join("bin/python");
    if python.is_file() {
        return Ok(python);
    }
    // Made under another name: what a killed test leaves half done is never taken for whole.
    let half = tools.join(format!("python-{digest}.{}", std::process::id()));
    std::fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&half))
        .context("python3 cannot make a venv (Debian package python3-venv)")?;
    let mut install = Command::new(half.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]);
    install.args([
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--requirement",
    ]);
    install.arg(list);
    run(&mut install)?;
    // Of two tests that made it at the same time, one comes too late and takes the other's.
    if std::fs::rename(&half, &dir).is_err() {
        std::fs::remove_dir_all(&half)?;
    }
    ensure!(python.exists(), "there is no {}", python.display());
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// The cache that `cargo xtask` keeps its tools in, too.
fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("QUORATE_CACHE") {
        return Ok(PathBuf::from(dir));
    }
    let home = std::env::var_os("HOME").context("neither QUORATE_CACHE nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache/quorate"))
}

/// Whether the client saw what there is to see.
pub fn check(seen: &Value) -> Result<()> {
    let at = |place: &str| seen.pointer(place).unwrap_or(&Value::Null);
    let list = |place: &str| at(place).as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(
        at("/welcome/heartbeat_ms").as_u64() > Some(0),
        "no welcome: {seen}"
    );
    ensure!(
        *at("/heartbeat_answered") == 1,
        "no answer to a heartbeat: {seen}"
    );
    ensure!(*at("/events_kept") == 1, "the event was not kept: {seen}");
    ensure!(*at("/health") == "SERVING", "not in health: {seen}");
    for service in SERVICES {
        let is_there = list("/services").iter().any(|one| one == service);
        ensure!(is_there, "no {service}: {seen}");
    }
    let is_it = |node: &Value| {
        node.get("node").is_some_and(|name| name == "pve-01")
            && node
                .get("standing")
                .is_some_and(|standing| standing == "STANDING_CONNECTED")
            && node
                .get("cluster")
                .and_then(Value::as_str)
                .is_some_and(is_uuid)
    };
    let is_connected = list("/nodes").iter().any(is_it);
    ensure!(is_connected, "its node is not connected: {seen}");
    Ok(())
}
