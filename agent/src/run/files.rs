//! Directories whose files wake a source when they change (inotify(7)). Nothing below `/etc/pve` is watched: inotify
//! never sees there what another node wrote, and a watch would keep it from being unmounted.

use std::io;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Instant;

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use crate::run::limits::Limits;
use crate::run::wakes::Wakes;
use crate::source::Wake;

const WATCHED: &[(&str, Wake)] = &[
    ("/etc/network", Wake::Boot),
    ("/etc/network/interfaces.d", Wake::Boot),
    ("/etc/systemd/network", Wake::Boot),
    ("/usr/local/lib/systemd/network", Wake::Boot),
    ("/run/systemd/network", Wake::Boot),
    ("/etc/default", Wake::Boot),
    ("/etc/kernel", Wake::Boot),
    ("/boot", Wake::Boot),
    ("/boot/grub", Wake::Boot),
    ("/var/lib/dpkg", Wake::Boot),
    ("/etc/corosync", Wake::Pve),
    ("/var/log/pve/tasks", Wake::Tasks),
    ("/run/systemd", Wake::Power),
    ("/run/systemd/shutdown", Wake::Power),
];
/// A directory that was not there is looked for again after this time.
const AGAIN_MS: u16 = 60_000;
/// Room for some events at a time. What they say beyond the directory is not looked at.
const ROOM_BYTES: usize = 2048;
const STACK_BYTES: usize = 64 << 10;

/// Wakes for as long as the process lives, on a thread that sleeps until a file changes.
pub(super) fn listen(wakes: Wakes, limits: Limits) -> io::Result<()> {
    let inotify = Inotify::init()?;
    let thread = thread::Builder::new()
        .name("files".to_owned())
        .stack_size(STACK_BYTES);
    thread.spawn(move || {
        if hear(inotify, &wakes, &limits).is_err() {
            // The paces of the sources stay.
            limits.hit("changes of files cannot be heard any more", 1);
        }
    })?;
    Ok(())
}

fn hear(mut inotify: Inotify, wakes: &Wakes, limits: &Limits) -> io::Result<()> {
    let mut room = [0; ROOM_BYTES];
    let mut watched = Vec::new();
    loop {
        watch_all(&inotify, &mut watched);
        match poll(
            &mut [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)],
            AGAIN_MS,
        ) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let noticed = Instant::now();
        for event in inotify.read_events(&mut room)? {
            let of_this = watched.iter().filter(|(watch, _)| *watch == event.wd);
            for (_, wake) in of_this {
                wakes.wake(*wake, noticed);
            }
            if event.mask.contains(EventMask::Q_OVERFLOW) {
                limits.hit("changes of files lost, and all looked at instead", 1);
                wakes.wake_all(noticed);
            }
            if event.mask.contains(EventMask::IGNORED) {
                watched.retain(|(watch, _)| *watch != event.wd);
            }
        }
    }
}

/// Watches what is not watched yet. The directory of a scheduled shutdown, for one, comes and goes with it, and its
/// parent says so. Adding one that is watched already gives the same descriptor again.
fn watch_all(inotify: &Inotify, watched: &mut Vec<(WatchDescriptor, Wake)>) {
    let mask = WatchMask::CREATE
        | WatchMask::CLOSE_WRITE
        | WatchMask::MOVE
        | WatchMask::DELETE
        | WatchMask::ONLYDIR;
    for (dir, wake) in WATCHED {
        // What is not there is looked for again.
        if let Ok(watch) = inotify.watches().add(dir, mask)
            && !watched.iter().any(|(known, _)| *known == watch)
        {
            watched.push((watch, *wake));
        }
    }
}
