//! Daemons that are asked over a socket in JSON-RPC 1.0 (Open vSwitch: RFC 7047, lib/jsonrpc.c). An answer is one
//! object; nothing stands between objects, so the end of one is found by its braces.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

/// Some hundred ports take a hundred KiB.
const MAX_ANSWER_BYTES: usize = 4 << 20;
const PIECE_BYTES: usize = 16 << 10;

/// Asks once. `None`: nobody has made a socket there. One that nobody answers at is an error; `TimedOut` is too late.
pub(super) fn ask(path: &Path, request: &str, within: Duration) -> io::Result<Option<Vec<u8>>> {
    let until = Instant::now() + within;
    let mut stream = match connected(path) {
        Ok(stream) => stream,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    stream.set_write_timeout(Some(within))?;
    stream.write_all(request.as_bytes()).map_err(too_late)?;
    let mut answer = Vec::new();
    let mut end = ObjectEnd::default();
    let mut piece = [0; PIECE_BYTES];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = match stream.read(&mut piece) {
            Ok(0) => return Err(io::Error::other("it hung up without a whole answer")),
            Ok(read) => piece.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(too_late(error)),
        };
        if let Some(length) = end.within(read) {
            answer.extend(read.iter().take(length));
            return Ok(Some(answer));
        }
        answer.extend_from_slice(read);
        if answer.len() > MAX_ANSWER_BYTES {
            let why = format!("its answer is larger than {} MiB", MAX_ANSWER_BYTES >> 20);
            return Err(io::Error::other(why));
        }
    }
}

/// Connects at once or not at all: where the daemon stands still and its queue is full, connecting would wait for ever.
fn connected(path: &Path) -> nix::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).map_err(|_| Errno::last())?;
    Ok(stream)
}

/// A socket whose time is up says that it would block.
fn too_late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// Finds the end of the JSON objects in what comes piece by piece.
#[derive(Debug, Default)]
pub(crate) struct ObjectEnd {
    depth: usize,
    quoted: bool,
    escaped: bool,
}

impl ObjectEnd {
    /// How many bytes of this piece belong to the object that ends first in it; `None` if none ends.
    pub(crate) fn within(&mut self, piece: &[u8]) -> Option<usize> {
        for (at, byte) in piece.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = self.quoted,
                b'"' => self.quoted = !self.quoted,
                b'{' | b'[' if !self.quoted => self.depth += 1,
                b'}' | b']' if !self.quoted => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_end_of_an_answer_is_found_whatever_stands_in_its_texts() {
        let answer = br#"{"result":"a } \" ] {","error":null}"#;
        for cut in 0..answer.len() {
            let mut end = ObjectEnd::default();
            let (first, second) = answer.split_at(cut);
            assert_eq!(end.within(first), None);
            let behind = [second, b"{\"method\":1}"].concat();
            assert_eq!(end.within(&behind), Some(second.len()));
        }
    }

    #[test]
    fn no_socket_is_nobody_and_a_dead_or_silent_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db.sock");
        assert!(ask(&path, "{}", MINUTE).unwrap().is_none());

        let listener = UnixListener::bind(&path).unwrap();
        // Nobody accepts: the queue fills up, and then nobody waits any more.
        let late = ask(&path, "{}", Duration::from_millis(50)).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);

        thread::scope(|scope| {
            scope.spawn(|| {
                // The first one in the queue has gone already.
                drop(listener.accept());
                let (mut peer, _) = listener.accept().unwrap();
                let mut request = [0; 2];
                peer.read_exact(&mut request).unwrap();
                peer.write_all(b"{\"id\":0} {\"more\"").unwrap();
            });
            assert_eq!(ask(&path, "{}", MINUTE).unwrap().unwrap(), b"{\"id\":0}");
        });

        drop(listener);
        let refused = ask(&path, "{}", MINUTE).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
