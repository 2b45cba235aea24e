//! A directory that changes as a whole: `NAME` is a symbolic link to `.NAME.NUMBER`, which holds all files of one state.
//!
//! A new state is a new directory, complete and on the disk before the link is moved to it by a rename. So a key is
//! never found beside the certificate of another, whenever the machine is switched off. What a crash leaves behind is
//! linked from nowhere, and goes with the next change.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// What lies here is for root alone.
const DIR_MODE: u32 = 0o700;
const LOCK: &str = ".lock";
const NEW_LINK: &str = ".link";
/// How many numbers are tried: of all directories but one, what is left behind is removed before.
const MAX_NUMBERS: u32 = 1000;

/// Why a state could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{path} cannot be written")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} cannot be removed")]
    Remove { path: PathBuf, source: io::Error },
    #[error("{path} cannot be read")]
    Look { path: PathBuf, source: io::Error },
}

/// A file of a state.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) name: &'static str,
    pub(super) mode: u32,
    pub(super) bytes: Vec<u8>,
}

/// The directory above, locked against every other process that would change it.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    dir: &'a Path,
    _lock: File,
}

/// The names that have a state, in order.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = entries(dir)?;
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names)
}

/// Where the state of now lies; `None` if there is none. A directory that a person has put there is one, too.
pub(super) fn current(dir: &Path, name: &str) -> Result<Option<PathBuf>, StoreError> {
    let path = dir.join(name);
    match fs::canonicalize(&path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Look { path, source }),
    }
}

impl<'a> Locked<'a> {
    /// Makes the directory if need be, and waits for whoever is changing it: that is done within moments.
    pub(super) fn open(dir: &'a Path) -> Result<Self, StoreError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Write { path, source }
        };
        let mut make = DirBuilder::new();
        make.recursive(true).mode(DIR_MODE);
        make.create(dir).map_err(failed(dir))?;
        let path = dir.join(LOCK);
        let mut open = OpenOptions::new();
        open.write(true).create(true).truncate(false).mode(0o600);
        let lock = open.open(&path).map_err(failed(&path))?;
        lock.lock().map_err(failed(&path))?;
        Ok(Self { dir, _lock: lock })
    }

    /// Makes these files the state of `name`. When it returns, they are on the disk.
    pub(super) fn store(&self, name: &str, files: &[Content]) -> Result<(), StoreError> {
        self.sweep()?;
        let fresh = self.fresh(name)?;
        for file in files {
            write(&fresh.join(file.name), file)?;
        }
        sync(&fresh)?;
        self.point(name, &fresh)?;
        self.sweep()
    }

    /// Removes the state of `name`; false if there was none.
    pub(super) fn forget(&self, name: &str) -> Result<bool, StoreError> {
        let link = self.dir.join(name);
        let failed = |source| StoreError::Remove {
            path: link.clone(),
            source,
        };
        let removed = match fs::symlink_metadata(&link) {
            Ok(about) if about.is_dir() => fs::remove_dir_all(&link),
            Ok(_) => fs::remove_file(&link),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => Err(source),
        };
        removed.map_err(failed)?;
        sync(self.dir)?;
        self.sweep()?;
        Ok(true)
    }

    /// An empty directory for the next state.
    fn fresh(&self, name: &str) -> Result<PathBuf, StoreError> {
        let mut path = self.dir.to_owned();
        for number in 1..=MAX_NUMBERS {
            path = self.dir.join(format!(".{name}.{number}"));
            match DirBuilder::new().mode(DIR_MODE).create(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(StoreError::Write { path, source }),
            }
        }
        let source = io::ErrorKind::AlreadyExists.into();
        Err(StoreError::Write { path, source })
    }

    fn point(&self, name: &str, to: &Path) -> Result<(), StoreError> {
        let link = self.dir.join(name);
        let new = self.dir.join(NEW_LINK);
        let target = to.file_name().unwrap_or_default();
        let moved = match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => symlink(target, &new).and_then(|()| fs::rename(&new, &link)),
        };
        moved.map_err(|source| StoreError::Write { path: link, source })?;
        sync(self.dir)
    }

    /// Removes the states that no link leads to.
    fn sweep(&self) -> Result<(), StoreError> {
        for entry in entries(self.dir)? {
            let Some((name, number)) = entry
                .strip_prefix('.')
                .and_then(|rest| rest.rsplit_once('.'))
            else {
                continue;
            };
            let is_state = number.bytes().all(|byte| byte.is_ascii_digit());
            let linked = fs::read_link(self.dir.join(name));
            if !is_state || linked.is_ok_and(|target| target == Path::new(&entry)) {
                continue;
            }
            let path = self.dir.join(&entry);
            fs::remove_dir_all(&path).map_err(|source| StoreError::Remove { path, source })?;
        }
        Ok(())
    }
}

fn entries(dir: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |source| StoreError::Look {
        path: dir.to_owned(),
        source,
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        // What is not UTF-8 was not made here.
        names.extend(name.into_string());
    }
    Ok(names)
}

fn write(path: &Path, file: &Content) -> Result<(), StoreError> {
    let mut open = OpenOptions::new();
    open.write(true).create_new(true).mode(file.mode);
    open.open(path)
        .and_then(|mut new| {
            new.write_all(&file.bytes)?;
            new.sync_all()
        })
        .map_err(|source| StoreError::Write {
            path: path.to_owned(),
            source,
        })
}

/// A new name in a directory is on the disk when the directory is.
fn sync(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| StoreError::Write {
            path: dir.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "a";

    fn content(name: &'static str, text: &str) -> Content {
        Content {
            name,
            mode: 0o600,
            bytes: text.as_bytes().to_vec(),
        }
    }

    fn store(dir: &Path, text: &str) {
        let files = [content("key", text), content("chain", text)];
        Locked::open(dir).unwrap().store(NAME, &files).unwrap();
    }

    fn texts(dir: &Path) -> (String, String) {
        let state = current(dir, NAME).unwrap().unwrap();
        let read = |name| fs::read_to_string(state.join(name)).unwrap();
        (read("key"), read("chain"))
    }

    fn both(text: &str) -> (String, String) {
        (text.to_owned(), text.to_owned())
    }

    #[test]
    fn a_state_replaces_the_one_before_and_nothing_is_left_of_that() {
        let dir = tempfile::tempdir().unwrap();
        let dir = &dir.path().join("collectors");
        assert_eq!(names(dir).unwrap(), [""; 0]);
        for text in ["one", "two", "three"] {
            store(dir, text);
            assert_eq!(texts(dir), both(text));
            assert_eq!(names(dir).unwrap(), [NAME]);
            assert_eq!(entries(dir).unwrap().len(), 3, "lock, link, state");
        }
        assert!(Locked::open(dir).unwrap().forget(NAME).unwrap());
        assert!(!Locked::open(dir).unwrap().forget(NAME).unwrap());
        assert_eq!(entries(dir).unwrap(), [LOCK]);
    }

    #[test]
    fn whatever_a_crash_leaves_the_state_is_whole_and_the_next_one_takes_it_away() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        // Before the first state was complete.
        fs::create_dir(dir.join(".a.1")).unwrap();
        fs::write(dir.join(".a.1/key"), "half").unwrap();
        assert_eq!(names(dir).unwrap(), [""; 0]);
        assert_eq!(current(dir, NAME).unwrap(), None);
        store(dir, "one");
        // While the second one was written, and before its link took the place of the other.
        fs::create_dir(dir.join(".a.9")).unwrap();
        fs::write(dir.join(".a.9/key"), "two").unwrap();
        symlink(".a.9", dir.join(NEW_LINK)).unwrap();
        // Of another collector, which was never joined.
        fs::create_dir(dir.join(".b.1")).unwrap();
        assert_eq!(texts(dir), both("one"));
        assert_eq!(names(dir).unwrap(), [NAME]);
        store(dir, "three");
        assert_eq!(texts(dir), both("three"));
        assert_eq!(entries(dir).unwrap().len(), 3, "lock, link, state");
    }
}
