//! The directory that a capture is written into: new, or empty and ours. What is put into it is for its owner alone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const OTHERS_WRITE: u32 = 0o022;

#[derive(Debug, thiserror::Error)]
pub(super) enum TreeError {
    #[error("{path} is there and is no empty directory; name another one, or remove it first")]
    Taken { path: PathBuf },
    /// Its owner could read everything in it, and put other things in its place.
    #[error("{path} belongs to another user, or others may write into it; name a new directory")]
    NotOurs { path: PathBuf },
    #[error("{path} cannot be made")]
    Make { path: PathBuf, source: io::Error },
    #[error("{path} cannot be written")]
    Write { path: PathBuf, source: io::Error },
}

#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(super) fn make(root: &Path) -> Result<Self, TreeError> {
        let path = || root.to_owned();
        if let Some(parent) = root
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            make(parent)?;
        }
        // One call makes it or finds it there: nobody can put a directory of their own in between.
        match DirBuilder::new().mode(DIR_MODE).create(root) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let empty = fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none());
                if !empty {
                    return Err(TreeError::Taken { path: path() });
                }
                if !is_ours(root) {
                    return Err(TreeError::NotOurs { path: path() });
                }
            }
            Err(source) => {
                return Err(TreeError::Make {
                    path: path(),
                    source,
                });
            }
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Result<(), TreeError> {
        let full = self.root.join(path);
        if let Some(dir) = full.parent() {
            make(dir)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        options
            .open(&full)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|source| TreeError::Write { path: full, source })
    }
}

/// Ours, not through a link, and nobody else may write there.
fn is_ours(dir: &Path) -> bool {
    let (Ok(dir), Ok(us)) = (fs::symlink_metadata(dir), fs::metadata("/proc/self")) else {
        return false;
    };
    dir.is_dir() && dir.uid() == us.uid() && dir.mode() & OTHERS_WRITE == 0
}

fn make(dir: &Path) -> Result<(), TreeError> {
    let made = DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir);
    made.map_err(|source| TreeError::Make {
        path: dir.to_owned(),
        source,
    })
}
