//! A small disk of its own for a station of the rack: a file with an ext4 on it, mounted in the station's room only. It
//! can fill up, and it can fail as disks do: the kernel finds an error and lets nobody write any more, also those who
//! have its files open.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use nix::sys::stat::{major, minor};

use crate::rack::Rack;

/// In the station's room, on its tmpfs.
const IMAGE: &str = "/run/disk.img";
const FILLER: &str = "filler";

/// The disk; it is gone with the rack.
#[derive(Debug)]
pub struct Disk {
    station: &'static str,
    at: &'static str,
}

impl Disk {
    /// Makes it, and mounts it there.
    pub(crate) fn mount(
        rack: &Rack,
        station: &'static str,
        at: &'static str,
        mib: u32,
    ) -> Result<Self> {
        let size = format!("{mib}M");
        run(rack, station, "truncate", &["--size", &size, IMAGE])?;
        // Nothing is held back for root: full is full.
        run(rack, station, "mkfs.ext4", &["-q", "-F", "-m", "0", IMAGE])?;
        run(rack, station, "mkdir", &["-p", at])?;
        let disk = Self { station, at };
        disk.mount_again(rack)?;
        Ok(disk)
    }

    /// Writes until there is no room for a byte.
    pub fn fill(&self, rack: &Rack) -> Result<()> {
        let mut file = std::fs::File::create(self.path(rack)?.join(FILLER))?;
        let mut block = vec![0_u8; 1 << 20];
        while !block.is_empty() {
            match file.write(&block) {
                Ok(written) if written > 0 => {}
                _ => block.truncate(block.len() / 2),
            }
        }
        // What was only promised room may not get it.
        let _ = file.sync_all();
        Ok(())
    }

    pub fn make_room(&self, rack: &Rack) -> Result<()> {
        std::fs::remove_file(self.path(rack)?.join(FILLER)).context("the disk was not filled")
    }

    /// An error is found on it: from now on it can only be read.
    pub fn fail(&self, rack: &Rack) -> Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let number = std::fs::metadata(self.path(rack)?)?.dev();
        let (major, minor) = (major(number), minor(number));
        let device = std::fs::read_link(format!("/sys/dev/block/{major}:{minor}"))?;
        let name = device.file_name().context("a device without a name")?;
        let trigger = PathBuf::from("/sys/fs/ext4").join(name);
        std::fs::write(trigger.join("trigger_fs_error"), "1").context("the disk cannot fail")
    }

    /// Is put in again after it failed. Nobody may have a file of it open.
    pub fn put_back(&self, rack: &Rack) -> Result<()> {
        run(rack, self.station, "umount", &[self.at])?;
        self.mount_again(rack)
    }

    fn mount_again(&self, rack: &Rack) -> Result<()> {
        let options = ["-o", "loop,errors=remount-ro", IMAGE, self.at];
        run(rack, self.station, "mount", &options)
    }

    fn path(&self, rack: &Rack) -> Result<PathBuf> {
        rack.path(self.station, self.at)
    }
}

fn run(rack: &Rack, station: &str, program: &str, args: &[&str]) -> Result<()> {
    let output = rack.command(station, program)?.args(args).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {args:?}: {said}");
    Ok(())
}
