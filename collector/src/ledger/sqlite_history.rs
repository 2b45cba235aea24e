//! What is read from the ledger's file for whoever wants to know what happened: where the newest events stand, and the
//! steps of incidents. Row by row: nothing here holds more than what is asked for.

use model::identity::ClusterId;
use model::incident::Transition;
use model::name::NodeName;
use rusqlite::{Connection, Row, params};

use super::decision::KeptStep;
use super::sqlite_look::{count, head, number};
use super::{LedgerError, MAX_STEPS_READ, Mark, Newest, NewestWanted};

/// Each with the first step of its incident.
const STEPS: &str = "
    SELECT step.place, step.body,
           (SELECT body FROM transition AS opening
            WHERE opening.cluster = step.cluster AND opening.incident = step.incident
            ORDER BY opening.place LIMIT 1)
    FROM transition AS step WHERE step.cluster = ?1 AND step.place > ?2 ORDER BY step.place";

pub(super) fn steps(
    connection: &Connection,
    cluster: &ClusterId,
    after: u64,
) -> Result<Vec<KeptStep>, LedgerError> {
    let mut statement = connection
        .prepare(&format!("{STEPS} LIMIT ?3"))
        .map_err(failed)?;
    let limit = number(MAX_STEPS_READ as u64);
    let mut rows = statement
        .query(params![cluster.as_str(), number(after), limit])
        .map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(step(row)?);
    }
    Ok(found)
}

pub(super) fn newest(
    connection: &Connection,
    wanted: &NewestWanted,
) -> Result<Newest, LedgerError> {
    // One transaction, so that all of it is of the same moment.
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let head = head(&transaction, &wanted.cluster).map_err(failed)?;
    let last_step: Option<i64> = transaction
        .query_row(
            "SELECT MAX(place) FROM transition WHERE cluster = ?1",
            [wanted.cluster.as_str()],
            |row| row.get(0),
        )
        .map_err(failed)?;
    Ok(Newest {
        events: newest_events(&transaction, wanted)?,
        steps: newest_steps(&transaction, wanted)?,
        last_event: head.last_place,
        last_step: count(last_step.unwrap_or_default()),
    })
}

fn newest_events(connection: &Connection, wanted: &NewestWanted) -> Result<Vec<Mark>, LedgerError> {
    let mut statement = connection
        .prepare(
            "SELECT place, kept_unix_ms FROM event
             WHERE cluster = ?1 AND (?2 IS NULL OR node = ?2) ORDER BY place DESC",
        )
        .map_err(failed)?;
    let node = wanted.node.as_ref().map(NodeName::as_str);
    let rows = statement
        .query_map(params![wanted.cluster.as_str(), node], |row| {
            Ok(Mark {
                place: count(row.get(0)?),
                kept_unix_ms: row.get(1)?,
            })
        })
        .map_err(failed)?;
    marks(wanted, rows.map(|row| row.map_err(failed)))
}

fn newest_steps(connection: &Connection, wanted: &NewestWanted) -> Result<Vec<Mark>, LedgerError> {
    let mut statement = connection
        .prepare(&format!("{STEPS} DESC"))
        .map_err(failed)?;
    let rows = statement
        .query_map(params![wanted.cluster.as_str(), 0], |row| Ok(step(row)))
        .map_err(failed)?
        .map(|row| row.map_err(failed)?);
    let is_of_it = |kept: &KeptStep| wanted.node.as_ref().is_none_or(|node| kept.is_about(node));
    let of_it = rows.filter(|row| row.as_ref().map_or(true, is_of_it));
    let mark = |kept: KeptStep| Mark {
        place: kept.place,
        kept_unix_ms: kept.step.at_unix_ms,
    };
    marks(wanted, of_it.map(|row| row.map(mark)))
}

/// The first row that cannot be read ends it, and is what is said.
fn marks(
    wanted: &NewestWanted,
    rows: impl Iterator<Item = Result<Mark, LedgerError>>,
) -> Result<Vec<Mark>, LedgerError> {
    let mut broken = None;
    let whole = rows.map_while(|row| row.map_err(|error| broken = Some(error)).ok());
    let marks = wanted.marks(whole);
    broken.map_or(Ok(marks), Err)
}

fn step(row: &Row<'_>) -> Result<KeptStep, LedgerError> {
    Ok(KeptStep {
        place: count(row.get(0).map_err(failed)?),
        step: transition(&row.get::<_, String>(1).map_err(failed)?)?,
        opening: transition(&row.get::<_, String>(2).map_err(failed)?)?,
    })
}

fn transition(body: &str) -> Result<Transition, LedgerError> {
    serde_json::from_str(body).map_err(|error| LedgerError::Row {
        what: format!("of an incident: {error}"),
    })
}

fn failed(source: rusqlite::Error) -> LedgerError {
    LedgerError::Read { source }
}
