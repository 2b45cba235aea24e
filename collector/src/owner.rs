//! Whose the state is. The collector runs as a user of its own, and root sets it up: whatever root does in the state directory is
//! done as whoever that belongs to. So nothing is made that the collector could not read, and what it could not read is not
//! called good.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};

/// Root becomes the owner of the state directory, for good. Before there is one, and for anybody else, nothing happens. To be called
/// before there are threads.
pub(crate) fn take_on(state_dir: &Path) -> io::Result<()> {
    let Ok(about) = std::fs::metadata(state_dir) else {
        return Ok(());
    };
    if !geteuid().is_root() || about.uid() == 0 {
        return Ok(());
    }
    let group = Gid::from_raw(about.gid());
    setgroups(&[group])?;
    setgid(group)?;
    Ok(setuid(Uid::from_raw(about.uid()))?)
}
