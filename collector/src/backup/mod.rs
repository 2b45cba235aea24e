//! A copy of all that a collector must not lose, as one file: its CA, `identity.db`, and the ledger.
//!
//! It is a tar archive of what lies in the state directory. The databases are copied by SQLite's own online backup, each
//! as it stood at one moment, while the collector goes on writing. Reports of nodes are not in it: nodes tell them again.
//! The file holds the CA's key: whoever reads it can be any node and anybody.

pub mod restore;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::identity::{CA_DIR, DATABASE as IDENTITY};
use crate::ledger::LEDGER;

/// Pages that are copied between two words about how far it is.
const PAGES_A_STEP: std::ffi::c_int = 4_096;
/// Another one that holds a lock of the database is waited for so long.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);
/// For its owner alone.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already: name a file that is not there yet", path.display())]
    There { path: PathBuf },
    #[error("{} is no collector's state directory: there is no {IDENTITY} in it", path.display())]
    NoCollector { path: PathBuf },
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} cannot be copied", path.display())]
    Copy {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("{} is locked for longer than {} s by another program", path.display(), LOCK_PATIENCE.as_secs())]
    Locked { path: PathBuf },
    #[error("{} is damaged, and so would be its copy ({what})", path.display())]
    Damaged { path: PathBuf, what: String },
}

/// How far the copying of a database is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub file: &'a str,
    pub percent: u64,
}

/// Copies what `state_dir` holds into the file `to`, which must not be there; gives its size.
pub fn write(
    state_dir: &Path,
    to: &Path,
    now: Timestamp,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<u64, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::There {
            path: to.to_owned(),
        });
    }
    if !state_dir.join(IDENTITY).exists() {
        return Err(BackupError::NoCollector {
            path: state_dir.to_owned(),
        });
    }
    let failed = |source| BackupError::Write {
        path: to.to_owned(),
        source,
    };
    let beside = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Both are for their owner alone, and are taken away if this breaks off.
    let work = tempfile::Builder::new()
        .prefix(".quorate-backup-")
        .tempdir_in(beside)
        .map_err(failed)?;
    let mut archive = tempfile::NamedTempFile::new_in(work.path()).map_err(failed)?;
    // Before and after identity.db: keys of CAs come and go, and all that it names then are in it.
    let before = read_ca(state_dir)?;
    let mut tar = tar::Builder::new(archive.as_file_mut());
    // Who may speak is copied last: what the ledger tells of a node, its certificate is there for.
    for name in [LEDGER, IDENTITY] {
        let (from, copy) = (state_dir.join(name), work.path().join(name));
        if from.exists() {
            copy_database(&from, &copy, |percent| {
                progress(Progress {
                    file: name,
                    percent,
                })
            })?;
            append(&mut tar, &copy, name, now).map_err(failed)?;
            fs::remove_file(&copy).map_err(failed)?;
        }
    }
    let mut keys = before;
    keys.extend(read_ca(state_dir)?);
    for (name, bytes) in keys {
        append_bytes(&mut tar, &bytes, &name, now).map_err(failed)?;
    }
    tar.finish().map_err(failed)?;
    drop(tar);
    archive.as_file().sync_all().map_err(failed)?;
    let bytes = archive.as_file().metadata().map_err(failed)?.len();
    archive
        .persist_noclobber(to)
        .map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::There {
                path: to.to_owned(),
            },
            _ => failed(error.error),
        })?;
    File::open(beside)
        .and_then(|dir| dir.sync_all())
        .map_err(failed)?;
    Ok(bytes)
}

/// The files of the CAs, by their names in the archive.
fn read_ca(state_dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, BackupError> {
    let dir = state_dir.join(CA_DIR);
    let failed = |source| BackupError::Read {
        path: dir.clone(),
        source,
    };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_type().map_err(failed)?.is_file() {
            continue;
        }
        match fs::read(entry.path()) {
            Ok(bytes) => {
                let name = format!("{CA_DIR}/{}", entry.file_name().to_string_lossy());
                files.insert(name, bytes);
            }
            // Its CA was retired this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed(source)),
        }
    }
    Ok(files)
}

fn append(
    tar: &mut tar::Builder<&mut File>,
    from: &Path,
    name: &str,
    now: Timestamp,
) -> io::Result<()> {
    let file = File::open(from)?;
    let mut header = header(file.metadata()?.len(), now);
    tar.append_data(&mut header, name, file)
}

fn append_bytes(
    tar: &mut tar::Builder<&mut File>,
    bytes: &[u8],
    name: &str,
    now: Timestamp,
) -> io::Result<()> {
    let size = u64::try_from(bytes.len()).map_err(io::Error::other)?;
    tar.append_data(&mut header(size, now), name, bytes)
}

fn header(size: u64, now: Timestamp) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(FILE_MODE);
    header.set_mtime(u64::try_from(now.as_second()).unwrap_or_default());
    header
}

/// As it stands at one moment: the reading is one transaction, and whoever writes meanwhile is not waited for.
fn copy_database(from: &Path, to: &Path, mut progress: impl FnMut(u64)) -> Result<(), BackupError> {
    let failed = |source| BackupError::Copy {
        path: from.to_owned(),
        source,
    };
    let source =
        Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    source.busy_timeout(LOCK_PATIENCE).map_err(failed)?;
    source
        .execute_batch("BEGIN; SELECT COUNT(*) FROM sqlite_schema;")
        .map_err(failed)?;
    let mut copy = Connection::open(to).map_err(failed)?;
    // It is synced as part of the archive, and begun anew if this breaks off.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        .map_err(failed)?;
    let backup = Backup::new(&source, &mut copy).map_err(failed)?;
    let end = Instant::now() + LOCK_PATIENCE;
    loop {
        match backup.step(PAGES_A_STEP).map_err(failed)? {
            StepResult::Done => break,
            StepResult::More => {}
            _ if Instant::now() < end => std::thread::sleep(BETWEEN_ATTEMPTS),
            _ => {
                return Err(BackupError::Locked {
                    path: from.to_owned(),
                });
            }
        }
        let all = backup.progress();
        let done = u64::try_from(all.pagecount - all.remaining).unwrap_or_default();
        progress(done * 100 / u64::try_from(all.pagecount).unwrap_or(1).max(1));
    }
    drop(backup);
    // One file, without a log beside it.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .map_err(failed)?;
    let health: String = copy
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    if health == "ok" {
        Ok(())
    } else {
        Err(BackupError::Damaged {
            path: from.to_owned(),
            what: health,
        })
    }
}

#[cfg(test)]
mod tests;
