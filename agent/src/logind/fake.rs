//! A fake of systemd-logind on a private bus, for tests: it gives locks and sees when they are let go, and it says what it
//! is told to say. The bus is a real dbus-daemon.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe;
use tokio::time::sleep;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{self, Value};
use zbus::{Connection, connection, fdo, interface};

const PATH: &str = "/org/freedesktop/login1";
const CONFIGURATION: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>"#;

/// A bus of its own, which ends with it.
#[derive(Debug)]
pub(crate) struct FakeBus {
    daemon: Child,
    socket: PathBuf,
}

impl FakeBus {
    pub(crate) async fn start(dir: &Path) -> Self {
        let socket = dir.join("bus");
        let configuration = dir.join("bus.conf");
        let text = CONFIGURATION.replace("SOCKET", &socket.display().to_string());
        std::fs::write(&configuration, text).unwrap();
        let daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", configuration.display()))
            .args(["--nofork", "--nopidfile"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is needed for this test");
        while !socket.exists() {
            sleep(Duration::from_millis(5)).await;
        }
        Self { daemon, socket }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.socket.display())
    }
}

impl Drop for FakeBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A lock that was given.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) what: String,
    pub(crate) mode: String,
    pub(crate) why: String,
    /// It is closed at the other end once the lock is let go.
    end: Arc<OwnedFd>,
}

impl Given {
    pub(crate) fn is_held(&self) -> bool {
        let mut polled = [PollFd::new(self.end.as_fd(), PollFlags::empty())];
        poll(&mut polled, PollTimeout::ZERO).unwrap();
        let is_closed = |events: PollFlags| events.contains(PollFlags::POLLHUP);
        !polled[0].revents().is_some_and(is_closed)
    }

    pub(crate) async fn is_let_go(&self) {
        let began = Instant::now();
        while self.is_held() {
            assert!(began.elapsed() < Duration::from_secs(20));
            sleep(Duration::from_millis(5)).await;
        }
    }
}

type Locks = Arc<Mutex<Vec<Given>>>;

#[derive(Debug)]
struct Manager {
    locks: Locks,
}

#[interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn inhibit(
        &self,
        what: &str,
        _who: &str,
        why: &str,
        mode: &str,
    ) -> fdo::Result<zvariant::OwnedFd> {
        let (end, lock) = pipe().map_err(|error| fdo::Error::Failed(error.to_string()))?;
        self.locks.lock().unwrap().push(Given {
            what: what.to_owned(),
            mode: mode.to_owned(),
            why: why.to_owned(),
            end: Arc::new(end),
        });
        Ok(lock.into())
    }

    #[zbus(signal)]
    async fn prepare_for_shutdown(emitter: &SignalEmitter<'_>, start: bool) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn prepare_for_shutdown_with_metadata(
        emitter: &SignalEmitter<'_>,
        start: bool,
        metadata: HashMap<&str, Value<'_>>,
    ) -> zbus::Result<()>;
}

#[derive(Debug)]
pub(crate) struct FakeLogind {
    connection: Connection,
    locks: Locks,
}

impl FakeLogind {
    pub(crate) async fn start(bus: &FakeBus) -> Self {
        Self::named(bus, "org.freedesktop.login1").await
    }

    /// It says the same under another name: a stranger.
    pub(crate) async fn named(bus: &FakeBus, name: &'static str) -> Self {
        let locks = Locks::default();
        let manager = Manager {
            locks: Arc::clone(&locks),
        };
        let connection = connection::Builder::address(bus.address().as_str())
            .unwrap()
            .serve_at(PATH, manager)
            .unwrap()
            .name(name)
            .unwrap()
            .build()
            .await
            .unwrap();
        Self { connection, locks }
    }

    /// What systemd does from version 255 on: the new signal, then the old one.
    pub(crate) async fn announce(&self, start: bool, kind: &str) {
        let emitter = SignalEmitter::new(&self.connection, PATH).unwrap();
        let about = HashMap::from([("type", Value::from(kind))]);
        let said = Manager::prepare_for_shutdown_with_metadata(&emitter, start, about);
        said.await.unwrap();
        self.announce_in_the_old_way(start).await;
    }

    pub(crate) async fn announce_in_the_old_way(&self, start: bool) {
        let emitter = SignalEmitter::new(&self.connection, PATH).unwrap();
        let said = Manager::prepare_for_shutdown(&emitter, start);
        said.await.unwrap();
    }

    /// The lock that was given last, and how many there were.
    pub(crate) fn last_lock(&self) -> Option<(Given, usize)> {
        let locks = self.locks.lock().unwrap();
        Some((locks.last()?.clone(), locks.len()))
    }
}
