//! The tables of `identity.db`. An older program refuses a newer file; a newer one would bring an older file forward.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::{Doing as _, IdentityError};
use crate::authority::Duty;

/// `PRAGMA user_version`.
const FORMAT: i64 = 1;

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

/// Makes the tables where they are missing.
pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), IdentityError> {
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .doing("reading its format")?;
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
    let all = format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;");
    connection.execute_batch(&all).doing("making the tables")
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
