//! What goes from the ledger when it is too old, too many or too large: the oldest first, and never a hole.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::sqlite_look::number;

/// How many decisions are kept one by one, behind the newest.
const KEPT_DECISIONS: u64 = 100_000;
/// Rows that are taken away in one go, so that no append waits for long.
const MAX_REMOVED_AT_ONCE: u64 = 5_000;

/// How long events are kept, how many of a cluster, and how large the file may be. Whichever is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub max_age: Duration,
    pub max_events: u64,
    /// Of all clusters together; what was decided about incidents counts and does not go by this.
    pub max_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(90 * 24),
            max_events: 2_000_000,
            max_bytes: 4 << 30,
        }
    }
}

/// Whole incidents, whose last step closed them before the time that is kept.
const FORGET_INCIDENTS: &str = "
    DELETE FROM transition WHERE cluster = ?1 AND incident IN (
        SELECT incident FROM transition AS last WHERE cluster = ?1 AND closes AND at_unix_ms < ?2
            AND place = (SELECT MAX(place) FROM transition
                         WHERE cluster = ?1 AND incident = last.incident))";

/// Messages about incidents that are forgotten; never the last one, from which the next has its number.
const FORGET_MESSAGES: &str = "
    DELETE FROM alert_step WHERE cluster = ?1 AND at_unix_ms < ?2
        AND message < (SELECT MAX(message) FROM alert_step WHERE cluster = ?1)
        AND message IN (SELECT message FROM alert_step AS owed WHERE cluster = ?1 AND head > 0 AND NOT EXISTS (
            SELECT 1 FROM transition WHERE cluster = ?1 AND incident = owed.head))";

/// Takes away what is too old or too much, and says how many events went: again, until none do.
pub(super) fn retain(
    connection: &mut Connection,
    retention: Retention,
    now_unix_ms: i64,
) -> Result<u64, rusqlite::Error> {
    let max_age_ms = i64::try_from(retention.max_age.as_millis()).unwrap_or(i64::MAX);
    let oldest_ms = now_unix_ms.saturating_sub(max_age_ms);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut too_large = too_large(&transaction, retention.max_bytes)?;
    let clusters: Vec<(String, i64, i64)> = transaction
        .prepare_cached("SELECT cluster, revision, last_place FROM head")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut removed = 0;
    for (cluster, revision, last_place) in clusters {
        let mut first_place = last_place.saturating_sub(number(retention.max_events));
        if let Some((_, oldest)) = too_large.take_if(|(largest, _)| *largest == cluster) {
            first_place = first_place.max(oldest.saturating_add(number(MAX_REMOVED_AT_ONCE)));
        }
        // Only from the oldest on: what is left has no hole.
        removed += transaction
            .prepare_cached(
                "DELETE FROM event WHERE cluster = ?1 AND place IN (
                     SELECT place FROM (SELECT place, kept_unix_ms FROM event WHERE cluster = ?1
                                        ORDER BY place LIMIT ?4)
                     WHERE place <= ?2 OR kept_unix_ms < ?3)",
            )?
            .execute(params![
                cluster,
                first_place,
                oldest_ms,
                number(MAX_REMOVED_AT_ONCE)
            ])?;
        transaction
            .prepare_cached(FORGET_INCIDENTS)?
            .execute(params![cluster, oldest_ms])?;
        transaction
            .prepare_cached(FORGET_MESSAGES)?
            .execute(params![cluster, oldest_ms])?;
        transaction
            .prepare_cached("DELETE FROM decision WHERE cluster = ?1 AND revision <= ?2")?
            .execute(params![
                cluster,
                revision.saturating_sub(number(KEPT_DECISIONS))
            ])?;
    }
    transaction.commit()?;
    Ok(removed as u64)
}

/// The cluster with the most events, and the first of them, if all together take more than the file may.
fn too_large(
    transaction: &Transaction<'_>,
    max_bytes: u64,
) -> Result<Option<(String, i64)>, rusqlite::Error> {
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    if pages.saturating_mul(pragma("page_size")?) <= number(max_bytes) {
        return Ok(None);
    }
    transaction
        .query_row(
            "SELECT cluster, (SELECT MIN(place) FROM event WHERE event.cluster = head.cluster) AS first
             FROM head WHERE first IS NOT NULL ORDER BY last_place - first DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
}
