//! systemd, where it runs the program: it is told when the program is ready, how it is and that it goes on (sd_notify(3),
//! sd_watchdog_enabled(3)), and its journal takes the level of a line from the line (sd-daemon(3), `JOURNAL_STREAM` in
//! systemd.exec(5)).
//!
//! Not by the crate sd-notify: it waits where systemd does not take what it is sent, and a PID 1 that stands still must not
//! stop those who watch the node. Nothing here waits; what systemd does not take is lost, and told again by the next one.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG: &str = "WATCHDOG_USEC";
const WATCHDOG_OF: &str = "WATCHDOG_PID";
const JOURNAL: &str = "JOURNAL_STREAM";
/// Signs of life for each time that systemd waits for one: two may be late.
const SIGNS: u32 = 3;

/// The way to systemd; where it did not start the program, nobody is told anything.
#[derive(Debug)]
pub struct Systemd {
    way: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// By what systemd put into the environment.
    #[must_use]
    pub fn of_the_environment() -> Self {
        let address = env::var_os(SOCKET).and_then(|text| address(&text));
        let number = |key| env::var(key).ok()?.parse::<u64>().ok();
        let is_meant = number(WATCHDOG_OF).is_none_or(|pid| pid == u64::from(process::id()));
        let watchdog = number(WATCHDOG).filter(|usec| *usec > 0 && is_meant);
        Self {
            way: address.and_then(|address| Some((socket().ok()?, address))),
            watchdog: watchdog.map(Duration::from_micros),
        }
    }

    /// Whether anybody is told.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.way.is_some()
    }

    /// How often [`Self::alive`] is to be said; nothing where systemd does not wait for it.
    #[must_use]
    pub fn pace(&self) -> Option<Duration> {
        self.watchdog.map(|longest| longest / SIGNS)
    }

    /// It does what it is for, from now on. Also: it has read its configuration again.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\n{}", status_line(status)));
    }

    /// How it is, as one sentence: `systemctl status` shows it.
    pub fn status(&self, status: &str) {
        self.tell(&status_line(status));
    }

    /// It goes on. To be said by who does the work, and by nobody else.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1\n");
    }

    /// It reads its configuration again; [`Self::ready`] follows.
    pub fn reloading(&self, status: &str) {
        // Since 253 systemd wants to know when, to tell this reload from an earlier one.
        let usec = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map(|now| i128::from(now.tv_sec()) * 1_000_000 + i128::from(now.tv_nsec()) / 1_000);
        let since = usec.map_or_else(|_| String::new(), |usec| format!("MONOTONIC_USEC={usec}\n"));
        self.tell(&format!("RELOADING=1\n{since}{}", status_line(status)));
    }

    /// It was told to end, and does.
    pub fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\n{}", status_line(status)));
    }

    fn tell(&self, words: &str) {
        if let Some((socket, address)) = &self.way {
            // Where systemd does not listen there is nobody to complain to.
            let _ = socket.send_to_addr(words.as_bytes(), address);
        }
    }
}

fn socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A path, or with `@` a name that stands in no directory.
fn address(text: &OsStr) -> Option<SocketAddr> {
    match text.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(text),
    }
    .ok()
}

fn status_line(sentence: &str) -> String {
    format!("STATUS={}\n", sentence.replace('\n', " "))
}

/// How much a line matters, by its number in syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Error = 3,
    Warning = 4,
    Info = 6,
}

/// Whether what is written to standard error becomes lines of the journal.
#[must_use]
pub fn is_journal() -> bool {
    let Some(stream) = env::var_os(JOURNAL) else {
        return false;
    };
    let Ok(own) = io::stderr().as_fd().try_clone_to_owned() else {
        return false;
    };
    // The variable is inherited by whoever writes elsewhere: it names the file that it speaks of.
    File::from(own)
        .metadata()
        .is_ok_and(|about| stream.to_str() == Some(&format!("{}:{}", about.dev(), about.ino())))
}

/// A line for standard error, with its level where that is the journal.
#[must_use]
pub fn for_journal(level: Level, line: String) -> String {
    if is_journal() {
        with_level(level, &line)
    } else {
        line
    }
}

/// The text with its level before every line, as the journal takes it.
#[must_use]
pub fn with_level(level: Level, text: &str) -> String {
    let mark = format!("<{}>", level as u8);
    let lines: Vec<String> = text.lines().map(|line| format!("{mark}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_a_path_or_a_name_and_anything_else_is_none() {
        let path = address(OsStr::new("/run/systemd/notify")).unwrap();
        assert_eq!(path.as_pathname().unwrap(), "/run/systemd/notify");
        let name = address(OsStr::new("@quorate/notify")).unwrap();
        assert_eq!(name.as_abstract_name(), Some(&b"quorate/notify"[..]));
        assert!(address(OsStr::new(&"x".repeat(200))).is_none());
    }

    #[test]
    fn nothing_waits_for_a_systemd_that_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let silent = UnixDatagram::bind(&path).unwrap();
        let systemd = Systemd {
            way: Some((socket().unwrap(), SocketAddr::from_pathname(&path).unwrap())),
            watchdog: None,
        };
        systemd.status("the first\nof many");
        // More than any queue takes.
        for _ in 0..10_000 {
            systemd.alive();
        }
        let mut first = [0; 100];
        let length = silent.recv(&mut first).unwrap();
        assert_eq!(&first[..length], b"STATUS=the first of many\n");
    }

    #[test]
    fn every_line_has_its_level() {
        assert_eq!(with_level(Level::Warning, "a\nb"), "<4>a\n<4>b");
        assert_eq!(with_level(Level::Error, "a"), "<3>a");
    }
}
