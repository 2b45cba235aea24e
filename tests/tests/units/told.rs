//! What systemd is told, over a socket of the test in the place of systemd's.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use quorate_tests::{PATIENCE, agent_binary, collector_binary};

/// As if the unit said `WatchdogSec=3`: a sign of life is due every second.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(3);

/// The socket that stands for systemd's.
pub(crate) struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    pub(crate) fn new(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { socket, path }
    }

    /// Puts into the environment what systemd would.
    pub(crate) fn runs(&self, command: &mut Command) {
        command
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    }

    /// What comes next within that time, if anything does.
    fn next(&self, within: Duration) -> Option<String> {
        let within = within.max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
    }

    /// Waits for it, and gives all that came, itself at the end.
    pub(crate) fn expect(&self, word: &str) -> Vec<String> {
        let (begun, mut came) = (Instant::now(), Vec::new());
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let Some(told) = self.next(left) else {
                panic!("{word} did not come, but {came:?}");
            };
            came.push(told);
            if came[came.len() - 1].contains(word) {
                return came;
            }
        }
    }

    /// All that comes within that time.
    pub(crate) fn hear(&self, during: Duration) -> Vec<String> {
        let (begun, mut came) = (Instant::now(), Vec::new());
        while begun.elapsed() < during {
            came.extend(self.next(during.saturating_sub(begun.elapsed())));
        }
        came
    }

    /// Signs of life come as long as is looked, none later than systemd waits for it.
    pub(crate) fn expect_signs(&self, during: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < during {
            let last = Instant::now();
            self.expect("WATCHDOG=1");
            assert!(last.elapsed() < WATCHDOG, "{:?}", last.elapsed());
        }
    }

    /// No sign of life comes any more.
    fn expect_silence(&self) {
        let begun = Instant::now();
        while !self.hear(WATCHDOG).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "it goes on");
        }
    }
}

/// A program, with its standard error in a pipe of the test.
pub(crate) struct Running {
    pub(crate) child: Child,
    errors: BufReader<PipeReader>,
    writer: PipeWriter,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let (reader, writer) = pipe().unwrap();
        let child = command
            .stderr(writer.try_clone().unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let errors = BufReader::new(reader);
        Self {
            child,
            errors,
            writer,
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Nobody reads its standard error any more, and there is no room: who says something next stands still.
    fn stop_its_mouth(&self) {
        let path = format!("/proc/self/fd/{}", self.writer.as_raw_fd());
        let mut filler: File = OpenOptions::new()
            .write(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
            .open(path)
            .unwrap();
        for size in [4096, 1] {
            while filler.write(&vec![b'x'; size]).is_ok() {}
        }
    }

    pub(crate) fn ends_well(mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// An agent of its own on this machine; it reads what there is.
fn agent(dir: &Path) -> Command {
    let state = dir.join("state");
    let config = dir.join("agent.toml");
    let text = format!(
        "state_dir = {state:?}\nsocket = {:?}\n[journal]\ndirectory = {:?}\n",
        dir.join("agent.sock"),
        dir.join("journal"),
    );
    write(&config, &text);
    fs::create_dir_all(&state).unwrap();
    let mut command = Command::new(agent_binary().unwrap());
    command.arg("run").arg("--config").arg(config);
    command
}

pub(crate) fn collector(dir: &Path, state: &Path, words: &[&str]) -> Command {
    let config = dir.join("collector.toml");
    let text = format!(
        "state_dir = {state:?}\nlisten = \"127.0.0.1:0\"\n[enrolment]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n"
    );
    write(&config, &text);
    let mut command = Command::new(collector_binary().unwrap());
    command.args(words).arg("--config").arg(config);
    command
}

pub(crate) fn init(dir: &Path, state: &Path) {
    let made = collector(dir, state, &["init", "--address", "127.0.0.1"]).output();
    let made = made.unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
}

#[test]
fn the_agent_is_ready_when_it_answers_gives_signs_of_life_and_says_that_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let systemd = Systemd::new(dir.path());
    let mut command = agent(dir.path());
    systemd.runs(&mut command);
    let running = Running::start(command);
    let before = systemd.expect("READY=1");
    assert!(before[0].starts_with("READY=1\nSTATUS=Reads"), "{before:?}");
    let mut socket = UnixStream::connect(dir.path().join("agent.sock")).unwrap();
    socket.write_all(b"report\n").unwrap();
    let mut report = String::new();
    socket.read_to_string(&mut report).unwrap();
    assert!(report.contains("\"corosync\""), "{report}");
    systemd.expect("STATUS=Watches this node; it has joined no collector");
    systemd.expect_signs(WATCHDOG);

    // A second one on the same spool is never ready.
    let second_dir = tempfile::tempdir().unwrap();
    let second = Systemd::new(second_dir.path());
    let mut command = agent(dir.path());
    second.runs(&mut command);
    let mut second_running = Running::start(command);
    assert_eq!(second_running.child.wait().unwrap().code(), Some(3));
    assert_eq!(
        second.hear(Duration::from_millis(100)),
        Vec::<String>::new()
    );

    running.signal(Signal::SIGTERM);
    systemd.expect("STOPPING=1");
    running.ends_well();
}

#[test]
fn an_agent_whose_loop_stands_still_gives_no_sign_of_life() {
    let dir = tempfile::tempdir().unwrap();
    let systemd = Systemd::new(dir.path());
    let mut command = agent(dir.path());
    systemd.runs(&mut command);
    let mut running = Running::start(command);
    systemd.expect("STATUS=Watches this node");
    let mut line = String::new();
    while !line.contains("ready in") {
        line.clear();
        assert_ne!(running.errors.read_line(&mut line).unwrap(), 0);
    }
    systemd.expect_signs(WATCHDOG);
    running.stop_its_mouth();
    // It complains of this, in vain, in the thread of everything.
    write(&dir.path().join("state/collectors"), "no directory");
    systemd.expect_silence();
}

#[test]
fn the_collector_is_ready_reloads_and_says_that_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    init(dir.path(), &state);
    let systemd = Systemd::new(dir.path());
    let mut command = collector(dir.path(), &state, &["run"]);
    systemd.runs(&mut command);
    let mut running = Running::start(command);
    let before = systemd.expect("READY=1");
    assert_eq!(before[0], "STATUS=Reads its ledger\n");
    let ready = before.last().unwrap();
    assert!(ready.contains("STATUS=Waits for the first node"), "{ready}");
    let mut line = String::new();
    while !line.contains("listening for agents") {
        line.clear();
        assert_ne!(running.errors.read_line(&mut line).unwrap(), 0);
    }
    let address = line.trim().rsplit(' ').next().unwrap();
    std::net::TcpStream::connect(address).unwrap();
    systemd.expect_signs(WATCHDOG);

    running.signal(Signal::SIGHUP);
    let reloading = systemd.expect("RELOADING=1");
    assert!(reloading.last().unwrap().contains("MONOTONIC_USEC="));
    systemd.expect("READY=1\nSTATUS=Has read its configuration again");
    write(&dir.path().join("collector.toml"), "nonsense = 1\n");
    running.signal(Signal::SIGHUP);
    systemd.expect("RELOADING=1");
    systemd.expect("READY=1\nSTATUS=Did not take its configuration");

    running.signal(Signal::SIGTERM);
    systemd.expect("STOPPING=1");
    running.ends_well();
}

#[test]
fn a_collector_that_cannot_begin_is_never_ready_and_one_that_stands_still_gives_no_sign() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let systemd = Systemd::new(dir.path());
    let mut command = collector(dir.path(), &state, &["run"]);
    systemd.runs(&mut command);
    let mut running = Running::start(command);
    assert_eq!(running.child.wait().unwrap().code(), Some(3));
    let told = systemd.hear(Duration::from_millis(100)).concat();
    assert!(!told.contains("READY"), "{told}");

    init(dir.path(), &state);
    let mut command = collector(dir.path(), &state, &["run"]);
    systemd.runs(&mut command);
    let running = Running::start(command);
    systemd.expect("READY=1");
    systemd.expect_signs(WATCHDOG);
    running.stop_its_mouth();
    // It says that it read its configuration, in vain.
    running.signal(Signal::SIGHUP);
    systemd.expect_silence();
}
