//! What the agent of this node says, asked over its socket: for when no collector answers. Ages are by this machine's clock,
//! which is the agent's too.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use jiff::Timestamp;
use model::cluster::Now;
use model::name::{BadName, NodeName};
use model::report::NodeReport;

use super::SOCKET;

/// What it knows is at hand.
const PATIENCE: Duration = Duration::from_secs(10);
/// A report of 2,000 guests has about 4 MiB.
const MOST_BYTES: u64 = 64 << 20;
const HOSTNAME: &str = "/proc/sys/kernel/hostname";
/// Since when this machine runs does not matter: only differences count.
const MONO_MS: u64 = 1 << 52;

/// Why there is no word of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoWord {
    #[error("the agent of this node cannot be asked at {SOCKET}{}", hint(source))]
    Ask { source: io::Error },
    #[error("the agent of this node says: {why}")]
    Refused { why: String },
    #[error("what the agent of this node says makes no sense; is it of this version?")]
    Nonsense { source: serde_json::Error },
    #[error("the name of this node cannot be read")]
    NoName { source: io::Error },
    #[error("this machine's name is none of a node")]
    BadName { source: BadName },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            " (`systemctl status quorate-agent`)"
        }
        io::ErrorKind::PermissionDenied => ", which only root may",
        _ => "",
    }
}

/// What one node says of itself.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) report: NodeReport,
    pub(crate) now: Now,
}

/// As Proxmox VE names a node: the first part of the machine's name.
pub(crate) fn name() -> Result<NodeName, NoWord> {
    let name = std::fs::read_to_string(HOSTNAME).map_err(|source| NoWord::NoName { source })?;
    let name = name.trim().split('.').next().unwrap_or_default();
    NodeName::new(name).map_err(|source| NoWord::BadName { source })
}

pub(crate) fn word() -> Result<Word, NoWord> {
    let answer = asked().map_err(|source| NoWord::Ask { source })?;
    let now = Now {
        mono_ms: MONO_MS,
        unix_ms: Timestamp::now().as_millisecond(),
    };
    if let Ok(Refusal { error }) = serde_json::from_slice(&answer) {
        return Err(NoWord::Refused { why: error });
    }
    let report = serde_json::from_slice(&answer).map_err(|source| NoWord::Nonsense { source })?;
    Ok(Word { report, now })
}

#[derive(serde::Deserialize)]
struct Refusal {
    error: String,
}

fn asked() -> io::Result<Vec<u8>> {
    let mut agent = UnixStream::connect(SOCKET)?;
    agent.set_read_timeout(Some(PATIENCE))?;
    agent.set_write_timeout(Some(PATIENCE))?;
    agent.write_all(b"report\n")?;
    let mut answer = Vec::new();
    agent.take(MOST_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}
