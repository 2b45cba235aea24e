//! Directories whose files are written to, as inotify tells.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirEntryExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use inotify::{Inotify, WatchMask};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Room for a handful of events; what they say does not matter, only that there were some.
const BUFFER_BYTES: usize = 4 << 10;

/// Watches directories; which ones may change.
#[derive(Debug)]
pub(crate) struct Changes {
    inotify: Inotify,
}

/// Why the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    Changed,
    TimeOut,
    Stopped,
}

impl Changes {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            inotify: Inotify::init()?,
        })
    }

    /// Watches these too. A directory that is not there is passed over; one that is watched already stays so.
    pub(crate) fn watch(&self, dirs: &[PathBuf]) {
        let mask = WatchMask::MODIFY
            | WatchMask::CREATE
            | WatchMask::MOVED_TO
            | WatchMask::DELETE
            | WatchMask::ONLYDIR;
        for dir in dirs {
            // Without a watch there is the slow look as a safety net.
            let _ = self.inotify.watches().add(dir, mask);
        }
    }

    /// Takes all that was told so far. Was there anything?
    pub(crate) fn drain(&mut self) -> bool {
        let mut buffer = [0; BUFFER_BYTES];
        let mut any = false;
        while let Ok(events) = self.inotify.read_events(&mut buffer) {
            any |= events.count() > 0;
        }
        any
    }

    /// Waits for a change, for `stop` (a pipe whose other end closes), or for so long.
    pub(crate) fn wait(&self, stop: &impl AsFd, at_most: Duration) -> Woken {
        wait(Some(&self.inotify), stop, at_most)
    }
}

/// Waits for `stop`, or for so long.
pub(crate) fn pause(stop: &impl AsFd, at_most: Duration) -> Woken {
    wait(None, stop, at_most)
}

fn wait(inotify: Option<&Inotify>, stop: &impl AsFd, at_most: Duration) -> Woken {
    let until = Instant::now() + at_most;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up: a wait of less than a millisecond must not spin.
        let timeout = PollTimeout::try_from(left + Duration::from_millis(1));
        let mut waited_for = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        waited_for.extend(inotify.map(|one| PollFd::new(one.as_fd(), PollFlags::POLLIN)));
        let polled = poll(&mut waited_for, timeout.unwrap_or(PollTimeout::MAX));
        let is_ready = |place: usize| {
            let flags = waited_for.get(place).and_then(PollFd::revents);
            flags.is_some_and(|flags| !flags.is_empty())
        };
        if is_ready(0) {
            return Woken::Stopped;
        }
        if is_ready(1) {
            return Woken::Changed;
        }
        let is_over = polled == Ok(0) || Instant::now() >= until;
        if is_over {
            return Woken::TimeOut;
        }
    }
}

/// The files of directories, each by name and inode: what changes when one is made, renamed or removed.
pub(crate) fn listing(dirs: &[PathBuf]) -> BTreeSet<(OsString, u64)> {
    let mut listing = BTreeSet::new();
    for entries in dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()) {
        let entries = entries.flatten();
        listing.extend(entries.map(|entry| (entry.file_name(), entry.ino())));
    }
    listing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_a_stop_and_a_time_out_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned(), dir.path().join("not-there")];
        let mut changes = Changes::new().unwrap();
        changes.watch(&dirs);
        let (stop, stopper) = io::pipe().unwrap();
        let short = Duration::from_millis(1);
        assert_eq!(changes.wait(&stop, short), Woken::TimeOut);
        let before = listing(&dirs);
        std::fs::write(dir.path().join("a"), "x").unwrap();
        assert_ne!(listing(&dirs), before);
        assert_eq!(
            changes.wait(&stop, Duration::from_secs(600)),
            Woken::Changed
        );
        assert!(changes.drain());
        assert_eq!(changes.wait(&stop, short), Woken::TimeOut);
        drop(stopper);
        assert_eq!(pause(&stop, Duration::from_secs(600)), Woken::Stopped);
    }
}
