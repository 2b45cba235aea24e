//! A command whose answer is read line by line while it runs, for answers that may be long.

use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::command::{end, spawn};
use super::file::is_absence;

/// How much of what a command complains of is kept.
const MAX_COMPLAINT_BYTES: u64 = 4 << 10;
const BUFFER_BYTES: usize = 16 << 10;

/// The command that could not be ended, because it waits for a disk: while it is there, no other is started beside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeftBehind(Arc<Mutex<Option<Child>>>);

impl LeftBehind {
    fn keep(&self, child: Child) {
        *self.place() = Some(child);
    }

    /// Is it still there? If not, it is reaped.
    fn is_there(&self) -> bool {
        let mut place = self.place();
        let is_there = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        if !place.as_mut().is_some_and(is_there) {
            *place = None;
        }
        place.is_some()
    }

    fn place(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running command. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Until it is dropped.
    child: Option<Child>,
    left_behind: LeftBehind,
    pub(crate) lines: BufReader<Patient<ChildStdout>>,
    complaints: Option<Patient<ChildStderr>>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) well: bool,
    /// What it said on standard error.
    pub(crate) complaint: String,
    /// The exit code or the signal, in words.
    pub(crate) how: String,
}

impl Stream {
    /// Starts a command with a clean environment and without a shell. `None` if it is not installed. It fails when it
    /// says nothing for `silence`, and does not start while the one before cannot be ended.
    pub(crate) fn start(
        path: &'static str,
        args: &[String],
        silence: Duration,
        left_behind: &LeftBehind,
    ) -> io::Result<Option<Self>> {
        if left_behind.is_there() {
            let why = "the one started before was killed and has not ended: it waits for a disk";
            return Err(io::Error::other(why));
        }
        let mut child = match spawn(path, args) {
            Ok(child) => child,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let pipes = (child.stdout.take(), child.stderr.take());
        let (Some(out), complaints) = pipes else {
            if end(&mut child) {
                left_behind.keep(child);
            }
            return Err(io::Error::other("it was started without a pipe"));
        };
        let patient = |pipe| Patient { pipe, silence };
        Ok(Some(Self {
            child: Some(child),
            left_behind: left_behind.clone(),
            lines: BufReader::with_capacity(BUFFER_BYTES, patient(out)),
            complaints: complaints.map(|pipe| Patient { pipe, silence }),
        }))
    }

    /// How it ended, once all its lines are read.
    pub(crate) fn ended(mut self) -> io::Result<Ended> {
        let mut complaint = Vec::new();
        if let Some(pipe) = self.complaints.take() {
            pipe.take(MAX_COMPLAINT_BYTES).read_to_end(&mut complaint)?;
        }
        let status = match &mut self.child {
            Some(child) => super::command::ended(child)?,
            None => None,
        };
        let Some(status) = status else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        Ok(Ended {
            well: status.success(),
            complaint: String::from_utf8_lossy(&complaint).trim().to_owned(),
            how: status.to_string(),
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take()
            && end(&mut child)
        {
            self.left_behind.keep(child);
        }
    }
}

/// A pipe that is not waited for without end.
#[derive(Debug)]
pub(crate) struct Patient<P> {
    pipe: P,
    silence: Duration,
}

impl<P: Read + AsFd> Read for Patient<P> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let timeout = PollTimeout::try_from(self.silence).unwrap_or(PollTimeout::MAX);
        let mut waited_for = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waited_for, timeout)? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.pipe.read(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;
    use std::time::Instant;

    use super::*;

    fn start(path: &'static str, args: &[&str], silence: Duration) -> Option<Stream> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Stream::start(path, &args, silence, &LeftBehind::default()).unwrap()
    }

    #[test]
    fn a_command_that_falls_silent_is_not_waited_for() {
        let begun = Instant::now();
        let mut stream = start("/bin/sleep", &["600"], Duration::from_millis(50)).unwrap();
        let error = stream.lines.read_line(&mut String::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(stream);
        assert!(begun.elapsed() < Duration::from_secs(300));
    }

    #[test]
    fn how_a_command_ended_and_what_it_complained_of_is_told() {
        let long = Duration::from_secs(60);
        assert!(start("/usr/bin/no-such-tool", &[], long).is_none());
        let mut stream = start("/bin/ls", &["/no/such/place"], long).unwrap();
        assert_eq!(stream.lines.read_line(&mut String::new()).unwrap(), 0);
        let ended = stream.ended().unwrap();
        assert!(!ended.well);
        assert!(ended.complaint.contains("No such file"), "{ended:?}");
    }

    #[test]
    fn beside_a_command_that_cannot_be_ended_no_other_is_started() {
        let long = Duration::from_secs(60);
        let left_behind = LeftBehind::default();
        let start = || Stream::start("/bin/true", &[], long, &left_behind);
        left_behind.keep(spawn("/bin/sleep", &["600".to_owned()]).unwrap());
        let error = start().unwrap_err();
        assert!(error.to_string().contains("has not ended"), "{error}");
        assert!(start().is_err());
        if let Some(child) = left_behind.place().as_mut() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(start().unwrap().unwrap().ended().unwrap().well);
        assert!(!left_behind.is_there());
    }
}
