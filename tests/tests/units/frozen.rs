//! A disk that stands still: everything that writes to it waits, for as long as the kernel is told so (fsfreeze(8)).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::told::{Running, Systemd, WATCHDOG, collector, init};

/// A file with an ext4 on it, mounted for this test.
struct Disk {
    at: PathBuf,
}

impl Disk {
    fn mount(dir: &Path) -> Self {
        let (image, at) = (dir.join("image"), dir.join("disk"));
        std::fs::create_dir(&at).unwrap();
        run(Command::new("truncate").args(["--size", "64M"]).arg(&image));
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        run(Command::new("mount")
            .args(["-o", "loop"])
            .args([&image, &at]));
        Self { at }
    }

    fn stands_still(&self) {
        run(Command::new("fsfreeze").arg("--freeze").arg(&self.at));
    }

    fn goes_on(&self) {
        run(Command::new("fsfreeze").arg("--unfreeze").arg(&self.at));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever waits for it goes on, and it can be taken away.
        let _ = Command::new("fsfreeze")
            .arg("--unfreeze")
            .arg(&self.at)
            .output();
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).output();
    }
}

fn run(command: &mut Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
}

#[test]
fn a_disk_that_stands_still_keeps_the_collector_from_being_ready_and_never_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::mount(dir.path());
    let state = disk.at.join("state");
    init(dir.path(), &state);
    let systemd = Systemd::new(dir.path());
    let mut command = collector(dir.path(), &state, &["run"]);
    systemd.runs(&mut command);

    disk.stands_still();
    let running = Running::start(command);
    let told = systemd.hear(WATCHDOG).concat();
    assert!(!told.contains("READY"), "{told}");
    disk.goes_on();
    systemd.expect("READY=1");
    systemd.expect_signs(WATCHDOG);

    disk.stands_still();
    // Somebody writes: a token, beside the running collector, which looks at the same file.
    let mut writes = collector(dir.path(), &state, &["token", "create"]);
    let writes = std::thread::spawn(move || writes.output().unwrap());
    systemd.expect_signs(WATCHDOG * 3);
    disk.goes_on();
    assert!(writes.join().unwrap().status.success());
    systemd.expect_signs(WATCHDOG);
    running.ends_well();
}
