//! A file system that really hangs: a FUSE mount whose server never answers, as pmxcfs when corosync stands still.
//! Needs root and `/dev/fuse`. The mount is private to the test's thread and to those that it starts, and goes with them.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::{Host, HostError, Patience, Service};

const DEADLINE: Duration = Duration::from_millis(500);
/// For what must be at once, on a machine that is busy.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Hands out the server's side of the mount. As long as that is held and not read from, whoever touches the mount waits.
fn mount_silent(on: &Path) -> File {
    unshare(CloneFlags::CLONE_NEWNS).expect("this test needs root");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let mut options = File::options();
    let server = options.read(true).write(true).open("/dev/fuse").unwrap();
    let fd = server.as_raw_fd();
    let how = format!("fd={fd},rootmode=40000,user_id=0,group_id=0");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("silent"), on, Some("fuse"), flags, Some(how.as_str())).unwrap();
    server
}

/// Runs the test in a thread of its own, because that one gets mounts of its own.
fn in_private(test: impl FnOnce(&Path) + Send) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("etc/pve")).unwrap();
    fs::create_dir_all(dir.path().join("proc")).unwrap();
    fs::write(dir.path().join("proc/version"), "Linux").unwrap();
    thread::scope(|scope| scope.spawn(|| test(dir.path())).join().unwrap());
}

#[test]
fn a_mount_that_hangs_costs_one_thread_and_nobody_waits_twice() {
    in_private(|root| {
        let server = mount_silent(&root.join("etc/pve"));
        let patience = Patience::new(DEADLINE);
        let host = || Host::below(root, Some(patience.clone()));

        // Eight sources ask at the same time; each asks several files, as each does.
        let began = Instant::now();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for number in 0..8 {
                let (start, host) = (&start, &host);
                scope.spawn(move || {
                    let host = host();
                    start.wait();
                    for file in ["etc/pve/.members", "etc/pve/corosync.conf"] {
                        let said = host.read(file).unwrap_err();
                        assert!(is_hanging(&said), "{number}: {said}");
                    }
                    assert_eq!(host.read("proc/version").unwrap().unwrap().text, "Linux");
                });
            }
        });
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        assert_eq!(stuck(), 1, "one read is stuck, and no other");

        // A hundred later ones are turned back at once.
        let began = Instant::now();
        for _ in 0..100 {
            let said = host().list("etc/pve/nodes").unwrap_err();
            assert!(matches!(said, HostError::Hangs { .. }), "{said}");
        }
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        assert_eq!(stuck(), 1);

        // The server is gone and so is the mount: the stuck one returns, and asking works again.
        drop(server);
        umount2(&root.join("etc/pve"), MntFlags::MNT_DETACH).unwrap();
        fs::write(root.join("etc/pve/.members"), "{}").unwrap();
        let began = Instant::now();
        loop {
            match host().read("etc/pve/.members") {
                Ok(text) => break assert_eq!(text.unwrap().text, "{}"),
                Err(said) => assert!(began.elapsed() < AT_ONCE, "{said}"),
            }
        }
        assert_eq!(stuck(), 0);
    });
}

fn is_hanging(error: &HostError) -> bool {
    match error {
        HostError::Deadline { .. } => true,
        HostError::Hangs { on, .. } => *on == Service::Pmxcfs.name(),
        _ => false,
    }
}

/// The threads of this process that wait in the kernel for an answer of a FUSE server.
fn stuck() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let waits = |path: &Path| {
        fs::read_to_string(path.join("wchan")).is_ok_and(|place| place.contains("fuse"))
            || fs::read_to_string(path.join("stack")).is_ok_and(|stack| stack.contains("fuse"))
    };
    threads
        .flatten()
        .filter(|thread| waits(&thread.path()))
        .count()
}
