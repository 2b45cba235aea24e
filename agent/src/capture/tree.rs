//! The directory that a capture is written into: new or empty, and for its owner alone.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

#[derive(Debug, thiserror::Error)]
pub(super) enum TreeError {
    #[error(
        "{path} is not empty; a capture goes into a new directory: name another one, or remove it first"
    )]
    NotEmpty { path: PathBuf },
    #[error("{path} is there and is not a directory; name another one")]
    NoDirectory { path: PathBuf },
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
        let path = root.to_owned();
        match fs::read_dir(root) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(TreeError::NotEmpty { path });
                }
                let private = Permissions::from_mode(DIR_MODE);
                fs::set_permissions(root, private)
                    .map_err(|source| TreeError::Make { path, source })?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(root)?,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(TreeError::NoDirectory { path });
            }
            Err(source) => return Err(TreeError::Make { path, source }),
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

fn make(dir: &Path) -> Result<(), TreeError> {
    let made = DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir);
    made.map_err(|source| TreeError::Make {
        path: dir.to_owned(),
        source,
    })
}
