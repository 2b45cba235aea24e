//! A collector as it was when a backup was made, put into a state directory that holds none.
//!
//! What happened since is not known to it. So that nothing given since is given a second time, its epoch is a higher one
//! (if the one that it was copied from still runs, agents tell that one that it is not the one that decides any more),
//! and the numbers of incidents begin behind a gap.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, lchown};
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;

use super::{DIR_MODE, FILE_MODE};
use crate::identity::{CA_DIR, DATABASE as IDENTITY, Identities, IdentityError};
use crate::ledger::sqlite::leave_a_gap;
use crate::ledger::{LEDGER, LedgerError};

/// More incidents than are opened between two backups.
pub const GAP: u64 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(
        "{} holds {what} already: move what is in it away, or name another state_dir in the configuration", path.display()
    )]
    There { path: PathBuf, what: &'static str },
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no backup of a collector ({what})", path.display())]
    NoBackup { path: PathBuf, what: String },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("what the backup holds of the ledger is not good")]
    Ledger(#[source] LedgerError),
    #[error("what the backup holds of the collector's identity is not good")]
    Identity(#[source] IdentityError),
}

/// Puts the collector of the backup `from` into `state_dir`.
pub fn restore(from: &Path, state_dir: &Path, now: Timestamp) -> Result<(), RestoreError> {
    for what in [IDENTITY, LEDGER, CA_DIR] {
        if state_dir.join(what).symlink_metadata().is_ok() {
            return Err(RestoreError::There {
                path: state_dir.to_owned(),
                what,
            });
        }
    }
    let failed = |source| RestoreError::Write {
        path: state_dir.to_owned(),
        source,
    };
    make_dir(state_dir).map_err(failed)?;
    let work = tempfile::Builder::new()
        .prefix(".quorate-restore-")
        .tempdir_in(state_dir)
        .map_err(failed)?;
    let file = File::open(from).map_err(|source| RestoreError::Read {
        path: from.to_owned(),
        source,
    })?;
    unpack(file, work.path()).map_err(|error| RestoreError::NoBackup {
        path: from.to_owned(),
        what: error.to_string(),
    })?;
    begin_anew(work.path(), now)?;
    let owner = state_dir.metadata().map_err(failed)?;
    let own = |path: &Path| lchown(path, Some(owner.uid()), Some(owner.gid()));
    // With identity.db it is a collector's directory: that comes last.
    for what in [CA_DIR, LEDGER, IDENTITY] {
        let place = work.path().join(what);
        if place.exists() {
            own_all(&place, &own).map_err(failed)?;
            fs::rename(&place, state_dir.join(what)).map_err(failed)?;
        }
    }
    File::open(state_dir)
        .and_then(|dir| dir.sync_all())
        .map_err(failed)
}

/// What the backup holds, checked, brought to the newest form, and set off from what was given since.
fn begin_anew(dir: &Path, now: Timestamp) -> Result<(), RestoreError> {
    let identities = Identities::open(dir).map_err(RestoreError::Identity)?;
    identities
        .raise_epoch(now)
        .map_err(RestoreError::Identity)?;
    drop(identities);
    let ledger = dir.join(LEDGER);
    if ledger.exists() {
        leave_a_gap(&ledger, GAP).map_err(RestoreError::Ledger)?;
    }
    Ok(())
}

/// Only what a backup holds.
fn unpack(archive: File, into: &Path) -> io::Result<()> {
    make_dir(&into.join(CA_DIR))?;
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let place = place(&path).filter(|_| entry.header().entry_type().is_file());
        let place = place.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is in it", path.display()),
            )
        })?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(into.join(place))?;
        io::copy(&mut entry, &mut file)?;
        file.sync_all()?;
    }
    File::open(into.join(CA_DIR))?.sync_all()
}

fn place(path: &Path) -> Option<PathBuf> {
    let parts: Vec<Component<'_>> = path.components().collect();
    let names: Vec<&str> = parts
        .iter()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    match names.as_slice() {
        [name] if [IDENTITY, LEDGER].contains(name) => Some(PathBuf::from(name)),
        [CA_DIR, name] => Some(Path::new(CA_DIR).join(name)),
        _ => None,
    }
}

/// A directory that only its owner reads; one that is there stays as it is.
fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(path)
}

/// Whoever puts it back may be root, and the collector is not.
fn own_all(path: &Path, own: &impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    own(path)?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            own(&entry?.path())?;
        }
    }
    Ok(())
}
