//! `identity.db` on a disk that is mounted read-only, as a kernel does with one that fails: who may speak is still known,
//! and nobody new comes in or is sent away.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Asked by trying: of a disk that failed newer kernels do not say that it is mounted read-only.
pub(super) fn is_on_such_a_disk(path: &Path) -> bool {
    let probe = path.with_extension("probe");
    match File::create(&probe) {
        Ok(_) => {
            // It is empty, and in nobody's way.
            let _ = fs::remove_file(&probe);
            false
        }
        Err(error) => error.kind() == ErrorKind::ReadOnlyFilesystem,
    }
}

/// SQLite opens a database with its log only if it may write, or if the log is there (a writer was killed): then it is
/// read as it is. Without one the file is all there is, and it can be told that nobody will change it.
pub(super) fn is_closed(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    is_on_such_a_disk(path) && !Path::new(&log).exists()
}

pub(super) fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    let mut uri = String::from("file:");
    for letter in path.to_string_lossy().chars() {
        match letter {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            letter => uri.push(letter),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}
