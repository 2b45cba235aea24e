//! Whose the state is: root may set up a collector that runs as a user of its own.

use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

use nix::unistd::geteuid;

/// What root has made in a state directory becomes that of whoever the directory belongs to. Anybody else can only have made what is
/// their own.
pub(crate) fn hand_over(state_dir: &Path) -> io::Result<()> {
    let owner = std::fs::metadata(state_dir)?;
    if geteuid().is_root() && owner.uid() != 0 {
        give(state_dir, owner.uid(), owner.gid())?;
    }
    Ok(())
}

fn give(dir: &Path, user: u32, group: u32) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        lchown(entry.path(), Some(user), Some(group))?;
        if entry.file_type()?.is_dir() {
            give(&entry.path(), user, group)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const NOBODY: u32 = 65_534;

    #[test]
    fn what_root_made_belongs_to_the_directory_s_owner_and_nothing_outside_does() {
        if !geteuid().is_root() {
            return;
        }
        let outside = tempfile::NamedTempFile::new().unwrap();
        let state = tempfile::tempdir().unwrap();
        lchown(state.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        fs::create_dir(state.path().join("ca")).unwrap();
        fs::write(state.path().join("ca/key.pem"), "key").unwrap();
        symlink(outside.path(), state.path().join("link")).unwrap();
        hand_over(state.path()).unwrap();
        let key = fs::metadata(state.path().join("ca/key.pem")).unwrap();
        assert_eq!((key.uid(), key.gid()), (NOBODY, NOBODY));
        assert_eq!(outside.as_file().metadata().unwrap().uid(), 0);
    }
}
