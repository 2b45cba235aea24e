//! `/run/quorate/agent.sock`: what root on this node may ask the running agent. One line asks, one line of JSON answers:
//!
//! ```text
//! report            everything it knows now, as `snapshot --json`
//! pvecm status      what `pvecm status` says, run now
//! guard-reboot      whether a reboot is blocked, and why (`quorate-agent guard-reboot`)
//! uplinks           how the link to each collector stands
//! collector         from then on it is a line to the collector itself
//! ```
//!
//! The file's mode (0600) keeps others out, and who comes is asked for besides: the kernel says which user it is.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::stat::{Mode, umask};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::passage::pass_on;
use crate::guard_reboot::QUESTION;

/// How many may ask at the same time; more wait.
const AT_ONCE: usize = 32;
const WHAT_MAY_BE_ASKED: &str =
    "there are five questions: `report`, `pvecm status`, `uplinks`, `guard-reboot` and `collector`";
const COLLECTOR: &str = "collector";
const MAX_QUESTION_BYTES: u64 = 256;
/// Until the question has come, and until the answer is taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits after the system refused a connection (too many open files).
const AFTER_AN_ERROR: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error(
        "another agent already listens on {path}; end that one first (systemctl stop quorate-agent)"
    )]
    Taken { path: PathBuf },
    #[error(
        "{path} is there and is no socket; move it away, or set another `socket` in agent.toml"
    )]
    NoSocket { path: PathBuf },
    #[error("cannot listen on {path}")]
    Listen { path: PathBuf, source: io::Error },
}

/// What may be asked of the agent itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Report,
    PvecmStatus,
    Uplinks,
    GuardReboot,
}

impl Question {
    fn read(line: &str) -> Option<Self> {
        match line.trim() {
            "report" => Some(Self::Report),
            "pvecm status" => Some(Self::PvecmStatus),
            "uplinks" => Some(Self::Uplinks),
            QUESTION => Some(Self::GuardReboot),
            _ => None,
        }
    }
}

/// A question, and where the line that answers it goes.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) answer: oneshot::Sender<String>,
}

/// The socket of this agent; the file goes with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    pub(crate) fn listen(path: &Path) -> Result<Self, SocketError> {
        clear(path)?;
        let failed = |source| SocketError::Listen {
            path: path.to_owned(),
            source,
        };
        if let Some(dir) = path.parent() {
            let mut make = fs::DirBuilder::new();
            make.recursive(true)
                .mode(0o755)
                .create(dir)
                .map_err(failed)?;
        }
        // Made with its final mode: there is no moment in which others could connect.
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(path);
        umask(before);
        Ok(Self {
            listener: bound.map_err(failed)?,
            path: path.to_owned(),
        })
    }

    /// Passes on every question of root, for ever. Enrolments are in the state directory.
    pub(crate) async fn serve(self, asked: mpsc::Sender<Asked>, state_dir: PathBuf) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (asked, state_dir) = (asked.clone(), state_dir.clone());
                    tokio::spawn(async move {
                        // Whoever breaks off has lost his answer, and nobody else anything.
                        let _ = attend(stream, &asked, state_dir).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(AFTER_AN_ERROR).await,
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The directory may have gone before; then there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes a socket that a dead agent left behind.
fn clear(path: &Path) -> Result<(), SocketError> {
    let Ok(about) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let path = path.to_owned();
    if !about.file_type().is_socket() {
        return Err(SocketError::NoSocket { path });
    }
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return Err(SocketError::Taken { path });
    }
    fs::remove_file(&path).map_err(|source| SocketError::Listen { path, source })
}

async fn attend(
    mut stream: UnixStream,
    asked: &mpsc::Sender<Asked>,
    state_dir: PathBuf,
) -> io::Result<()> {
    let user = stream.peer_cred()?.uid();
    let own = nix::unistd::geteuid().as_raw();
    if user != 0 && user != own {
        return say(&mut stream, error("only root may ask the agent")).await;
    }
    let mut line = String::new();
    let reading = BufReader::new((&mut stream).take(MAX_QUESTION_BYTES));
    timeout(PATIENCE, { reading }.read_line(&mut line)).await??;
    if line.trim() == COLLECTOR {
        // As long as root wants.
        return pass_on(stream, state_dir).await;
    }
    let answer = match Question::read(&line) {
        None => error(WHAT_MAY_BE_ASKED),
        Some(question) => timeout(PATIENCE * 2, answer(question, asked)).await?,
    };
    say(&mut stream, answer).await
}

async fn answer(question: Question, asked: &mpsc::Sender<Asked>) -> String {
    let (answer, waiting) = oneshot::channel();
    let sent = asked.send(Asked { question, answer }).await;
    let gone = || error("the agent is ending");
    match sent {
        Ok(()) => waiting.await.unwrap_or_else(|_| gone()),
        Err(_) => gone(),
    }
}

async fn say(stream: &mut UnixStream, mut line: String) -> io::Result<()> {
    line.push('\n');
    timeout(PATIENCE, stream.write_all(line.as_bytes())).await?
}

pub(crate) fn error(why: &str) -> String {
    serde_json::json!({ "error": why }).to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn ask(path: &Path, question: &str) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_question_is_passed_on_and_nonsense_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/agent.sock");
        let socket = Socket::listen(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (sender, mut asked) = mpsc::channel(1);
        tokio::spawn(socket.serve(sender, dir.path().to_owned()));
        tokio::spawn(async move {
            while let Some(Asked { question, answer }) = asked.recv().await {
                answer.send(format!("{question:?}")).unwrap();
            }
        });
        assert_eq!(ask(&path, "report\n").await, "Report\n");
        assert_eq!(ask(&path, "pvecm status\n").await, "PvecmStatus\n");
        assert_eq!(ask(&path, "uplinks\n").await, "Uplinks\n");
        assert!(ask(&path, "reboot\n").await.starts_with("{\"error\""));
        let nobody = ask(&path, "collector\n").await;
        assert!(nobody.contains("has joined no collector"), "{nobody}");
        let long = "x".repeat(256);
        assert!(ask(&path, &long).await.starts_with("{\"error\""));
    }

    #[tokio::test]
    async fn a_second_agent_is_refused_and_a_dead_ones_socket_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.sock");
        let first = Socket::listen(&path).unwrap();
        let second = Socket::listen(&path);
        assert!(matches!(second, Err(SocketError::Taken { .. })));
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the file stays when its owner just dies");
        let third = Socket::listen(&path).unwrap();
        drop(third);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert!(matches!(
            Socket::listen(&path),
            Err(SocketError::NoSocket { .. })
        ));
    }
}
