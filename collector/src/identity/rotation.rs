//! The CAs of this collector, one after the other: the one that signs, the one that is to follow it, those that were.
//!
//! ```text
//! rotate    a new one is trusted, and signs for people; the old one goes on to sign the collector's own certificate
//! switch    the new one signs everything; the old one is trusted still
//! retire    the old one is trusted no more, what it signed is revoked, and its key is gone
//! ```
//!
//! What holds is in identity.db alone, so that a running collector and a command beside it never differ; in `ca/` are
//! the keys. Who stands in the way of a step is in [`super::holders`].

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use proto::token::Fingerprint;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use rustls::pki_types::CertificateDer;
use serde::Serialize;

use super::ca::{self, Ca};
use super::certificate::time;
use super::holders::{Lost, holders, still_trusting, with_certificates_of, without_trust};
use super::{Doing as _, Identities, IdentityError, hex};

/// What a CA is to this collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaStanding {
    /// It is trusted, and signs nothing yet but certificates of people.
    Waiting,
    Signing,
    /// It is trusted still, and signs nothing any more.
    Leaving,
    Retired,
}

impl CaStanding {
    const ALL: [Self; 4] = [Self::Waiting, Self::Signing, Self::Leaving, Self::Retired];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Signing => "signing",
            Self::Leaving => "leaving",
            Self::Retired => "retired",
        }
    }
}

/// A CA, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCa {
    /// Counts from 1; it is in the name of its files.
    pub number: u32,
    pub der: CertificateDer<'static>,
    pub fingerprint: Fingerprint,
    pub standing: CaStanding,
    pub since: Timestamp,
}

/// Whom agents are to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The one that signs first.
    pub cas: Vec<CertificateDer<'static>>,
    pub fingerprints: Vec<Fingerprint>,
    pub signs: Fingerprint,
}

#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error(
        "another CA is on its way already: `quorate-collector ca show` says what is to be done next"
    )]
    OnItsWay,
    #[error("no new CA is waiting: make one with `quorate-collector ca rotate`")]
    NoneWaiting,
    #[error("no CA is leaving: `quorate-collector ca show` says how it stands")]
    NoneLeaving,
    #[error(
        "the collector's own certificate still comes from the old CA: `quorate-collector ca switch` comes first"
    )]
    NotSwitched,
    #[error("they would lose the collector: {}", list(lost))]
    Lost { lost: Vec<Lost> },
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

fn list(lost: &[Lost]) -> String {
    let lost: Vec<String> = lost.iter().map(ToString::to_string).collect();
    lost.join("; ")
}

/// What a step did.
#[derive(Debug)]
pub struct Stepped {
    /// The CA that is the newest now.
    pub ca: KnownCa,
    /// Who is lost, because it was said to go on all the same.
    pub lost: Vec<Lost>,
    /// Tokens that are good for nothing any more.
    pub tokens: usize,
}

impl Identities {
    /// All CAs there ever were, the oldest first.
    pub fn cas(&self) -> Result<Vec<KnownCa>, IdentityError> {
        cas(&self.reader())
    }

    /// Those whose certificates are good.
    pub fn trust(&self) -> Result<Trust, IdentityError> {
        trust(&self.reader())
    }

    /// Those that the collector's own certificate comes from, now or next: a person's file is not told when an old one is
    /// retired.
    pub fn trust_of_people(&self) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
        let known = self.cas()?.into_iter();
        let known =
            known.filter(|ca| matches!(ca.standing, CaStanding::Signing | CaStanding::Waiting));
        Ok(known.map(|ca| ca.der).collect())
    }

    /// The CA that signs now. Its key is read anew, because another one may sign since.
    pub fn signing(&self) -> Result<Ca, IdentityError> {
        let known = signing(&self.reader())?;
        Ok(Ca::read(self.state_dir(), known.number, known.der)?)
    }

    /// The fingerprint of the CA that signs now.
    pub fn signs(&self) -> Result<Fingerprint, IdentityError> {
        Ok(signing(&self.reader())?.fingerprint)
    }

    /// Makes a new CA, which is trusted from now on.
    pub fn rotate(&self, now: Timestamp) -> Result<Stepped, RotationError> {
        let stepped = self.write(|changes| {
            let known = cas(changes)?;
            let is_on_its_way =
                |ca: &KnownCa| matches!(ca.standing, CaStanding::Waiting | CaStanding::Leaving);
            if known.iter().any(is_on_its_way) {
                return Err(RotationError::OnItsWay);
            }
            let number = known.iter().map(|ca| ca.number).max().unwrap_or_default() + 1;
            let der = Ca::make(self.state_dir(), number, self.id(), now)?;
            let ca = add(changes, number, der, CaStanding::Waiting, now)?;
            Ok(Stepped {
                ca,
                lost: Vec::new(),
                tokens: 0,
            })
        })?;
        self.forget_keys()?;
        Ok(stepped)
    }

    /// From now on the new CA signs everything. Unless `by_force`, nobody may be lost by it.
    pub fn switch(&self, by_force: bool, now: Timestamp) -> Result<Stepped, RotationError> {
        self.write(|changes| {
            let known = cas(changes)?;
            let waiting = with(&known, CaStanding::Waiting).ok_or(RotationError::NoneWaiting)?;
            // There is no way back from here to a key that cannot be read.
            Ca::read(self.state_dir(), waiting.number, waiting.der.clone())
                .map_err(IdentityError::from)?;
            let lost = without_trust(&holders(changes, now)?, &waiting);
            if !lost.is_empty() && !by_force {
                return Err(RotationError::Lost { lost });
            }
            if let Some(old) = with(&known, CaStanding::Signing) {
                stand(changes, &old, CaStanding::Leaving, now)?;
            }
            stand(changes, &waiting, CaStanding::Signing, now)?;
            Ok(Stepped {
                tokens: end_tokens(changes, now)?,
                ca: waiting,
                lost,
            })
        })
    }

    /// The old CA is good for nothing any more. Unless `by_force`, nobody may be lost by it.
    pub fn retire(&self, by_force: bool, now: Timestamp) -> Result<Stepped, RotationError> {
        // Of one before, if that broke off.
        self.forget_keys()?;
        let stepped = self.write(|changes| {
            let known = cas(changes)?;
            if with(&known, CaStanding::Waiting).is_some() {
                return Err(RotationError::NotSwitched);
            }
            let leaving = with(&known, CaStanding::Leaving).ok_or(RotationError::NoneLeaving)?;
            let lost = with_certificates_of(&holders(changes, now)?, &leaving);
            if !lost.is_empty() && !by_force {
                return Err(RotationError::Lost { lost });
            }
            stand(changes, &leaving, CaStanding::Retired, now)?;
            let sql = "UPDATE certificate SET revoked_unix_s = ?1, revoked_why = 'ca retire'
                       WHERE ca = ?2 AND revoked_unix_s IS NULL";
            changes
                .execute(sql, params![now.as_second(), leaving.number])
                .doing("revoking the certificates of a CA")?;
            Ok(Stepped {
                ca: signing(changes)?,
                lost,
                tokens: 0,
            })
        })?;
        self.forget_keys()?;
        Ok(stepped)
    }

    /// Who is in the way of the next step. With none to come: who still trusts a CA that was retired.
    pub fn not_ready(&self, now: Timestamp) -> Result<Vec<Lost>, IdentityError> {
        let (known, holders) = (self.cas()?, self.holders(now)?);
        if let Some(waiting) = with(&known, CaStanding::Waiting) {
            return Ok(without_trust(&holders, &waiting));
        }
        if let Some(leaving) = with(&known, CaStanding::Leaving) {
            return Ok(with_certificates_of(&holders, &leaving));
        }
        let retired = known.iter().filter(|ca| ca.standing == CaStanding::Retired);
        Ok(still_trusting(&holders, &retired.collect::<Vec<_>>()))
    }

    /// Of CAs that are retired, once identity.db says so.
    fn forget_keys(&self) -> Result<(), IdentityError> {
        for known in self.cas()? {
            if known.standing == CaStanding::Retired {
                ca::forget_files(self.state_dir(), known.number)?;
            }
        }
        Ok(())
    }

    pub(super) fn state_dir(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// The CA that signs, to sign with.
pub(super) fn signer(connection: &Connection, state_dir: &Path) -> Result<Ca, IdentityError> {
    let known = signing(connection)?;
    Ok(Ca::read(state_dir, known.number, known.der)?)
}

/// The newest one that is trusted: people get their certificates from it, so that they need one new file and not two.
pub(super) fn signer_of_people(
    connection: &Connection,
    state_dir: &Path,
) -> Result<Ca, IdentityError> {
    let known = cas(connection)?;
    let newest = with(&known, CaStanding::Waiting);
    let known = newest.map_or_else(|| signing(connection), Ok)?;
    Ok(Ca::read(state_dir, known.number, known.der)?)
}

pub(super) fn trust(connection: &Connection) -> Result<Trust, IdentityError> {
    let mut known = cas(connection)?;
    known.retain(|ca| ca.standing != CaStanding::Retired);
    known.sort_by_key(|ca| (ca.standing != CaStanding::Signing, ca.number));
    Ok(Trust {
        signs: signing(connection)?.fingerprint,
        fingerprints: known.iter().map(|ca| ca.fingerprint).collect(),
        cas: known.into_iter().map(|ca| ca.der).collect(),
    })
}

pub(super) fn cas(connection: &Connection) -> Result<Vec<KnownCa>, IdentityError> {
    let mut rows = connection
        .prepare_cached(
            "SELECT number, certificate, fingerprint, standing, since_unix_s FROM ca ORDER BY number",
        )
        .doing("listing the CAs")?;
    let rows = rows.query_map([], |row| Columns::try_from(row));
    let rows: Vec<Columns> = rows.and_then(Iterator::collect).doing("listing the CAs")?;
    rows.into_iter().map(known).collect()
}

fn signing(connection: &Connection) -> Result<KnownCa, IdentityError> {
    let found = connection
        .prepare_cached(
            "SELECT number, certificate, fingerprint, standing, since_unix_s FROM ca WHERE standing = 'signing'",
        )
        .and_then(|mut row| row.query_row([], |row| Columns::try_from(row)).optional())
        .doing("looking for the CA that signs")?;
    let found = found.ok_or(IdentityError::NoCa)?;
    known(found)
}

fn with(known: &[KnownCa], standing: CaStanding) -> Option<KnownCa> {
    known.iter().find(|ca| ca.standing == standing).cloned()
}

/// Keeps a CA whose key is on the disk.
pub(super) fn add(
    changes: &Transaction<'_>,
    number: u32,
    der: CertificateDer<'static>,
    standing: CaStanding,
    now: Timestamp,
) -> Result<KnownCa, IdentityError> {
    let fingerprint = proto::token::fingerprint(&der);
    changes
        .execute(
            "INSERT INTO ca (number, certificate, fingerprint, standing, since_unix_s) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                number,
                der.as_ref(),
                fingerprint,
                standing.as_str(),
                now.as_second()
            ],
        )
        .doing("keeping a CA")?;
    Ok(KnownCa {
        number,
        der,
        fingerprint,
        standing,
        since: now,
    })
}

fn stand(
    changes: &Transaction<'_>,
    ca: &KnownCa,
    standing: CaStanding,
    now: Timestamp,
) -> Result<(), IdentityError> {
    changes
        .execute(
            "UPDATE ca SET standing = ?1, since_unix_s = ?2 WHERE number = ?3",
            params![standing.as_str(), now.as_second(), ca.number],
        )
        .doing("keeping what a CA is for")?;
    Ok(())
}

/// The fingerprint in a token is that of the CA that signed when it was made: nobody could join with it.
fn end_tokens(changes: &Transaction<'_>, now: Timestamp) -> Result<usize, IdentityError> {
    let sql = "UPDATE token SET revoked_unix_s = ?1
               WHERE revoked_unix_s IS NULL AND not_after_unix_s > ?1 AND (uses_left IS NULL OR uses_left > 0)";
    changes
        .execute(sql, params![now.as_second()])
        .doing("ending the tokens of a CA")
}

type Columns = (u32, Vec<u8>, Fingerprint, String, i64);

fn known((number, der, fingerprint, word, since): Columns) -> Result<KnownCa, IdentityError> {
    let mut all = CaStanding::ALL.into_iter();
    let standing = all.find(|known| known.as_str() == word);
    let der = CertificateDer::from(der);
    if proto::token::fingerprint(&der) != fingerprint {
        return Err(IdentityError::Damaged {
            what: "fingerprint of its CA",
            text: hex(&fingerprint),
        });
    }
    Ok(KnownCa {
        number,
        der,
        fingerprint,
        standing: standing.ok_or(IdentityError::Damaged {
            what: "standing of a CA",
            text: word,
        })?,
        since: time(since)?,
    })
}

/// A file of a CA, by what it is: those of the first have no number.
pub(super) fn file(state_dir: &Path, what: &str, number: u32) -> PathBuf {
    let dir = state_dir.join(ca::DIR);
    match number {
        1 => dir.join(format!("{what}.pem")),
        number => dir.join(format!("{what}-{number}.pem")),
    }
}
