//! What a certificate says of itself: how long it lives, whom it names, and what tells one authority from another.

use jiff::Timestamp;
use proto::token::fingerprint;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

#[derive(Debug, thiserror::Error)]
#[error("it is no certificate")]
pub(crate) struct NoCertificate;

/// The certificate of a node, as far as its node looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// Whom it names: `quorate://CLUSTER/node/NAME`.
    pub(super) uris: Vec<String>,
    /// A number that differs from certificate to certificate, so that nodes of one age do not act at one moment.
    pub(super) spread: u8,
    /// The name of the CA that signed it, DER: a collector gives each of its CAs another one.
    pub(super) issuer: Vec<u8>,
}

impl Leaf {
    pub(super) fn read(der: &[u8]) -> Result<Self, NoCertificate> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NoCertificate)?;
        let at = |seconds| Timestamp::from_second(seconds).map_err(|_| NoCertificate);
        let validity = certificate.validity();
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| NoCertificate)?;
        let names = names.map(|names| names.value.general_names.as_slice());
        let uris = names
            .unwrap_or_default()
            .iter()
            .filter_map(|name| match name {
                GeneralName::URI(uri) => Some((*uri).to_owned()),
                _ => None,
            });
        Ok(Self {
            not_before: at(validity.not_before.timestamp())?,
            not_after: at(validity.not_after.timestamp())?,
            uris: uris.collect(),
            issuer: certificate.issuer().as_raw().to_vec(),
            spread: fingerprint(der).first().copied().unwrap_or_default(),
        })
    }
}

/// The name of a CA, DER.
pub(super) fn subject(der: &[u8]) -> Result<Vec<u8>, NoCertificate> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NoCertificate)?;
    Ok(certificate.subject().as_raw().to_vec())
}

/// What an authority is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    /// The unit (OU) of its subject.
    pub(super) unit: Option<String>,
    /// Its public key, DER (SubjectPublicKeyInfo).
    pub(super) public_key: Vec<u8>,
}

impl Authority {
    pub(super) fn read(der: &[u8]) -> Result<Self, NoCertificate> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NoCertificate)?;
        let unit = certificate.subject().iter_organizational_unit().next();
        let unit = unit.and_then(|unit| unit.as_str().ok());
        Ok(Self {
            unit: unit.map(str::to_owned),
            public_key: certificate.public_key().raw.to_vec(),
        })
    }
}
