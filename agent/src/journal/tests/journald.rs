//! A real systemd-journald of a namespace of its own, started by hand: it needs root, `/etc/machine-id` and no systemd.

use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::journal::Settings;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Removed with all its files when it is dropped.
#[derive(Debug)]
pub(super) struct Journald {
    namespace: String,
    child: Child,
    /// Programs are told apart by what their process is called.
    programs: tempfile::TempDir,
}

impl Journald {
    pub(super) fn start() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("quorate-test-{}-{count}", std::process::id());
        let settings = conf_dir(&namespace);
        std::fs::create_dir_all(&settings).unwrap();
        let text = "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRuntimeMaxFileSize=1M\n\
                    RuntimeMaxUse=400M\nRuntimeMaxFiles=1000\nForwardToSyslog=no\n";
        std::fs::write(settings.join("test.conf"), text).unwrap();
        let mut journald = Self {
            child: spawn(&namespace),
            namespace,
            programs: tempfile::tempdir().unwrap(),
        };
        journald.wait_for_socket();
        journald
    }

    fn wait_for_socket(&mut self) {
        let sender = UnixDatagram::unbound().unwrap();
        while sender.connect(self.socket()).is_err() {
            assert_eq!(
                self.child.try_wait().unwrap(),
                None,
                "/lib/systemd/systemd-journald ended; it needs root and /etc/machine-id"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            directory: None,
            namespace: Some(self.namespace.clone()),
        }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn socket(&self) -> PathBuf {
        Path::new("/run/systemd")
            .join(format!("journal.{}", self.namespace))
            .join("socket")
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        let dirs = self.settings().dirs();
        let entries = dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok());
        entries
            .flatten()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    /// A process of this name that runs one test of this binary and nothing else.
    pub(super) fn program(&self, name: &str, test: &str) -> Command {
        let path = self.programs.path().join(name);
        if !path.exists() {
            std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &path).unwrap();
        }
        let mut command = Command::new(path);
        command
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Writes lines as the program of this name, and waits until they can be read.
    pub(super) fn say(&self, name: &str, lines: &[String]) {
        let mut program = self.program(name, "journal::tests::a_program_that_speaks");
        let status = program
            .env("QUORATE_SPEAKS_TO", self.socket())
            .env("QUORATE_SPEAKS_AS", name)
            .env("QUORATE_SPEAKS", lines.join("\n"))
            .status();
        assert!(status.unwrap().success());
        let Some(last) = lines.last() else { return };
        while !self.holds(name, last) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn holds(&self, name: &str, line: &str) -> bool {
        let mut journalctl = Command::new("/usr/bin/journalctl");
        let namespace = format!("--namespace={}", self.namespace);
        let output = journalctl
            .args([namespace.as_str(), "-o", "cat", "-n", "1", "-t", name])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim() == line
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Puts the file aside that is being written, and begins another.
    pub(super) fn rotate(&self) {
        self.signal(Signal::SIGUSR2);
    }

    pub(super) fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        self.child.wait().unwrap();
    }

    pub(super) fn start_again(&mut self) {
        self.child = spawn(&self.namespace);
        self.wait_for_socket();
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for dir in self.settings().dirs() {
            let _ = std::fs::remove_dir_all(dir);
        }
        let _ = std::fs::remove_dir_all(conf_dir(&self.namespace));
        let _ = std::fs::remove_dir_all(self.socket().parent().unwrap());
    }
}

fn conf_dir(namespace: &str) -> PathBuf {
    Path::new("/run/systemd").join(format!("journald@{namespace}.conf.d"))
}

fn spawn(namespace: &str) -> Child {
    Command::new("/lib/systemd/systemd-journald")
        .arg(namespace)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-journald (Debian package systemd) is needed")
}

pub(super) fn send(sender: &UnixDatagram, name: &str, message: &str) {
    let datagram = format!("SYSLOG_IDENTIFIER={name}\nPRIORITY=6\nMESSAGE={message}\n");
    sender.send(datagram.as_bytes()).unwrap();
}

/// Waits until whoever started this process lets go of its standard input.
pub(super) fn wait_for_end_of_input() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
