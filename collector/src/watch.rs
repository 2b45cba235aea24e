//! Looks after what changes while the collector runs: revocations and new tokens, which commands of the terminal write
//! into identity.db beside it; certificates whose time is over; and the collector's own certificate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::answer::chain;
use crate::identity::ca::SERVER_LIFETIME;
use crate::identity::{Identities, IdentityError};
use crate::refusal::{Reason, Refusals};
use crate::tls::OwnCertificate;
use crate::tls::connections::Connections;

/// A revoked node speaks on for so long at most.
const PACE: Duration = Duration::from_millis(200);
/// Tokens expire without anybody writing.
const TOKEN_PACE: Duration = Duration::from_secs(1);

/// What it looks after.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) identities: Arc<Identities>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) own: Arc<OwnCertificate>,
    /// Whether the enrolment listener is to be there.
    pub(crate) is_open: watch::Sender<bool>,
    /// Goes up whenever something was written into identity.db.
    pub(crate) changes: watch::Sender<u64>,
}

/// What it remembers from one look to the next.
#[derive(Debug)]
struct Seen {
    database: Connection,
    version: i64,
    tokens_at: Option<Instant>,
    own_made: Instant,
    is_failing: bool,
}

impl Watch {
    /// Ends only with a disk that was read-only and is not any more: what was written meanwhile would not be seen.
    pub(crate) async fn run(self) -> Result<(), IdentityError> {
        let mut seen = Seen {
            database: self.identities.watcher()?,
            version: -1,
            tokens_at: None,
            own_made: Instant::now(),
            is_failing: false,
        };
        if self.identities.is_read_only() {
            tracing::error!(
                "the disk of the state directory is read-only: who is enrolled goes on, and nobody can enrol or be revoked"
            );
        }
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            self.identities.is_up_to_date()?;
            let looked = self.look(&mut seen, Instant::now(), Timestamp::now());
            // Who is revoked is not known then: who comes is refused by the handshake, and this is said once.
            if let Err(error) = &looked
                && !seen.is_failing
            {
                tracing::error!("identity.db cannot be watched: {}", chain(error));
            }
            seen.is_failing = looked.is_err();
        }
    }

    fn look(&self, seen: &mut Seen, now: Instant, wall: Timestamp) -> Result<(), IdentityError> {
        self.refusals.flush();
        for address in self.connections.close_expired(wall) {
            let more = "its connection was closed";
            self.refusals.refuse(Reason::Expired, address, more);
        }
        let version = version(&seen.database)?;
        let has_changed = version != seen.version;
        if has_changed {
            self.close_revoked()?;
            self.changes.send_modify(|changes| *changes += 1);
            seen.version = version;
        }
        let is_due = |at| now.saturating_duration_since(at) >= TOKEN_PACE;
        if has_changed || seen.tokens_at.is_none_or(is_due) {
            seen.tokens_at = Some(now);
            let is_open = self.identities.is_enrolment_open(wall)?;
            self.is_open.send_if_modified(|before| {
                let is_other = *before != is_open;
                *before = is_open;
                is_other
            });
        }
        // Last: whatever is wrong with the CA's key, revoked connections are closed.
        self.renew_own(seen, now)?;
        self.own.follow()
    }

    fn close_revoked(&self) -> Result<(), IdentityError> {
        for serial in self.identities.revoked_among(&self.connections.owners())? {
            for address in self.connections.close(&serial) {
                let more = format!("its connection was closed, of the certificate {serial}");
                self.refusals.refuse(Reason::Revoked, address, more);
            }
        }
        Ok(())
    }

    /// Well before the old one is over. Connections that are open stay as they are.
    fn renew_own(&self, seen: &mut Seen, now: Instant) -> Result<(), IdentityError> {
        if now.saturating_duration_since(seen.own_made) < SERVER_LIFETIME / 3 * 2 {
            return Ok(());
        }
        self.own.renew()?;
        seen.own_made = now;
        tracing::info!("the collector has a new certificate of its own");
        Ok(())
    }
}

/// Another number whenever somebody else has written.
fn version(database: &Connection) -> Result<i64, IdentityError> {
    database
        .query_row("PRAGMA data_version", [], |row| row.get(0))
        .map_err(|source| IdentityError::Database {
            doing: "looking whether it changed",
            source,
        })
}
