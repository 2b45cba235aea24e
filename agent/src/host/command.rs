//! Commands of the fixed list, run without a shell, with a clean environment and a deadline; and how their captured
//! outputs are named.

use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::HostError;
use super::file::{MAX_TEXT_BYTES, is_absence, within_deadline};

/// How often, and for how long each, it is looked whether a killed tool has gone.
const LAST_LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

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

    pub(crate) fn program(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Is `name` the output of this command, or of a variant of it?
    pub(super) fn is_answered_by(&self, name: &str) -> bool {
        let mut words = words_of(name);
        words.next() == Some(self.program())
            && (self.words.is_empty() || words.any(|word| self.words.contains(&word)))
    }
}

/// The program and the arguments in the name of a captured output: `ip`, `-j`, `addr` of `ip_-j_addr.json`.
pub(crate) fn words_of(name: &str) -> impl Iterator<Item = &str> {
    name.strip_suffix(".txt")
        .or(name.strip_suffix(".json"))
        .unwrap_or(name)
        .split(['_', ' '])
}

/// Runs a command. `None` if it is not installed. A tool that says nothing on standard output has its standard error
/// taken as the answer: which answer is an error ("Cannot initialize QUORUM service") is the parser's to say,
/// whatever the exit code.
pub(super) fn run(command: &Command) -> Result<Option<Vec<u8>>, HostError> {
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
    let read = match within_deadline(command.path, reading) {
        Ok(read) => read,
        Err(error) => {
            end(&mut child);
            return Err(error);
        }
    };
    let Some(status) = ended(&mut child).map_err(failed)? else {
        end(&mut child);
        return Err(HostError::Deadline {
            what: command.path.to_owned(),
        });
    };
    if let Some(signal) = status.signal() {
        // What it had said by then may be half of an answer.
        return Err(failed(io::Error::other(format!(
            "it was ended by signal {signal}"
        ))));
    }
    let (answer, errors) = read.map_err(failed)?;
    if answer.len() as u64 > MAX_TEXT_BYTES {
        return Err(HostError::TooLarge {
            path: command.path.into(),
        });
    }
    let text = if answer.trim_ascii().is_empty() {
        errors
    } else {
        answer
    };
    Ok(Some(text))
}

/// How a tool ended that has closed its pipes; `None` if it does not end.
pub(super) fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    for _ in 0..LAST_LOOKS {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(None)
}

/// Kills a tool and looks a few times whether it has gone. One that hangs in the kernel is left behind: waiting for
/// it would hang as well.
pub(super) fn end(child: &mut Child) {
    // It may be gone already; then there is nothing to kill.
    let _ = child.kill();
    for _ in 0..LAST_LOOKS {
        match child.try_wait() {
            Ok(None) => thread::sleep(BETWEEN_LOOKS),
            Ok(Some(_)) | Err(_) => return,
        }
    }
}

/// All that a pipe gives, up to one byte over the bound; the rest is read and dropped, so that the tool can end.
fn drain(pipe: Option<impl io::Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.by_ref()
            .take(MAX_TEXT_BYTES + 1)
            .read_to_end(&mut bytes)?;
        io::copy(&mut pipe, &mut io::sink())?;
    }
    Ok(bytes)
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
    fn a_command_that_is_not_installed_is_no_answer() {
        let missing = Command {
            path: "/usr/sbin/no-such-tool",
            args: &[],
            words: &[],
        };
        assert!(run(&missing).unwrap().is_none());
    }

    #[test]
    fn a_tool_that_only_complains_is_taken_at_its_word() {
        let ls = Command {
            path: "/bin/ls",
            args: &["/no/such/place"],
            words: &[],
        };
        let said = run(&ls).unwrap().unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("No such file or directory"), "{said}");
    }
}
