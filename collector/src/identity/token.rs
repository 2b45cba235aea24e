//! The tokens that were given out. Of a token only the hash of its secret is kept: whoever reads identity.db cannot
//! join with it. A secret has 160 random bits, and is looked up by its hash: how long that takes tells nothing of it.

use std::time::Duration;

use jiff::Timestamp;
use model::identity::ClusterId;
use proto::token::{BadToken, JoinToken};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;

use super::certificate::time;
use super::rotation::trust;
use super::{Doing as _, Identities, IdentityError, hex, random};

/// Of a token that an operator makes without saying how long.
pub const JOIN_LIFETIME: Duration = Duration::from_secs(86_400);
/// A Proxmox VE cluster has rarely more nodes.
pub const JOIN_USES: u32 = 32;
/// How long a token that is over can still be seen in the list.
const REMEMBERED_S: i64 = 30 * 86_400;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Made by an operator.
    Join,
    /// For the join file of a cluster: good for its names alone, for each once.
    ClusterFile,
}

impl TokenKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::ClusterFile => "cluster_file",
        }
    }
}

/// What a token is good for yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenStanding {
    Good,
    Expired,
    UsedUp,
    Revoked,
}

/// A token, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// To name it by; it is no part of the secret.
    pub id: String,
    pub kind: TokenKind,
    /// `None`: any cluster.
    pub cluster: Option<ClusterId>,
    pub not_after: Timestamp,
    /// `None`: not counted; the names of a cluster's file are.
    pub uses_left: Option<u32>,
    pub revoked: Option<Timestamp>,
}

impl Token {
    pub fn standing(&self, now: Timestamp) -> TokenStanding {
        if self.revoked.is_some() {
            TokenStanding::Revoked
        } else if self.not_after <= now {
            TokenStanding::Expired
        } else if self.uses_left == Some(0) {
            TokenStanding::UsedUp
        } else {
            TokenStanding::Good
        }
    }
}

/// A token that was just made: the only moment at which it can be told.
#[derive(Debug)]
pub struct NewToken {
    pub id: String,
    pub token: JoinToken,
    pub not_after: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("there is no token {id}: see `quorate-collector token list`")]
    NoSuch { id: String },
    #[error("no token can be made")]
    Mint(#[source] BadToken),
    #[error("a token cannot live for {} s", lifetime.as_secs())]
    Lifetime { lifetime: Duration },
    #[error("the certificate of the node that asks was revoked, or is over")]
    NotLiving,
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

const COLUMNS: &str = "id, kind, cluster, not_after_unix_s, uses_left, revoked_unix_s";

impl Identities {
    /// Makes a token for `quorate-agent join`.
    pub fn make_token(
        &self,
        cluster: Option<&ClusterId>,
        uses: u32,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<NewToken, TokenError> {
        self.write(|changes| {
            forget_old(changes, now)?;
            let new = self.mint(changes, lifetime, now)?;
            keep(changes, &new, TokenKind::Join, cluster, Some(uses), now)?;
            Ok(new)
        })
    }

    pub fn tokens(&self) -> Result<Vec<Token>, IdentityError> {
        let reader = self.reader();
        let sql = format!("SELECT {COLUMNS} FROM token ORDER BY made_unix_s, id");
        let mut rows = reader.prepare(&sql).doing("listing tokens")?;
        let rows = rows.query_map([], |row| Columns::try_from(row));
        let rows: Vec<Columns> = rows.and_then(Iterator::collect).doing("listing tokens")?;
        rows.into_iter().map(token).collect()
    }

    pub fn revoke_token(&self, id: &str, now: Timestamp) -> Result<(), TokenError> {
        self.write(|changes| {
            let sql =
                "UPDATE token SET revoked_unix_s = coalesce(revoked_unix_s, ?1) WHERE id = ?2";
            let revoked = changes.execute(sql, params![now.as_second(), id]);
            if revoked.doing("revoking a token")? == 0 {
                return Err(TokenError::NoSuch { id: id.to_owned() });
            }
            Ok(())
        })
    }

    /// Whether anybody could enrol now: only then is the enrolment listener there at all.
    ///
    /// A token of a cluster's join file counts as long as it is good for a name that has no certificate yet.
    pub fn is_enrolment_open(&self, now: Timestamp) -> Result<bool, IdentityError> {
        let reader = self.reader();
        let mut row = reader
            .prepare_cached(
                "SELECT EXISTS (
                    SELECT 1 FROM token
                    WHERE revoked_unix_s IS NULL AND not_after_unix_s > ?1 AND kind = 'join' AND uses_left > 0
                 ) OR EXISTS (
                    SELECT 1 FROM token JOIN token_name ON token_name.token = token.id
                    WHERE revoked_unix_s IS NULL AND not_after_unix_s > ?1 AND used_unix_s IS NULL
                      AND NOT EXISTS (
                        SELECT 1 FROM node
                        WHERE node.cluster = token.cluster AND node.name = token_name.name
                          AND (node.standing = 'revoked' OR node.standing = 'enrolled' AND EXISTS (
                            SELECT 1 FROM certificate
                            WHERE identity = 'quorate://' || node.cluster || '/node/' || node.name
                              AND certificate.revoked_unix_s IS NULL
                              AND certificate.not_after_unix_s > ?1
                          ))
                      )
                 )",
            )
            .doing("looking for good tokens")?;
        row.query_row(params![now.as_second()], |row| row.get(0))
            .doing("looking for good tokens")
    }

    /// Whoever joins with it knows the collector by the CA that signs now.
    pub(super) fn mint(
        &self,
        changes: &Transaction<'_>,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<NewToken, TokenError> {
        let ca = trust(changes)?.signs;
        Ok(NewToken {
            id: hex(&random::<4>()?),
            token: JoinToken::mint(ca).map_err(TokenError::Mint)?,
            not_after: now
                .checked_add(lifetime)
                .map_err(|_| TokenError::Lifetime { lifetime })?,
        })
    }
}

pub(super) fn keep(
    changes: &Transaction<'_>,
    new: &NewToken,
    kind: TokenKind,
    cluster: Option<&ClusterId>,
    uses: Option<u32>,
    now: Timestamp,
) -> Result<(), IdentityError> {
    changes
        .execute(
            "INSERT INTO token (id, secret_hash, kind, cluster, made_unix_s, not_after_unix_s, uses_left)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                new.id,
                new.token.secret_hash(),
                kind.as_str(),
                cluster.map(ClusterId::as_str),
                now.as_second(),
                new.not_after.as_second(),
                uses
            ],
        )
        .doing("keeping a token")?;
    Ok(())
}

/// The token with this secret.
pub(super) fn find(
    connection: &Connection,
    presented: &JoinToken,
) -> Result<Option<Token>, IdentityError> {
    let sql = format!("SELECT {COLUMNS} FROM token WHERE secret_hash = ?1");
    let found = connection.query_row(&sql, params![presented.secret_hash()], |row| {
        Columns::try_from(row)
    });
    let found = found.optional().doing("looking up a token")?;
    found.map(token).transpose()
}

/// Tokens that were over long ago are not listed any more; a stranger is told the same of them.
pub(super) fn forget_old(changes: &Transaction<'_>, now: Timestamp) -> Result<(), IdentityError> {
    changes
        .execute(
            "DELETE FROM token WHERE not_after_unix_s < ?1",
            params![now.as_second() - REMEMBERED_S],
        )
        .doing("forgetting old tokens")?;
    Ok(())
}

type Columns = (
    String,
    String,
    Option<String>,
    i64,
    Option<u32>,
    Option<i64>,
);

fn token(
    (id, kind, cluster, not_after, uses_left, revoked): Columns,
) -> Result<Token, IdentityError> {
    let kind = [TokenKind::Join, TokenKind::ClusterFile]
        .into_iter()
        .find(|known| known.as_str() == kind)
        .ok_or(IdentityError::Damaged {
            what: "kind of token",
            text: kind,
        })?;
    Ok(Token {
        id,
        kind,
        cluster: cluster.map(super::node::cluster_id).transpose()?,
        not_after: time(not_after)?,
        uses_left,
        revoked: revoked.map(time).transpose()?,
    })
}
