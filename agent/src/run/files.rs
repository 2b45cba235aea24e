//! Directories whose files wake a source when they change (inotify(7)). Nothing below `/etc/pve` is watched: inotify
//! never sees there what another node wrote, and a watch would keep it from being unmounted.

use std::io;
use std::time::{Duration, Instant};

use inotify::{EventMask, Inotify, WatchMask};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use crate::run::wakes::Wakes;
use crate::source::Wake;

const WATCHED: &[(&str, Wake)] = &[
    ("/etc/network", Wake::Boot),
    ("/etc/network/interfaces.d", Wake::Boot),
    ("/etc/systemd/network", Wake::Boot),
    ("/usr/local/lib/systemd/network", Wake::Boot),
    ("/etc/kernel", Wake::Boot),
    ("/boot", Wake::Boot),
    ("/var/lib/dpkg", Wake::Boot),
    ("/etc/corosync", Wake::Pve),
    ("/var/log/pve/tasks", Wake::Tasks),
    ("/run/systemd", Wake::Power),
    ("/run/systemd/shutdown", Wake::Power),
];
/// A directory that was not there is looked for again after this time.
const AGAIN: Duration = Duration::from_secs(60);
/// Room for some events at a time. What they say beyond the directory is not looked at.
const ROOM_BYTES: usize = 2048;

/// Wakes for ever; ends when the kernel gives no inotify (its limit of instances is reached).
pub(super) async fn listen(wakes: Wakes) -> io::Error {
    match hear(&wakes).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn hear(wakes: &Wakes) -> io::Result<std::convert::Infallible> {
    let mut inotify = AsyncFd::new(Inotify::init()?)?;
    let mask = WatchMask::CREATE
        | WatchMask::CLOSE_WRITE
        | WatchMask::MOVE
        | WatchMask::DELETE
        | WatchMask::ONLYDIR;
    let mut room = [0; ROOM_BYTES];
    let mut kinds = Vec::new();
    loop {
        // Adding one that is watched already gives the same descriptor again.
        for (dir, wake) in WATCHED {
            if let Ok(watch) = inotify.get_ref().watches().add(dir, mask)
                && !kinds.iter().any(|(known, _)| *known == watch)
            {
                kinds.push((watch, *wake));
            }
        }
        let Ok(ready) = timeout(AGAIN, inotify.readable_mut()).await else {
            continue;
        };
        let mut ready = ready?;
        match ready.get_inner_mut().read_events(&mut room) {
            Ok(events) => {
                let noticed = Instant::now();
                for event in events {
                    for (_, wake) in kinds.iter().filter(|(watch, _)| *watch == event.wd) {
                        wakes.wake(*wake, noticed);
                    }
                    if event.mask.contains(EventMask::IGNORED) {
                        kinds.retain(|(watch, _)| *watch != event.wd);
                    }
                }
                // A directory that was just made may be one of those above: they are all added again.
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
            Err(error) => return Err(error),
        }
    }
}
