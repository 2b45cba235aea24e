//! What is read from the ledger's file, and how its numbers stand there.

use std::sync::Arc;

use model::alert::Alerts;
use model::identity::ClusterId;
use model::incident::Incidents;
use model::lease::Leases;
use model::name::NodeName;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::decision::{
    DecisionId, Kept, KeptEvent, Record, Revision, SpoolId, SpoolRow, TakenEvent,
};
use super::{EventsWanted, LedgerError, MAX_EVENTS_READ, MAX_RECORDS_READ, Snapshot};

#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) revision: Revision,
    pub(super) epoch: u64,
    pub(super) last_place: u64,
    pub(super) last_incident: u64,
}

pub(super) fn head(connection: &Connection, cluster: &ClusterId) -> Result<Head, rusqlite::Error> {
    Ok(connection
        .prepare_cached(
            "SELECT revision, epoch, last_place, last_incident FROM head WHERE cluster = ?1",
        )?
        .query_row([cluster.as_str()], |row| {
            Ok(Head {
                revision: Revision(count(row.get(0)?)),
                epoch: count(row.get(1)?),
                last_place: count(row.get(2)?),
                last_incident: count(row.get(3)?),
            })
        })
        .optional()?
        .unwrap_or_default())
}

pub(super) fn read(
    connection: &Connection,
    cluster: &ClusterId,
    after: Revision,
) -> Result<Vec<Record>, LedgerError> {
    let failed = |source| LedgerError::Read { source };
    let look = || -> Result<Vec<Record>, rusqlite::Error> {
        connection
            .prepare(
                "SELECT revision, epoch, writer, number FROM decision
                 WHERE cluster = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3",
            )?
            .query_map(
                params![
                    cluster.as_str(),
                    number(after.0),
                    number(MAX_RECORDS_READ as u64)
                ],
                |row| {
                    Ok(Record {
                        revision: Revision(count(row.get(0)?)),
                        epoch: count(row.get(1)?),
                        id: DecisionId {
                            writer: row.get::<_, i64>(2)?.cast_unsigned(),
                            number: row.get::<_, i64>(3)?.cast_unsigned(),
                        },
                    })
                },
            )?
            .collect()
    };
    let records = look().map_err(failed)?;
    match records.first() {
        Some(first) if first.revision != after.next() => Err(LedgerError::TooOld {
            oldest: first.revision,
        }),
        Some(_) | None => Ok(records),
    }
}

pub(super) fn snapshot(
    connection: &Connection,
    cluster: &ClusterId,
) -> Result<Snapshot, LedgerError> {
    let failed = |source| LedgerError::Read { source };
    // One transaction, so that head and rows are of the same moment.
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let head = head(&transaction, cluster).map_err(failed)?;
    let mut statement = transaction
        .prepare("SELECT node, spool, up_to, events FROM spool WHERE cluster = ?1")
        .map_err(failed)?;
    let mut rows = statement.query([cluster.as_str()]).map_err(failed)?;
    let mut kept = Kept {
        last_place: head.last_place,
        incidents: Arc::new(incidents(&transaction, cluster, head.last_incident)?),
        leases: Arc::new(leases(&transaction, cluster)?),
        alerts: Arc::new(alerts(&transaction, cluster)?),
        ..Kept::default()
    };
    while let Some(row) = rows.next().map_err(failed)? {
        let key = (
            node(row.get(0).map_err(failed)?)?,
            SpoolId(row.get(1).map_err(failed)?),
        );
        let row = SpoolRow {
            up_to: count(row.get(2).map_err(failed)?),
            events: count(row.get(3).map_err(failed)?),
        };
        kept.spools.insert(key, row);
    }
    Ok(Snapshot {
        revision: head.revision,
        epoch: head.epoch,
        kept,
    })
}

/// What the transitions add up to.
fn incidents(
    connection: &Connection,
    cluster: &ClusterId,
    last: u64,
) -> Result<Incidents, LedgerError> {
    let failed = |source| LedgerError::Read { source };
    let mut statement = connection
        .prepare("SELECT body FROM transition WHERE cluster = ?1 ORDER BY place")
        .map_err(failed)?;
    let mut rows = statement.query([cluster.as_str()]).map_err(failed)?;
    let mut incidents = Incidents::behind(last);
    while let Some(row) = rows.next().map_err(failed)? {
        let body: String = row.get(0).map_err(failed)?;
        let transition = serde_json::from_str(&body).map_err(|error| LedgerError::Row {
            what: format!("of an incident: {error}"),
        })?;
        incidents.fold(&transition);
    }
    Ok(incidents)
}

fn leases(connection: &Connection, cluster: &ClusterId) -> Result<Leases, LedgerError> {
    let failed = |source| LedgerError::Read { source };
    let mut statement = connection
        .prepare("SELECT body FROM lease_step WHERE cluster = ?1 ORDER BY place")
        .map_err(failed)?;
    let mut rows = statement.query([cluster.as_str()]).map_err(failed)?;
    let mut leases = Leases::default();
    while let Some(row) = rows.next().map_err(failed)? {
        let body: String = row.get(0).map_err(failed)?;
        let step = serde_json::from_str(&body).map_err(|error| LedgerError::Row {
            what: format!("of a lease: {error}"),
        })?;
        leases.fold(&step);
    }
    Ok(leases)
}

fn alerts(connection: &Connection, cluster: &ClusterId) -> Result<Alerts, LedgerError> {
    let failed = |source| LedgerError::Read { source };
    let mut statement = connection
        .prepare("SELECT body FROM alert_step WHERE cluster = ?1 ORDER BY place")
        .map_err(failed)?;
    let mut rows = statement.query([cluster.as_str()]).map_err(failed)?;
    let mut alerts = Alerts::default();
    while let Some(row) = rows.next().map_err(failed)? {
        let body: String = row.get(0).map_err(failed)?;
        let step = serde_json::from_str(&body).map_err(|error| LedgerError::Row {
            what: format!("of an alert: {error}"),
        })?;
        alerts.fold(&step);
    }
    Ok(alerts)
}

pub(super) fn events(
    connection: &Connection,
    wanted: &EventsWanted,
) -> Result<Vec<KeptEvent>, LedgerError> {
    let failed = |source| LedgerError::Read { source };
    let mut statement = connection
        .prepare(
            "SELECT place, node, spool, number, last, kept_unix_ms, body FROM event
             WHERE cluster = ?1 AND place > ?2 AND (?3 IS NULL OR node = ?3) ORDER BY place LIMIT ?4",
        )
        .map_err(failed)?;
    let limit = number(wanted.limit.min(MAX_EVENTS_READ) as u64);
    let named = wanted.node.as_ref().map(NodeName::as_str);
    let mut rows = statement
        .query(params![
            wanted.cluster.as_str(),
            number(wanted.after),
            named,
            limit
        ])
        .map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(KeptEvent {
            place: count(row.get(0).map_err(failed)?),
            event: TakenEvent {
                node: node(row.get(1).map_err(failed)?)?,
                spool: SpoolId(row.get(2).map_err(failed)?),
                number: count(row.get(3).map_err(failed)?),
                last: count(row.get(4).map_err(failed)?),
                kept_unix_ms: row.get(5).map_err(failed)?,
                body: row.get(6).map_err(failed)?,
            },
        });
    }
    Ok(found)
}

/// SQLite's numbers have a sign; ours never reach it.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn node(name: String) -> Result<NodeName, LedgerError> {
    NodeName::new(name).map_err(|error| LedgerError::Row {
        what: error.to_string(),
    })
}
