//! Who may speak: the collector's own id, its CA, and what it gave out: tokens, certificates, names of nodes and people.
//!
//! All of it is `identity.db` (SQLite) and `ca/` in the state directory. The commands of the terminal write it
//! themselves, also while the collector runs; the running one looks whether it changed ([`crate::watch`]). Nothing of
//! it is kept in memory, so that there is one truth. What nodes report is not here, nor what was decided.

pub mod ca;
pub mod certificate;
mod cluster_token;
pub mod enrolment;
pub mod holders;
pub mod node;
mod read_only;
pub mod rotation;
mod schema;
pub mod token;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use crate::authority::Duty;
use ca::{Ca, CaError};
use rotation::CaStanding;

/// Its file in the state directory, and the directory of the CA.
pub(crate) const DATABASE: &str = "identity.db";
pub(crate) use ca::DIR as CA_DIR;
/// How long a command waits for another one that writes.
const BUSY: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(
        "{} is no collector's state directory yet: make it one with `quorate-collector init`", path.display()
    )]
    NotMade { path: PathBuf },
    #[error(
        "{} holds a collector already: it keeps its CA, its tokens and its nodes. \
         For a new one, choose another state_dir", path.display()
    )]
    MadeAlready { path: PathBuf },
    #[error("{} cannot be made", path.display())]
    MakeDir { path: PathBuf, source: io::Error },
    #[error("{} can be written again: this collector has to be started anew to see what is written there", path.display())]
    WritableAgain { path: PathBuf },
    #[error("{} cannot be opened", path.display())]
    Open {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error(
        "{} was written by a newer quorate-collector (its format is {found}, and {known} is known here): install that one",
        path.display()
    )]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error("identity.db: {doing} failed")]
    Database {
        doing: &'static str,
        source: rusqlite::Error,
    },
    #[error(
        "identity.db holds {text:?}, which is no {what}: it was changed by hand, or is damaged"
    )]
    Damaged { what: &'static str, text: String },
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("identity.db holds no CA that signs: it was changed by hand, or is damaged")]
    NoCa,
    #[error("the random numbers of this machine are not to be had")]
    NoRandom,
}

/// Adds what was done to an error of the database.
trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, IdentityError>;
}

impl<T> Doing<T> for Result<T, rusqlite::Error> {
    fn doing(self, doing: &'static str) -> Result<T, IdentityError> {
        self.map_err(|source| IdentityError::Database { doing, source })
    }
}

/// The collector's identity and those that it vouches for.
#[derive(Debug)]
pub struct Identities {
    own: schema::Own,
    path: PathBuf,
    /// The disk could not be written when it was opened, and what is written later is not seen.
    is_read_only: bool,
    writer: Mutex<Connection>,
    /// Who looks up a certificate does not wait for a command that writes.
    reader: Mutex<Connection>,
}

impl Identities {
    /// Makes the CA, the collector's id, and the database.
    pub fn init(
        state_dir: &Path,
        addresses: &[String],
        duty: Duty,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        make_dir(state_dir)?;
        let path = state_dir.join(DATABASE);
        make_file(&path)?;
        let made_already = IdentityError::MadeAlready {
            path: state_dir.to_owned(),
        };
        let mut writer = connect(&path, OpenFlags::default())?;
        schema::prepare(&mut writer, &path, now)?;
        // Whoever comes second waits here, and sees the row.
        let row = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .doing("beginning")?;
        if schema::collector(&row)?.is_some() {
            return Err(made_already);
        }
        let id = uuid()?;
        let first = Ca::make(state_dir, 1, &id, now)?;
        rotation::add(&row, 1, first, CaStanding::Signing, now)?;
        row.execute(
            "INSERT INTO collector (one, id, epoch, duty, made_unix_s) VALUES (1, ?1, 1, ?2, ?3)",
            params![id, duty.as_str(), now.as_second()],
        )
        .doing("keeping the collector's id")?;
        for address in addresses {
            row.execute("INSERT INTO address (text) VALUES (?1)", params![address])
                .doing("keeping an address")?;
        }
        row.commit().doing("keeping the collector's id")?;
        Self::open(state_dir)
    }

    pub fn open(state_dir: &Path) -> Result<Self, IdentityError> {
        let path = state_dir.join(DATABASE);
        let not_made = || IdentityError::NotMade {
            path: state_dir.to_owned(),
        };
        if !path.exists() {
            return Err(not_made());
        }
        let here = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE;
        let mut writer = connect(&path, here)?;
        schema::prepare(&mut writer, &path, Timestamp::now())?;
        let own = schema::collector(&writer)?.ok_or_else(not_made)?;
        Ok(Self {
            own,
            reader: Mutex::new(connect(&path, here)?),
            is_read_only: writer
                .is_readonly("main")
                .doing("looking whether it can be written")?,
            writer: Mutex::new(writer),
            path,
        })
    }

    /// The collector's id, a UUID.
    pub fn id(&self) -> &str {
        &self.own.id
    }

    /// From now on it is another epoch, higher than any that this collector, or a copy of it, had before now.
    pub(crate) fn raise_epoch(&self, now: Timestamp) -> Result<(), IdentityError> {
        self.write(|changes| {
            changes
                .execute(
                    "UPDATE collector SET epoch = MAX(epoch + 1, ?1)",
                    params![now.as_second()],
                )
                .doing("raising the epoch")?;
            Ok(())
        })
    }

    /// Goes up whenever the authority moves.
    pub fn epoch(&self) -> u64 {
        self.own.epoch
    }

    pub fn duty(&self) -> Duty {
        self.own.duty
    }

    /// What agents are told of who decides: an observer does not say.
    pub fn authority(&self) -> Option<proto::v1::Authority> {
        (self.own.duty == Duty::Authority).then(|| proto::v1::Authority {
            collector: self.own.id.clone(),
            epoch: self.own.epoch,
        })
    }

    /// Where agents reach it, as `init` was told: HOST or HOST:PORT.
    pub fn addresses(&self) -> Result<Vec<String>, IdentityError> {
        let reader = self.reader();
        let mut rows = reader
            .prepare_cached("SELECT text FROM address ORDER BY place")
            .doing("reading the addresses")?;
        let texts = rows.query_map([], |row| row.get(0));
        texts
            .and_then(Iterator::collect)
            .doing("reading the addresses")
    }

    /// Nobody can come in or be sent away.
    pub(crate) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// An error once a disk that could not be written can be.
    pub(crate) fn is_up_to_date(&self) -> Result<(), IdentityError> {
        if self.is_read_only && !read_only::is_on_such_a_disk(&self.path) {
            let path = self.path.clone();
            return Err(IdentityError::WritableAgain { path });
        }
        Ok(())
    }

    /// A connection of one's own, to look whether something changed.
    pub(crate) fn watcher(&self) -> Result<Connection, IdentityError> {
        connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does it as a whole, or not at all. What fails, or refuses, leaves nothing behind.
    fn write<T, E: From<IdentityError>>(
        &self,
        what: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .doing("beginning")?;
        let done = what(&changes)?;
        changes.commit().doing("committing")?;
        Ok(done)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, IdentityError> {
    let set = |connection: Connection| {
        connection.busy_timeout(BUSY)?;
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
        // Only now it is read.
        connection.query_row("PRAGMA user_version", [], |_| Ok(()))?;
        Ok(connection)
    };
    let opened = Connection::open_with_flags(path, flags).and_then(set);
    let opened = match opened {
        Err(_) if read_only::is_closed(path) => read_only::open(path).and_then(set),
        opened => opened,
    };
    opened.map_err(|source| IdentityError::Open {
        path: path.to_owned(),
        source,
    })
}

/// A directory that only its owner reads.
fn make_dir(path: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| IdentityError::MakeDir {
            path: path.to_owned(),
            source,
        })
}

/// SQLite would make it for everybody to read; the files beside it get the mode of this one.
fn make_file(path: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(source) => Err(IdentityError::MakeDir {
            path: path.to_owned(),
            source,
        }),
    }
}

fn random<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| IdentityError::NoRandom)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A random UUID (RFC 9562, version 4).
fn uuid() -> Result<String, IdentityError> {
    let mut number = u128::from_be_bytes(random::<16>()?);
    number = number & !(0xf << 76) | 4 << 76;
    number = number & !(0x3 << 62) | 2 << 62;
    let digits = format!("{number:032x}");
    let mut uuid = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    Ok(uuid)
}

#[cfg(test)]
mod tests;
