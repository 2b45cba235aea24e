//! Who would be lost by the next step of replacing the CA: what each living identity trusts, as its agent said it, and of
//! which CA its certificate is.
//!
//! Of a node counts what it said itself: a new certificate that was given out may never have arrived, and what it was
//! told to trust may never have been kept. A person's file cannot say anything; of it counts which CA signed it, because
//! the CAs to trust are in the same file.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use model::identity::{Identity, Role};
use proto::token::{FINGERPRINT_BYTES, Fingerprint};
use rusqlite::{Connection, params};
use serde::Serialize;

use super::node::{NodeStanding, standing_of};
use super::rotation::KnownCa;
use super::{Doing as _, Identities, IdentityError};
use crate::peer::Peer;

/// Somebody who may speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub identity: Identity,
    /// The CAs of its living certificates, by number.
    living: Vec<u32>,
    /// What it said last, if it ever spoke with a certificate that lives.
    spoke: Option<Spoke>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Spoke {
    /// The CA of the certificate that it spoke with.
    ca: u32,
    trust: Vec<Fingerprint>,
}

/// Somebody whom a step would cost the collector, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    pub identity: String,
    pub name: String,
    pub is_node: bool,
    pub why: &'static str,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.why)
    }
}

impl Lost {
    fn new(holder: &Holder, node: &'static str, person: &'static str) -> Self {
        let is_node = holder.is_node();
        Self {
            identity: holder.identity.to_string(),
            name: holder.identity.name().as_str().to_owned(),
            is_node,
            why: if is_node { node } else { person },
        }
    }
}

impl Holder {
    pub fn is_node(&self) -> bool {
        self.identity.role() == Role::Node
    }

    /// Whether it is known to trust this CA.
    pub fn trusts(&self, ca: &KnownCa) -> bool {
        match &self.spoke {
            Some(spoke) => spoke.trust.contains(&ca.fingerprint),
            None => !self.is_node() && self.living.contains(&ca.number),
        }
    }

    /// Whether it needs this CA to be let in.
    pub fn needs(&self, ca: &KnownCa) -> bool {
        match &self.spoke {
            Some(spoke) => spoke.ca == ca.number,
            None => self.living.iter().all(|living| *living == ca.number),
        }
    }
}

/// Who would not know the collector any more if this CA signed its certificate.
pub(super) fn without_trust(holders: &[Holder], ca: &KnownCa) -> Vec<Lost> {
    let without = holders.iter().filter(|holder| !holder.trusts(ca));
    let lost = without.map(|holder| {
        Lost::new(
            holder,
            "has not confirmed that it trusts the new CA",
            "has a file that does not know the new CA",
        )
    });
    lost.collect()
}

/// Whom the collector would not let in any more without this CA.
pub(super) fn with_certificates_of(holders: &[Holder], ca: &KnownCa) -> Vec<Lost> {
    let with = holders.iter().filter(|holder| holder.needs(ca));
    let lost = with.map(|holder| {
        Lost::new(
            holder,
            "still speaks with a certificate of the old CA",
            "has a file with a certificate of the old CA",
        )
    });
    lost.collect()
}

/// Which nodes still trust a CA that is good for nothing here. What stands in people's files is not known: those that
/// were made since the new CA signs do not name the old one.
pub(super) fn still_trusting(holders: &[Holder], retired: &[&KnownCa]) -> Vec<Lost> {
    let nodes = holders.iter().filter(|holder| holder.is_node());
    let trusting = nodes.filter(|holder| retired.iter().any(|ca| holder.trusts(ca)));
    let lost = trusting.map(|holder| {
        Lost::new(
            holder,
            "still trusts a CA that was retired",
            "still trusts a CA that was retired",
        )
    });
    lost.collect()
}

impl Identities {
    /// Everybody with a living certificate.
    pub fn holders(&self, now: Timestamp) -> Result<Vec<Holder>, IdentityError> {
        holders(&self.reader(), now)
    }

    /// A stream was opened with this certificate, and its agent trusts these CAs.
    pub fn spoke(
        &self,
        peer: &Peer,
        trust: &[Fingerprint],
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let sql = "INSERT INTO spoke (identity, serial, trust, at_unix_s) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (identity) DO UPDATE SET serial = ?2, trust = ?3, at_unix_s = ?4";
        self.keep_trust(sql, peer, trust, now)
    }

    /// The agent with this certificate keeps these CAs now. What comes late from an older stream changes nothing.
    pub fn keeps_trust(
        &self,
        peer: &Peer,
        trust: &[Fingerprint],
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let sql = "UPDATE spoke SET trust = ?3, at_unix_s = ?4 WHERE identity = ?1 AND serial = ?2";
        self.keep_trust(sql, peer, trust, now)
    }

    fn keep_trust(
        &self,
        sql: &str,
        peer: &Peer,
        trust: &[Fingerprint],
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let (identity, trust) = (peer.identity.to_string(), trust.concat());
        if self.is_known(&identity, &peer.serial, &trust)? {
            return Ok(());
        }
        self.write(|changes| {
            let said = params![identity, peer.serial, trust, now.as_second()];
            changes
                .execute(sql, said)
                .doing("keeping what an agent trusts")?;
            Ok(())
        })
    }

    /// Each stream that is opened again, and each word that is said twice, would write.
    fn is_known(&self, identity: &str, serial: &str, trust: &[u8]) -> Result<bool, IdentityError> {
        self.reader()
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM spoke WHERE identity = ?1 AND serial = ?2 AND trust = ?3)",
                params![identity, serial, trust],
                |row| row.get(0),
            )
            .doing("looking up what an agent trusts")
    }
}

pub(super) fn holders(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<Holder>, IdentityError> {
    let mut living: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (identity, ca) in living_certificates(connection, now)? {
        living.entry(identity).or_default().push(ca);
    }
    let mut spoke = last_spoken(connection, now)?;
    let mut holders = Vec::new();
    for (text, living) in living {
        let damaged = |_| IdentityError::Damaged {
            what: "identity",
            text: text.clone(),
        };
        let identity = Identity::parse(&text).map_err(damaged)?;
        let is_gone = identity.role() == Role::Node
            && standing_of(connection, &identity)? != Some(NodeStanding::Enrolled);
        if !is_gone {
            holders.push(Holder {
                identity,
                living,
                spoke: spoke.remove(&text),
            });
        }
    }
    Ok(holders)
}

fn living_certificates(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<(String, u32)>, IdentityError> {
    let mut rows = connection
        .prepare_cached(
            "SELECT identity, ca FROM certificate
             WHERE revoked_unix_s IS NULL AND not_after_unix_s > ?1 ORDER BY identity",
        )
        .doing("listing living certificates")?;
    let rows = rows.query_map(params![now.as_second()], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    rows.and_then(Iterator::collect)
        .doing("listing living certificates")
}

/// What was said with certificates that do not live any more counts for nothing.
fn last_spoken(
    connection: &Connection,
    now: Timestamp,
) -> Result<BTreeMap<String, Spoke>, IdentityError> {
    let mut rows = connection
        .prepare_cached(
            "SELECT spoke.identity, certificate.ca, spoke.trust FROM spoke
             JOIN certificate ON certificate.serial = spoke.serial
             WHERE certificate.revoked_unix_s IS NULL AND certificate.not_after_unix_s > ?1",
        )
        .doing("listing what agents trust")?;
    let rows = rows.query_map(params![now.as_second()], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    });
    let rows: Vec<(String, u32, Vec<u8>)> = rows
        .and_then(Iterator::collect)
        .doing("listing what agents trust")?;
    let spoken = rows.into_iter().map(|(identity, ca, bytes)| {
        let (trust, _) = bytes.as_chunks::<FINGERPRINT_BYTES>();
        let trust = trust.to_vec();
        (identity, Spoke { ca, trust })
    });
    Ok(spoken.collect())
}
