//! Verdicts in one SQLite file. Readings, leases and declarations hardly change from one verdict to the next: each is a piece
//! that is kept once, by its hash, and a verdict names the pieces that it rests on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::gate::Piece;
use model::identity::ClusterId;
use ring::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde_json::{Error as JsonError, Value};

use super::{Given, Line, VerdictsError};

/// Of the file; a newer one is not touched.
const FORM: i64 = 1;
const TABLES: &str = "
    CREATE TABLE piece (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        used_unix_ms INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE TABLE verdict (
        cluster TEXT NOT NULL,
        id TEXT NOT NULL,
        at_unix_ms INTEGER NOT NULL,
        asker TEXT NOT NULL,
        sentence TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (cluster, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX verdict_at ON verdict (at_unix_ms);
";
const HOUR_MS: i64 = 3_600_000;
/// Verdicts are kept for so long, unless the file grows too large before.
const MAX_AGE_MS: i64 = 30 * 24 * HOUR_MS;
const MAX_BYTES: i64 = 1 << 30;
/// Verdicts that go at once where the file is too large.
const GO_AT_ONCE: u32 = 1_000;
/// A piece is marked as used at most so often.
const MARKED_EVERY_MS: i64 = HOUR_MS;

/// What a piece was made of. As long as it is held here, nothing else lies at its address.
#[derive(Debug)]
enum Source {
    Fact(Arc<model::report::Fact>),
    Leases(Arc<model::lease::Leases>),
    Thresholds(Arc<model::rule::Thresholds>),
    Site(Arc<model::topology::Site>),
    Found(Arc<Vec<model::finding::Finding>>),
}

impl Source {
    fn of(piece: Piece<'_>) -> Self {
        match piece {
            Piece::Fact(fact) => Self::Fact(Arc::clone(fact)),
            Piece::Leases(leases) => Self::Leases(Arc::clone(leases)),
            Piece::Thresholds(thresholds) => Self::Thresholds(Arc::clone(thresholds)),
            Piece::Site(site) => Self::Site(Arc::clone(site)),
            Piece::Found(found) => Self::Found(Arc::clone(found)),
        }
    }

    fn address(&self) -> usize {
        match self {
            Self::Fact(fact) => Arc::as_ptr(fact).addr(),
            Self::Leases(leases) => Arc::as_ptr(leases).addr(),
            Self::Thresholds(thresholds) => Arc::as_ptr(thresholds).addr(),
            Self::Site(site) => Arc::as_ptr(site).addr(),
            Self::Found(found) => Arc::as_ptr(found).addr(),
        }
    }
}

/// A piece that is in the file.
#[derive(Debug)]
struct Known {
    _source: Source,
    id: i64,
    marked_unix_ms: i64,
}

/// Those of a cluster's last verdict, by their addresses: most of the next one's are the same.
type Pieces = HashMap<usize, Known>;

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    connection: Connection,
    pieces: HashMap<ClusterId, Pieces>,
    tidied_unix_ms: i64,
}

/// A verdict as it is read, beside its basis.
#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    cluster: &'a str,
    at_unix_ms: i64,
    asker: &'a str,
    asked: super::Asked,
    version: &'a str,
    revision: u64,
    epoch: u64,
    verdict: &'a model::gate::Verdict,
    basis: Value,
}

impl File {
    pub(super) fn open(path: &Path) -> Result<Self, VerdictsError> {
        let failed = |source| failed(path, source);
        let connection = Connection::open(path).map_err(failed)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .and_then(|()| connection.pragma_update(None, "synchronous", "NORMAL"))
            .map_err(failed)?;
        let found: i64 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(failed)?;
        match found {
            0 => connection
                .execute_batch(&format!(
                    "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORM}; COMMIT;"
                ))
                .map_err(failed)?,
            FORM => {}
            found => {
                let path = path.display().to_string();
                return Err(VerdictsError::Newer { path, found });
            }
        }
        Ok(Self {
            path: path.to_owned(),
            connection,
            pieces: HashMap::new(),
            tidied_unix_ms: i64::MIN,
        })
    }

    pub(super) fn keep(&mut self, id: &str, given: &Given) -> Result<(), VerdictsError> {
        let at_unix_ms = given.basis.now.unix_ms;
        // Also where the clock was set back.
        if at_unix_ms
            .saturating_sub(self.tidied_unix_ms)
            .unsigned_abs()
            >= HOUR_MS.unsigned_abs()
        {
            self.tidy(at_unix_ms, MAX_BYTES)?;
        }
        let before = self.pieces.remove(&given.cluster).unwrap_or_default();
        let path = self.path.clone();
        let failed = |source| failed(&path, source);
        let transaction = self.connection.transaction().map_err(failed)?;
        let pieces = write(&transaction, id, given, before).map_err(|error| match error {
            NotWritten::File(source) => failed(source),
            NotWritten::Json(source) => VerdictsError::Damaged {
                id: id.to_owned(),
                what: source.to_string(),
            },
        })?;
        transaction.commit().map_err(failed)?;
        // Only what is in the file is known to be there.
        self.pieces.insert(given.cluster.clone(), pieces);
        Ok(())
    }

    pub(super) fn read(
        &self,
        cluster: &ClusterId,
        id: &str,
    ) -> Result<Option<String>, VerdictsError> {
        let body: Option<String> = self
            .connection
            .query_row(
                "SELECT body FROM verdict WHERE cluster = ?1 AND id = ?2",
                params![cluster.as_str(), id],
                |row| row.get(0),
            )
            .optional()
            .map_err(|source| failed(&self.path, source))?;
        let Some(body) = body else { return Ok(None) };
        let damaged = |what: String| VerdictsError::Damaged {
            id: id.to_owned(),
            what,
        };
        let mut json: Value =
            serde_json::from_str(&body).map_err(|error| damaged(error.to_string()))?;
        let basis = json.get_mut("basis");
        let basis = basis.ok_or_else(|| damaged("it has no basis".to_owned()))?;
        for place in places(basis) {
            let Some(piece) = place.as_i64() else {
                continue;
            };
            *place = self.piece(piece).map_err(damaged)?;
        }
        Ok(Some(json.to_string()))
    }

    fn piece(&self, id: i64) -> Result<Value, String> {
        let body: String = self
            .connection
            .query_row("SELECT body FROM piece WHERE id = ?1", [id], |row| {
                row.get(0)
            })
            .map_err(|error| format!("its piece {id} cannot be read: {error}"))?;
        serde_json::from_str(&body).map_err(|error| format!("its piece {id} is no JSON: {error}"))
    }

    pub(super) fn list(&self, cluster: &ClusterId, most: u32) -> Result<Vec<Line>, VerdictsError> {
        let lines = || -> Result<Vec<Line>, rusqlite::Error> {
            self.connection
                .prepare_cached(
                    "SELECT id, at_unix_ms, asker, sentence FROM verdict WHERE cluster = ?1
                     ORDER BY id DESC LIMIT ?2",
                )?
                .query_map(params![cluster.as_str(), most], |row| {
                    Ok(Line {
                        id: row.get(0)?,
                        at_unix_ms: row.get(1)?,
                        asker: row.get(2)?,
                        sentence: row.get(3)?,
                    })
                })?
                .collect()
        };
        lines().map_err(|source| failed(&self.path, source))
    }

    /// The oldest go, and the pieces that no verdict names any more.
    pub(super) fn tidy(&mut self, now_unix_ms: i64, max_bytes: i64) -> Result<(), VerdictsError> {
        self.tidied_unix_ms = now_unix_ms;
        // What is known by its address may be gone then.
        self.pieces.clear();
        let tidied = tidy(&mut self.connection, now_unix_ms, max_bytes);
        tidied.map_err(|source| failed(&self.path, source))
    }
}

fn failed(path: &Path, source: rusqlite::Error) -> VerdictsError {
    let path = path.display().to_string();
    VerdictsError::File { path, source }
}

#[derive(Debug, thiserror::Error)]
enum NotWritten {
    #[error("the file")]
    File(#[from] rusqlite::Error),
    #[error("the JSON")]
    Json(#[from] JsonError),
}

/// The pieces of this verdict.
fn write(
    transaction: &Transaction<'_>,
    id: &str,
    given: &Given,
    mut before: Pieces,
) -> Result<Pieces, NotWritten> {
    let at_unix_ms = given.basis.now.unix_ms;
    let mut pieces = Pieces::new();
    let mut of_the_file = Ok(());
    let basis = given.basis.to_json(|piece| {
        let source = Source::of(piece);
        let address = source.address();
        if let Some(known) = pieces.get(&address) {
            return Ok(known.id.into());
        }
        let known = match before.remove(&address) {
            Some(known) => mark(transaction, known, at_unix_ms),
            None => put(transaction, &piece.to_json()?, at_unix_ms).map(|id| Known {
                _source: source,
                id,
                marked_unix_ms: at_unix_ms,
            }),
        };
        match known {
            Ok(known) => {
                let id = known.id;
                pieces.insert(address, known);
                Ok(id.into())
            }
            Err(error) => {
                of_the_file = Err(error);
                Ok(Value::Null)
            }
        }
    })?;
    of_the_file?;
    let body = serde_json::to_string(&Body {
        id,
        cluster: given.cluster.as_str(),
        at_unix_ms,
        asker: &given.asker,
        asked: given.asked,
        version: given.version,
        revision: given.revision.0,
        epoch: given.epoch,
        verdict: &given.verdict,
        basis,
    })?;
    transaction
        .prepare_cached("INSERT INTO verdict VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            given.cluster.as_str(),
            id,
            at_unix_ms,
            given.asker,
            given.verdict.sentence,
            body
        ])?;
    Ok(pieces)
}

fn mark(
    transaction: &Transaction<'_>,
    mut known: Known,
    at_unix_ms: i64,
) -> Result<Known, rusqlite::Error> {
    if at_unix_ms.saturating_sub(known.marked_unix_ms) >= MARKED_EVERY_MS {
        transaction
            .prepare_cached("UPDATE piece SET used_unix_ms = ?2 WHERE id = ?1")?
            .execute(params![known.id, at_unix_ms])?;
        known.marked_unix_ms = at_unix_ms;
    }
    Ok(known)
}

fn put(
    transaction: &Transaction<'_>,
    json: &Value,
    at_unix_ms: i64,
) -> Result<i64, rusqlite::Error> {
    let body = json.to_string();
    let hash = digest(&SHA256, body.as_bytes());
    transaction
        .prepare_cached(
            "INSERT INTO piece (hash, used_unix_ms, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (hash) DO UPDATE SET used_unix_ms = ?2 RETURNING id",
        )?
        .query_row(params![hash.as_ref(), at_unix_ms, body], |row| row.get(0))
}

/// Where pieces stand in a basis: [`model::gate::Basis::to_json`].
fn places(basis: &mut Value) -> Vec<&mut Value> {
    let mut places = Vec::new();
    for (key, value) in basis.as_object_mut().into_iter().flatten() {
        match (key.as_str(), value) {
            ("thresholds" | "site" | "leases" | "found", value) => places.push(value),
            ("nodes", Value::Object(nodes)) => {
                let facts = nodes.values_mut().filter_map(|node| node.get_mut("facts"));
                let facts = facts.filter_map(Value::as_object_mut);
                let held = facts.flat_map(|facts| facts.values_mut());
                places.extend(held.filter_map(|held| held.get_mut("fact")));
            }
            _ => {}
        }
    }
    places
}

fn tidy(
    connection: &mut Connection,
    now_unix_ms: i64,
    max_bytes: i64,
) -> Result<(), rusqlite::Error> {
    let oldest_ms = now_unix_ms.saturating_sub(MAX_AGE_MS);
    connection.execute("DELETE FROM verdict WHERE at_unix_ms < ?1", [oldest_ms])?;
    let mut before = i64::MAX;
    loop {
        forget_pieces(connection, now_unix_ms)?;
        let bytes = bytes(connection)?;
        // Where nothing more is won the rest is young pieces, which the next hours forget.
        if bytes <= max_bytes || bytes >= before {
            return Ok(());
        }
        before = bytes;
        let gone = connection.execute(
            "DELETE FROM verdict WHERE (cluster, id) IN
                 (SELECT cluster, id FROM verdict ORDER BY at_unix_ms LIMIT ?1)",
            [GO_AT_ONCE],
        )?;
        if gone == 0 {
            return Ok(());
        }
    }
}

/// A piece was marked at the latest an hour before the last verdict that names it.
fn forget_pieces(connection: &Connection, now_unix_ms: i64) -> Result<(), rusqlite::Error> {
    let oldest: Option<i64> =
        connection.query_row("SELECT MIN(at_unix_ms) FROM verdict", [], |row| row.get(0))?;
    let unused_ms = oldest
        .unwrap_or(now_unix_ms)
        .saturating_sub(2 * MARKED_EVERY_MS);
    connection.execute("DELETE FROM piece WHERE used_unix_ms < ?1", [unused_ms])?;
    Ok(())
}

/// What is in use of the file: it does not shrink, and what is free is written again.
fn bytes(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let number = |pragma: &str| -> Result<i64, rusqlite::Error> {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
    };
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(pages.saturating_mul(number("page_size")?))
}
