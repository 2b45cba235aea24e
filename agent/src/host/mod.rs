//! The only part of the agent that touches the machine: it reads files, lists directories and runs commands, all
//! below a root, and writes one file for an administrator (the join file). The root is `/` on a live node, or a captured tree whose command outputs lie in `commands/`
//! (docs/capture.md), so that a support bundle is examined by the same code as the node itself.

pub(crate) mod changes;
mod command;
mod file;
#[cfg(test)]
mod hanging;
mod lane;
mod patience;
mod socket;
pub(crate) mod stream;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use command::{Command, words_of};
pub(crate) use file::{Edit, Room};
pub(crate) use patience::Patience;
pub(crate) use socket::ObjectEnd;

use lane::Vain;

#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("{path} cannot be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} cannot be written")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} is larger than {} MiB", file::MAX_TEXT_BYTES >> 20)]
    TooLarge { path: PathBuf },
    #[error("{what} did not answer within {} s", after.as_secs_f32())]
    Deadline { what: String, after: Duration },
    #[error("{what} was not asked, because {on} did not answer before")]
    Hangs { what: String, on: &'static str },
    #[error("{what} was not run, because too many commands are running that do not end")]
    Busy { what: String },
    #[error("{command} cannot be run")]
    Run { command: String, source: io::Error },
    /// The same command was asked before, with this error.
    #[error("{said}")]
    SameAsBefore { said: String },
}

/// An answer of ceph.
#[derive(Debug)]
pub(crate) struct CephSaid {
    pub(crate) text: String,
    /// It ended with exit code 0.
    pub(crate) is_success: bool,
}

/// What files and tools stand on, and what takes all of them down when it hangs. Whoever waited for it once in vain
/// does not wait for it again in the same report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// A FUSE file system: reading below `/etc/pve` can hang for ever.
    Pmxcfs,
    Corosync,
    Ceph,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Pmxcfs => "/etc/pve",
            Self::Corosync => "corosync",
            Self::Ceph => "ceph",
        }
    }

    /// On Proxmox VE, `/etc/ceph/ceph.conf` is a link to a file below `/etc/pve`.
    fn of_path(path: &str) -> Option<Self> {
        let dirs = ["etc/pve", "etc/ceph"].map(|dir| path.strip_prefix(dir));
        let is_below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        dirs.into_iter()
            .flatten()
            .any(is_below)
            .then_some(Self::Pmxcfs)
    }

    fn of_program(program: &str) -> Option<Self> {
        match program {
            "pvecm" | "ha-manager" | "openssl" => Some(Self::Pmxcfs),
            "ceph" => Some(Self::Ceph),
            _ => program.starts_with("corosync-").then_some(Self::Corosync),
        }
    }
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

/// A file that may be too long to be held in memory.
#[derive(Debug)]
pub(crate) struct Opened<R> {
    pub(crate) lines: R,
    /// When it was captured; on a live node now.
    pub(crate) at: Timestamp,
}

/// What a command answered before, or in words why it did not.
type Remembered = Result<Option<Arc<Text>>, String>;

/// A node, live or captured, for the time of one report: a command that was run once is not run again, and what was
/// waited for in vain is not waited for again. It can be made anew for each source and asked in threads: what hangs is
/// shared through the [`Patience`]. No directory stays open, is watched or is made the current one below `/etc/pve`.
#[derive(Debug)]
pub(crate) struct Host {
    root: PathBuf,
    /// `None` in a captured tree: nothing there can hang.
    patience: Option<Patience>,
    hanging: RefCell<BTreeSet<Service>>,
    /// By the names that they have in a capture.
    answers: RefCell<BTreeMap<String, Remembered>>,
}

impl Host {
    /// This node. All hosts of a process share one patience.
    pub(crate) fn live(patience: &Patience) -> Self {
        Self::below(Path::new("/"), Some(patience.clone()))
    }

    /// A live node whose files lie below another directory than `/`.
    pub(crate) fn live_below(root: &Path, patience: &Patience) -> Self {
        Self::below(root, Some(patience.clone()))
    }

    /// This node, for a test that asks it once.
    #[cfg(test)]
    pub(crate) fn here() -> Self {
        Self::live(&Patience::new(Patience::OF_A_REPORT))
    }

    /// A captured tree; `root` must be a directory.
    pub(crate) fn captured(root: &Path) -> Result<Self, HostError> {
        std::fs::read_dir(root).map_err(|source| HostError::Read {
            path: root.to_owned(),
            source,
        })?;
        Ok(Self::below(root, None))
    }

    fn below(root: &Path, patience: Option<Patience>) -> Self {
        Self {
            root: root.to_owned(),
            patience,
            hanging: RefCell::default(),
            answers: RefCell::default(),
        }
    }

    /// The text of a file; `None` if there is no such file.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Text>, HostError> {
        let full = self.locate(path)?;
        let found = self.patiently(path, {
            let full = full.clone();
            move || file::read(&full)
        })?;
        Ok(found.map(|bytes| Text {
            source: path.to_owned(),
            text: file::into_text(bytes),
            at: self.read_at(&full),
        }))
    }

    /// Changes one small file, which appears whole or not at all: `edit` is given its text, and says what becomes of it.
    /// Only what an administrator has asked for is written this way; no source does.
    pub(crate) fn edit<T: Send + 'static>(
        &self,
        path: &str,
        edit: impl FnOnce(Option<&str>) -> (Edit, T) + Send + 'static,
    ) -> Result<T, HostError> {
        let full = self.locate(path)?;
        self.patiently(path, move || file::edit(&full, edit))
    }

    /// The end of a text of any size, and whether something stands before it; it can begin within a line.
    pub(crate) fn read_end(
        &self,
        path: &str,
        max_bytes: u64,
    ) -> Result<Option<(String, bool)>, HostError> {
        let found = file::read_end(&self.locate(path)?, max_bytes)?;
        Ok(found.map(|(bytes, cut)| (file::into_text(bytes), cut)))
    }

    /// A reader over a file that may be too long to be held in memory.
    pub(crate) fn open(
        &self,
        path: &str,
    ) -> Result<Option<Opened<impl BufRead + use<>>>, HostError> {
        let full = self.locate(path)?;
        let found = file::open(&full)?;
        Ok(found.map(|file| Opened {
            lines: BufReader::with_capacity(64 << 10, file),
            at: self.read_at(&full),
        }))
    }

    /// The names in a directory in order; `None` if there is no such directory.
    pub(crate) fn list(&self, dir: &str) -> Result<Option<Vec<String>>, HostError> {
        let full = self.locate(dir)?;
        self.patiently(dir, move || file::list(&full))
    }

    /// When a file was last written to on the live node; `None` if there is no such file, and in a captured tree, where
    /// a file is as old as the capture.
    pub(crate) fn written_at(&self, path: &str) -> Result<Option<Timestamp>, HostError> {
        if self.is_captured() {
            return Ok(None);
        }
        file::written_at(&self.root.join(path))
    }

    /// How full the file system is that is mounted there; `None` in a captured tree, which does not hold it.
    pub(crate) fn room(&self, mount_point: &str) -> Result<Option<Room>, HostError> {
        if self.is_captured() {
            return Ok(None);
        }
        file::room(&self.root.join(mount_point)).map(Some)
    }

    /// The files that a pattern of a source's list names, in order: a file, all files of a directory (`dir/`), those with
    /// one ending (`dir/*.link`), or with `*` for any one directory (`nodes/*/lrm_status`). What is not there is left out.
    pub(crate) fn expand(&self, pattern: &str) -> Result<Vec<String>, HostError> {
        if let Some((dir, ending)) = pattern.split_once("/*.") {
            let ending = format!(".{ending}");
            let mut names = self.list(dir)?.unwrap_or_default();
            names.retain(|name| name.ends_with(&ending));
            return Ok(names.iter().map(|name| format!("{dir}/{name}")).collect());
        }
        let (dir, behind) = match pattern.split_once("/*/") {
            Some((dir, behind)) => (dir, format!("/{behind}")),
            None => match pattern.strip_suffix('/') {
                Some(dir) => (dir, String::new()),
                None => return Ok(vec![pattern.to_owned()]),
            },
        };
        let names = self.list(dir)?.unwrap_or_default();
        let paths = names
            .into_iter()
            .map(|name| format!("{dir}/{name}{behind}"));
        Ok(paths.collect())
    }

    /// The names of the captured outputs that answer this command; on a live node there are none.
    pub(crate) fn captured_answers(&self, command: &Command) -> Result<Vec<String>, HostError> {
        if !self.is_captured() {
            return Ok(Vec::new());
        }
        let names = self.list("commands")?.unwrap_or_default();
        let answers = names
            .into_iter()
            .filter(|name| command.is_answered_by(name));
        Ok(answers.map(|name| format!("commands/{name}")).collect())
    }

    /// What the command answers: on a live node it is run, in a capture all its outputs are read; those that cannot be
    /// read stand for themselves. Empty: it is not installed here, or was not captured.
    pub(crate) fn ask(&self, command: &Command) -> Result<Vec<Answer>, HostError> {
        if let Some(patience) = &self.patience {
            let answer = self.run(command, patience)?;
            return Ok(answer.map(Ok).into_iter().collect());
        }
        let mut answers = Vec::new();
        for path in self.captured_answers(command)? {
            match self.read(&path) {
                Ok(text) => answers.extend(text.map(|text| Ok(Arc::new(text)))),
                Err(error) => answers.push(Err((path, error))),
            }
        }
        Ok(answers)
    }

    /// What ceph says on a live node to arguments that were checked before; `None` if it is not installed.
    pub(crate) fn ask_ceph(&self, args: &[String]) -> Result<Option<CephSaid>, HostError> {
        /// The one program that is asked what was not fixed before.
        const CEPH: &str = "usr/bin/ceph";
        let Some(patience) = &self.patience else {
            return Ok(None);
        };
        let service = Service::Ceph;
        let ceph = self.root.join(CEPH).display().to_string();
        let told = self.if_it_does_not_hang(&ceph, Some(service), || {
            command::run(&ceph, args, service.name(), patience)
        });
        Ok(told?.map(|told| CephSaid {
            text: file::into_text(told.bytes),
            is_success: told.is_success,
        }))
    }

    /// Asks something of the running corosync through its libraries, which can hang as its tools can.
    pub(crate) fn ask_corosync<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HostError> {
        let service = Service::Corosync;
        self.in_lane(service, Path::new(service.name()), move || Ok(ask()))
    }

    /// What a daemon of the live node answers to a request in JSON-RPC; `None` if there is no such socket.
    pub(crate) fn call(&self, socket: &str, request: &str) -> Result<Option<Text>, HostError> {
        let Some(patience) = &self.patience else {
            return Ok(None);
        };
        let path = self.root.join(socket);
        let answer = socket::ask(&path, request, patience.deadline());
        let answer = answer.map_err(|source| match source.kind() {
            io::ErrorKind::TimedOut => HostError::Deadline {
                what: path.display().to_string(),
                after: patience.deadline(),
            },
            _ => HostError::Read { path, source },
        })?;
        Ok(answer.map(|bytes| Text {
            source: socket.to_owned(),
            text: file::into_text(bytes),
            at: Timestamp::now(),
        }))
    }

    /// Is there anything at this place of the live node? It is not opened.
    pub(crate) fn is_there(&self, path: &str) -> bool {
        std::fs::symlink_metadata(self.root.join(path)).is_ok()
    }

    pub(crate) fn is_captured(&self) -> bool {
        self.patience.is_none()
    }

    fn run(&self, command: &Command, patience: &Patience) -> Result<Option<Arc<Text>>, HostError> {
        let name = command.capture_name();
        if let Some(before) = self.answers.borrow().get(&name) {
            return before
                .clone()
                .map_err(|said| HostError::SameAsBefore { said });
        }
        let service = Service::of_program(command.program());
        let on = service.map_or(command.path, Service::name);
        let answer = self.if_it_does_not_hang(command.path, service, || {
            let told = command::run(command.path, command.args, on, patience)?;
            Ok(told.map(|told| told.bytes))
        });
        let answer = answer.map(|bytes| {
            Some(Arc::new(Text {
                source: format!("commands/{name}"),
                text: file::into_text(bytes?),
                at: Timestamp::now(),
            }))
        });
        let kept = match &answer {
            Ok(text) => Ok(text.clone()),
            Err(error) => Err(said(error)),
        };
        self.answers.borrow_mut().insert(name, kept);
        answer
    }

    fn locate(&self, path: &str) -> Result<PathBuf, HostError> {
        if self.is_captured() {
            file::locate(&self.root, path)
        } else {
            Ok(self.root.join(path))
        }
    }

    /// Does the work under the deadline, if it is on a file system of the live node that can hang.
    fn patiently<T: Send + 'static>(
        &self,
        path: &str,
        work: impl FnOnce() -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, HostError> {
        match Service::of_path(path) {
            Some(service) => self.in_lane(service, &self.root.join(path), work),
            None => work(),
        }
    }

    fn in_lane<T: Send + 'static>(
        &self,
        service: Service,
        path: &Path,
        work: impl FnOnce() -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, HostError> {
        let Some(patience) = &self.patience else {
            return work();
        };
        let what = path.display().to_string();
        self.if_it_does_not_hang(&what, Some(service), || {
            let on = service.name();
            let what = what.clone();
            let done = patience.lane(on).within(work);
            done.unwrap_or_else(|vain| {
                Err(match vain {
                    Vain::Hangs => HostError::Hangs { what, on },
                    Vain::Late => HostError::Deadline {
                        what,
                        after: patience.deadline(),
                    },
                    Vain::Broken(source) => HostError::Read {
                        path: path.to_owned(),
                        source,
                    },
                })
            })
        })
    }

    fn if_it_does_not_hang<T>(
        &self,
        what: &str,
        service: Option<Service>,
        work: impl FnOnce() -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        if let Some(on) = service
            && self.hanging.borrow().contains(&on)
        {
            return Err(HostError::Hangs {
                what: what.to_owned(),
                on: on.name(),
            });
        }
        let done = work();
        let in_vain = matches!(
            done,
            Err(HostError::Deadline { .. } | HostError::Hangs { .. })
        );
        if let (true, Some(service)) = (in_vain, service) {
            self.hanging.borrow_mut().insert(service);
        }
        done
    }

    /// When a captured text was read: the file's own time. On a live node: now.
    fn read_at(&self, full: &Path) -> Timestamp {
        let written = || {
            std::fs::metadata(full)
                .ok()?
                .modified()
                .ok()?
                .try_into()
                .ok()
        };
        let at = if self.is_captured() { written() } else { None };
        at.unwrap_or_else(Timestamp::now)
    }
}

/// One answer of a command, or the captured file that could not be read and why.
pub(crate) type Answer = Result<Arc<Text>, (String, HostError)>;

/// An error with its causes, each said once.
pub(crate) fn said(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push_str(": ");
        said.push_str(&error.to_string());
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Host {
        Host::live(&Patience::new(Duration::from_secs(60)))
    }

    #[test]
    fn a_host_can_be_asked_in_another_thread() {
        fn is_send<T: Send>(_: &T) {}
        is_send(&live());
    }

    #[test]
    fn only_what_lies_below_a_mount_that_can_hang_stands_on_it() {
        for path in ["etc/pve", "etc/pve/.members", "etc/ceph/ceph.conf"] {
            assert_eq!(Service::of_path(path), Some(Service::Pmxcfs), "{path}");
        }
        for path in ["etc/pve2/x", "etc", "proc/net/bonding", "etc/cephalopod"] {
            assert_eq!(Service::of_path(path), None, "{path}");
        }
    }

    #[test]
    fn a_command_is_run_once_in_a_report() {
        const RANDOM: Command = Command {
            path: "/bin/cat",
            args: &["/proc/sys/kernel/random/uuid"],
            words: &[],
        };
        let host = live();
        let ask = |host: &Host| host.ask(&RANDOM).unwrap()[0].as_ref().unwrap().text.clone();
        assert_eq!(ask(&host), ask(&host));
        assert_ne!(ask(&host), ask(&live()));
    }

    #[test]
    fn what_hung_once_is_not_waited_for_again() {
        let host = live();
        let late = || HostError::Deadline {
            what: "/etc/pve/.members".to_owned(),
            after: Duration::from_secs(5),
        };
        let hung = host.if_it_does_not_hang("x", Some(Service::Pmxcfs), || Err::<(), _>(late()));
        assert!(matches!(hung, Err(HostError::Deadline { .. })));
        let error = host.read("etc/pve/corosync.conf").unwrap_err();
        assert_eq!(
            error.to_string(),
            "/etc/pve/corosync.conf was not asked, because /etc/pve did not answer before"
        );
        assert!(host.list("etc/pve/nodes").is_err());
        assert!(host.read("proc/version").is_ok());
    }

    #[test]
    fn one_answer_that_cannot_be_read_does_not_lose_the_others() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("commands/ip_addr")).unwrap();
        std::fs::write(dir.path().join("commands/ip_link"), "x").unwrap();
        let host = Host::captured(dir.path()).unwrap();
        const IP: Command = Command {
            path: "/usr/sbin/ip",
            args: &[],
            words: &[],
        };
        let answers = host.ask(&IP).unwrap();
        let readable: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(readable, [false, true]);
    }

    #[test]
    fn a_pattern_names_a_file_a_directory_or_a_file_in_each_directory() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "nodes/b/lrm_status",
            "nodes/a/lrm_status",
            "nodes/.version",
            "network/a.link",
            "network/a.netdev",
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let host = Host::captured(dir.path()).unwrap();
        let expanded = |pattern| host.expand(pattern).unwrap();
        assert_eq!(expanded("etc/hostname"), ["etc/hostname"]);
        assert_eq!(expanded("nodes/a/"), ["nodes/a/lrm_status"]);
        assert_eq!(expanded("network/*.link"), ["network/a.link"]);
        assert_eq!(
            expanded("nodes/*/lrm_status"),
            [
                "nodes/.version/lrm_status",
                "nodes/a/lrm_status",
                "nodes/b/lrm_status"
            ]
        );
        assert!(expanded("no/such/").is_empty());
    }
}
