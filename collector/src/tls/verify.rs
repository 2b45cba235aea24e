//! Which client certificates are good: those of this collector's CA, in their time, that were given out and not revoked.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::identity::Identities;

/// Adds to rustls's own checks that the certificate is one of identity.db, and not revoked. The client is told which
/// by TLS's own alert, so that an agent can say it.
#[derive(Debug)]
pub(super) struct OnlyLiving {
    chains: Arc<dyn ClientCertVerifier>,
    identities: Arc<Identities>,
}

impl OnlyLiving {
    pub(super) fn new(chains: Arc<dyn ClientCertVerifier>, identities: Arc<Identities>) -> Self {
        Self { chains, identities }
    }
}

impl ClientCertVerifier for OnlyLiving {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chains
            .verify_client_cert(end_entity, intermediates, now)?;
        let known = self.identities.certificate(end_entity);
        // A database that cannot be read vouches for nobody.
        let known = known.map_err(|error| Error::General(crate::answer::chain(&error)))?;
        match known {
            Some(certificate) if certificate.revoked.is_none() => Ok(verified),
            Some(_) => Err(Error::InvalidCertificate(CertificateError::Revoked)),
            None => Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            )),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(
            rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
