//! Whether it is enabled: an empty file in the agent's state directory, which the running agent looks for again and again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "guard-reboot";

#[derive(Debug, thiserror::Error)]
pub(super) enum SettingError {
    #[error("{path} cannot be written")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} cannot be removed")]
    Remove { path: PathBuf, source: io::Error },
}

/// What cannot be looked for is not there: nothing is blocked in doubt.
pub(crate) fn is_enabled(state_dir: &Path) -> bool {
    state_dir.join(FILE).exists()
}

pub(super) fn enable(state_dir: &Path) -> Result<(), SettingError> {
    let path = state_dir.join(FILE);
    let written = fs::create_dir_all(state_dir).and_then(|()| File::create(&path)?.sync_all());
    written.map_err(|source| SettingError::Write { path, source })
}

/// Whether there was something to remove.
pub(super) fn disable(state_dir: &Path) -> Result<bool, SettingError> {
    let path = state_dir.join(FILE);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(SettingError::Remove { path, source }),
    }
}
