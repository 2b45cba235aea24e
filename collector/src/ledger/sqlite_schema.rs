//! The form of the ledger's file, and how an older form becomes the newest one.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::LedgerError;

/// Each brings the form to the next number. A row is never changed once it was released.
pub(super) const STEPS: &[&str] = &[
    "
    CREATE TABLE head (
        cluster TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        last_place INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE decision (
        cluster TEXT NOT NULL,
        revision INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        writer INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (cluster, revision)
    ) STRICT, WITHOUT ROWID;
    -- What the decisions add up to; written in the same transaction as they are.
    CREATE TABLE spool (
        cluster TEXT NOT NULL,
        node TEXT NOT NULL,
        spool BLOB NOT NULL,
        up_to INTEGER NOT NULL,
        events INTEGER NOT NULL,
        PRIMARY KEY (cluster, node, spool)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE event (
        cluster TEXT NOT NULL,
        place INTEGER NOT NULL,
        node TEXT NOT NULL,
        spool BLOB NOT NULL,
        number INTEGER NOT NULL,
        last INTEGER NOT NULL,
        kept_unix_ms INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (cluster, place)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX event_key ON event (cluster, node, spool, number);
",
    "
    -- Numbers of incidents are not given again, also when none is left of them.
    ALTER TABLE head ADD COLUMN last_incident INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE transition (
        cluster TEXT NOT NULL,
        place INTEGER NOT NULL,
        incident INTEGER NOT NULL,
        at_unix_ms INTEGER NOT NULL,
        closes INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (cluster, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX transition_incident ON transition (cluster, incident, place);
",
    "
    -- The steps of leases: few, and all are kept.
    CREATE TABLE lease_step (
        cluster TEXT NOT NULL,
        place INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (cluster, place)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- Beside steps of leases, lease_step holds what operators accept: a program that knows no such steps cannot read on.
",
    "
    -- What is owed to chats and what arrived, silences and acknowledgements. `message` is the message that is owed, arrived or was
    -- given up, and 0 of what people said; `head` is the incident that it tells of, where it is owed.
    CREATE TABLE alert_step (
        cluster TEXT NOT NULL,
        place INTEGER NOT NULL,
        at_unix_ms INTEGER NOT NULL,
        message INTEGER NOT NULL,
        head INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (cluster, place)
    ) STRICT, WITHOUT ROWID;
",
];

/// Opens the file for writing, in the newest form.
pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => damaged(path, &source),
        _ => LedgerError::Open {
            path: path.to_owned(),
            source,
        },
    };
    let connection = Connection::open(path).map_err(failed)?;
    connection
        .busy_timeout(super::sqlite::LOCK_PATIENCE)
        .map_err(failed)?;
    let found = form(&connection).map_err(failed)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(LedgerError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    // `quick_check` reads every page; only the comparison of indexes with their tables is left out.
    let health: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    if health != "ok" {
        return Err(LedgerError::Damaged {
            path: path.to_owned(),
            what: health,
        });
    }
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .map_err(failed)?;
    // Once more: after a look at every page and the change to WAL, SQLite calls its own table locked until it has read.
    let found = form(&connection).map_err(failed)?;
    raise(&connection, path, found)?;
    // A writer that was killed can have left what it had not synced: readable, and gone with the next power cut.
    match connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
        // Without room for that the log itself is made to last.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => sync_log(path)?,
        written_back => written_back.map_err(failed)?,
    }
    Ok(connection)
}

fn sync_log(path: &Path) -> Result<(), LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let path = PathBuf::from(name);
    File::open(&path)
        .and_then(|log| log.sync_all())
        .map_err(|source| LedgerError::Sync { path, source })
}

/// Opens it for reading only.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(super::sqlite::LOCK_PATIENCE)?;
    Ok(connection)
}

fn damaged(path: &Path, error: &rusqlite::Error) -> LedgerError {
    LedgerError::Damaged {
        path: path.to_owned(),
        what: error.to_string(),
    }
}

fn form(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn raise(connection: &Connection, path: &Path, found: i64) -> Result<(), LedgerError> {
    let steps = STEPS.iter().zip(1_i64..).skip_while(|(_, to)| *to <= found);
    let mut is_copied = found == 0;
    for (step, to) in steps {
        if !is_copied {
            copy(connection, path, found)?;
            is_copied = true;
        }
        connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE; {step} PRAGMA user_version = {to}; COMMIT;"
            ))
            .map_err(|source| LedgerError::Open {
                path: path.to_owned(),
                source,
            })?;
    }
    Ok(())
}

/// Before its form is changed; the older program can read the copy.
fn copy(connection: &Connection, path: &Path, form: i64) -> Result<(), LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".form-{form}"));
    let to = PathBuf::from(&name);
    if to.exists() {
        return Ok(());
    }
    // A copy that broke off is not taken for one.
    name.push(".part");
    let part = PathBuf::from(name);
    let failed = |source| LedgerError::Sync {
        path: part.clone(),
        source,
    };
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    connection
        .execute("VACUUM INTO ?1", [part.to_string_lossy()])
        .map_err(|source| LedgerError::Copy {
            path: to.clone(),
            source,
        })?;
    let synced = File::open(&part).and_then(|copy| copy.sync_all());
    synced
        .and_then(|()| std::fs::rename(&part, &to))
        .and_then(|()| File::open(to.parent().unwrap_or(Path::new("/")))?.sync_all())
        .map_err(failed)
}
