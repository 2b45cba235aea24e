//! Tokens for the join file of a cluster, which its own enrolled nodes ask for: docs/collector.md, "The join file".

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use model::identity::ClusterId;
use model::name::NodeName;
use rusqlite::params;

use super::certificate::is_living;
use super::token::{NewToken, TokenError, TokenKind, forget_old, keep};
use super::{Doing as _, Identities};

/// Nodes ask again while their cluster is quorate, long before it is over.
const CLUSTER_FILE_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// Good ones of one cluster at a time. Behind that the oldest is ended: whoever asks without end gains nothing.
const MOST_OF_A_CLUSTER: u32 = 64;

impl Identities {
    /// A token good for these names of this cluster, for each once; asked for with the certificate of this serial.
    pub fn make_cluster_token(
        &self,
        serial: &str,
        cluster: &ClusterId,
        names: &BTreeSet<NodeName>,
        now: Timestamp,
    ) -> Result<NewToken, TokenError> {
        self.write(|changes| {
            if !is_living(changes, serial, now)? {
                return Err(TokenError::NotLiving);
            }
            forget_old(changes, now)?;
            let new = self.mint(changes, CLUSTER_FILE_LIFETIME, now)?;
            keep(
                changes,
                &new,
                TokenKind::ClusterFile,
                Some(cluster),
                None,
                now,
            )?;
            for name in names {
                let sql = "INSERT INTO token_name (token, name) VALUES (?1, ?2)";
                let kept = changes.execute(sql, params![new.id, name.as_str()]);
                kept.doing("keeping the names of a token")?;
            }
            let sql = "UPDATE token SET revoked_unix_s = ?1 WHERE id IN (
                           SELECT id FROM token
                           WHERE kind = 'cluster_file' AND cluster = ?2 AND revoked_unix_s IS NULL
                           ORDER BY made_unix_s DESC, rowid DESC LIMIT -1 OFFSET ?3)";
            changes
                .execute(
                    sql,
                    params![now.as_second(), cluster.as_str(), MOST_OF_A_CLUSTER],
                )
                .doing("ending the oldest tokens of a cluster")?;
            Ok(new)
        })
    }
}
