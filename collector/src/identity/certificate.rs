//! The certificates that were given out. One that is not here is nobody's, whatever it says: a certificate is known by
//! its SHA-256, which stands for all of it.

use std::time::Duration;

use jiff::Timestamp;
use model::identity::Identity;
use proto::token::{Fingerprint, fingerprint};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::ca::{Ca, ProvenKey, Signed};
use super::rotation::{signer, signer_of_people};
use super::{Doing as _, Identities, IdentityError};

/// Nodes renew after two thirds of it.
pub const NODE_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// Of an operator's or viewer's certificate.
pub const PERSON_LIFETIME: Duration = Duration::from_secs(365 * 86_400);

/// A certificate, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub serial: String,
    pub identity: Identity,
    pub not_after: Timestamp,
    pub revoked: Option<Timestamp>,
    /// The fingerprint of the CA that signed it.
    pub ca: Fingerprint,
}

/// A certificate as it is handed to whoever asked for it, DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub serial: String,
    pub der: Vec<u8>,
    pub not_after: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum NotRenewed {
    /// It was good when the connection was opened.
    #[error("its certificate was revoked, or is over")]
    NotLiving,
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

const COLUMNS: &str = "serial, identity, not_after_unix_s, revoked_unix_s, \
                       (SELECT ca.fingerprint FROM ca WHERE ca.number = certificate.ca)";

impl Identities {
    /// Whose certificate this is; `None` if it was not given out here.
    pub fn certificate(&self, der: &[u8]) -> Result<Option<Certificate>, IdentityError> {
        let reader = self.reader();
        let sql = format!("SELECT {COLUMNS} FROM certificate WHERE fingerprint = ?1");
        let mut found = reader
            .prepare_cached(&sql)
            .doing("looking up a certificate")?;
        let found = found.query_row(params![fingerprint(der)], |row| Columns::try_from(row));
        let found = found.optional().doing("looking up a certificate")?;
        found.map(certificate).transpose()
    }

    /// A new certificate for whoever holds this living one.
    pub fn renew(
        &self,
        identity: &Identity,
        serial: &str,
        key: &ProvenKey,
        now: Timestamp,
    ) -> Result<Issued, NotRenewed> {
        self.write(|changes| {
            if !is_living(changes, serial, now)? {
                return Err(NotRenewed::NotLiving);
            }
            Ok(self.issue(changes, identity, key, None, now, NODE_LIFETIME)?)
        })
    }

    /// Makes a key and a certificate for a person.
    pub fn add_person(
        &self,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<(Issued, rcgen::KeyPair), IdentityError> {
        let key = rcgen::KeyPair::generate().map_err(|source| super::ca::CaError::Sign {
            what: "a new key",
            source,
        })?;
        let hash = fingerprint(rcgen::PublicKeyData::der_bytes(&key));
        let issued = self.write(|changes| {
            let ca = signer_of_people(changes, self.state_dir())?;
            let signed = ca.sign(identity, &key, now, PERSON_LIFETIME)?;
            keep(changes, identity, (&ca, signed), hash, None, now)
        })?;
        Ok((issued, key))
    }

    /// Everybody but nodes, by name.
    pub fn people(&self) -> Result<Vec<Certificate>, IdentityError> {
        let reader = self.reader();
        let sql = format!(
            "SELECT {COLUMNS} FROM certificate WHERE identity NOT LIKE 'quorate://%/node/%' ORDER BY identity, made_unix_s"
        );
        let mut rows = reader.prepare(&sql).doing("listing certificates")?;
        let rows = rows.query_map([], |row| Columns::try_from(row));
        let rows: Vec<Columns> = rows
            .and_then(Iterator::collect)
            .doing("listing certificates")?;
        rows.into_iter().map(certificate).collect()
    }

    /// Revokes all living certificates of a person; how many those were.
    pub fn revoke_person(&self, name: &str, now: Timestamp) -> Result<usize, IdentityError> {
        self.write(|changes| {
            // Names of people have no letter that LIKE would take for a pattern but '_': the end is compared as it is.
            let sql = "UPDATE certificate SET revoked_unix_s = ?1, revoked_why = 'operator revoke'
                       WHERE revoked_unix_s IS NULL AND identity NOT LIKE 'quorate://%/node/%'
                         AND substr(identity, -length(?2)) = ?2";
            changes
                .execute(sql, params![now.as_second(), format!("/{name}")])
                .doing("revoking a certificate")
        })
    }

    /// Which of these serials may not speak any more.
    pub fn revoked_among(&self, serials: &[String]) -> Result<Vec<String>, IdentityError> {
        let reader = self.reader();
        let mut row = reader
            .prepare_cached(
                "SELECT count(*) FROM certificate WHERE serial = ?1 AND revoked_unix_s IS NULL",
            )
            .doing("looking for revoked certificates")?;
        let mut revoked = Vec::new();
        for serial in serials {
            let living: i64 = row
                .query_row(params![serial], |row| row.get(0))
                .doing("looking for revoked certificates")?;
            if living == 0 {
                revoked.push(serial.clone());
            }
        }
        Ok(revoked)
    }

    pub(super) fn issue(
        &self,
        changes: &Transaction<'_>,
        identity: &Identity,
        key: &ProvenKey,
        token: Option<&str>,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Issued, IdentityError> {
        let ca = signer(changes, self.state_dir())?;
        let signed = ca.sign(identity, key, now, lifetime)?;
        keep(changes, identity, (&ca, signed), key.hash(), token, now)
    }
}

fn keep(
    changes: &Transaction<'_>,
    identity: &Identity,
    (ca, signed): (&Ca, Signed),
    key_hash: [u8; 32],
    token: Option<&str>,
    now: Timestamp,
) -> Result<Issued, IdentityError> {
    changes
        .execute(
            "INSERT INTO certificate (serial, fingerprint, identity, key_hash, token, made_unix_s, not_after_unix_s, ca)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT number FROM ca WHERE fingerprint = ?8))",
            params![
                signed.serial,
                fingerprint(&signed.der),
                identity.to_string(),
                key_hash,
                token,
                now.as_second(),
                signed.not_after.as_second(),
                ca.fingerprint()
            ],
        )
        .doing("keeping a certificate")?;
    Ok(Issued {
        serial: signed.serial,
        der: signed.der.to_vec(),
        not_after: signed.not_after,
    })
}

/// The end of the longest life among the living certificates of somebody.
pub(super) fn living_until(
    connection: &Connection,
    identity: &Identity,
    now: Timestamp,
) -> Result<Option<Timestamp>, IdentityError> {
    let until: Option<i64> = connection
        .query_row(
            "SELECT max(not_after_unix_s) FROM certificate
             WHERE identity = ?1 AND revoked_unix_s IS NULL AND not_after_unix_s > ?2",
            params![identity.to_string(), now.as_second()],
            |row| row.get(0),
        )
        .doing("looking for living certificates")?;
    until.map(time).transpose()
}

pub(super) fn is_living(
    connection: &Connection,
    serial: &str,
    now: Timestamp,
) -> Result<bool, IdentityError> {
    connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM certificate
             WHERE serial = ?1 AND revoked_unix_s IS NULL AND not_after_unix_s > ?2)",
            params![serial, now.as_second()],
            |row| row.get(0),
        )
        .doing("looking for a living certificate")
}

/// Revokes all of somebody's; how many were living.
pub(super) fn revoke(
    changes: &Transaction<'_>,
    identity: &Identity,
    why: &str,
    now: Timestamp,
) -> Result<usize, IdentityError> {
    changes
        .execute(
            "UPDATE certificate SET revoked_unix_s = ?1, revoked_why = ?2
             WHERE identity = ?3 AND revoked_unix_s IS NULL",
            params![now.as_second(), why, identity.to_string()],
        )
        .doing("revoking a certificate")
}

type Columns = (String, String, i64, Option<i64>, Fingerprint);

fn certificate(
    (serial, identity, not_after, revoked, ca): Columns,
) -> Result<Certificate, IdentityError> {
    let parsed = Identity::parse(&identity).map_err(|_| IdentityError::Damaged {
        what: "identity",
        text: identity,
    })?;
    Ok(Certificate {
        serial,
        identity: parsed,
        not_after: time(not_after)?,
        revoked: revoked.map(time).transpose()?,
        ca,
    })
}

pub(super) fn time(unix_s: i64) -> Result<Timestamp, IdentityError> {
    Timestamp::from_second(unix_s).map_err(|_| IdentityError::Damaged {
        what: "time",
        text: unix_s.to_string(),
    })
}
