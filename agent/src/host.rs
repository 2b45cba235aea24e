//! The only file of the agent that touches the machine: it reads files, lists directories and runs commands, all
//! below a root. The root is `/` on a live node, or a captured tree whose command outputs lie in `commands/`
//! (docs/capture.md), so that a support bundle is examined by the same code as the node itself.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

/// The largest text that is taken into memory; a larger one is refused by name.
pub(crate) const MAX_TEXT_BYTES: u64 = 32 << 20;
/// How long a command, or a read below a file system that can hang, may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// Below these a read can hang for ever: pmxcfs is a FUSE file system.
const CAN_HANG: &[&str] = &["etc/pve"];

#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("{path} cannot be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is larger than {} MiB", MAX_TEXT_BYTES >> 20)]
    TooLarge { path: PathBuf },
    #[error("{what} did not answer within {} s", DEADLINE.as_secs())]
    Deadline { what: String },
    #[error("{command} cannot be run")]
    Run { command: String, source: io::Error },
}

/// A text and where and when it was read.
#[derive(Debug)]
pub(crate) struct Text {
    /// Below the root: `proc/net/bonding/bond0`, `commands/ip_-j_-d_addr`.
    pub(crate) source: String,
    /// Bytes that are not UTF-8 are replaced: interface aliases and switch names can hold anything.
    pub(crate) text: String,
    pub(crate) at: Timestamp,
}

/// A command of the fixed list: an absolute path, fixed arguments, and how its captured output is recognised.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) path: &'static str,
    pub(crate) args: &'static [&'static str],
    /// In a capture, every file of this program whose name holds one of these words is taken; with no words,
    /// every file of this program. So `ip_addr` and `ip_-d_-s_addr_show` serve as well as `ip_-j_-d_addr`.
    pub(crate) words: &'static [&'static str],
}

impl Command {
    /// The name of its output in a capture: the program and its arguments with `_` between them.
    pub(crate) fn capture_name(&self) -> String {
        let mut name = self.program().to_owned();
        for arg in self.args {
            name.push('_');
            name.push_str(&arg.replace('/', "%"));
        }
        name
    }

    fn program(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Is `name` the output of this command, or of a variant of it?
    fn is_answered_by(&self, name: &str) -> bool {
        let name = name
            .strip_suffix(".txt")
            .or(name.strip_suffix(".json"))
            .unwrap_or(name);
        let mut tokens = name.split(['_', ' ']);
        tokens.next() == Some(self.program())
            && (self.words.is_empty() || tokens.any(|token| self.words.contains(&token)))
    }
}

/// A node: live, or captured.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    root: PathBuf,
    captured: bool,
}

impl Host {
    pub(crate) fn live() -> Self {
        Self {
            root: PathBuf::from("/"),
            captured: false,
        }
    }

    /// A captured tree; `root` must be a directory.
    pub(crate) fn captured(root: &Path) -> Result<Self, HostError> {
        std::fs::read_dir(root).map_err(|source| HostError::Read {
            path: root.to_owned(),
            source,
        })?;
        Ok(Self {
            root: root.to_owned(),
            captured: true,
        })
    }

    /// The text of a file; `None` if there is no such file.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Text>, HostError> {
        let full = self.root.join(path);
        let can_hang = !self.captured && CAN_HANG.iter().any(|prefix| path.starts_with(prefix));
        let read = if can_hang {
            let what = full.display().to_string();
            within_deadline(what, {
                let full = full.clone();
                move || read_bounded(&full)
            })?
        } else {
            read_bounded(&full)
        };
        let found = read?;
        Ok(found.map(|bytes| Text {
            source: path.to_owned(),
            text: into_text(bytes),
            at: self.read_at(&full),
        }))
    }

    /// A reader over a file that may be too long to be held in memory.
    pub(crate) fn open(&self, path: &str) -> Result<Option<impl BufRead + use<>>, HostError> {
        let full = self.root.join(path);
        match File::open(&full) {
            Ok(file) => Ok(Some(BufReader::with_capacity(64 << 10, file))),
            Err(error) if is_absence(&error) => Ok(None),
            Err(source) => Err(HostError::Read { path: full, source }),
        }
    }

    /// The names in a directory in order; `None` if there is no such directory.
    pub(crate) fn list(&self, dir: &str) -> Result<Option<Vec<String>>, HostError> {
        let full = self.root.join(dir);
        let entries = match std::fs::read_dir(&full) {
            Ok(entries) => entries,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(source) => return Err(HostError::Read { path: full, source }),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| HostError::Read {
                path: full.clone(),
                source,
            })?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(Some(names))
    }

    /// The names of the captured outputs that answer this command; on a live node there are none.
    pub(crate) fn captured_answers(&self, command: &Command) -> Result<Vec<String>, HostError> {
        if !self.captured {
            return Ok(Vec::new());
        }
        let names = self.list("commands")?.unwrap_or_default();
        let answers = names
            .into_iter()
            .filter(|name| command.is_answered_by(name));
        Ok(answers.map(|name| format!("commands/{name}")).collect())
    }

    /// What the command answers: on a live node it is run, in a capture all its outputs are read.
    /// Empty: it is not installed here, or was not captured.
    pub(crate) fn ask(&self, command: &Command) -> Result<Vec<Text>, HostError> {
        if !self.captured {
            return Ok(run(command)?.into_iter().collect());
        }
        let mut texts = Vec::new();
        for path in self.captured_answers(command)? {
            texts.extend(self.read(&path)?);
        }
        Ok(texts)
    }

    pub(crate) fn is_captured(&self) -> bool {
        self.captured
    }

    /// When a captured text was read: the file's own time. On a live node: now.
    pub(crate) fn read_at(&self, full: &Path) -> Timestamp {
        let written = || {
            std::fs::metadata(full)
                .ok()?
                .modified()
                .ok()?
                .try_into()
                .ok()
        };
        let at = if self.captured { written() } else { None };
        at.unwrap_or_else(Timestamp::now)
    }
}

/// Not there, or not even a place where it could be.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn read_bounded(path: &Path) -> Result<Option<Vec<u8>>, HostError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(source) => {
            return Err(HostError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    let mut bytes = Vec::new();
    file.take(MAX_TEXT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| HostError::Read {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(HostError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(Some(bytes))
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
}

/// Runs one command without a shell, with a clean environment and a deadline. `None` if it is not installed. A
/// tool that says nothing on standard output has its standard error taken as the answer: which answer is an
/// error ("Cannot initialize QUORUM service") is the parser's to say, whatever the exit code.
fn run(command: &Command) -> Result<Option<Text>, HostError> {
    let failed = |source| HostError::Run {
        command: command.path.to_owned(),
        source,
    };
    let spawned = Process::new(command.path)
        .args(command.args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reading = move || -> io::Result<(Vec<u8>, Vec<u8>)> {
        let errors = thread::spawn(move || drain(err));
        let answer = drain(out)?;
        let errors = errors
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("reader panicked")))?;
        Ok((answer, errors))
    };
    let read = within_deadline(command.path.to_owned(), reading);
    if read.is_err() {
        // It may be gone already; then there is nothing to kill.
        let _ = child.kill();
    }
    child.wait().map_err(failed)?;
    let (answer, errors) = read?.map_err(failed)?;
    let text = if answer.trim_ascii().is_empty() {
        errors
    } else {
        answer
    };
    Ok(Some(Text {
        source: format!("commands/{}", command.capture_name()),
        text: into_text(text),
        at: Timestamp::now(),
    }))
}

/// All that a pipe gives, up to the bound; the rest is read and dropped, so that the tool can end.
fn drain(pipe: Option<impl io::Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.by_ref().take(MAX_TEXT_BYTES).read_to_end(&mut bytes)?;
        io::copy(&mut pipe, &mut io::sink())?;
    }
    Ok(bytes)
}

/// Runs `work` in a thread of its own. A thread that does not come back in time is left behind: a read that hangs
/// in the kernel cannot be ended.
fn within_deadline<T: Send + 'static>(
    what: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HostError> {
    let (done, waiting) = mpsc::sync_channel(1);
    thread::spawn(move || {
        // Nobody listens any more once the deadline has passed.
        let _ = done.send(work());
    });
    waiting
        .recv_timeout(DEADLINE)
        .map_err(|_| HostError::Deadline { what })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: Command = Command {
        path: "/usr/sbin/ip",
        args: &["-j", "-d", "addr"],
        words: &["addr", "address"],
    };

    #[test]
    fn a_captured_output_is_recognised_by_program_and_word() {
        assert_eq!(ADDR.capture_name(), "ip_-j_-d_addr");
        for name in [
            "ip_-j_-d_addr",
            "ip_addr",
            "ip_-d_-s_addr_show",
            "ip_-j_addr.json",
            "ip addr",
        ] {
            assert!(ADDR.is_answered_by(name), "{name}");
        }
        for name in ["ip_-j_-d_link", "ipaddr", "bridge_addr", "ip"] {
            assert!(!ADDR.is_answered_by(name), "{name}");
        }
    }

    #[test]
    fn a_missing_file_is_no_error_but_an_unreadable_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::captured(dir.path()).unwrap();
        assert!(host.read("proc/version").unwrap().is_none());
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        assert!(host.read("proc").is_err());
    }

    #[test]
    fn a_command_that_is_not_installed_is_no_answer() {
        let missing = Command {
            path: "/usr/sbin/no-such-tool",
            args: &[],
            words: &[],
        };
        assert!(Host::live().ask(&missing).unwrap().is_empty());
    }

    #[test]
    fn a_tool_that_only_complains_is_taken_at_its_word() {
        let ls = Command {
            path: "/bin/ls",
            args: &["/no/such/place"],
            words: &[],
        };
        let answers = Host::live().ask(&ls).unwrap();
        assert!(
            answers[0].text.contains("No such file"),
            "{}",
            answers[0].text
        );
    }
}
