//! Which client certificates are good: those of a CA of this collector that is not retired, in their time, that were given
//! out and not revoked.

use std::sync::Arc;

use proto::tls::{provider, roots};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::identity::Identities;

/// Adds to rustls's own checks that the certificate is one of identity.db, and not revoked. The client is told which
/// by TLS's own alert, so that an agent can say it.
#[derive(Debug)]
pub(super) struct OnlyLiving {
    identities: Arc<Identities>,
}

impl OnlyLiving {
    pub(super) fn new(identities: Arc<Identities>) -> Self {
        Self { identities }
    }

    /// rustls's own checks, by the CAs of this moment: a CA that was retired a moment ago vouches for nobody.
    fn chains(&self) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let trust = self.identities.trust();
        // A database that cannot be read vouches for nobody.
        let trust = trust.map_err(|error| Error::General(crate::answer::chain(&error)))?;
        let trust = roots(&trust.cas);
        let trust = trust.map_err(|error| Error::General(crate::answer::chain(&error)))?;
        WebPkiClientVerifier::builder_with_provider(trust, provider())
            .build()
            .map_err(|error| Error::General(error.to_string()))
    }
}

impl ClientCertVerifier for OnlyLiving {
    /// None: they change while the collector runs, and whoever comes here has one certificate for it.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chains()?
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
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
