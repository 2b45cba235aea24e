//! Commands of the fixed list, run without a shell, with a clean environment and a deadline; and how their captured
//! outputs are named.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStderr, ChildStdout, Command as Process, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::HostError;
use super::file::{MAX_TEXT_BYTES, is_absence};
use super::patience::Patience;

/// A tool that has closed its pipes ends at once, or almost.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// How often it is looked whether a killed tool has gone.
const LAST_LOOKS: u32 = 10;
const PIECE_BYTES: usize = 16 << 10;

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

/// What a tool answered.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) bytes: Vec<u8>,
    /// It ended with exit code 0.
    pub(super) is_success: bool,
}

/// Runs a command. `None` if it is not installed. A tool that says nothing on standard output has its standard error
/// taken as the answer: which answer is an error ("Cannot initialize QUORUM service") is the parser's to say,
/// whatever the exit code.
pub(super) fn run<S: AsRef<OsStr>>(
    what: &str,
    args: &[S],
    on: &'static str,
    patience: &Patience,
) -> Result<Option<Told>, HostError> {
    let hangs = || HostError::Hangs {
        what: what.to_owned(),
        on,
    };
    let failed = |source| HostError::Run {
        command: what.to_owned(),
        source,
    };
    let turn = patience.lane(on).turn().ok_or_else(hangs)?;
    let place = patience.place().ok_or_else(|| HostError::Busy {
        what: what.to_owned(),
    })?;
    turn.begins_now();
    let mut child = match spawn(what, args) {
        Ok(child) => child,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let answered = answer(&mut child, Instant::now() + patience.deadline());
    let (said, status) = match answered {
        Ok(Some(answered)) => answered,
        Ok(None) => {
            turn.ends_in_vain(end(&mut child).then_some((child, place)));
            return Err(HostError::Deadline {
                what: what.to_owned(),
                after: patience.deadline(),
            });
        }
        Err(error) => {
            turn.ends_in_vain(end(&mut child).then_some((child, place)));
            return Err(failed(error));
        }
    };
    if let Some(signal) = status.signal() {
        // What it had said by then may be half of an answer.
        return Err(failed(io::Error::other(format!(
            "it was ended by signal {signal}"
        ))));
    }
    if said.answer.len() as u64 > MAX_TEXT_BYTES {
        return Err(HostError::TooLarge { path: what.into() });
    }
    let is_silent = said.answer.trim_ascii().is_empty();
    Ok(Some(Told {
        bytes: if is_silent { said.errors } else { said.answer },
        is_success: status.success(),
    }))
}

/// In a process group of its own, so that what it started can be ended with it; and not in the caller's directory,
/// which may lie on a file system that hangs.
pub(super) fn spawn<S: AsRef<OsStr>>(path: &str, args: &[S]) -> io::Result<Child> {
    Process::new(path)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// What a tool wrote, each up to one byte over the bound; the rest is read and dropped, so that the tool can end.
#[derive(Debug, Default)]
struct Said {
    answer: Vec<u8>,
    errors: Vec<u8>,
}

/// What a tool says until it ends; `None` if it does not end in time. Somebody whom it started and who keeps its
/// pipes open counts as itself: the answer is not whole before they are closed.
fn answer(child: &mut Child, until: Instant) -> io::Result<Option<(Said, ExitStatus)>> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let pipes = [out.as_ref().map(AsFd::as_fd), err.as_ref().map(AsFd::as_fd)];
    for pipe in pipes.into_iter().flatten() {
        fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let mut said = Said::default();
    while out.is_some() || err.is_some() {
        if !wait_for(out.as_ref(), err.as_ref(), until)? {
            return Ok(None);
        }
        take(&mut out, &mut said.answer)?;
        take(&mut err, &mut said.errors)?;
    }
    let mut pause = FIRST_LOOK;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some((said, status)));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = BETWEEN_LOOKS.min(pause * 2);
    }
}

/// Waits until one of the pipes has something, or is closed. `false`: not in time.
fn wait_for(
    out: Option<&ChildStdout>,
    err: Option<&ChildStderr>,
    until: Instant,
) -> io::Result<bool> {
    let pipes = [out.map(AsFd::as_fd), err.map(AsFd::as_fd)];
    let mut asked: Vec<PollFd> = pipes
        .into_iter()
        .flatten()
        .map(|pipe| PollFd::new(pipe, PollFlags::POLLIN))
        .collect();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        // Rounded up: zero would be asked again and again during the last millisecond.
        let left_ms = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
        match poll(&mut asked, PollTimeout::from(left_ms)) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes one piece of what a pipe has now, and forgets a pipe that was closed. A tool that writes without end must not
/// keep the other pipe, or the deadline, from being looked at.
fn take(pipe: &mut Option<impl io::Read>, bytes: &mut Vec<u8>) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut piece = [0; PIECE_BYTES];
    match open.read(&mut piece) {
        Ok(0) => *pipe = None,
        Ok(count) => {
            let room = (MAX_TEXT_BYTES as usize + 1).saturating_sub(bytes.len());
            bytes.extend(piece.iter().take(count.min(room)));
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(error) => return Err(error),
    }
    Ok(())
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

/// Kills a tool with all that it started, and looks a few times whether it has gone. `true`: it has not. It hangs in
/// the kernel, and waiting for it would hang as well.
pub(super) fn end(child: &mut Child) -> bool {
    // They may be gone already; then there is nothing to kill.
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = child.kill();
    for _ in 0..LAST_LOOKS {
        match child.try_wait() {
            Ok(None) => thread::sleep(BETWEEN_LOOKS),
            Ok(Some(_)) | Err(_) => return false,
        }
    }
    true
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

    fn ask(path: &'static str, args: &'static [&str], patience: &Patience) -> Asked {
        let command = Command {
            path,
            args,
            words: &[],
        };
        let told = run(command.path, command.args, path, patience)?;
        Ok(told.map(|told| told.bytes))
    }

    type Asked = Result<Option<Vec<u8>>, HostError>;

    fn for_a_minute() -> Patience {
        Patience::new(Duration::from_secs(60))
    }

    #[test]
    fn a_command_that_is_not_installed_is_no_answer() {
        let missing = ask("/usr/sbin/no-such-tool", &[], &for_a_minute());
        assert!(missing.unwrap().is_none());
    }

    #[test]
    fn a_tool_that_only_complains_is_taken_at_its_word() {
        let said = ask("/bin/ls", &["/no/such/place"], &for_a_minute());
        let said = String::from_utf8(said.unwrap().unwrap()).unwrap();
        assert!(said.contains("No such file or directory"), "{said}");
    }

    #[test]
    fn a_long_answer_is_taken_whole_and_one_without_end_is_refused() {
        let long = ask("/usr/bin/seq", &["200000"], &for_a_minute());
        assert!(long.unwrap().unwrap().ends_with(b"\n200000\n"));
        let endless = ask(
            "/usr/bin/head",
            &["-c", "40M", "/dev/zero"],
            &for_a_minute(),
        );
        assert!(matches!(endless, Err(HostError::TooLarge { .. })));
        let never = ask(
            "/usr/bin/yes",
            &[],
            &Patience::new(Duration::from_millis(300)),
        );
        assert!(matches!(never, Err(HostError::Deadline { .. })));
    }

    #[test]
    fn it_starts_with_a_clean_environment_and_in_no_directory_that_could_hang() {
        let environment = ask("/usr/bin/env", &[], &for_a_minute()).unwrap().unwrap();
        let environment = String::from_utf8(environment).unwrap();
        let mut lines: Vec<&str> = environment.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            "{environment}"
        );
        let dir = ask("/bin/pwd", &[], &for_a_minute()).unwrap().unwrap();
        assert_eq!(dir, b"/\n");
    }

    #[test]
    fn what_a_tool_leaves_behind_with_its_pipes_is_ended_with_it() {
        // The shell ends at once; the sleep that it leaves behind holds the pipes.
        const ORPHAN: &[&str] = &["-c", "echo half; sleep 4711 & exit 0"];
        let patience = Patience::new(Duration::from_millis(500));
        let began = Instant::now();
        let asked = ask("/bin/sh", ORPHAN, &patience);
        assert!(
            matches!(asked, Err(HostError::Deadline { .. })),
            "{asked:?}"
        );
        assert!(began.elapsed() < Duration::from_secs(60));
        while is_running(&["sleep", "4711"]) {
            assert!(began.elapsed() < Duration::from_secs(60));
            thread::sleep(BETWEEN_LOOKS);
        }
        // It blocks nobody.
        assert!(
            ask("/bin/sh", &["-c", "echo whole"], &patience)
                .unwrap()
                .is_some()
        );
    }

    fn is_running(arguments: &[&str]) -> bool {
        let arguments = arguments.join("\0") + "\0";
        let processes = std::fs::read_dir("/proc").unwrap();
        processes.flatten().any(|process| {
            std::fs::read(process.path().join("cmdline"))
                .is_ok_and(|found| found == arguments.as_bytes())
        })
    }
}
