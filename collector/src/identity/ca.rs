//! The collector's own certificate authority: its key, its certificate, and what it signs.
//!
//! The key never leaves `ca/key.pem` (0600; `ca/key-2.pem` of the second CA, and so on). Whoever reads that file can be any node
//! and anybody: docs/collector.md. The certificate beside it is for people to look at: what counts is in identity.db.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use model::identity::Identity;
use proto::tls::SERVER_NAME;
use proto::token::{Fingerprint, fingerprint};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, SerialNumber,
};
use rustls::pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::rotation::file;
use super::{IdentityError, hex, random};

pub(crate) const DIR: &str = "ca";
const KEY: &str = "key";
const CERTIFICATE: &str = "certificate";
const DAY_S: u64 = 86_400;
/// Letters in a line of PEM (RFC 7468).
const LINE: usize = 64;
const CA_LIFETIME: Duration = Duration::from_secs(3_652 * DAY_S);
/// Of the collector's own certificate; a new one is made at every start, and long before this is over.
pub const SERVER_LIFETIME: Duration = Duration::from_secs(30 * DAY_S);
/// The clock of a node may be behind the collector's.
const BACKDATED: Duration = Duration::from_secs(3_600);
/// What a node may have as its key.
const KEYS: [&rcgen::SignatureAlgorithm; 3] = [
    &rcgen::PKCS_ECDSA_P256_SHA256,
    &rcgen::PKCS_ECDSA_P384_SHA384,
    &rcgen::PKCS_ED25519,
];

#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is not what `quorate-collector init` wrote", path.display())]
    Parse { path: PathBuf, source: rcgen::Error },
    #[error("{} is not the key of this CA: put the right one there, from a backup", path.display())]
    OtherKey { path: PathBuf },
    #[error("{} cannot be removed", path.display())]
    Remove { path: PathBuf, source: io::Error },
    #[error("{what} cannot be signed")]
    Sign {
        what: &'static str,
        source: rcgen::Error,
    },
    #[error("the collector's own key cannot be used")]
    ServerKey(#[source] rustls::Error),
}

/// A request for a certificate that cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum BadRequest {
    #[error("it is no PKCS#10 request signed with its own key")]
    Request(#[source] rcgen::Error),
    #[error("its key is none of ECDSA P-256, ECDSA P-384, Ed25519")]
    Key,
}

/// A public key that somebody has proved to hold the other half of.
#[derive(Debug)]
pub struct ProvenKey {
    key: rcgen::PublicKey,
    algorithm: &'static rcgen::SignatureAlgorithm,
}

impl ProvenKey {
    /// Checks the request's own signature. Of all else in it nothing counts.
    pub fn of_request(der: &[u8]) -> Result<Self, BadRequest> {
        let request = CertificateSigningRequestDer::from(der.to_vec());
        let request =
            CertificateSigningRequestParams::from_der(&request).map_err(BadRequest::Request)?;
        let key = request.public_key;
        let mut allowed = KEYS.into_iter();
        let algorithm = allowed.find(|allowed| *allowed == key.algorithm());
        let algorithm = algorithm.ok_or(BadRequest::Key)?;
        Ok(Self { key, algorithm })
    }

    pub(super) fn hash(&self) -> Fingerprint {
        fingerprint(self.key.der_bytes())
    }
}

/// A certificate, just signed.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) der: CertificateDer<'static>,
    /// Hex digits.
    pub(super) serial: String,
    pub(super) not_after: Timestamp,
}

/// The CA.
#[derive(Debug)]
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

impl Ca {
    /// Makes a new one, in place of what an `init` that did not get to its end left.
    pub(super) fn make(
        state_dir: &Path,
        number: u32,
        collector: &str,
        now: Timestamp,
    ) -> Result<CertificateDer<'static>, IdentityError> {
        let dir = state_dir.join(DIR);
        super::make_dir(&dir)?;
        let sign = |source| CaError::Sign {
            what: "the CA's certificate",
            source,
        };
        let key = KeyPair::generate().map_err(sign)?;
        let (mut params, _) = living(now, CA_LIFETIME)?;
        params.distinguished_name = called(&subject(collector, number));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(sign)?;
        write(&file(state_dir, KEY, number), &key.serialize_pem(), 0o600)?;
        let path = file(state_dir, CERTIFICATE, number);
        write(&path, &certificate.pem(), 0o644)?;
        // So that after a power cut there is no database without its CA.
        let synced = fs::File::open(&dir).and_then(|dir| dir.sync_all());
        synced.map_err(|source| CaError::Write { path: dir, source })?;
        Ok(certificate.der().clone())
    }

    pub(super) fn read(
        state_dir: &Path,
        number: u32,
        der: CertificateDer<'static>,
    ) -> Result<Self, CaError> {
        let path = file(state_dir, KEY, number);
        let text = fs::read_to_string(&path).map_err(|source| CaError::Read {
            path: path.clone(),
            source,
        })?;
        let parse = |source| CaError::Parse {
            path: path.clone(),
            source,
        };
        let key = KeyPair::from_pem(&text).map_err(parse)?;
        if !is_key_of(&key, &der) {
            return Err(CaError::OtherKey { path });
        }
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(parse)?;
        Ok(Self { issuer, der })
    }

    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.der)
    }

    /// What a client shows: its own certificate. The CA's is added by those who know it by fingerprint alone.
    pub(super) fn sign(
        &self,
        identity: &Identity,
        key: &impl PublicKeyData,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Signed, IdentityError> {
        let (mut params, not_after) = living(now, lifetime)?;
        let uri = identity.to_string().try_into();
        let sign = |source| CaError::Sign {
            what: "a certificate",
            source,
        };
        params.subject_alt_names = vec![SanType::URI(uri.map_err(sign)?)];
        params.distinguished_name = called(identity.name().as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.finish(params, key, not_after)
    }

    /// The collector's own certificate, with a new key that is nowhere but in memory, and the CA's behind it: nodes
    /// without a certificate know the CA by its fingerprint alone.
    pub fn server(&self, now: Timestamp) -> Result<CertifiedKey, IdentityError> {
        let sign = |source| CaError::Sign {
            what: "the collector's own certificate",
            source,
        };
        let key = KeyPair::generate().map_err(sign)?;
        let (mut params, not_after) = living(now, SERVER_LIFETIME)?;
        let name = SERVER_NAME.try_into().map_err(sign)?;
        params.subject_alt_names = vec![SanType::DnsName(name)];
        params.distinguished_name = called(SERVER_NAME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let signed = self.finish(params, &key, not_after)?;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let private = rustls::crypto::ring::sign::any_supported_type(&private);
        let private = private.map_err(CaError::ServerKey)?;
        Ok(CertifiedKey::new(
            vec![signed.der, self.der.clone()],
            private,
        ))
    }

    fn finish(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
        not_after: Timestamp,
    ) -> Result<Signed, IdentityError> {
        let mut serial = random::<16>()?;
        // A serial number is positive, and its first byte not 0, so that it is written the same everywhere.
        serial[0] = serial[0] & 0x3f | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer);
        let certificate = certificate.map_err(|source| CaError::Sign {
            what: "a certificate",
            source,
        })?;
        Ok(Signed {
            der: certificate.der().clone(),
            serial: hex(&serial),
            not_after,
        })
    }
}

impl PublicKeyData for ProvenKey {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

/// A certificate that lives from now on.
fn living(
    now: Timestamp,
    lifetime: Duration,
) -> Result<(CertificateParams, Timestamp), IdentityError> {
    let at = |text: Timestamp| u64::try_from(text.as_second()).ok();
    let out_of_range = || IdentityError::Damaged {
        what: "time on this machine's clock",
        text: now.to_string(),
    };
    let begin = at(now).ok_or_else(out_of_range)?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let not_after = now.checked_add(lifetime).map_err(|_| out_of_range())?;
    let end = at(not_after).ok_or_else(out_of_range)?;
    let mut params = CertificateParams::default();
    params.not_before = epoch + Duration::from_secs(begin.saturating_sub(BACKDATED.as_secs()));
    params.not_after = epoch + Duration::from_secs(end);
    Ok((params, not_after))
}

/// No two CAs have the same name: what a certificate says of its issuer tells them apart.
fn subject(collector: &str, number: u32) -> String {
    match number {
        1 => format!("Quorate collector {collector}"),
        number => format!("Quorate collector {collector}, CA {number}"),
    }
}

/// From when to when a CA is good.
pub fn lifetime(der: &CertificateDer<'_>) -> Result<(Timestamp, Timestamp), IdentityError> {
    let damaged = || IdentityError::Damaged {
        what: "certificate of a CA",
        text: hex(&fingerprint(der)),
    };
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| damaged())?;
    let validity = certificate.validity();
    let at = |seconds| Timestamp::from_second(seconds).map_err(|_| damaged());
    Ok((
        at(validity.not_before.timestamp())?,
        at(validity.not_after.timestamp())?,
    ))
}

fn is_key_of(key: &KeyPair, der: &CertificateDer<'_>) -> bool {
    let parsed = X509Certificate::from_der(der);
    parsed.is_ok_and(|(_, certificate)| {
        certificate.public_key().subject_public_key.data == key.public_key_raw()
    })
}

/// The certificate of the only CA of a collector that was made before identity.db held it.
pub(super) fn first_certificate(state_dir: &Path) -> Result<CertificateDer<'static>, CaError> {
    let path = file(state_dir, CERTIFICATE, 1);
    let text = fs::read_to_string(&path).map_err(|source| CaError::Read {
        path: path.clone(),
        source,
    })?;
    der_of(&text).ok_or(CaError::Parse {
        path,
        source: rcgen::Error::CouldNotParseCertificate,
    })
}

/// Of a CA that is good for nothing any more.
pub(super) fn forget_files(state_dir: &Path, number: u32) -> Result<(), CaError> {
    for what in [KEY, CERTIFICATE] {
        let path = file(state_dir, what, number);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(CaError::Remove { path, source });
            }
            _ => {}
        }
    }
    // A power cut must not bring it back.
    let dir = state_dir.join(DIR);
    let synced = fs::File::open(&dir).and_then(|dir| dir.sync_all());
    synced.map_err(|source| CaError::Remove { path: dir, source })
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn der_of(pem: &str) -> Option<CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), CaError> {
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|source| CaError::Write {
        path: path.to_owned(),
        source,
    })
}

/// A certificate as text.
pub fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = encoded.as_str();
    while let Some((line, next)) = rest
        .split_at_checked(LINE.min(rest.len()))
        .filter(|it| !it.0.is_empty())
    {
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
