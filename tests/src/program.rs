//! A program that runs in a node, with its lines to be read as they come.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::clock::{PATIENCE, wait_until};
use crate::room::Room;

/// How many of the lines that passed an error shows.
const SHOWN: usize = 20;

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    pub stdout: Lines,
    pub stderr: Lines,
    /// `nsenter`, which waits for the program in its room.
    holder: Child,
    pid: Pid,
    started: Instant,
}

impl Program {
    pub(crate) fn start(room: &Room, program: &str, args: &[&str]) -> Result<Self> {
        let mut command = room.command(program);
        command.args(args);
        Self::spawn(&mut command).with_context(|| format!("cannot run {program} in its node"))
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let started = Instant::now();
        let mut holder = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = holder.stdout.take().context("no standard output")?;
        let stderr = holder.stderr.take().context("no standard error")?;
        let (stdout, stderr) = (Lines::of(stdout), Lines::of(stderr));
        let of = Pid::from_raw(i32::try_from(holder.id())?);
        let pid = wait_until("a program to be started", PATIENCE, || {
            if let Some(status) = holder.try_wait()? {
                bail!("it ended at once ({status}): {}", stderr.rest());
            }
            Ok(children(of)?.first().copied())
        })?;
        Ok(Self {
            stdout,
            stderr,
            holder,
            pid,
            started,
        })
    }

    /// The next line of standard output that is JSON and is what was waited for.
    pub fn expect_line(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Line> {
        let line = self.stdout.expect(what, PATIENCE, |line| {
            line.json().is_some_and(|json| is_it(&json))
        });
        line.with_context(|| format!("standard error: {}", self.stderr.rest()))
    }

    /// The process, as seen from outside.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The moment before it was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid, signal).with_context(|| format!("{signal} cannot be sent to {}", self.pid))
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<ExitStatus> {
        wait_until("a program to end", PATIENCE, || {
            Ok(self.holder.try_wait()?)
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // With the holder reaped the number could be somebody else's by now.
        if matches!(self.holder.try_wait(), Ok(None)) {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = self.holder.kill();
            let _ = self.holder.wait();
        }
    }
}

/// Processes whose parent is this one.
pub fn children(of: Pid) -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context("/proc cannot be listed")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that has ended meanwhile is nobody's child.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        // The name in parentheses may hold anything, also blanks and parentheses.
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1))
            .and_then(|parent| parent.parse().ok());
        if parent == Some(of.as_raw()) {
            found.push(Pid::from_raw(pid));
        }
    }
    Ok(found)
}

/// A line, and when it came.
#[derive(Debug, Clone)]
pub struct Line {
    pub arrived: Instant,
    pub text: String,
}

impl Line {
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok()
    }
}

/// The lines of one output, as a thread of its own reads them.
#[derive(Debug)]
pub struct Lines {
    lines: Receiver<Line>,
}

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n') {
                let Ok(line) = line else { break };
                let line = Line {
                    arrived: Instant::now(),
                    text: String::from_utf8_lossy(&line).into_owned(),
                };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { lines }
    }

    /// The next line that is what was waited for; those before it are gone.
    pub fn expect(
        &self,
        what: &str,
        limit: Duration,
        is_it: impl Fn(&Line) -> bool,
    ) -> Result<Line> {
        let begun = Instant::now();
        let mut passed: Vec<String> = Vec::new();
        loop {
            let left = limit.saturating_sub(begun.elapsed());
            let why = match self.lines.recv_timeout(left) {
                Ok(line) if is_it(&line) => return Ok(line),
                Ok(line) => {
                    passed.push(line.text);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {
                    format!("no line within {} s said", limit.as_secs())
                }
                Err(RecvTimeoutError::Disconnected) => "the program ended without saying".into(),
            };
            let last = passed.split_off(passed.len().saturating_sub(SHOWN));
            bail!("{why}: {what}; the last lines were:\n{}", last.join("\n"));
        }
    }

    /// What has come and was not taken.
    #[must_use]
    pub fn rest(&self) -> String {
        let lines: Vec<String> = self.lines.try_iter().map(|line| line.text).collect();
        lines.join("\n")
    }
}
