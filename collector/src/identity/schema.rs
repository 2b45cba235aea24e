//! The tables of `identity.db`. An older program refuses a newer file; a newer one would bring an older file forward.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use super::rotation::{self, CaStanding};
use super::{Doing as _, IdentityError, ca};
use crate::authority::Duty;

/// `PRAGMA user_version`.
const FORMAT: i64 = 2;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS collector (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    duty TEXT NOT NULL CHECK (duty IN ('authority', 'observer')),
    made_unix_s INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS address (
    place INTEGER PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS cluster (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    since_unix_s INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS node (
    cluster TEXT NOT NULL REFERENCES cluster (id),
    name TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('enrolled', 'revoked', 'let_go', 'removed')),
    since_unix_s INTEGER NOT NULL,
    PRIMARY KEY (cluster, name)
) STRICT;
CREATE TABLE IF NOT EXISTS token (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('join', 'cluster_file')),
    cluster TEXT,
    made_unix_s INTEGER NOT NULL,
    not_after_unix_s INTEGER NOT NULL,
    uses_left INTEGER,
    revoked_unix_s INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS token_name (
    token TEXT NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    used_unix_s INTEGER,
    PRIMARY KEY (token, name)
) STRICT;
CREATE TABLE IF NOT EXISTS certificate (
    serial TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL UNIQUE,
    identity TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    token TEXT,
    made_unix_s INTEGER NOT NULL,
    not_after_unix_s INTEGER NOT NULL,
    revoked_unix_s INTEGER,
    revoked_why TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS certificate_identity ON certificate (identity);
";

/// The second format: several CAs, which of them signed what, and what agents say that they trust.
const CAS: &str = "
CREATE TABLE ca (
    number INTEGER PRIMARY KEY,
    certificate BLOB NOT NULL,
    fingerprint BLOB NOT NULL UNIQUE,
    standing TEXT NOT NULL CHECK (standing IN ('waiting', 'signing', 'leaving', 'retired')),
    since_unix_s INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX ca_signing ON ca (standing) WHERE standing = 'signing';
-- A collector of before, which still runs beside this, knows the first one alone.
ALTER TABLE certificate ADD COLUMN ca INTEGER NOT NULL DEFAULT 1;
CREATE TABLE spoke (
    identity TEXT PRIMARY KEY,
    serial TEXT NOT NULL,
    trust BLOB NOT NULL,
    at_unix_s INTEGER NOT NULL
) STRICT;
";

/// Makes the tables where they are missing, and brings forward those of an older program.
pub(super) fn prepare(
    connection: &mut Connection,
    path: &Path,
    now: Timestamp,
) -> Result<(), IdentityError> {
    let found = format(connection)?;
    if found > FORMAT {
        return Err(IdentityError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    if found == FORMAT {
        return Ok(());
    }
    connection
        .query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .doing("choosing the journal")?;
    if found > 0 {
        copy(connection, path, found)?;
    }
    let changes = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .doing("making the tables")?;
    // Another one may have done it meanwhile.
    let found = format(&changes)?;
    if found >= FORMAT {
        return Ok(());
    }
    if found < 1 {
        changes.execute_batch(TABLES).doing("making the tables")?;
    }
    if found < 2 {
        bring_to_2(&changes, path, now)?;
    }
    let version = format!("PRAGMA user_version = {FORMAT}");
    changes.execute_batch(&version).doing("making the tables")?;
    changes.commit().doing("making the tables")
}

/// Before its format is changed; the older program can read the copy.
fn copy(connection: &Connection, path: &Path, format: i64) -> Result<(), IdentityError> {
    let to = format!("{}.form-{format}", path.display());
    if Path::new(&to).exists() {
        return Ok(());
    }
    connection
        .execute("VACUUM INTO ?1", [to])
        .doing("making a copy before its format is changed")?;
    Ok(())
}

fn format(connection: &Connection) -> Result<i64, IdentityError> {
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .doing("reading its format")
}

/// Until then a collector had one CA, which stood in its files alone and signed everything.
fn bring_to_2(changes: &Transaction<'_>, path: &Path, now: Timestamp) -> Result<(), IdentityError> {
    changes.execute_batch(CAS).doing("making the tables")?;
    if collector(changes)?.is_none() {
        return Ok(());
    }
    let first = ca::first_certificate(path.parent().unwrap_or(path))?;
    rotation::add(changes, 1, first, CaStanding::Signing, now)?;
    Ok(())
}

/// Who this collector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    /// A UUID.
    pub(super) id: String,
    pub(super) epoch: u64,
    pub(super) duty: Duty,
}

/// Who this collector is, once it is somebody.
pub(super) fn collector(connection: &Connection) -> Result<Option<Own>, IdentityError> {
    let read = connection
        .query_row("SELECT id, epoch, duty FROM collector", [], |row| {
            let word: String = row.get(2)?;
            Ok((row.get(0)?, u64::from(row.get::<_, u32>(1)?), word))
        })
        .optional()
        .doing("reading the collector's id")?;
    let own = read.map(|(id, epoch, text)| {
        let duty = Duty::from_word(&text);
        let what = "duty of a collector";
        let duty = duty.ok_or(IdentityError::Damaged { what, text })?;
        Ok(Own { id, epoch, duty })
    });
    own.transpose()
}
