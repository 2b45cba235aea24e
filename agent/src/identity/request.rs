//! A key, and the request for a certificate of it.
//!
//! The key of a node that joins lies on the disk before it asks, and is the same for the same token until it has an
//! answer: one that was lost on its way can be asked for again, and costs no second use of the token.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use proto::token::JoinToken;
use rcgen::{CertificateParams, KeyPair};

use super::generation::{Locked, StoreError};
use super::membership::hex;

/// Together with a part of the digest of the token's secret.
const PENDING: &str = ".request-";

/// A key, which is only ever written to this node's disk and not to be printed, and the request for its certificate.
pub(super) struct Request {
    pub(super) key_pem: String,
    /// PKCS#10, DER.
    pub(super) der: Vec<u8>,
}

impl Request {
    pub(super) fn make() -> Result<Self, rcgen::Error> {
        Self::of(&KeyPair::generate()?)
    }

    /// Names do not count in it: the collector takes them from the token, or the certificate of now.
    fn of(key: &KeyPair) -> Result<Self, rcgen::Error> {
        let request = CertificateParams::default().serialize_request(key)?;
        Ok(Self {
            key_pem: key.serialize_pem(),
            der: request.der().to_vec(),
        })
    }
}

/// The key that was kept for this token, or a new one, which is kept. `dir` is that of all enrolments.
pub(super) fn pending_key(
    dir: &Path,
    token: &JoinToken,
) -> Result<Result<Request, rcgen::Error>, StoreError> {
    let _locked = Locked::open(dir)?;
    let path = dir.join(name(token));
    // What is cut short or missing is made anew.
    let kept = fs::read_to_string(&path).ok();
    if let Some(key) = kept.and_then(|text| KeyPair::from_pem(&text).ok()) {
        return Ok(Request::of(&key));
    }
    let request = match Request::make() {
        Ok(request) => request,
        Err(error) => return Ok(Err(error)),
    };
    clear(dir)?;
    let mut open = File::options();
    open.write(true).create(true).truncate(true).mode(0o600);
    open.open(&path)
        .and_then(|mut file| {
            file.write_all(request.key_pem.as_bytes())?;
            file.sync_all()?;
            File::open(dir)?.sync_all()
        })
        .map_err(|source| StoreError::Write { path, source })?;
    Ok(Ok(request))
}

/// Forgets the keys that are waiting for an answer.
pub(super) fn answered(dir: &Path) -> Result<(), StoreError> {
    let _locked = Locked::open(dir)?;
    clear(dir)
}

fn clear(dir: &Path) -> Result<(), StoreError> {
    let removed = || -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PENDING) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    removed().map_err(|source| StoreError::Remove {
        path: dir.to_owned(),
        source,
    })
}

fn name(token: &JoinToken) -> String {
    let digest = hex(&token.secret_hash());
    let begin: String = digest.chars().take(16).collect();
    format!("{PENDING}{begin}")
}
