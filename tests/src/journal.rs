//! A journal for a node of the rack: Debian's own systemd-journald in its room, and programs that speak to it without
//! end.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::binary::own_binary;
use crate::clock::{PATIENCE, wait_until};
use crate::program::Program;
use crate::rack::Rack;
use crate::room::MOUNT_SOURCE;

const JOURNALD: &str = "/lib/systemd/systemd-journald";
const SOCKET: &str = "/run/systemd/journal/socket";
const CGROUPS: &str = "/sys/fs/cgroup";
const SETTINGS: &str = "/etc/systemd/journald.conf.d";

/// A running journald; its files are gone when the node loses its power.
#[derive(Debug)]
pub struct Journal {
    _running: Program,
}

impl Journal {
    pub fn start(rack: &Rack, node: &str) -> Result<Self> {
        let settings = rack.path(node, SETTINGS)?;
        std::fs::create_dir_all(&settings)?;
        let text = "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRuntimeMaxFileSize=1M\n\
                    RuntimeMaxUse=400M\nRuntimeMaxFiles=1000\nForwardToSyslog=no\nReadKMsg=no\n";
        std::fs::write(settings.join("rack.conf"), text)?;
        // It does not start without control groups.
        let mut mount = rack.command(node, "mount")?;
        let mounted = mount
            .args(["-t", "cgroup2", MOUNT_SOURCE, CGROUPS])
            .output()?;
        let said = String::from_utf8_lossy(&mounted.stderr);
        ensure!(mounted.status.success(), "{CGROUPS} of {node}: {said}");
        let running = rack.start(node, JOURNALD, &[])?;
        let socket = rack.path(node, SOCKET)?;
        wait_until("journald to listen", PATIENCE, || {
            Ok(socket.exists().then_some(()))
        })?;
        Ok(Self { _running: running })
    }
}

/// The number of a speaker's line, of an event's JSON; `None`: it is somebody else's.
pub fn spoken(json: &str, speaker: &str) -> Result<Option<u64>> {
    let entry: Value = serde_json::from_str(json)?;
    let text = |key| entry.get(key).and_then(Value::as_str);
    if text("identifier") != Some(speaker) {
        return Ok(None);
    }
    let message = text("message").context("a line without a message")?;
    let number = message.rsplit(' ').next().unwrap_or_default();
    let number = number.parse().with_context(|| message.to_owned())?;
    Ok(Some(number))
}

/// A program on a node that writes numbered lines to its journal: `NAME 1`, `NAME 2` and so on.
#[derive(Debug)]
pub struct Speaker {
    program: Program,
    name: String,
}

impl Speaker {
    /// `name` is what the program calls itself; the agent listens to some only.
    pub fn start(rack: &Rack, node: &str, name: &str) -> Result<Self> {
        Self::say(rack, node, name, &[])
    }

    /// One that says about two thousand lines a second.
    pub fn start_hurried(rack: &Rack, node: &str, name: &str) -> Result<Self> {
        Self::say(rack, node, name, &["hurried"])
    }

    /// One that says so many lines within about a second, and then no more.
    pub fn start_flood(rack: &Rack, node: &str, name: &str, lines: u64) -> Result<Self> {
        Self::say(rack, node, name, &[&lines.to_string()])
    }

    fn say(rack: &Rack, node: &str, name: &str, how: &[&str]) -> Result<Self> {
        let binary = own_binary("speaker")?;
        let words = [&[name, SOCKET], how].concat();
        let program = rack.start(node, &binary.to_string_lossy(), &words)?;
        Ok(Self {
            program,
            name: name.to_owned(),
        })
    }

    /// Waits until one that says so many lines has said them.
    pub fn wait_for_all(&self) -> Result<()> {
        let is_all = |line: &crate::program::Line| line.text == "all written";
        let line = self.program.stdout.expect("all lines", PATIENCE, is_all);
        line.map(drop)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends it; gives the number of its last line.
    pub fn stop(self) -> Result<u64> {
        self.program.signal(Signal::SIGTERM)?;
        let written = |line: &crate::program::Line| line.text.starts_with("written: ");
        let line = self
            .program
            .stdout
            .expect("how many lines", PATIENCE, written)?;
        let number = line.text.trim_start_matches("written: ");
        number.parse().context("no number of lines")
    }
}
