//! The CAs that the collector's certificate may come from: which they are, and which a collector may put in their place.

use proto::tls::Shown;
use proto::token::{Fingerprint, fingerprint};
use rustls::pki_types::CertificateDer;

use super::super::certificate::subject;
use super::{Enrolled, EnrolledError, TRUST, certificates, damaged, gone};

/// A collector has two while one takes the place of the other.
pub(in crate::identity) const MAX_CAS: usize = 8;

impl Enrolled {
    /// The fingerprints of the CAs that the collector's certificate may come from, as they go over the wire.
    pub(crate) fn trust(&self) -> Vec<Vec<u8>> {
        self.trust.iter().map(|ca| ca.to_vec()).collect()
    }

    /// Whether the certificate is of another CA than this one of those that are trusted. Of one that is not among them
    /// nothing is known.
    pub(crate) fn is_of_another_ca(&self, signs: &[u8]) -> Result<bool, EnrolledError> {
        let kept = self.kept()?;
        let ca = kept.trust.iter().find(|ca| fingerprint(ca) == *signs);
        let subject = ca.map(|ca| subject(ca)).transpose();
        let subject = subject.map_err(|source| damaged(&self.dir.join(TRUST), source))?;
        Ok(subject.is_some_and(|subject| subject != self.leaf.issuer))
    }

    /// The CA that signed what the collector showed on a connection.
    pub(crate) fn ca_of(&self, shown: &Shown) -> Result<Option<Fingerprint>, EnrolledError> {
        Ok(shown.ca(&self.kept()?.trust))
    }

    /// Keeps the CAs that the collector told of (`NewTrust`); they replace the ones before. What could not be used, or
    /// would not have let this very connection come about, is refused, and the ones before stay.
    pub(crate) fn store_trust(
        &self,
        trust: &[Vec<u8>],
        shown: &Shown,
    ) -> Result<Self, EnrolledError> {
        let trust = certificates(trust);
        check_trust(&trust, shown)?;
        if self.kept()?.trust == trust {
            return Self::of(self.collectors(), &self.collector_id)?
                .ok_or_else(|| gone(&self.collector_id));
        }
        self.change(|kept| kept.trust = trust)
    }
}

/// Whether these CAs can be trusted from now on: a collector that could not be reached by them any more is not meant.
pub(in crate::identity) fn check_trust(
    trust: &[CertificateDer<'static>],
    shown: &Shown,
) -> Result<(), EnrolledError> {
    match trust.len() {
        0 => Err(EnrolledError::NoTrust),
        count if count > MAX_CAS => Err(EnrolledError::TooManyCas { count }),
        _ if shown.is_of(trust)? => Ok(()),
        _ => Err(EnrolledError::OtherTrust),
    }
}
